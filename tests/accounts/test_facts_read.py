"""What rules read beside the account's row: closed periods, signals, lists, the ultimate parent, tags, currencies.

Each rule is asked of stored accounts and of the same accounts given as hypothetical ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.evaluation import engine
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.statement import Scope, changed_sql
from accounts.models import Account, ListEntry, MetricSeries, Signal
from accounts.signal_keys import details_keys
from frameworks.models import AccountList, FrameworkVersion, User
from tests.accounts import storing
from tests.accounts.small import framework, leaf, one_rule, rule

pytestmark = pytest.mark.django_db

AT = datetime(2026, 5, 15, 10, tzinfo=UTC)
"""In the calendar's second quarter: the newest closed one ended on 31 March."""
TODAY = date(2026, 5, 15)
ENDS = ["2026-03-31", "2025-12-31", "2025-09-30", "2025-06-30"]
Row = Mapping[str, Any]


@pytest.fixture
def author() -> User:
    return User.objects.create(email="author@example.com")


def store(row: Row) -> Account:
    """A row of `evaluate_rows` as stored facts."""
    columns = {key: value for key, value in row.items() if key not in ("series", "signals", "lists", "parent")}
    if (parent := row.get("parent")) is not None:
        columns["parent"] = columns["ultimate_parent"] = store(parent)
    account = Account.objects.create(name="Castellan", name_key="castellan", **columns)
    for metric, grains in row.get("series", {}).items():
        for grain, values in grains.items():
            ends = sorted(values, reverse=True)
            numbers = [Decimal(values[end]) for end in ends]
            MetricSeries.objects.create(account=account, metric=metric, grain=grain, ends=ends, values=numbers)
    for number, signal in enumerate(row.get("signals", [])):
        said = {**signal, "details_keys": details_keys(signal.get("details", {}))}
        Signal.objects.create(account=account, source="t", external_id=f"{account.pk}-{number}", recorded_at=AT, **said)
    for key in row.get("lists", []):
        found, _ = AccountList.objects.get_or_create(key=key, defaults={"label": key})
        ListEntry.objects.create(list=found, account=account, added_at=AT)
    return account


def verdicts(bodies: Mapping[Any, Any], rows: Sequence[Row], author: User, at: datetime = AT) -> list[bool | None]:
    """The verdict on the one rule for each row, stored and hypothetical, by a list of ids and by a key range."""
    version = storing.store_framework(bodies, author)
    ids = [store(row).pk for row in rows]
    stored = storing.traced(version, ids, at)
    found: list[bool | None] = [stored[pk]["d"]["yes/r"]["n1"] for pk in ids]
    hypothetical = evaluate_rows(plan=engine.plan_of(version), rows=rows, as_of=at)
    assert [outcome["d"].verdicts["yes/r"] for outcome in hypothetical] == found
    storing.apply_range(version, min(ids), max(ids) + 1, at)
    by_range = storing.assigned(ids)
    assert [by_range[pk]["d"].segment == "yes" for pk in ids] == [verdict is True for verdict in found]
    return found


def quarters(*values: str | None, metric: str = "arr") -> Row:
    """Newest closed quarter first; None where nothing was observed."""
    return {"series": {metric: {"fiscal_quarter": {e: v for e, v in zip(ENDS, values, strict=False) if v is not None}}}}


def sustained(periods: int, item: Row | None = None, **how: Any) -> dict[str, Any]:
    above = item or leaf("ge", "arr", "25000.00")
    return {"op": "sustained", "periods": periods, "grain": "fiscal_quarter", "item": above, **how}


# --- closed periods


def test_sustained_needs_every_closed_quarter(author):
    rows = [
        quarters("25000.00", "25000.00"),
        quarters("25000.00", "24999.99"),
        quarters("25000.00"),
        quarters(None, "25000.00", "30000.00"),
        {"arr": "90000.00"},
    ]

    assert verdicts(one_rule(sustained(2)), rows, author) == [True, False, None, None, None]


def test_missing_quarter_follows_the_rule(author):
    gap = [quarters("30000.00", None, "30000.00"), quarters(None, "30000.00"), quarters("1.00", None, "30000.00")]

    assert verdicts(one_rule(sustained(2, missing_period="skip")), gap, author) == [True, None, False]
    assert verdicts(one_rule(sustained(2, missing_period="breaks")), gap, author) == [False, False, False]


def test_history_that_has_yet_to_begin_is_no_missing_quarter(author):
    rows = [
        {"arr": "90000.00"},
        quarters("30000.00"),
        quarters("1.00"),
        quarters("30000.00", None, None, "1.00"),
        {**quarters("30000.00", None, metric="seats"), **quarters("30000.00")},
    ]

    assert verdicts(one_rule(sustained(2, missing_period="breaks")), rows, author) == [None, None, False, False, None]
    assert verdicts(one_rule(sustained(2, missing_period="skip")), rows, author) == [None, None, False, None, None]


