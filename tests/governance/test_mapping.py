"""A version that merges segments, activated over real accounts: accounts, overrides, requests and reviews follow."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.evaluation import engine
from accounts.models import Account, Assignment, AssignmentRun, Override, Transition
from accounts.services.evaluation import evaluate_pending
from accounts.services.overrides import grant_override
from accounts.services.runs import plan_study
from frameworks.models import Framework, FrameworkVersion, Segment, User
from frameworks.retire_forecast import RetireForecast, forecast_of
from frameworks.services.drafting import start_draft
from frameworks.services.retiring import Leaving, retire_segments
from frameworks.services.rollback import draft_rollback
from governance.models import AuditEntry, Notification, OverrideRequest
from governance.services.activation import request_activation
from governance.services.requests import decide_override, request_override
from tests.accounts.activating import AT, push_through, sign_off, work_off
from tests.accounts.test_runs import segments_of
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db
WHY = "Both are served by one team now."


@pytest.fixture
def accounts(active_world: None) -> list[Account]:
    return list(Account.objects.order_by("pk"))


def segment(key: str) -> Segment:
    return Segment.objects.get(dimension__key="customer_tier", key=key)


def grant(account: Account, key: str, *, start: int = 0, end: int = 200) -> Override:
    return grant_override(
        account=account,
        dimension=segment(key).dimension,
        segment=segment(key),
        valid_from=AT + timedelta(days=start),
        valid_until=AT + timedelta(days=end),
        reason="Agreed with the executive sponsor.",
        actor=User.objects.get(email="ravi@x.example"),
        at=AT,
    )


def merged(leaving: Leaving | None = None) -> FrameworkVersion:
    """A signed version in which Strategic and Enterprise are one, unless something else leaves."""
    framework = Framework.objects.get()
    author = User.objects.get(email="ravi@x.example")
    version = start_draft(framework=framework, actor=author, at=AT)
    leaving = leaving or Leaving(["strategic", "enterprise"], [], WHY, new_label="Large")
    digest = version.parts.get(kind="dimension", key="customer_tier").body_id
    retire_segments(
        version=version, dimension="customer_tier", leaving=leaving, digest=digest, actor=author, at=AT, source="page"
    )
    return sign_off(version)


def in_force(version: FrameworkVersion) -> AssignmentRun:
    run = request_activation(version=version, actor=someone("tomas", "revops"), at=AT)
    return push_through(run, someone("dana", "cs_ops"))


def someone(name: str, role: str) -> User:
    return User.objects.filter(email=f"{name}@x.example").first() or person(name, role)


def causes() -> list[tuple[str, str, str]]:
    rows = Transition.objects.exclude(cause="initial").order_by("account_id", "pk")
    return [
        (row.from_segment.key if row.from_segment else "", row.to_segment.key if row.to_segment else "", row.cause)
        for row in rows.select_related("from_segment", "to_segment")
    ]


def test_merge_moves_every_account_by_mapping_and_the_guard_lets_it(accounts: list[Account]) -> None:
    version = merged()
    study = work_off(plan_study(version=version, actor=None, at=AT))
    figures: dict[str, Any] = version.impacts.latest("pk").figures

    run = work_off(request_activation(version=version, actor=person("tomas", "revops"), at=AT))

    assert study.state == "studied"
    assert figures["moving"]["accounts"] == 0
    assert figures["movers"] == []
    assert {was: row["large"]["accounts"] for was, row in figures["mapped"]["customer_tier"].items()} == {
        "enterprise": 2,
        "strategic": 2,
    }
    assert (run.state, run.held_because) == ("applied", [])
    assert causes() == [("enterprise", "large", "mapping")] * 2 + [("strategic", "large", "mapping")] * 2
    assert segments_of(accounts[6].pk)["customer_tier"] == "large"


def test_evaluating_again_after_a_merge_writes_nothing(accounts: list[Account]) -> None:
    in_force(merged())
    before = Transition.objects.count()

    outcomes = engine.evaluate_accounts(account_ids=[each.pk for each in accounts], at=AT)

    assert [outcome.changed for outcome in outcomes] == [0]
    assert Transition.objects.count() == before


def test_override_goes_on_in_the_successor_with_its_past(accounts: list[Account]) -> None:
    old = grant(accounts[0], "strategic")
    evaluate_pending(at=AT)
    version = merged()
    work_off(plan_study(version=version, actor=None, at=AT))
    figures = version.impacts.latest("pk").figures

    in_force(version)

    old.refresh_from_db()
    new = Override.objects.get(carried_from=old)
    assert figures["overrides"]["mapped"] == 1
    assert (figures["override_fates"][0]["from"], figures["override_fates"][0]["to"]) == ("strategic", "large")
    assert (old.segment.key, old.ending) == ("strategic", "mapped")
    assert (new.segment.key, new.valid_from, new.valid_until) == ("large", old.ended_at, old.valid_until)
    assert new.origin == old.segment
    assert segments_of(accounts[0].pk)["customer_tier"] == "large"
    entry = AuditEntry.objects.filter(action="version.activated").latest("seq")
    assert entry.after["overrides"] == {"carried": [str(new.uuid)], "ended": []}


def test_overrides_that_follow_each_other_are_carried_without_overlapping(accounts: list[Account]) -> None:
    grant(accounts[0], "strategic", end=30)
    grant(accounts[0], "enterprise", start=30, end=90)
    grant(accounts[0], "mid_market", start=90, end=120)

    in_force(merged())

    rows = Override.objects.filter(ended_at=None).order_by("valid_from").select_related("segment")
    assert [row.segment.key for row in rows] == ["large", "large", "mid_market"]
    assert [row.valid_until for row in rows] == [AT + timedelta(days=days) for days in (30, 90, 120)]
    assert rows[0].valid_until == rows[1].valid_from


def test_override_that_is_to_be_asked_for_again_ends_and_people_are_told(
    accounts: list[Account], django_capture_on_commit_callbacks: Any
) -> None:
    grant(accounts[0], "strategic")
    evaluate_pending(at=AT)
    version = merged(Leaving(["strategic"], ["enterprise"], WHY, overrides="reconfirm"))

    with django_capture_on_commit_callbacks(execute=True):
        in_force(version)

    assert [row.ending for row in Override.objects.all()] == ["lapsed"]
    told = Notification.objects.get(subject__contains="overrides under version")
    assert told.person.email == "ravi@x.example"
    assert "Ask again if it should go on" in told.text
    assert segments_of(accounts[0].pk)["customer_tier"] == "smb"


def asked(account: Account, key: str) -> OverrideRequest:
    return request_override(
        account=account,
        dimension=segment(key).dimension,
        segment=segment(key),
        reason_code="strategic_relationship",
        reason="The board asked for it by name.",
        valid_from=AT,
        valid_until=AT + timedelta(days=60),
        actor=person("leah", "cs_ops"),
        at=AT,
    )


def test_open_request_for_a_retired_segment_is_closed_with_the_reason(
    accounts: list[Account], django_capture_on_commit_callbacks: Any
) -> None:
    request = asked(accounts[0], "enterprise")

    with django_capture_on_commit_callbacks(execute=True):
        in_force(merged())

    request.refresh_from_db()
    assert (request.state, request.override) == ("lapsed", None)
    assert request.state_reason.startswith("Large took the place of Enterprise")
    told = Notification.objects.filter(subject__contains="your request is closed")
    assert [row.person.email for row in told] == ["leah@x.example"]


def test_request_behind_a_carried_override_leads_to_what_goes_on(accounts: list[Account], client: Any) -> None:
    request = asked(accounts[0], "enterprise")
    decider = person("carol", "cs_ops")
    for each in (decider, person("dora", "deal_desk")):
        decide_override(request=request, verdict="approve", reason="", actor=each, at=AT)

    in_force(merged())

    request.refresh_from_db()
    assert request.override is not None
    assert (request.override.segment.key, request.override.ended_at) == ("large", None)
    client.force_login(decider)
    page = client.get(f"/requests/{request.uuid}/").content.decode()
    assert "Carried on as Large" in page


def test_going_back_returns_accounts_and_overrides_to_where_they_came_from(accounts: list[Account]) -> None:
    grant(accounts[0], "strategic")
    grant(accounts[1], "enterprise")
    evaluate_pending(at=AT)
    first = Framework.objects.get().active_version
    assert first is not None
    before = {each.pk: segments_of(each.pk) for each in accounts[2:]}
    in_force(merged())
    first.refresh_from_db()
    rollback = draft_rollback(
        version=first, reason="It did not work.", actor=User.objects.get(email="ravi@x.example"), at=AT
    )

    in_force(sign_off(rollback))

    live = Override.objects.filter(ended_at=None).order_by("account_id")
    assert [row.segment.key for row in live] == ["strategic", "enterprise"]
    assert {each.pk: segments_of(each.pk) for each in accounts[2:]} == before
    assert {cause for *_, cause in causes()} <= {"mapping", "override_started"}


def test_account_whose_data_changed_meanwhile_really_moves(accounts: list[Account]) -> None:
    version = merged()
    Account.objects.filter(pk=accounts[6].pk).update(arr=Decimal(60_000))

    in_force(version)

    assert ("strategic", "mid_market", "version") in causes()


@pytest.mark.parametrize(
    ("into", "goes_along", "foreseen"),
    [
        (["industrial"], True, RetireForecast(0, 2, adds_rules=True)),
        (["industrial"], False, RetireForecast(2, 0, adds_rules=False)),
        (["industrial", "consumer"], True, RetireForecast(2, None, adds_rules=False)),
    ],
)
def test_retired_into_a_segment_that_is_there_places_as_many_as_was_said_before(
    accounts: list[Account], into: list[str], foreseen: RetireForecast, *, goes_along: bool
) -> None:
    leaving = Leaving(["healthcare"], into, WHY, rules_go_along=goes_along)
    author = User.objects.get(email="ravi@x.example")
    version = start_draft(framework=Framework.objects.get(), actor=author, at=AT)
    digest = version.parts.get(kind="dimension", key="industry").body_id

    said = forecast_of(version, "industry", leaving, AT)
    retire_segments(
        version=version, dimension="industry", leaving=leaving, digest=digest, actor=author, at=AT, source="page"
    )
    in_force(sign_off(version))

    assert said == foreseen
    lost = Assignment.objects.filter(dimension__key="industry", effective=None)
    assert lost.count() == foreseen.unassigned
