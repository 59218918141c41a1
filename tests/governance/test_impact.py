"""The impact of a version: computed without changing anything, recorded for its signers, compared at activation."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, Assignment, AssignmentRun, Override, RunMove, Transition
from accounts.services.overrides import end_override, grant_override
from accounts.services.runs import plan_study
from frameworks.errors import ConflictError
from frameworks.models import Framework, FrameworkVersion, Segment, User, VersionImpact
from frameworks.services.drafting import save_part, start_draft
from governance.inbox_item import Item
from governance.models import Notification
from governance.services.activation import request_activation
from governance.services.inbox import waiting_for
from tests.accounts.activating import AT, account, next_version, push_through, work_off
from tests.accounts.test_mapping import retirement
from tests.accounts.test_runs import segments_of
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(active_world: None) -> list[Account]:
    return list(Account.objects.order_by("pk"))


@pytest.fixture
def active(active_world: None) -> FrameworkVersion:
    return FrameworkVersion.objects.get()


def lower_strategic() -> FrameworkVersion:
    return next_version(Framework.objects.get(), replacing={"500000.00": "260000.00"})


def in_force(version: FrameworkVersion) -> AssignmentRun:
    run = request_activation(version=version, actor=person("tomas", "revops"), at=AT)
    return push_through(run, person("dana", "cs_ops"))


def studied(version: FrameworkVersion) -> dict[str, Any]:
    run = work_off(plan_study(version=version, actor=None, at=AT))
    assert run.state == "studied"
    figures: dict[str, Any] = version.impacts.latest("pk").figures
    return figures


def test_impact_says_who_moves_with_how_much_arr_and_changes_nothing(accounts: list[Account]) -> None:
    before = (Assignment.objects.count(), Transition.objects.count())
    version = lower_strategic()

    figures = studied(version)

    assert figures["moving"] == {"accounts": 1, "arr": "300000.00"}
    assert figures["matrix"]["customer_tier"] == {"enterprise": {"strategic": {"accounts": 1, "arr": "300000.00"}}}
    (mover,) = figures["movers"]
    assert (mover["name"], mover["from"], mover["to"]) == (accounts[5].name, "enterprise", "strategic")
    strategic = figures["segments"]["customer_tier/strategic"]
    assert (strategic["accounts"], strategic["before"]["accounts"], strategic["entering"]["accounts"]) == (3, 2, 1)
    assert strategic["arr"] == "2000000.00"
    assert figures["segments"]["customer_tier/enterprise"]["leaving"]["arr"] == "300000.00"
    assert (Assignment.objects.count(), Transition.objects.count()) == before


def test_impact_of_a_first_version_counts_everybody(signed_world: None) -> None:
    version = FrameworkVersion.objects.get()

    figures = studied(version)

    assert figures["first"] is True
    tier = {key: row for key, row in figures["segments"].items() if key.startswith("customer_tier/")}
    assert sum(row["accounts"] for row in tier.values()) == 8
    assert sum(Decimal(row["arr"]) for row in tier.values()) == Decimal(2_304_000)
    assert not RunMove.objects.exists()


def test_figures_are_those_of_the_activation_that_follows(active: FrameworkVersion) -> None:
    version = lower_strategic()
    expected = studied(version)

    run = push_through(
        request_activation(version=version, actor=person("tomas", "revops"), at=AT), person("d", "cs_ops")
    )

    assert run.state == "applied"
    for key in ("strategic", "enterprise", "mid_market", "smb"):
        segment = Segment.objects.get(dimension__key="customer_tier", key=key)
        rows = Assignment.objects.filter(effective=segment)
        assert rows.count() == expected["segments"][f"customer_tier/{key}"]["accounts"]


def test_study_holds_up_no_run_and_is_not_made_twice_at_once(active: FrameworkVersion) -> None:
    version = lower_strategic()

    study = plan_study(version=version, actor=None, at=AT)
    again = plan_study(version=version, actor=None, at=AT)
    run = request_activation(version=version, actor=person("tomas", "revops"), at=AT)

    assert study == again
    assert work_off(run).state in ("held", "applied")
    assert AssignmentRun.objects.get(pk=study.pk).state == "planned"


def test_impact_of_a_draft_is_computed_as_it_stands(active: FrameworkVersion) -> None:
    draft = start_draft(framework=active.framework, actor=active.author, at=AT)
    part = draft.parts.select_related("body").get(kind="segment", key="customer_tier/strategic")
    body = json.loads(json.dumps(part.body.body).replace('"500000.00"', '"850000.00"'))
    save_part(
        version=draft,
        kind="segment",
        key=part.key,
        body=body,
        expected_digest=part.body_id,
        actor=active.author,
        at=AT,
        source="page",
    )

    assert studied(draft)["segments"]["customer_tier/strategic"]["accounts"] == 1


def test_impact_of_the_active_version_is_refused(active: FrameworkVersion) -> None:
    recorded = VersionImpact.objects.count()

    with pytest.raises(ConflictError, match="changes nothing more"):
        plan_study(version=active, actor=None, at=AT)

    assert VersionImpact.objects.count() == recorded


def test_override_of_a_split_that_names_no_successor_lapses_with_the_activation(
    accounts: list[Account], active: FrameworkVersion
) -> None:
    segment = Segment.objects.get(dimension__key="customer_tier", key="strategic")
    grant_override(
        account=accounts[0],
        dimension=segment.dimension,
        segment=segment,
        valid_from=AT,
        valid_until=AT.replace(year=2027),
        reason="Agreed with the executive sponsor.",
        actor=active.author,
        at=AT,
    )
    entry = retirement("strategic", "enterprise", "mid_market")
    without = ("customer_tier/strategic",)
    version = next_version(active.framework, replacing={}, without=without, retired={"customer_tier": [entry]})
    figures = studied(version)
    assert figures["overrides"] == {"carried": 0, "mapped": 0, "reconfirm": 0, "ask_again": 1, "lapsing": 0}
    assert [(row["name"], row["fate"]) for row in figures["override_fates"]] == [(accounts[0].name, "ask_again")]

    run = push_through(
        request_activation(version=version, actor=person("tomas", "revops"), at=AT), person("d", "cs_ops")
    )

    assert run.state == "applied"
    override = Override.objects.get()
    assert override.ending == "lapsed"
    assert override.ended_at is not None
    assert Account.objects.count() == len(accounts)
    assert segments_of(accounts[0].pk)["customer_tier"] != "strategic"
    assert override.ended_at is not None
    later = override.ended_at + timedelta(days=13)
    cs_ops, csm = person("carol", "cs_ops"), person("leah", "csm")
    (asked,) = [item for item in waiting_for(cs_ops, later) if item.ref == f"reconfirm:{override.uuid}"]
    assert asked.title == f"Reconfirm: {accounts[0].name} was Strategic by override"
    assert "the account counts as" in asked.detail
    assert asked.url.endswith("/override/")
    assert not [item for item in waiting_for(csm, later) if item.ref.startswith("reconfirm")]
    assert not [item for item in waiting_for(cs_ops, later + timedelta(days=1)) if item.ref.startswith("reconfirm")]
    grant_override(
        account=accounts[0],
        dimension=segment.dimension,
        segment=Segment.objects.get(dimension__key="customer_tier", key="enterprise"),
        valid_from=override.ended_at,
        valid_until=AT.replace(year=2027),
        reason="Agreed again for the new segment.",
        actor=active.author,
        at=override.ended_at,
    )
    assert not [item for item in waiting_for(cs_ops, later) if item.ref.startswith("reconfirm")]


def test_override_whose_segment_got_other_rules_goes_on_and_people_look_at_it_again(
    accounts: list[Account], active: FrameworkVersion
) -> None:
    strategic = Segment.objects.get(dimension__key="customer_tier", key="strategic")
    smb = Segment.objects.get(dimension__key="customer_tier", key="smb")
    leah, carol = person("leah", "csm"), person("carol", "cs_ops")
    changed, kept = (
        grant_override(
            account=account,
            dimension=segment.dimension,
            segment=segment,
            valid_from=AT - timedelta(days=1),
            valid_until=AT.replace(year=2027),
            reason="Agreed with the executive sponsor.",
            actor=leah,
            at=AT - timedelta(days=1),
        )
        for account, segment in ((accounts[4], strategic), (accounts[6], smb))
    )
    version = lower_strategic()
    figures = studied(version)
    assert [(row["name"], row["fate"]) for row in figures["override_fates"]] == [(accounts[4].name, "reconfirm")]
    assert (figures["overrides"]["carried"], figures["overrides"]["reconfirm"]) == (1, 1)

    in_force(version)

    for override in (changed, kept):
        override.refresh_from_db()
        assert (override.ended_at, override.ending) == (None, "")
    (said,) = Notification.objects.filter(person=leah, subject__contains="overrides under version")
    assert f"{accounts[4].name}: the rules of Strategic changed, and its override to it goes on" in said.text
    assert accounts[6].name not in said.text

    soon, late = AT + timedelta(days=13), AT + timedelta(days=15)
    (asked,) = looks(carol, soon)
    assert asked.title == f"Still right? {accounts[4].name} counts as Strategic by override"
    assert (looks(leah, soon), looks(carol, late)) == ([], [])
    end_override(override=changed, ending="revoked", reason="Not any more.", actor=carol, at=soon)
    assert looks(carol, soon) == []


def looks(user: User, at: datetime) -> list[Item]:
    return [item for item in waiting_for(user, at) if item.ref.startswith("look-again")]


def test_account_that_has_no_assignment_yet_comes_from_nowhere_and_not_from_unassigned(
    active: FrameworkVersion,
) -> None:
    version = lower_strategic()
    account("Newcomer", arr=Decimal("900000.00"))

    figures = studied(version)

    unassigned = figures["segments"]["customer_tier/"]
    assert (unassigned["accounts"], unassigned["leaving"]["accounts"], unassigned["before"]["accounts"]) == (0, 0, 0)
    assert figures["segments"]["customer_tier/strategic"]["accounts"] == 4
    tier = [row for key, row in figures["segments"].items() if key.startswith("customer_tier/")]
    assert sum(row["accounts"] for row in tier) == 9


def test_activation_that_a_gate_stops_is_cancelled_and_not_held_for_release(active: FrameworkVersion) -> None:
    version = lower_strategic()
    tomas = person("tomas", "revops")
    assert work_off(request_activation(version=version, actor=tomas, at=AT)).state == "held"
    AssignmentRun.objects.filter(state="held").update(state="cancelled")
    again = request_activation(version=version, actor=tomas, at=AT)
    signed = version.signoffs.first()
    assert signed is not None
    signed.signer.groups.clear()

    run = work_off(again)

    assert run.state == "cancelled"
    assert signed.signer.name in run.note
    active.framework.refresh_from_db()
    assert active.framework.active_version == active
