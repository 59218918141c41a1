"""Boundary cases of values, literals and days that other engines got wrong, through the real engine.

Every answer is also the oracle's. What concerns competing segments, special accounts and overrides is in
test_boundaries_of_outcomes.py, closed periods and parents in test_boundaries_of_history.py, what meets in time in
test_runs_meeting.py and test_evaluators_meeting.py. docs/criteria-boundaries.md names the test of each case.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from accounts.evaluation.engine import plan_of
from accounts.evaluation.records import record_of
from accounts.intake.targets import Target
from accounts.models import Account, Assignment
from accounts.pushed import read_value
from accounts.services.pushing import push_accounts
from frameworks.criteria.parsing import CriteriaError
from frameworks.models import Attribute, User
from frameworks.parts import PartError, parse_body
from frameworks.values import RefusedValueError
from tests.accounts import storing
from tests.accounts.small import AT, bands, evaluated, framework, leaf, one_rule, rule, segments, verdicts
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


# --- thresholds


@pytest.mark.parametrize("cut", [200, 1_000, 5_000])
def test_employees_exactly_at_a_threshold_belong_to_the_upper_band(author: User, cut: int) -> None:
    cuts = ["200", "1000", "5000"]
    upper = cuts.index(str(cut)) + 1

    found = segments(bands("employee_count", cuts), [{"employee_count": cut + n} for n in (-1, 0, 1)], author)

    assert found == [f"b{upper - 1}", f"b{upper}", f"b{upper}"]


@pytest.mark.parametrize("cut", ["25000", "100000", "500000"])
def test_money_exactly_at_a_threshold_belongs_to_the_upper_band(author: User, cut: str) -> None:
    cuts = ["25000.00", "100000.00", "500000.00"]
    upper = cuts.index(f"{cut}.00") + 1
    cent = Decimal("0.01")

    found = segments(bands("arr", cuts), [{"arr": Decimal(cut) + n * cent} for n in (-1, 0, 1)], author)

    assert found == [f"b{upper - 1}", f"b{upper}", f"b{upper}"]


def test_zero_employees_is_a_value(author: User) -> None:
    found = verdicts(leaf("lt", "employee_count", "200"), [{"employee_count": 0}, {"employee_count": None}], author)

    assert found == [True, None]


def test_negative_value_is_below_zero_and_not_missing(author: User) -> None:
    values = [{"annual_revenue": Decimal("-0.01")}, {"annual_revenue": Decimal(0)}]

    assert verdicts(leaf("lt", "annual_revenue", "0"), values, author) == [True, False]


def test_negative_employees_are_refused_by_the_database() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(name="Less", name_key="less", employee_count=-1)

    assert not Account.objects.filter(name="Less").exists()


def test_stored_value_with_more_decimals_than_its_attribute_is_not_rounded_up_to_the_threshold(author: User) -> None:
    values = [{"spend": "24999.995"}, {"spend": "25000.00"}, {"spend": "25000"}]

    assert verdicts(leaf("ge", "spend", "25000"), values, author) == [False, True, True]


def test_decimal_is_never_a_float(author: User) -> None:
    values: list[dict[str, Any]] = [{"arr": Decimal("25000.10")}, {"arr": Decimal("25000.11")}]
    own: list[dict[str, Any]] = [{"spend": "25000.10"}, {"spend": "25000.1"}, {"spend": "25000.100000000001"}]

    assert verdicts(leaf("eq", "arr", "25000.10"), values, author) == [True, False]
    assert verdicts(leaf("eq", "spend", "25000.10"), own, author) == [True, True, False]


def test_numbers_compare_as_numbers_and_texts_as_texts(author: User) -> None:
    assert verdicts(leaf("lt", "seats", "80000"), [{"seats": 9}, {"seats": "9"}], author) == [True, True]
    assert verdicts(leaf("eq", "city", "9"), [{"city": "9"}, {"city": "09"}], author) == [True, False]


def test_own_number_attributes_of_every_type_compare_exactly(author: User) -> None:
    tests: list[tuple[str, str, list[Any]]] = [
        ("seats", "9", [8, 9]),
        ("growth", "0.3333", ["0.3332", "0.3333"]),
        ("spend", "-0.01", ["-0.02", "-0.01"]),
    ]

    found = [verdicts(leaf("ge", key, cut), [{key: value} for value in values], author) for key, cut, values in tests]

    assert found == [[False, True]] * 3


# --- what is refused


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "1e308", "1" * 30, "25,000", "0x10", " 5", "٥"])
def test_number_that_is_none_is_refused_in_a_rule(author: User, literal: str) -> None:
    with pytest.raises(CriteriaError):
        evaluated(one_rule(leaf("ge", "spend", literal)), [Facts({})], author)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e308", "1" * 30, float("nan"), 1e308])
@pytest.mark.parametrize("data_type", ["integer", "decimal", "money"])
def test_number_that_is_none_is_refused_as_a_value(value: Any, data_type: str) -> None:
    with pytest.raises(RefusedValueError):
        read_value(Target(key="spend", data_type=data_type, scale=0 if data_type == "integer" else 2), value)


def test_other_currency_in_a_rule_is_refused(author: User) -> None:
    with pytest.raises(CriteriaError, match="is in USD"):
        evaluated(one_rule(leaf("ge", "arr", "1", currency="EUR")), [Facts({})], author)


def test_null_in_a_list_is_refused(author: User) -> None:
    with pytest.raises(CriteriaError):
        evaluated(one_rule(leaf("not_in", "stage", ["customer", None])), [Facts({})], author)


def test_attribute_that_is_gone_from_the_framework_is_refused(author: User) -> None:
    bodies = one_rule(leaf("ge", "spend", "1"))
    del bodies["data_source", "spend"]

    with pytest.raises(CriteriaError, match='no attribute "spend"'):
        evaluated(bodies, [Facts({})], author)


def test_attribute_whose_type_changed_in_place_is_refused(author: User) -> None:
    bodies = one_rule(leaf("ge", "spend", "1"))
    bodies["data_source", "spend"] = {"label": "Spend", "data_type": "text"}

    with pytest.raises(CriteriaError, match='"ge" does not work on'):
        evaluated(bodies, [Facts({})], author)


def test_segment_that_is_gone_from_the_framework_is_refused(author: User) -> None:
    reads = rule({"op": "segment", "dimension": "d", "any_of": ["gone"]})
    bodies = framework({"d": ({}, {"yes": []}), "e": ({}, {"in": [reads]})})

    with pytest.raises(CriteriaError, match='no segment "gone"'):
        evaluated(bodies, [Facts({})], author)


def test_dimensions_that_read_each_other_in_a_circle_are_named(author: User) -> None:
    def reads(dimension: str) -> dict[str, Any]:
        return rule({"op": "is_unassigned", "dimension": dimension})

    bodies = framework({key: ({}, {"s": [reads(other)]}) for key, other in (("a", "b"), ("b", "c"), ("c", "a"))})

    with pytest.raises(ValueError, match="a → b → c → a"):
        evaluated(bodies, [Facts({})], author)


@pytest.mark.parametrize("name", ["CET", "EET", "MET", "WET", "EST", "Mars/Olympus", ""])
def test_time_zone_that_postgresql_reads_otherwise_is_refused(name: str) -> None:
    with pytest.raises(PartError):
        parse_body("meta", {"name": "Small", "company": "Small", "time_zone": name})


# --- missing values


def test_not_over_missing_is_unknown(author: User) -> None:
    root = {"op": "not", "item": leaf("ge", "arr", "100")}

    assert verdicts(root, [{"arr": None}, {"arr": Decimal(99)}, {"arr": Decimal(100)}], author) == [None, True, False]


def test_column_and_json_attribute_are_the_same_under_negation(author: User) -> None:
    column = {"op": "not", "item": leaf("gt", "health_score", "10")}
    own = {"op": "not", "item": leaf("gt", "seats", "10")}

    for op in ("ne", "not_in"):
        literal = ["10"] if op == "not_in" else "10"
        by_column = verdicts(leaf(op, "health_score", literal), [{"health_score": v} for v in (None, 9, 10)], author)
        assert by_column == verdicts(leaf(op, "seats", literal), [{"seats": v} for v in (None, 9, 10)], author)
    assert verdicts(column, [{"health_score": v} for v in (None, 10, 11)], author) == [None, True, False]
    assert verdicts(own, [{"seats": v} for v in (None, 10, 11)], author) == [None, True, False]


def test_json_null_and_absent_key_are_both_missing(author: User) -> None:
    for op, expected in (("is_missing", True), ("eq", None), ("ne", None)):
        literal = None if op == "is_missing" else "basic"
        assert verdicts(leaf(op, "plan", literal), [{"plan": None}, {}], author) == [expected, expected]


def test_list_without_the_missing_value_is_unknown_about_it(author: User) -> None:
    values = [{"stage": "churned"}, {"plan": "basic"}]

    assert verdicts(leaf("not_in", "plan", ["Pro, Inc"]), values, author) == [None, True]


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u200b", "N/A", "n/a", " #N/A ", "NULL", "-", "Unknown"])
def test_text_that_means_no_value_is_missing(author: User, blank: str) -> None:
    value = [{"industry": blank}]

    assert verdicts(leaf("is_missing", "industry"), value, author) == [True]
    assert verdicts(leaf("ne", "industry", "SaaS"), value, author) == [None]
    assert verdicts(leaf("ne", "industry", "SaaS", match="exact"), value, author) == [None]


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "N/A", "n/a", " - ", "Unknown"])
def test_own_attribute_that_means_no_value_is_missing(author: User, blank: str) -> None:
    plans = [{"id": "basic", "label": "Basic"}]
    how: dict[str, Any] = {"sources": {"plan": {"choices": plans}}}

    assert verdicts(leaf("ne", "plan", "basic"), [{"plan": blank}], author, **how) == [None]
    assert verdicts(leaf("is_missing", "seats"), [{"seats": blank}], author) == [True]
    assert verdicts(leaf("older_than", "renewed_on", n=1, unit="days"), [{"renewed_on": blank}], author) == [None]
    assert verdicts(leaf("is_false", "is_partner"), [{"is_partner": blank}], author) == [None]


def test_missing_token_of_the_attribute_is_missing_for_every_type(author: User) -> None:
    tests: list[tuple[str, str, dict[str, Any], Any]] = [
        ("city", "tbd", leaf("ne", "city", "Rome"), " TBD"),
        ("plan", "tbd", leaf("ne", "plan", "basic"), "TBD"),
        ("seats", "-1", leaf("lt", "seats", "5"), -1),
        ("health_score", "99", leaf("gt", "health_score", "5"), 99),
        ("spend", "0", leaf("lt", "spend", "5"), "0.00"),
        ("contract_end_on", "2099-12-31", leaf("after", "contract_end_on", "2026-01-01"), date(2099, 12, 31)),
        ("renewed_on", "9999-12-31", leaf("after", "renewed_on", "2026-01-01"), "9999-12-31"),
    ]

    for key, token, root, value in tests:
        how: dict[str, Any] = {"sources": {key: {"missing_tokens": [token]}}}
        assert verdicts(root, [{key: value}], author, **how) == [None], key


def test_declared_choice_is_a_value_though_it_reads_like_a_missing_token(author: User) -> None:
    choices = [{"id": "unknown", "label": "Unknown"}, {"id": "basic", "label": "Basic"}]

    found = verdicts(
        leaf("eq", "plan", "unknown"), [{"plan": "unknown"}], author, sources={"plan": {"choices": choices}}
    )

    assert found == [True]


def test_declared_tag_is_a_value_though_it_reads_like_a_missing_token(author: User) -> None:
    values: list[dict[str, Any]] = [
        {"regions": ["unknown"]},
        {"regions": ["emea", "unknown"]},
        {"regions": []},
        {"regions": None},
    ]

    found = verdicts(leaf("has_any", "regions", ["unknown"]), values, author)

    assert found == [True, True, False, None]


def test_pushed_tag_counts_where_the_framework_declares_it(author: User) -> None:
    for key in ("regions", "tools"):
        Attribute.objects.get_or_create(key=key, defaults={"data_type": "tags"})
    declared = {"op": "all", "items": [leaf("has_any", "regions", ["unknown"]), leaf("is_present", "tools")]}
    version = storing.store_framework(one_rule(declared), author)
    sent = {"regions": ["Unknown"], "tools": ["Unknown", "SAP"]}

    pushed = push_accounts(
        items=[{"source": "crm", "external_id": "A-1", "name": "Acme", "attributes": sent}],
        all_or_none=True,
        actor=person("sync", "integration"),
        at=AT,
    )
    given = Account.objects.get()
    storing.apply(version, [given.pk], AT)
    record = record_of({"regions": "unknown"}, definition=plan_of(version).definition, observed_at=AT)

    assert pushed.is_applied
    assert given.attribute_keys["tools"] == ["unknown", "sap"]
    assert Assignment.objects.get().computed is not None
    assert record.row["attribute_keys"] == {"regions": given.attribute_keys["regions"]}


def test_tag_that_means_no_value_is_none_of_the_tags(author: User) -> None:
    values: list[dict[str, Any]] = [{"tools": ["N/A"]}, {"tools": ["tbd", "SAP"]}]
    own: dict[str, Any] = {"sources": {"tools": {"missing_tokens": ["TBD"]}}}

    assert verdicts(leaf("has_none", "tools", ["sap"]), values, author, **own) == [True, False]
    assert verdicts(leaf("is_present", "tools"), values, author, **own) == [True, True]


def test_value_at_its_freshness_limit_still_counts(author: User) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 3, 1, tzinfo=zone).astimezone(UTC)
    bodies = one_rule(
        leaf("ge", "arr", "1"), zone=zone.key, sources={"arr": {"freshness_days": 30}, "spend": {"freshness_days": 30}}
    )
    moments = [first, first - timedelta(microseconds=1), None]
    accounts = [Facts({"arr": Decimal(5)}, {"arr": moment} if moment else {}) for moment in moments]

    found = evaluated(bodies, accounts, author)

    assert [outcomes["d"].reason for outcomes in found] == ["matched", "missing_data", "missing_data"]


# --- texts and choices


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("straße", "STRASSE"),
        ("Café", "Cafe\u0301"),
        ("New York", "New\u00a0York"),
        ("New York", " new  york "),
        ("ﬃ", "ffi"),
        ("Οδός", "ΟΔΌΣ"),
    ],
)
def test_text_people_call_the_same_is_equal(author: User, written: str, stored: str) -> None:
    value = [{"city": stored}]

    assert verdicts(leaf("eq", "city", written), value, author) == [True]
    assert verdicts(leaf("not_in", "city", [written, "Rome"]), value, author) == [False]
    assert verdicts(leaf("contains", "city", written), value, author) == [True]
    assert verdicts(leaf("eq", "city", written, match="exact"), value, author) == [False]


def test_exact_match_compares_the_stored_characters_in_columns_and_own_attributes(author: User) -> None:
    stored = ["straße", " straße ", "STRASSE"]

    for key in ("city", "motto"):
        values = [{key: text} for text in stored]
        assert verdicts(leaf("eq", key, "straße", match="exact"), values, author) == [True, False, False]


def test_list_value_with_commas_and_spaces_is_one_value(author: User) -> None:
    values = [{"city": name} for name in ("Smith, Jones & Co", "Smith", "Jones & Co")]
    plans = [{"plan": plan} for plan in ("Pro, Inc", "Pro", "Inc")]

    assert verdicts(leaf("in", "city", ["Smith, Jones & Co"]), values, author) == [True, False, False]
    assert verdicts(leaf("in", "plan", ["Pro, Inc"]), plans, author) == [True, False, False]


def test_pattern_has_no_wildcards(author: User) -> None:
    values = [{"city": "100% sure_thing\\"}, {"city": "100x sure-thing\\"}]

    assert verdicts(leaf("contains", "city", "% sure_"), values, author) == [True, False]
    assert verdicts(leaf("ends_with", "city", "\\"), values, author) == [True, True]


def test_renamed_picklist_label_moves_nobody(author: User) -> None:
    root, values = leaf("eq", "plan", "basic"), [{"plan": "basic"}, {"plan": "Grundtarif"}]
    renamed = {"choices": [{"id": "basic", "label": "Grundtarif"}, {"id": "pro", "label": "basic"}]}

    assert verdicts(root, values, author) == verdicts(root, values, author, sources={"plan": renamed}) == [True, False]


# --- days


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00+00:00"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00+00:00"),
        ("Europe/Berlin", "2025-10-27", "2025-10-26T23:00:00+00:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00+00:00"),  # midnight comes twice
        ("Atlantic/Azores", "2025-10-26", "2025-10-26T00:00:00+00:00"),  # midnight comes twice
        ("America/Santiago", "2024-09-08", "2024-09-08T04:00:00+00:00"),  # the day begins at 1:00
        ("Asia/Beirut", "2024-10-27", "2024-10-26T22:00:00+00:00"),  # 23:00 comes twice
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00"),  # the day before was skipped
    ],
)
def test_day_begins_at_its_first_moment_in_the_zone(author: User, zone: str, day: str, first: str) -> None:
    moment = datetime.fromisoformat(first)
    values = [{"seen_at": (moment + timedelta(microseconds=n)).isoformat()} for n in (-1, 0)]

    assert verdicts(leaf("on_or_after", "seen_at", day), values, author, zone=zone) == [False, True]
    assert verdicts(leaf("before", "seen_at", day), values, author, zone=zone) == [True, False]


@pytest.mark.parametrize("day", ["2026-03-29", "2025-10-26"])
def test_local_day_of_23_or_25_hours_is_one_day(author: User, day: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    morning = datetime.combine(date.fromisoformat(day), datetime.min.time(), zone)
    last = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), zone)
    values = [{"seen_at": moment.isoformat()} for moment in (morning, last - timedelta(seconds=1), last)]

    at = last.astimezone(UTC) + timedelta(hours=12)
    found = verdicts(leaf("within_last", "seen_at", n=1, unit="days"), values, author, at, zone=zone.key)

    assert found == [True, True, True]
    later = verdicts(
        leaf("within_last", "seen_at", n=1, unit="days"), values, author, at + timedelta(days=1), zone=zone.key
    )
    assert later == [False, False, True]


def test_verdict_changes_at_midnight_of_the_framework_zone(author: User) -> None:
    midnight = datetime(2026, 6, 1, tzinfo=ZoneInfo("America/New_York"))
    root = leaf("within_last", "last_activity_on", n=30, unit="days")
    value = [{"last_activity_on": date(2026, 5, 1)}]

    before, after = (
        verdicts(root, value, author, midnight + timedelta(seconds=n), zone="America/New_York") for n in (-1, 0)
    )

    assert (before, after) == ([True], [False])


def test_one_as_of_holds_for_all_chunks_though_midnight_passes_between_them(author: User) -> None:
    bodies = one_rule(leaf("within_last", "last_activity_on", n=30, unit="days"))
    as_of = datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC)
    version = storing.store_framework(bodies, author)
    rows = storing.store_accounts([Facts({"last_activity_on": date(2026, 5, 1)})] * 2, version.framework, author, as_of)

    for row in rows:
        storing.apply(version, [row.pk], as_of)

    assert set(Assignment.objects.values_list("reason", "changed_at")) == {("matched", as_of)}


@pytest.mark.parametrize(
    ("today", "count", "unit", "last"),
    [
        ("2026-01-31", 1, "months", "2026-02-28"),
        ("2028-01-31", 1, "months", "2028-02-29"),
        ("2028-02-29", 4, "quarters", "2029-02-28"),
        ("2026-10-31", 1, "quarters", "2027-01-31"),
        ("2027-12-31", 2, "months", "2028-02-29"),
    ],
)
def test_month_ends_on_its_last_day(author: User, today: str, count: int, unit: str, last: str) -> None:
    day = date.fromisoformat(last)
    values = [{"contract_end_on": day}, {"contract_end_on": day + timedelta(days=1)}]
    at = datetime.fromisoformat(f"{today}T12:00:00+00:00")

    found = verdicts(leaf("within_next", "contract_end_on", n=count, unit=unit), values, author, at)

    assert found == [True, False]


def test_month_back_from_a_leap_day_and_from_the_end_of_march(author: User) -> None:
    root = leaf("within_last", "last_activity_on", n=1, unit="months")
    tests = [("2028-03-31", "2028-02-29"), ("2026-03-31", "2026-02-28"), ("2028-02-29", "2028-01-29")]

    for today, first in tests:
        day = date.fromisoformat(first)
        values = [{"last_activity_on": day}, {"last_activity_on": day - timedelta(days=1)}]
        at = datetime.fromisoformat(f"{today}T12:00:00+00:00")
        assert verdicts(root, values, author, at) == [True, False]