def test_quarter_that_is_not_closed_yet_is_not_read(author):
    ahead = {"series": {"arr": {"fiscal_quarter": {"2026-06-30": "1.00", ENDS[0]: "30000.00", ENDS[1]: "30000.00"}}}}

    assert verdicts(one_rule(sustained(2)), [ahead], author) == [True]
    assert verdicts(one_rule(sustained(2)), [ahead], author, datetime(2026, 7, 1, tzinfo=UTC)) == [False]


def test_quarter_closes_at_midnight_of_the_framework(author):
    row = {"series": {"arr": {"fiscal_quarter": {"2026-06-30": "30000.00"}}}}
    bodies = one_rule(sustained(1), zone="America/New_York")

    assert verdicts(bodies, [row], author, datetime(2026, 7, 1, 3, 59, tzinfo=UTC)) == [None]
    assert verdicts(bodies, [row], author, datetime(2026, 7, 1, 4, tzinfo=UTC)) == [True]


def test_fiscal_quarters_are_counted_from_the_start_month(author):
    bodies = one_rule(sustained(1))
    bodies["meta", "meta"] = {**bodies["meta", "meta"], "fiscal_year_start_month": 2}
    rows = [{"series": {"arr": {"fiscal_quarter": {end: "30000.00"}}}} for end in ("2026-04-30", "2026-03-31")]

    assert verdicts(bodies, rows, author) == [True, None]


def test_two_conditions_are_asked_of_one_and_the_same_quarter(author):
    both = {"op": "all", "items": [leaf("ge", "arr", "25000.00"), leaf("ge", "employee_count", "200")]}
    crossed = {
        "series": {
            "arr": {"fiscal_quarter": {ENDS[0]: "30000.00", ENDS[1]: "1.00"}},
            "employee_count": {"fiscal_quarter": {ENDS[0]: "10", ENDS[1]: "300"}},
        }
    }
    together = {
        "series": {
            "arr": {"fiscal_quarter": {ENDS[0]: "30000.00", ENDS[1]: "30000.00"}},
            "employee_count": {"fiscal_quarter": {ENDS[0]: "200", ENDS[1]: "300"}},
        }
    }

    assert verdicts(one_rule(sustained(2, both)), [crossed, together], author) == [False, True]


@pytest.mark.parametrize(
    ("measure", "value", "values", "expected"),
    [
        ("absolute", "5000", ("30000.00", "25000.00"), True),
        ("absolute", "5000", ("29999.99", "25000.00"), False),
        ("percent", "20", ("30000.00", "25000.00"), True),
        ("percent", "20", ("30000.00", "0.00"), None),
        ("absolute", "5000", ("30000.00", None), None),
    ],
)
def test_change_between_two_closed_quarters(author, measure, value, values, expected):
    node = {"op": "change", "attribute": "arr", "grain": "fiscal_quarter", "periods": 1, "measure": measure}

    assert verdicts(one_rule({**node, "compare": "ge", "value": value}), [quarters(*values)], author) == [expected]


def test_grains_do_not_mix(author):
    months = {"series": {"arr": {"month": {"2026-03-31": "30000.00"}}}}

    assert verdicts(one_rule(sustained(1)), [months], author) == [None]
    assert verdicts(one_rule(sustained(1) | {"grain": "month"}), [months], author) == [None]
    assert verdicts(
        one_rule(sustained(1) | {"grain": "month"}), [months], author, datetime(2026, 4, 30, tzinfo=UTC)
    ) == [True]


# --- signals


def hiring(days_ago: int, role: str = "Sales Ops", kind: str = "hiring") -> Row:
    return {"kind": kind, "occurred_on": str(TODAY - timedelta(days=days_ago)), "details": {"role": role}}


def test_signals_are_counted_in_their_window(author):
    rows = [
        {"signals": [hiring(0), hiring(90)]},
        {"signals": [hiring(0), hiring(91)]},
        {"signals": [hiring(0), hiring(-1)]},
        {"signals": [hiring(0), hiring(1, "CFO")]},
        {"signals": [hiring(0), hiring(1, kind="funding")]},
        {"signals": [hiring(0), hiring(1, "  sales\u00a0OPS ")]},
        {},
    ]
    node = {"op": "signal", "kind": "hiring", "details": {"role": "Sales Ops"}, "at_least": 2, "within_days": 90}

    assert verdicts(one_rule(node), rows, author) == [True, False, False, False, False, True, False]


def test_one_join_serves_every_mention_of_a_window(author):
    node = {"op": "signal", "kind": "hiring", "at_least": 1, "within_days": 90}
    bodies = framework({"d": ({}, {"yes": [rule(node)], "no": [rule({"op": "not", "item": node})]})})
    plan = engine.plan_of(storing.store_framework(bodies, author))

    assert plan.query.count("accounts_signal") == 1


# --- lists and parents


def test_list_membership_is_never_unknown(author):
    node = {"op": "on_list", "list": "fortune_2000"}
    rows = [{"lists": ["fortune_2000"]}, {"lists": ["other"]}, {}]

    assert verdicts(one_rule(node), rows, author) == [True, False, False]
    assert verdicts(one_rule({"op": "not", "item": node}), rows, author) == [False, True, True]


