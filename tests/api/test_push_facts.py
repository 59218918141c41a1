"""Pushing metric observations, signals and list entries: what is taken, what is counted, what is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import pushed_facts
from accounts.api.facts import ListItemSerializer, ObservationSerializer, SignalSerializer
from accounts.models import Account, ListEntry, MetricObservation, MetricSeries, PendingEvaluation, Signal
from accounts.services.observing import keep_series
from frameworks.models import AccountList, Attribute
from governance.models import AuditEntry, Scope
from tests.api.making import Api, make_account, make_service, make_token

OBSERVATIONS = "/api/v1/metric-observations/batch/append"
SIGNALS = "/api/v1/signals/batch/append"


def change_of(key: str) -> str:
    return f"/api/v1/account-lists/{key}/entries/batch/change"


def observation(**fields: Any) -> dict[str, Any]:
    base = {"source": "crm", "external_id": "A-1", "metric": "arr", "grain": "fiscal_quarter", "period": "2026-Q1"}
    return {**base, "period_end_on": "2026-03-31", "value": "25000.00", **fields}


def signal(**fields: Any) -> dict[str, Any]:
    base = {"source": "crm", "external_id": "A-1", "signal_id": "S-1", "kind": "hiring", "occurred_on": "2026-03-02"}
    return {**base, "details": {"role": "Sales Ops"}, **fields}


def owed() -> list[tuple[int, str]]:
    return list(PendingEvaluation.objects.values_list("account_id", "cause"))


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


# --- observations


def test_observations_become_the_series_rules_read(api: Api) -> None:
    account = make_account()

    answer = api.post(
        OBSERVATIONS,
        {"items": [observation(), observation(period="2025-Q4", period_end_on="2025-12-31", value="20000.5")]},
    )

    series = MetricSeries.objects.get()
    account.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json()["summary"] == {"created": 2, "updated": 0, "unchanged": 0, "stale": 0, "failed": 0}
    assert answer.json()["results"][0] == {"index": 0, "status": "created", "id": str(account.uuid), "version": 2}
    assert (series.account_id, series.metric, series.grain) == (account.pk, "arr", "fiscal_quarter")
    assert series.ends == [date(2026, 3, 31), date(2025, 12, 31)]
    assert series.values == [Decimal("25000.0000"), Decimal("20000.5000")]
    assert account.version == 2
    assert owed() == [(account.pk, "data")]


def test_restated_value_wins_and_the_first_one_stays(api: Api) -> None:
    make_account()
    api.post(OBSERVATIONS, {"items": [observation()]})

    answer = api.post(OBSERVATIONS, {"items": [observation(value="19000.00")]})

    assert answer.json()["results"][0]["status"] == "updated"
    assert list(MetricObservation.objects.order_by("pk").values_list("value", flat=True)) == [25000, 19000]
    assert MetricSeries.objects.get().values == [19000]


def test_late_period_takes_its_place(api: Api) -> None:
    make_account()
    api.post(OBSERVATIONS, {"items": [observation()]})

    api.post(OBSERVATIONS, {"items": [observation(period="2025-Q3", period_end_on="2025-09-30", value="1.00")]})

    assert MetricSeries.objects.get().ends == [date(2026, 3, 31), date(2025, 9, 30)]


def test_open_period_is_kept_and_not_counted(api: Api) -> None:
    account = make_account()

    answer = api.post(OBSERVATIONS, {"items": [observation(period="2199-Q4", period_end_on="2199-12-31")]})

    account.refresh_from_db()
    assert answer.json()["results"][0]["status"] == "created"
    assert not MetricObservation.objects.get().is_closed
    assert not MetricSeries.objects.exists()
    assert (account.version, owed()) == (1, [])


def test_observation_sent_again_changes_nothing(api: Api) -> None:
    account = make_account()
    api.post(OBSERVATIONS, {"items": [observation()]})
    PendingEvaluation.objects.all().delete()

    answer = api.post(OBSERVATIONS, {"items": [observation(value="25000")]})

    account.refresh_from_db()
    assert answer.json()["results"][0]["status"] == "unchanged"
    assert (MetricObservation.objects.count(), account.version, owed()) == (1, 2, [])


def test_series_holds_the_newest_periods_only(api: Api) -> None:
    account = make_account()
    rows = [(year, month) for year in (2023, 2024, 2025) for month in range(1, 13)]
    MetricObservation.objects.bulk_create(
        MetricObservation(
            account=account,
            metric="arr",
            grain="month",
            period=f"{year}-{month:02}",
            period_end_on=date(year, month, 28),
            value=month,
            source="t",
            recorded_at=timezone.now(),
        )
        for year, month in rows
    )

    changed = keep_series(account_ids=[account.pk], at=timezone.now())

    series = MetricSeries.objects.get()
    assert changed == [account.pk]
    assert len(series.ends) == 24
    assert (series.ends[0], series.ends[-1]) == (date(2025, 12, 28), date(2024, 1, 28))
    assert keep_series(account_ids=[account.pk], at=timezone.now()) == []


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"metric": "ar"}, "/metric", "invalid_choice"),
        ({"metric": "industry"}, "/metric", "invalid_choice"),
        ({"grain": "week"}, "/grain", "invalid_choice"),
        ({"period": "2026Q1"}, "/period", "invalid_period"),
        ({"period_end_on": "2026-03-30"}, "/period_end_on", "not_a_month_end"),
        ({"period": "2021-Q1"}, "/period_end_on", "other_period"),
        ({"value": 25000}, "/value", "wrong_type"),
        ({"value": "1.00001"}, "/value", "scale"),
        ({"value": "NaN"}, "/value", "invalid_decimal"),
        ({"is_closed": True, "period": "2199-Q4", "period_end_on": "2199-12-31"}, "/is_closed", "not_ended"),
        ({"is_closed": "yes"}, "/is_closed", "wrong_type"),
        ({"periode": "2026-Q1"}, "/periode", "unknown_field"),
        ({"external_id": "A-9"}, "/external_id", "unknown_account"),
    ],
)
def test_wrong_observation_is_refused_and_nothing_written(api: Api, fields: Any, pointer: str, code: str) -> None:
    make_account()

    answer = api.post(OBSERVATIONS, {"items": [observation(**fields)]})

    assert answer.status_code == 422
    assert codes(answer) == [(f"/items/0{pointer}", code)]
    assert not MetricObservation.objects.exists()
    assert owed() == []


def test_failed_item_leaves_the_others_unless_all_or_none(api: Api) -> None:
    make_account()
    items = [observation(), observation(external_id="A-9", period="2025-Q4", period_end_on="2025-12-31")]

    nothing = api.post(OBSERVATIONS, {"items": items, "all_or_none": True})
    some = api.post(OBSERVATIONS, {"items": items})

    assert (nothing.status_code, some.status_code) == (422, 207)
    assert MetricObservation.objects.count() == 1


def test_two_observations_of_one_period_in_a_batch_are_both_refused(api: Api) -> None:
    make_account()

    answer = api.post(OBSERVATIONS, {"items": [observation(), observation(value="1.00")]})

    assert codes(answer) == [("/items/0", "duplicate_in_batch"), ("/items/1", "duplicate_in_batch")]
    assert not MetricObservation.objects.exists()


# --- signals


def test_signal_is_stored_once_with_its_keys(api: Api) -> None:
    account = make_account()

    first = api.post(SIGNALS, {"items": [signal()]})
    again = api.post(SIGNALS, {"items": [signal()]})

    stored = Signal.objects.get()
    account.refresh_from_db()
    assert first.json()["results"] == [{"index": 0, "status": "created", "id": str(account.uuid), "version": 2}]
    assert again.json()["results"][0]["status"] == "unchanged"
    assert (stored.kind, stored.details, stored.details_keys) == (
        "hiring",
        {"role": "Sales Ops"},
        {"role": "sales ops"},
    )
    assert (account.version, owed()) == (2, [(account.pk, "data")])


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"kind": "Hiring!"}, "/kind", "invalid_name"),
        ({"occurred_on": "2199-01-01"}, "/occurred_on", "in_future"),
        ({"occurred_on": "2026-02-30"}, "/occurred_on", "invalid_date"),
        ({"details": ["role"]}, "/details", "wrong_type"),
        ({"details": {"role": 3}}, "/details", "wrong_type"),
        ({"details": {"role": "\x00"}}, "/details/role", "control_character"),
        ({"external_id": "A-9"}, "/external_id", "unknown_account"),
    ],
)
def test_wrong_signal_is_refused_and_nothing_written(api: Api, fields: Any, pointer: str, code: str) -> None:
    make_account()

    answer = api.post(SIGNALS, {"items": [signal(**fields)]})

    assert answer.status_code == 422
    assert codes(answer) == [(f"/items/0{pointer}", code)]
    assert not Signal.objects.exists()


def test_signal_that_says_another_thing_is_a_conflict(api: Api) -> None:
    make_account()
    api.post(SIGNALS, {"items": [signal()]})

    answer = api.post(SIGNALS, {"items": [signal(occurred_on="2026-03-03")]})

    assert codes(answer) == [("/items/0/signal_id", "conflict")]
    assert Signal.objects.get().occurred_on == date(2026, 3, 2)


def test_signal_of_a_merged_account_is_refused(api: Api) -> None:
    survivor = make_account(external_id="A-2")
    make_account(merged_into=survivor, exclusion="merged")

    answer = api.post(SIGNALS, {"items": [signal()]})

    assert codes(answer) == [("/items/0/external_id", "account_gone")]
    assert not Signal.objects.exists()


# --- lists


@pytest.fixture
def fortune(db: None) -> AccountList:
    return AccountList.objects.create(key="fortune_2000", label="Fortune 2000", purpose="index")


def test_entries_are_added_by_identifier_domain_and_name(api: Api, fortune: AccountList) -> None:
    first = make_account()
    second = make_account("Straße AG", "A-2")
    Account.objects.filter(pk=second.pk).update(name_key="strasse ag")
    third = make_account("Third", "A-3", domain="Third.example")
    items = [
        {"source": "crm", "external_id": "A-1"},
        {"name": " STRASSE  ag "},
        {"domain": "www.third.example"},
        {"name": "Nobody"},
    ]

    answer = api.post(change_of("fortune_2000"), {"action": "add", "items": items})

    assert answer.status_code == 207
    assert answer.json()["summary"] == {"added": 3, "removed": 0, "unchanged": 0, "failed": 1}
    assert answer.json()["results"][3]["errors"][0]["code"] == "unknown_account"
    assert set(ListEntry.objects.values_list("account_id", flat=True)) == {first.pk, second.pk, third.pk}
    assert set(owed()) == {(pk, "list") for pk in (first.pk, second.pk, third.pk)}
    entry = AuditEntry.objects.get(action="list.entries_changed")
    assert set(entry.after["added"]) == {str(account.uuid) for account in (first, second, third)}


def test_two_accounts_of_one_name_are_ambiguous(api: Api, fortune: AccountList) -> None:
    make_account("Same", "A-1")
    make_account("Same", "A-2")

    answer = api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": "same"}]})

    assert codes(answer) == [("/items/0/name", "ambiguous")]
    assert not ListEntry.objects.exists()


def test_replacement_takes_away_what_nobody_named(api: Api, fortune: AccountList) -> None:
    stays, goes, comes = (make_account(name, name) for name in ("Stays", "Goes", "Comes"))
    api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": "Stays"}, {"name": "Goes"}]})
    PendingEvaluation.objects.all().delete()

    answer = api.post(change_of("fortune_2000"), {"action": "replace", "items": [{"name": "Stays"}, {"name": "Comes"}]})

    assert answer.json()["summary"] == {"added": 1, "removed": 1, "unchanged": 1, "failed": 0}
    assert set(ListEntry.objects.values_list("account_id", flat=True)) == {stays.pk, comes.pk}
    assert {pk for pk, _ in owed()} == {goes.pk, comes.pk}


def test_entry_that_is_there_already_owes_nothing(api: Api, fortune: AccountList) -> None:
    account = make_account()
    api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": account.name}]})
    account.refresh_from_db()
    PendingEvaluation.objects.all().delete()
    audited = AuditEntry.objects.count()

    answer = api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": account.name}]})

    assert answer.json()["results"][0]["status"] == "unchanged"
    assert (owed(), AuditEntry.objects.count()) == ([], audited)
    assert Account.objects.get().version == account.version


def test_list_of_a_parent_owes_its_children_an_evaluation(api: Api, fortune: AccountList) -> None:
    parent = make_account("Parent", "P")
    child = make_account("Child", "C", parent=parent, ultimate_parent=parent)

    api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": "Parent"}]})

    assert {pk for pk, _ in owed()} == {parent.pk, child.pk}


def test_retired_list_takes_no_new_entries(api: Api, fortune: AccountList) -> None:
    make_account()
    AccountList.objects.update(is_live=False)

    answer = api.post(change_of("fortune_2000"), {"action": "add", "items": [{"name": "Castellan Freight"}]})

    assert answer.status_code == 422
    assert not ListEntry.objects.exists()


def test_lists_and_entries_are_read(api: Api, fortune: AccountList) -> None:
    account = make_account()
    ListEntry.objects.create(list=fortune, account=account, added_at=datetime(2026, 3, 1, tzinfo=UTC))

    lists = api.get("/api/v1/account-lists").json()
    entries = api.get("/api/v1/account-lists/fortune_2000/entries").json()

    assert lists["data"] == [
        {"key": "fortune_2000", "label": "Fortune 2000", "purpose": "index", "is_live": True, "entries": 1}
    ]
    assert entries["data"] == [
        {
            "account": {"id": str(account.uuid), "external_ids": {"crm": "A-1"}},
            "added_at": "2026-03-01T00:00:00Z",
        }
    ]
    assert api.get("/api/v1/account-lists/nobody/entries").status_code == 404


# --- who may


@pytest.mark.parametrize("path", [OBSERVATIONS, SIGNALS, change_of("fortune_2000")])
def test_token_without_the_scope_or_the_right_writes_nothing(client: Any, fortune: AccountList, path: str) -> None:
    make_account()
    reader = Api(make_token(make_service(), Scope.ACCOUNTS_READ), client)
    powerless = make_service("nobody@example.com")
    stranger = Api(make_token(powerless, Scope.ACCOUNTS_WRITE), client)
    powerless.groups.clear()
    body: dict[str, Any] = {"items": [observation()]} if path == OBSERVATIONS else {"items": [signal()]}
    if "lists" in path:
        body = {"action": "add", "items": [{"name": "Castellan Freight"}]}

    answers = [reader.post(path, body), stranger.post(path, body)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not MetricObservation.objects.exists()
    assert not Signal.objects.exists()
    assert not ListEntry.objects.exists()
    assert owed() == []


# --- parents


def parent_of(external_id: str) -> dict[str, str]:
    return {"source": "crm", "external_id": external_id}


def account_item(external_id: str, **fields: Any) -> dict[str, Any]:
    return {"source": "crm", "external_id": external_id, "name": f"Company {external_id}", **fields}


FAMILY = (
    account_item("A"),
    account_item("B", parent=parent_of("A")),
    account_item("C", parent=parent_of("B")),
)


def tops() -> dict[str, str | None]:
    rows = Account.objects.values_list("name", "ultimate_parent__name")
    return {name[-1]: top and top[-1] for name, top in rows}


def test_parents_made_in_one_push_have_their_ultimate_parent(api: Api) -> None:
    answer = api.push(
        account_item("A"), account_item("B", parent=parent_of("A")), account_item("C", parent=parent_of("B"))
    )

    assert answer.status_code == 200
    assert tops() == {"A": None, "B": "A", "C": "A"}


def test_new_parent_at_the_top_moves_and_marks_everything_under_it(api: Api) -> None:
    api.push(account_item("B"), account_item("C", parent=parent_of("B")), account_item("A"))
    PendingEvaluation.objects.all().delete()
    before = dict(Account.objects.values_list("name", "version"))

    answer = api.push(account_item("B", parent=parent_of("A")))

    after = dict(Account.objects.values_list("name", "version"))
    assert answer.json()["results"][0]["status"] == "updated"
    assert tops() == {"A": None, "B": "A", "C": "A"}
    assert {name[-1] for name in after if after[name] != before[name]} == {"B", "C"}
    assert {Account.objects.get(pk=pk).name[-1] for pk, _ in owed()} == {"B", "C"}


def test_circle_is_refused_with_its_path_and_changes_nothing(api: Api) -> None:
    api.push(*FAMILY)
    before = list(Account.objects.order_by("pk").values())

    answer = api.push(account_item("A", parent=parent_of("C")))
    itself = api.push(account_item("A", parent=parent_of("A")))

    assert answer.status_code == itself.status_code == 422
    assert codes(answer) == [("/items/0/parent", "cycle")]
    assert "Company A → Company C → Company B → Company A" in answer.json()["errors"][0]["detail"]
    assert list(Account.objects.order_by("pk").values()) == before


def test_parent_is_cleared_by_null_and_left_alone_when_absent(api: Api) -> None:
    api.push(account_item("A"), account_item("B", parent=parent_of("A")))

    api.push(account_item("B", arr="5.00"))
    kept = tops()
    api.push(account_item("B", parent=None))

    assert (kept["B"], tops()["B"]) == ("A", None)


def test_unknown_parent_is_refused(api: Api) -> None:
    answer = api.push(account_item("B", parent=parent_of("A")))

    assert codes(answer) == [("/items/0/parent", "unknown_parent")]
    assert not Account.objects.exists()


# --- the description


def test_described_fields_are_those_that_are_read(db: None) -> None:
    assert set(ObservationSerializer().fields) == set(pushed_facts.observation_readers(frozenset()))
    assert set(SignalSerializer().fields) == set(pushed_facts.SIGNAL_READERS)
    assert set(ListItemSerializer().fields) == set(pushed_facts.ENTRY_READERS)


# --- tags


def test_tags_are_kept_with_their_keys(api: Api) -> None:
    Attribute.objects.create(key="stack", data_type="tags", storage="json")

    answer = api.push(account_item("A", attributes={"stack": ["SNOWFLAKE", "n/a", "dbt", "dbt"]}))

    account = Account.objects.get()
    assert answer.status_code == 200
    assert account.attributes == {"stack": ["SNOWFLAKE", "n/a", "dbt"]}
    assert account.attribute_keys == {"stack": ["snowflake", "n/a", "dbt"]}


@pytest.mark.parametrize("tags", ["dbt", [3], [""], [["dbt"]], ["x" * 121], ["a"] * 201])
def test_wrong_tags_are_refused(api: Api, tags: Any) -> None:
    Attribute.objects.create(key="stack", data_type="tags", storage="json")

    answer = api.push(account_item("A", attributes={"stack": tags}))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/items/0/attributes/stack"
    assert not Account.objects.exists()
