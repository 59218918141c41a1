"""Pushing accounts: what is taken, what is left alone, and how every wrong value is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.api.serializers import PushItemSerializer
from accounts.intake.targets import importable_targets
from accounts.models import Account, AccountIdentifier, PendingEvaluation
from accounts.pushed import ABOUT_ITSELF
from tests.api.making import UPSERT, Api, make_account


def item(**fields: Any) -> dict[str, Any]:
    return {"source": "crm", "external_id": "A-1", "name": "Castellan Freight", **fields}


def test_push_of_a_new_account_stores_values_origin_and_owes_an_evaluation(api: Api, own_attributes: None) -> None:
    answer = api.push(
        item(
            employee_count=1250,
            arr="120000.50",
            industry="Software  ",
            stage="customer",
            contract_end_on="2027-01-31",
            observed_at="2026-11-20T10:00:00+02:00",
            attributes={"seats": 12, "spend": "10.50", "is_partner": True, "last_call_at": "2026-11-20T10:00:00Z"},
        )
    )

    account = Account.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "summary": {"created": 1, "updated": 0, "unchanged": 0, "stale": 0, "failed": 0},
        "results": [{"index": 0, "status": "created", "id": str(account.uuid), "version": 1}],
    }
    assert (account.employee_count, account.arr, account.industry) == (1250, Decimal("120000.50"), "Software")
    assert (account.name_key, account.industry_key) == ("castellan freight", "software")
    assert account.attributes == {
        "seats": 12,
        "spend": "10.50",
        "is_partner": True,
        "last_call_at": "2026-11-20T10:00:00Z",
    }
    assert account.provenance["arr"] == {"source": "crm", "at": "2026-11-20T08:00:00Z"}
    assert account.arr_observed_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert list(PendingEvaluation.objects.values_list("account_id", flat=True)) == [account.pk]


def test_push_of_the_same_values_changes_nothing(api: Api) -> None:
    api.push(item(arr="100.00", employee_count=5))
    before = Account.objects.values().get()
    PendingEvaluation.objects.all().delete()

    answer = api.push(item(arr="100", employee_count=5))

    assert answer.json()["results"][0]["status"] == "unchanged"
    assert Account.objects.values().get() == before
    assert not PendingEvaluation.objects.exists()


def test_push_changes_only_rows_and_values_that_differ(api: Api) -> None:
    api.push(item(arr="100.00", city="Oslo"), item(external_id="A-2", name="Other"))
    PendingEvaluation.objects.all().delete()

    answer = api.push(item(arr="200.00", city=None), item(external_id="A-2", name="Other"))

    first, second = Account.objects.order_by("pk")
    assert [result["status"] for result in answer.json()["results"]] == ["updated", "unchanged"]
    assert (first.arr and int(first.arr), first.city, first.city_key, first.version, first.name) == (
        200,
        None,
        None,
        2,
        "Castellan Freight",
    )
    assert second.version == 1
    assert list(PendingEvaluation.objects.values_list("account_id", flat=True)) == [first.pk]


def test_push_with_later_observation_of_the_same_value_renews_its_age(api: Api) -> None:
    api.push(item(arr="100.00", observed_at="2026-01-01T00:00:00Z"))

    answer = api.push(item(arr="100.00", observed_at="2026-06-01T00:00:00Z"))

    assert answer.json()["results"][0]["status"] == "updated"
    assert Account.objects.get().arr_observed_at == datetime(2026, 6, 1, tzinfo=UTC)


def test_push_clearing_an_observed_value_clears_its_age(api: Api) -> None:
    api.push(item(arr="100.00"))

    api.push(item(arr=None))

    account = Account.objects.get()
    assert (account.arr, account.arr_observed_at) == (None, None)


def test_push_of_null_takes_an_own_attribute_out(api: Api, own_attributes: None) -> None:
    api.push(item(attributes={"seats": 3, "note": "x"}))

    answer = api.push(item(attributes={"seats": None, "score": None}))

    assert answer.json()["results"][0]["status"] == "updated"
    assert Account.objects.get().attributes == {"note": "x"}


def test_push_of_texts_whose_keys_are_longer_is_taken(api: Api, own_attributes: None) -> None:
    answer = api.push(item(name="ß" * 255, city="ß" * 100, attributes={"note": "ﷺ" * 1000}))

    account = Account.objects.get()
    assert answer.status_code == 200
    assert (account.name, account.name_key, account.city_key) == ("ß" * 255, "s" * 255, "s" * 200)


def test_push_finds_an_id_in_another_unicode_form(api: Api) -> None:
    api.push(item(external_id="Caf\u00e9"))

    answer = api.push(item(external_id="Cafe\u0301", arr="1.00"))

    assert answer.json()["summary"]["updated"] == 1


def test_push_of_an_older_source_version_is_stale(api: Api) -> None:
    api.push(item(arr="100.00", source_version=7))

    answer = api.push(item(arr="50.00", source_version=6))

    assert answer.status_code == 200
    assert answer.json()["summary"]["stale"] == 1
    assert Account.objects.get().arr == 100


def test_push_of_the_same_source_version_with_other_values_is_a_conflict(api: Api) -> None:
    api.push(item(arr="100.00", source_version=7))

    answer = api.push(item(arr="50.00", source_version=7), item(external_id="A-2", name="Other"))

    assert answer.status_code == 207
    errors = answer.json()["results"][0]["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [("/source_version", "conflict")]
    assert answer.json()["results"][1]["status"] == "created"
    assert Account.objects.get(name="Castellan Freight").arr == 100


def test_push_with_versions_of_another_source_is_not_stale(api: Api) -> None:
    api.push(item(arr="100.00", source_version=7_000))
    AccountIdentifier.objects.create(account=Account.objects.get(), source="billing", external_id="B")

    answer = api.push({"source": "billing", "external_id": "B", "arr": "90.00", "source_version": 1})

    assert answer.json()["summary"]["updated"] == 1


def test_push_of_an_older_source_updated_at_is_stale(api: Api) -> None:
    api.push(item(arr="100.00", source_updated_at="2026-05-01T00:00:00Z"))

    answer = api.push(item(arr="50.00", source_updated_at="2026-04-01T00:00:00Z"))

    assert answer.json()["summary"]["stale"] == 1


def test_push_of_two_ids_of_one_account_applies_both(api: Api) -> None:
    account = make_account()
    AccountIdentifier.objects.create(account=account, source="billing", external_id="B")

    answer = api.push(item(arr="1.00"), {"source": "billing", "external_id": "B", "employee_count": 4})

    account.refresh_from_db()
    assert answer.json()["summary"]["updated"] == 2
    assert (account.arr, account.employee_count, account.version) == (Decimal(1), 4, 3)


def test_push_with_some_failures_applies_the_others_and_says_207(api: Api) -> None:
    answer = api.push(item(arr="1.00"), item(external_id="A-2", name="Other", employee_count=-5))

    assert answer.status_code == 207
    assert answer.json()["summary"] == {"created": 1, "updated": 0, "unchanged": 0, "stale": 0, "failed": 1}
    assert answer.json()["results"][1] == {
        "index": 1,
        "status": "failed",
        "errors": [
            {"pointer": "/employee_count", "code": "out_of_range", "detail": "Must be 0 or more.", "received": -5}
        ],
    }
    assert Account.objects.count() == 1


def test_push_all_or_none_with_a_failure_writes_nothing(api: Api, nothing_written: Callable[[], Any]) -> None:
    before = nothing_written()

    answer = api.push(item(), item(external_id="A-2", name="Other", employee_count=-5), body={"all_or_none": True})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/1/employee_count"]
    assert nothing_written() == before


def test_push_of_duplicates_in_a_batch_fails_both(api: Api) -> None:
    answer = api.push(item(arr="1.00"), item(arr="2.00"), item(external_id="A-2", name="Other"))

    assert answer.status_code == 207
    codes = [result.get("errors", [{}])[0].get("code") for result in answer.json()["results"]]
    assert codes == ["duplicate_in_batch", "duplicate_in_batch", None]
    assert Account.objects.count() == 1


@pytest.mark.parametrize("gone", ["deleted", "merged"])
def test_push_to_an_account_that_is_gone_fails(api: Api, gone: str) -> None:
    account = make_account()
    if gone == "deleted":
        account.deleted_at = timezone.now()
    else:
        account.merged_into = make_account("Into", "A-9")
    account.save()

    answer = api.push(item(arr="1.00"))

    account.refresh_from_db()
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "account_gone"
    assert account.arr is None


def test_push_by_an_owner_who_lost_the_right_is_refused(api: Api, service: Any) -> None:
    service.groups.clear()

    answer = api.push(item())

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "insufficient_scope"
    assert not Account.objects.exists()


LONG_AGO = (timezone.now() + timedelta(days=3)).isoformat()

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown field with a suggestion", {"emploees_count": 5}, "/emploees_count", "unknown_field"),
    ("unknown attribute", {"attributes": {"seets": 5}}, "/attributes/seets", "unknown_field"),
    ("core attribute in the wrong place", {"attributes": {"arr": "5"}}, "/attributes/arr", "unknown_field"),
    ("own attribute in the wrong place", {"seats": 5}, "/seats", "unknown_field"),
    *[(f"read-only {key}", {key: "x"}, f"/{key}", "read_only") for key in ("id", "version", "segment", "created_at")],
    ("bool for a whole number", {"employee_count": True}, "/employee_count", "wrong_type"),
    ("string for a whole number", {"employee_count": "12"}, "/employee_count", "wrong_type"),
    ("2^31", {"employee_count": 2**31}, "/employee_count", "out_of_range"),
    ("10^30", {"employee_count": 10**30}, "/employee_count", "out_of_range"),
    ("negative count", {"employee_count": -1}, "/employee_count", "out_of_range"),
    ("health of 101", {"health_score": 101}, "/health_score", "out_of_range"),
    ("own integer too large", {"attributes": {"seats": 10**15}}, "/attributes/seats", "out_of_range"),
    ("decimal as a number", {"arr": 0.30000000000000004}, "/arr", "wrong_type"),
    ("decimal as an integer", {"arr": 5}, "/arr", "wrong_type"),
    ("three decimals", {"arr": "10.123"}, "/arr", "scale"),
    ("decimal with commas", {"arr": "1,000.00"}, "/arr", "invalid_decimal"),
    ("decimal with exponent", {"arr": "1e3"}, "/arr", "invalid_decimal"),
    ("NaN in a string", {"arr": "NaN"}, "/arr", "invalid_decimal"),
    ("empty decimal", {"arr": ""}, "/arr", "invalid_decimal"),
    ("full-width digits", {"arr": "１２"}, "/arr", "invalid_decimal"),
    ("negative ARR", {"arr": "-1.00"}, "/arr", "out_of_range"),
    ("20 digits of ARR", {"arr": "1" * 20}, "/arr", "out_of_range"),
    ("share over 100", {"weekly_active_share": "100.01"}, "/weekly_active_share", "out_of_range"),
    ("own decimal as a float", {"attributes": {"score": 1.5}}, "/attributes/score", "wrong_type"),
    ("day that is none", {"contract_end_on": "2026-02-30"}, "/contract_end_on", "invalid_date"),
    ("day in another form", {"contract_end_on": "03/04/2026"}, "/contract_end_on", "invalid_date"),
    ("day with a time", {"contract_end_on": "2026-02-03T00:00:00Z"}, "/contract_end_on", "invalid_date"),
    ("day as a number", {"contract_end_on": 46000}, "/contract_end_on", "wrong_type"),
    ("year 1", {"contract_end_on": "0001-01-01"}, "/contract_end_on", "out_of_range"),
    ("naive moment", {"observed_at": "2026-11-21T18:30:00"}, "/observed_at", "timezone_required"),
    ("naive own moment", {"attributes": {"last_call_at": "2026-11-21T18:30:00"}},
     "/attributes/last_call_at", "timezone_required"),
    ("epoch", {"observed_at": 1764700000}, "/observed_at", "timezone_required"),
    ("moment with a space", {"observed_at": "2026-11-21 18:30:00Z"}, "/observed_at", "invalid_datetime"),
    ("24 o'clock", {"observed_at": "2026-11-21T24:00:00Z"}, "/observed_at", "invalid_datetime"),
    ("beyond the calendar", {"observed_at": "9999-12-31T23:59:59-14:00"}, "/observed_at", "invalid_datetime"),
    ("year 9999", {"observed_at": "9999-12-31T10:00:00Z"}, "/observed_at", "out_of_range"),
    ("observed tomorrow and later", {"observed_at": LONG_AGO}, "/observed_at", "in_future"),
    ("source far ahead", {"source_updated_at": LONG_AGO}, "/source_updated_at", "in_future"),
    ("source version as text", {"source_version": "7"}, "/source_version", "wrong_type"),
    ("negative source version", {"source_version": -1}, "/source_version", "out_of_range"),
    ("blank name", {"name": "   "}, "/name", "blank"),
    ("invisible name", {"name": "\u200b\u200d"}, "/name", "blank"),
    ("cleared name", {"name": None}, "/name", "not_nullable"),
    ("endless name", {"name": "x" * 256}, "/name", "too_long"),
    ("ten thousand combining marks", {"name": "a" + "\u0301" * 10_000}, "/name", "too_long"),
    ("line break in a name", {"name": "a\nb"}, "/name", "control_character"),
    ("number for a name", {"name": 5}, "/name", "wrong_type"),
    ("unknown stage", {"stage": "custmer"}, "/stage", "invalid_choice"),
    ("currency in small letters", {"currency": "usd"}, "/currency", "invalid_currency"),
    ("text for a boolean", {"attributes": {"is_partner": "true"}}, "/attributes/is_partner", "wrong_type"),
    ("attributes as a list", {"attributes": []}, "/attributes", "wrong_type"),
    ("object for a value", {"city": {"a": 1}}, "/city", "wrong_type"),
    ("source in capitals", {"source": "CRM"}, "/source", "invalid_source"),
    ("spaces around an id", {"external_id": " A-1"}, "/external_id", "invalid_external_id"),
    ("zero-width in an id", {"external_id": "A\u200b1"}, "/external_id", "invalid_external_id"),
    ("id as a number", {"external_id": 15}, "/external_id", "wrong_type"),
    ("id of 256", {"external_id": "x" * 256}, "/external_id", "too_long"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "pointer", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_push_of_a_wrong_value_is_422_names_it_and_writes_nothing(
    api: Api,
    own_attributes: None,
    nothing_written: Callable[[], Any],
    fields: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    make_account()
    before = nothing_written()

    answer = api.push(item(**fields))

    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [(f"/items/0{pointer}", code)])
    assert answer["Content-Type"] == "application/problem+json"
    assert nothing_written() == before
    assert not PendingEvaluation.objects.exists()


RAW: list[tuple[str, str, str]] = [
    ("12.0 for a whole number", "12.0", "wrong_type"),
    ("1e3 for a whole number", "1e3", "wrong_type"),
    ("1e999 for a whole number", "1e999", "wrong_type"),
    ("5,000 digits", "9" * 5000, "out_of_range"),
]


@pytest.mark.parametrize(("text", "code"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_push_of_a_number_in_another_form_is_422(api: Api, text: str, code: str) -> None:
    body = f'{{"items":[{{"source":"crm","external_id":"A","name":"A","employee_count":{text}}}]}}'

    answer = api.post(UPSERT, body)

    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [("/items/0/employee_count", code)])
    assert not Account.objects.exists()


def test_push_of_minus_zero_stores_zero(api: Api) -> None:
    api.push(item(arr="-0.00"))

    assert str(Account.objects.get().arr) == "0.00"


BATCHES: list[tuple[str, Any, int, str, str]] = [
    ("no items", {"items": []}, 422, "/items", "empty"),
    ("items missing", {}, 422, "/items", "missing"),
    ("items not a list", {"items": {}}, 422, "/items", "wrong_type"),
    ("item not an object", {"items": ["x"]}, 422, "/items/0", "wrong_type"),
    ("1,001 items", {"items": [{}] * 1001}, 413, "/items", "too_many_items"),
    ("all_or_none as text", {"items": [item()], "all_or_none": "yes"}, 422, "/all_or_none", "wrong_type"),
    ("unknown field of a batch", {"items": [item()], "all_or_noe": True}, 422, "/all_or_noe", "unknown_field"),
    ("no source", {"items": [{"external_id": "A", "name": "A"}]}, 422, "/items/0/source", "missing"),
    ("no name for a new account", {"items": [{"source": "crm", "external_id": "A"}]}, 422, "/items/0/name", "required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "pointer", "code"), [row[1:] for row in BATCHES], ids=[r[0] for r in BATCHES]
)
def test_push_of_a_wrong_batch_is_refused(api: Api, body: Any, status: int, pointer: str, code: str) -> None:
    answer = api.post(UPSERT, body)

    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (status, [(pointer, code)])
    assert not Account.objects.exists()


def test_push_needs_as_many_statements_for_a_hundred_accounts_as_for_two(api: Api) -> None:
    def statements(low: int, high: int, arr: str) -> int:
        rows = [item(external_id=str(n), name=f"Account {n}", arr=arr) for n in range(low, high)]
        with CaptureQueriesContext(connection) as captured:
            assert api.push(*rows).status_code == 200
        return len(captured)

    api.get("/api/v1/frameworks")
    few, many = statements(0, 2, "1.00"), statements(2, 102, "1.00")
    few_again, many_again = statements(0, 2, "2.00"), statements(2, 102, "2.00")

    assert (few, few_again) == (many, many_again)


def test_push_describes_exactly_the_fields_it_reads(db: None) -> None:
    core = {key for key, target in importable_targets().items() if target.column}

    assert set(PushItemSerializer().fields) == core | ABOUT_ITSELF | {"attributes"}