def test_ultimate_parent_answers_for_its_child(author):
    rows: list[Row] = [
        {"employee_count": 50, "parent": {"employee_count": 9000, "lists": ["key"], "city_key": "bonn"}},
        {"employee_count": 9000, "lists": ["key"], "city_key": "bonn", "parent": {"employee_count": 50}},
        {"employee_count": 9000, "lists": ["key"], "city_key": "bonn", "parent": {}},
        {"employee_count": 9000, "lists": ["key"], "city_key": "bonn"},
    ]
    size = leaf("ge", "employee_count", "5000", of="ultimate_parent")
    listed = {"op": "on_list", "list": "key", "of": "ultimate_parent"}
    city = leaf("eq", "city", "Bonn", of="ultimate_parent")

    assert verdicts(one_rule(size), rows, author) == [True, False, None, True]
    assert verdicts(one_rule(listed), rows, author) == [True, False, False, True]
    assert verdicts(one_rule(city), rows, author) == [True, None, None, True]


def test_own_attributes_of_the_ultimate_parent_are_read(author):
    rows: list[dict[str, Any]] = [
        {"attributes": {"seats": 5}, "parent": {"attributes": {"seats": 500}}},
        {"attributes": {"seats": 500}},
    ]

    assert verdicts(one_rule(leaf("ge", "seats", "100", of="ultimate_parent")), rows, author) == [True, True]


def test_hypothetical_account_may_have_a_stored_parent(author):
    version = storing.store_framework(one_rule(leaf("ge", "employee_count", "5000", of="ultimate_parent")), author)
    parent = store({"employee_count": 9000})

    (found,) = evaluate_rows(
        plan=engine.plan_of(version), rows=[{"employee_count": 5, "ultimate_parent_id": parent.pk}], as_of=AT
    )

    assert found["d"].segment == "yes"


# --- tags and currencies


def _tagged() -> dict[Any, Any]:
    bodies = one_rule(leaf("has_any", "stack", ["Snowflake", "dbt"]))
    bodies["data_source", "stack"] = {"label": "Stack", "data_type": "tags", "missing_tokens": ["none"]}
    return bodies


def test_tags_are_compared_by_their_keys(author):
    rows: list[Row] = [
        {"attributes": {"stack": names}, "attribute_keys": {"stack": keys}}
        for names, keys in ((["SNOWFLAKE"], ["snowflake"]), (["Looker"], ["looker"]), ([], []), (["None"], ["none"]))
    ]

    assert verdicts(_tagged(), [*rows, {}], author) == [True, False, False, False, None]


def test_money_of_another_currency_is_missing_without_a_rate(author):
    rows = [{"arr": "100.00", "currency": code} for code in ("USD", "EUR", "CHF")]
    plain, rated = one_rule(leaf("ge", "arr", "100.00")), one_rule(leaf("ge", "arr", "100.00"))
    rated["meta", "meta"] = {**rated["meta", "meta"], "exchange_rates": {"EUR": "0.9999"}}

    assert verdicts(plain, rows, author) == [True, None, None]
    assert verdicts(rated, rows, author) == [True, False, None]
    assert verdicts(rated, [{"arr": "100.02", "currency": "EUR"}], author) == [True]


def test_currency_counts_in_history_too(author):
    rows = [{**quarters("30000.00"), "currency": code} for code in ("USD", "EUR")]

    assert verdicts(one_rule(sustained(1)), rows, author) == [True, None]


# --- cost


def _explained(version: FrameworkVersion, low: int, high: int) -> str:
    plan, scope = engine.plan_of(version), Scope(low=low, high=high)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) "
            + changed_sql(plan, scope)
            + " SELECT count(*) FROM changed",
            {**plan.parameters, **scope.parameters, "as_of": AT},
        )
        return "\n".join(row[0] for row in cursor.fetchall())


def test_facts_nobody_reads_are_not_joined(author):
    version = storing.store_framework(one_rule(leaf("ge", "arr", "100.00")), author)

    query = engine.plan_of(version).query

    assert not any(table in query for table in ("metricseries", "accounts_signal", "listentry", "fact_"))


def test_period_ends_are_constants_of_the_statement(author):
    version = storing.store_framework(one_rule(sustained(2)), author)
    account = store(quarters("30000.00", "30000.00"))

    plan = _explained(version, account.pk, account.pk + 1)

    assert "'2026-03-31 00:00:00'" in plan or "'2026-03-31'" in plan or "('2026-04-01'::date - 1)" in plan
    assert "timezone(" not in plan
    assert "make_interval" not in plan


def test_history_of_a_metric_is_one_row_an_account(author):
    """However many observations there are, an evaluation does not read their table."""
    version = storing.store_framework(one_rule(sustained(2)), author)
    account = store(quarters("30000.00", "30000.00"))

    plan = _explained(version, account.pk, account.pk + 1)

    assert "accounts_metricobservation" not in plan
    assert plan.count("accounts_metricseries fact_") == 1
