"""Where an account was on a past day, and what a version says of it as it was then."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.evaluation.past import facts_at, said_at, segments_at
from accounts.models import (
    Account,
    AccountIdentifier,
    Cause,
    ListEntry,
    MetricObservation,
    PendingEvaluation,
    Signal,
    Transition,
)
from accounts.services.evaluation import evaluate_pending
from frameworks.models import AccountList, Framework, FrameworkVersion
from tests.accounts.activating import AT, account, activate, next_version, signed_version
from tests.accounts.test_account_pages import words
from tests.accounts.test_runs import spread
from tests.api.making import Api, make_account, make_model, make_service, make_token, move
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(days=3)


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(LATER + timedelta(hours=1), tick=False):
        yield


@pytest.fixture(scope="module")
def moved_world(world: None) -> None:
    with time_machine.travel(LATER, tick=False):
        spread()
        made = account("Castellan", arr=Decimal("300000.00"))
        Account.objects.filter(pk=made.pk).update(created_at=AT - timedelta(days=9))
        activate(signed_version())
        Account.objects.filter(pk=made.pk).update(arr="900000.00", version=2, updated_at=LATER)
        PendingEvaluation.objects.create(account=made, cause=Cause.DATA, marked_at=LATER)
        evaluate_pending(at=LATER)


@pytest.fixture
def moved(moved_world: None, db: None) -> Account:
    """$300,000 until three days after the activation, $900,000 since: Mid-Market or below, then Strategic."""
    return Account.objects.get(name="Castellan")


def tier_at(moved: Account, at: datetime) -> str | None:
    row = segments_at(moved, at).get(dimension__key="customer_tier")
    return row.to_segment.key if row.to_segment else None


def test_segments_are_those_of_the_moment(moved: Account) -> None:
    before, since = tier_at(moved, LATER - timedelta(seconds=1)), tier_at(moved, LATER)

    assert (before != "strategic", since) == (True, "strategic")
    assert not segments_at(moved, AT - timedelta(seconds=1)).exists()


def test_facts_are_those_before_the_change_with_every_digit(moved: Account) -> None:
    Account.objects.filter(pk=moved.pk).update(arr="12345678901234.67", updated_at=LATER + timedelta(minutes=1))
    Account.objects.filter(pk=moved.pk).update(arr="1.00", updated_at=LATER + timedelta(minutes=2))

    moments = [AT, LATER, LATER + timedelta(minutes=1), LATER + timedelta(minutes=2)]

    assert [Decimal(facts_at(moved.pk, at)["arr"]) for at in moments] == [
        Decimal("300000.00"),
        Decimal("900000.00"),
        Decimal("12345678901234.67"),
        Decimal("1.00"),
    ]


def test_facts_leave_out_what_was_recorded_later(moved: Account) -> None:
    def observe(value: str, at: datetime) -> None:
        MetricObservation.objects.create(
            account=moved,
            metric="arr",
            grain="fiscal_quarter",
            period="2026-Q3",
            period_end_on=date(2026, 9, 30),
            value=value,
            source="billing",
            recorded_at=at,
        )

    observe("10.0000", AT)
    observe("20.0000", LATER)
    for number, at in enumerate((AT, LATER)):
        Signal.objects.create(
            account=moved,
            kind="hiring",
            occurred_on=AT.date(),
            details={"role": "Sales Ops"},
            source="crunch",
            external_id=str(number),
            recorded_at=at,
        )
    listed = AccountList.objects.create(key="logos", label="Key logos", purpose="key_logos")
    ListEntry.objects.create(list=listed, account=moved, added_at=LATER)

    then, since = facts_at(moved.pk, AT), facts_at(moved.pk, LATER)

    assert then["series"] == {"arr": {"fiscal_quarter": {"2026-09-30": "10.0000"}}}
    assert since["series"] == {"arr": {"fiscal_quarter": {"2026-09-30": "20.0000"}}}
    assert (len(then["signals"]), len(since["signals"])) == (1, 2)
    assert (then["lists"], since["lists"]) == ([], ["logos"])


def test_facts_of_the_parent_are_those_of_the_moment_too(moved: Account) -> None:
    parent = account("Orrin", arr=Decimal("5.00"))
    Account.objects.filter(pk=moved.pk).update(ultimate_parent=parent, updated_at=LATER + timedelta(seconds=30))
    Account.objects.filter(pk=parent.pk).update(arr="6.00", updated_at=LATER + timedelta(minutes=5))

    assert Decimal(facts_at(moved.pk, LATER + timedelta(minutes=1))["parent"]["arr"]) == Decimal("5.00")
    assert Decimal(facts_at(moved.pk, LATER + timedelta(minutes=5))["parent"]["arr"]) == Decimal("6.00")


def test_version_says_of_the_past_what_it_said_then(moved: Account) -> None:
    version = FrameworkVersion.objects.get()

    said = said_at(moved, version, AT + timedelta(hours=1))

    then = {row.dimension.key: row.to_segment for row in segments_at(moved, AT + timedelta(hours=1))}
    assert {key: outcome.segment for key, outcome in said.items()} == {
        key: segment.key if segment else None for key, segment in then.items()
    }


def test_other_version_says_of_the_past_what_its_rules_are(moved: Account) -> None:
    lower = next_version(Framework.objects.get(), replacing={"500000.00": "260000.00"})

    said = said_at(moved, lower, AT + timedelta(hours=1))["customer_tier"]

    assert (said.segment, said.reason) == ("strategic", "matched")


# --- the page


def page(client: Client, given: Account, **query: str) -> str:
    client.force_login(person("leah", "csm"))
    return words(client.get(f"/accounts/{given.uuid}/", query))


def test_page_of_a_past_day_names_segment_version_and_what_another_would_have_said(
    client: Client, moved: Account
) -> None:
    lower = next_version(Framework.objects.get(), replacing={"500000.00": "260000.00"})

    said = page(client, moved, on="2026-11-22", by=str(lower.uuid))

    assert "Segment on 22 Nov 2026" in said
    assert f"{lower} would have said" in said
    assert "v0, first assignment Strategic Differs" in said


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"on": "2026-11-25"}, "This day has not come yet."),
        ({"on": "tomorrow"}, "Enter a valid date."),
        ({"by": "6d0c6e8e-7ac4-4bb1-b7a5-0c5c3f5f7b5e", "on": "2026-11-22"}, "Select a valid choice."),
        ({"by": "x", "on": "2026-11-22"}, "is not a valid UUID"),
        ({"on": "2026-11-01"}, "Nothing was known of Castellan on 1 Nov 2026"),
        ({"on": "0001-01-01"}, "Nothing was known of Castellan"),
        ({"on": "2026-11-15"}, "but in no segment yet"),
        ({"on": "2026-11-24"}, "Segment on 24 Nov 2026"),
    ],
)
def test_page_says_why_a_day_has_no_answer(
    client: Client, moved: Account, query: dict[str, str], expected: str
) -> None:
    assert expected in page(client, moved, **query)


def test_page_answers_for_the_day_it_prints_where_the_framework_is_a_day_behind(client: Client, moved: Account) -> None:
    with time_machine.travel(datetime(2026, 11, 25, 1, tzinfo=UTC), tick=False):
        said = page(client, moved, on="2026-11-25")

    assert "Segment on 25 Nov 2026" in said


def test_page_does_not_offer_a_draft(client: Client, moved: Account) -> None:
    draft = next_version(Framework.objects.get(), replacing={})
    FrameworkVersion.objects.filter(pk=draft.pk).update(state="withdrawn")

    said = page(client, moved, on="2026-11-22", by=str(draft.uuid))

    assert "would have said" in said
    assert "Select a valid choice." in said


def test_page_of_a_past_day_takes_as_many_queries_after_many_changes(client: Client, moved: Account) -> None:
    client.force_login(person("leah", "csm"))
    address = f"/accounts/{moved.uuid}/?on=2026-11-23&by={FrameworkVersion.objects.get().uuid}"
    client.get(address)
    with CaptureQueriesContext(connection) as before:
        client.get(address)
    for minute in range(1, 6):
        at = LATER - timedelta(hours=minute)
        Account.objects.filter(pk=moved.pk).update(arr=f"{minute}.00", updated_at=at)
        Signal.objects.create(
            account=moved, kind="hiring", occurred_on=AT.date(), source="c", external_id=str(minute), recorded_at=at
        )
    with CaptureQueriesContext(connection) as after:
        client.get(address)

    assert len(after) == len(before)


# --- the resource


def test_resource_answers_for_a_moment(client: Client) -> None:
    api, model, given = Api(make_token(make_service()), client), make_model(), make_account()
    move(given, model, "smb", effective_at=AT, version=1)
    move(given, model, "enterprise", from_segment=model.segments["smb"], effective_at=LATER, version=2)

    then = api.get(f"/api/v1/accounts/{given.uuid}/assignments?at=2026-11-22T00:00:00Z").json()
    now = api.get(f"/api/v1/accounts/{given.uuid}/assignments").json()

    assert then == {
        "data": [
            {
                "dimension": "tier",
                "segment": "smb",
                "cause": "data",
                "reason": "matched",
                "framework_version": 3,
                "version": 1,
                "effective_since": "2026-11-21T10:00:00Z",
            }
        ],
        "at": "2026-11-22T00:00:00Z",
    }
    assert [row["segment"] for row in now["data"]] == ["enterprise"]


def test_resource_before_the_first_evaluation_is_empty(client: Client) -> None:
    api, given = Api(make_token(make_service()), client), make_account()

    assert api.get(f"/api/v1/accounts/{given.uuid}/assignments?at=2020-01-01T00:00:00Z").json()["data"] == []


def test_resource_needs_its_scope_and_an_account_that_is_there(client: Client) -> None:
    given = make_account()
    service = make_service()
    narrow = Api(make_token(service, "accounts:read"), client)
    may = Api(make_token(service), client)
    address = f"/api/v1/accounts/{given.uuid}/assignments"

    assert narrow.get(address).status_code == 403
    assert client.get(address).status_code == 401
    assert may.get(f"{address}?at=yesterday").status_code == 422
    Account.objects.filter(pk=given.pk).update(deleted_at=AT)
    assert may.get(address).status_code == 404
    assert (AccountIdentifier.objects.count(), Transition.objects.count()) == (1, 0)
