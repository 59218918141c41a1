"""A version that was sent back from review and changed is evaluated by what it says now, also where it was known."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Assignment, AssignmentRun
from accounts.services import runs
from frameworks.models import FrameworkVersion, Segment, User
from frameworks.services.drafting import assumed_parts, confirm_parts, save_part
from frameworks.services.review import request_changes, submit_version
from governance.services.activation import request_activation
from tests.accounts.activating import AT, account, activate, push_through, sign_everything, signed_version, work_off
from tests.frameworks.making import person, waive_warnings

pytestmark = pytest.mark.django_db

ACCOUNTS = 20


@pytest.fixture
def version() -> FrameworkVersion:
    """Mid-Market takes every account by the version first submitted and studied, Enterprise by the one sent again."""
    for number in range(ACCOUNTS):
        account(f"Account {number}", arr="60000.00")
    version = signed_version()
    assert moved_into(studied(version)) == {"mid_market": ACCOUNTS}
    send_back(version)
    send_again(version)
    return version


def send_back(version: FrameworkVersion) -> None:
    executive = User.objects.get(email="marcus@x.example")
    request_changes(version=version, actor=executive, at=AT, reason="That is not the threshold we agreed on.")
    version.refresh_from_db()


def send_again(version: FrameworkVersion) -> None:
    take_enterprise_from(version, "50000.00")
    waive_warnings(version, version.author, AT)
    confirm_parts(
        version=version, parts=assumed_parts(version), evidence="Agreed in the council.", actor=version.author, at=AT
    )
    submit_version(version=version, actor=version.author, at=AT)
    version.refresh_from_db()


def take_enterprise_from(draft: FrameworkVersion, threshold: str) -> None:
    part = draft.parts.select_related("body").get(kind="segment", key="customer_tier/enterprise")
    body: dict[str, Any] = part.body.body
    root = {"id": "n1", "op": "ge", "attribute": "arr", "value": threshold}
    value = {"key": "value", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
    save_part(
        version=draft,
        kind="segment",
        key=part.key,
        body={**body, "rules": [value, *(each for each in body["rules"] if each["key"] != "value")]},
        expected_digest=part.body_id,
        actor=draft.author,
        at=AT,
        source="page",
    )


def studied(version: FrameworkVersion) -> AssignmentRun:
    return work_off(runs.plan_study(version=version, actor=version.author, at=AT))


def moved_into(run: AssignmentRun) -> dict[str, int]:
    """Accounts by the customer tier that the run says they go to."""
    keys = {str(segment.pk): segment.key for segment in Segment.objects.filter(dimension__key="customer_tier")}
    found: dict[str, int] = {}
    for by_from in run.moves.values():
        for by_to in by_from.values():
            for to, accounts in by_to.items():
                if to in keys:
                    found[keys[to]] = found.get(keys[to], 0) + accounts
    return found


def test_impact_of_a_version_changed_after_review_is_that_of_its_new_rules(version: FrameworkVersion) -> None:
    assert moved_into(studied(version)) == {"enterprise": ACCOUNTS}


def test_version_changed_after_review_assigns_by_its_new_rules(version: FrameworkVersion) -> None:
    for stakeholder in User.objects.filter(groups__name="stakeholder"):
        sign_everything(version, stakeholder)
    version.refresh_from_db()
    run = request_activation(version=version, actor=version.author, at=AT)
    second = person("tomas", "revops")

    assert push_through(run, second).state == AssignmentRun.State.APPLIED
    tiers = Assignment.objects.filter(dimension__key="customer_tier").values_list("effective__key", flat=True)
    assert set(tiers) == {"enterprise"}


def test_study_under_way_when_its_version_is_changed_is_given_up_for_another() -> None:
    for number in range(ACCOUNTS):
        account(f"Account {number}", arr="60000.00")
    version = signed_version()
    begun = runs.plan_study(version=version, actor=version.author, at=AT)
    send_back(version)
    send_again(version)

    asked_again = runs.plan_study(version=version, actor=version.author, at=AT)

    assert moved_into(work_off(asked_again)) == {"enterprise": ACCOUNTS}
    begun.refresh_from_db()
    assert (begun.state, begun.note) == ("cancelled", f"{version} was changed after this run had begun.")
    assert version.impacts.count() == 1


def test_study_whose_draft_is_edited_meanwhile_ends_without_figures() -> None:
    for number in range(ACCOUNTS):
        account(f"Account {number}", arr="60000.00")
    version = signed_version()
    send_back(version)
    begun = runs.plan_study(version=version, actor=version.author, at=AT)
    take_enterprise_from(version, "50000.00")

    assert work_off(begun).state == "cancelled"
    assert not version.impacts.exists()


def test_held_activation_of_a_version_changed_since_is_cancelled_when_released() -> None:
    for number in range(ACCOUNTS):
        account(f"Account {number}", arr="60000.00")
    version = signed_version()
    held = activate(version)
    assert held.state == AssignmentRun.State.HELD
    send_back(version)
    send_again(version)
    for stakeholder in User.objects.filter(groups__name="stakeholder"):
        sign_everything(version, stakeholder)

    runs.release_run(run=held, reason="It is as we expect.", actor=person("dana", "cs_ops"), at=AT)

    held.refresh_from_db()
    version.framework.refresh_from_db()
    assert held.state == AssignmentRun.State.CANCELLED
    assert "was changed after this run had begun" in held.note
    assert version.framework.active_version is None
    assert not Assignment.objects.exists()
