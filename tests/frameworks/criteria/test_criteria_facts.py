"""Tags, signals, lists, the ultimate parent, fiscal periods and derived attributes, on PostgreSQL."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.frameworks.criteria.vocabulary import berlin, day, leaf, verdict

pytestmark = pytest.mark.django_db


# --- tags


@pytest.mark.parametrize(
    ("tags", "has_any", "has_all", "has_none"),
    [
        (["salesforce"], True, False, False),
        (["HubSpot", "SALESFORCE ", "other"], True, True, False),
        (["other"], False, False, True),
        ([], False, False, True),
        (None, None, None, None),
    ],
)
def test_tags_are_compared_as_texts_and_an_empty_list_is_a_value(tags, has_any, has_all, has_none):
    rules = [leaf(op, "tech", values=["Salesforce", "hubspot"]) for op in ("has_any", "has_all", "has_none")]

    assert [verdict(rule, {"tech": tags}) for rule in rules] == [has_any, has_all, has_none]


def test_tag_with_commas_and_spaces_is_one_tag():
    rule = leaf("has_any", "tech", values=["Smith, Jones & Co"])

    assert verdict(rule, {"tech": ["Smith, Jones & Co"]}) is True
    assert verdict(rule, {"tech": ["Smith", "Jones & Co"]}) is False


@pytest.mark.parametrize(("tags", "present"), [(None, False), ([], True), (["x"], True)])
def test_presence_of_tags(tags, present):
    assert verdict(leaf("is_present", "tech"), {"tech": tags}) is present


def test_tags_older_than_their_freshness_limit_are_unknown():
    rule = leaf("has_any", "regions", values=["emea"])

    assert verdict(rule, {"regions": ["emea"], "regions_observed_at": berlin(2026, 3, 1)}) is True
    assert verdict(rule, {"regions": ["emea"], "regions_observed_at": berlin(2026, 2, 28)}) is None


# --- signals


def _signal(on, kind="hiring", **details):
    return {"kind": kind, "on": day(on), "details": details}


def _test(at_least=1, within_days=90, **details):
    rule = {"id": "n1", "op": "signal", "kind": "hiring", "at_least": at_least, "within_days": within_days}
    return {**rule, "details": details} if details else rule


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        # as_of is 31 March 2026; 90 days before it is 31 December
        ("2026-03-31", True),
        ("2025-12-31", True),
        ("2025-12-30", False),
        ("2026-04-01", False),
    ],
)
def test_signal_counts_from_its_first_to_its_last_day(on, expected):
    assert verdict(_test(), {"signals": [_signal(on)]}) is expected


@pytest.mark.parametrize(("at_least", "expected"), [(1, True), (2, True), (3, False)])
def test_signal_counts_those_with_every_detail(at_least, expected):
    signals = [
        _signal("2026-03-01", role="Sales Ops", level="lead"),
        _signal("2026-03-02", role="SALES  OPS"),
        _signal("2026-03-03", role="engineer"),
        _signal("2026-03-04"),
        _signal("2026-03-05", kind="funding", role="sales ops"),
    ]

    assert verdict(_test(at_least, role="sales ops"), {"signals": signals}) is expected


def test_signal_nobody_recorded_is_none_and_not_unknown():
    assert verdict(_test(), {}) is False
    assert verdict({"id": "g", "op": "not", "item": _test()}, {}) is True


# --- lists and the ultimate parent


def test_list_is_never_unknown():
    rule = {"id": "n1", "op": "on_list", "list": "fortune_2000"}

    assert verdict(rule, {"lists": ["fortune_2000", "key_logos"]}) is True
    assert verdict(rule, {"lists": ["key_logos"]}) is False
    assert verdict(rule, {}) is False


@pytest.mark.parametrize(
    ("rule", "parent"),
    [
        (leaf("ge", "employees", value="1000"), {"employees": 1000}),
        (leaf("eq", "name", value="acme"), {"name": "ACME"}),
        (leaf("within_last", "seen_at", n=1, unit="days"), {"seen_at": berlin(2026, 3, 31)}),
        (leaf("has_all", "tech", values=["sap"]), {"tech": ["SAP"]}),
        (leaf("ge", "each", value="2"), {"arr": 4, "employees": 2}),
        (leaf("ge", "usage", value="2"), {"usage": 2, "usage_observed_at": berlin(2026, 3, 30)}),
        (leaf("is_present", "industry"), {"industry": "saas"}),
        ({"id": "n1", "op": "on_list", "list": "key_logos"}, {"lists": ["key_logos"]}),
    ],
)
def test_leaf_of_the_ultimate_parent_reads_the_parent(rule, parent):
    of_parent = {**rule, "of": "ultimate_parent"}

    assert verdict(of_parent, {"parent": parent}) is True
    assert verdict(rule, {"parent": parent}) is not True
    # without a parent an account is its own
    assert verdict(of_parent, parent) is True


def test_child_smaller_than_its_parent_is_judged_by_the_one_the_rule_names():
    row = {"employees": 50, "parent": {"employees": 9000}}
    rule = leaf("ge", "employees", value="5000")

    assert verdict(rule, row) is False
    assert verdict({**rule, "of": "ultimate_parent"}, row) is True


# --- fiscal periods


@pytest.mark.parametrize(
    ("period", "offset", "first", "last"),
    [
        # The fiscal year begins in February, and today is 31 March 2026: first quarter of 2027.
        ("fiscal_quarter", 0, "2026-02-01", "2026-04-30"),
        ("fiscal_quarter", -1, "2025-11-01", "2026-01-31"),
        ("fiscal_quarter", 1, "2026-05-01", "2026-07-31"),
        ("fiscal_quarter", 4, "2027-02-01", "2027-04-30"),
        ("fiscal_year", 0, "2026-02-01", "2027-01-31"),
        ("fiscal_year", -4, "2022-02-01", "2023-01-31"),
    ],
)
def test_fiscal_quarter_that_is_not_a_calendar_quarter(period, offset, first, last):
    rule = leaf("in_period", "signed_on", period=period, offset=offset)
    days = [day(first), day(last)]
    outside = [each.fromordinal(each.toordinal() + shift) for each, shift in zip(days, (-1, 1), strict=True)]

    assert [verdict(rule, {"signed_on": each}) for each in days] == [True, True]
    assert [verdict(rule, {"signed_on": each}) for each in outside] == [False, False]


def test_fiscal_period_of_an_instant_begins_at_midnight_of_the_zone():
    rule = leaf("in_period", "seen_at", period="fiscal_quarter", offset=0)

    assert verdict(rule, {"seen_at": berlin(2026, 2, 1)}) is True
    assert verdict(rule, {"seen_at": berlin(2026, 1, 31, 23, 59, 59)}) is False


@pytest.mark.parametrize(("as_of", "expected"), [(berlin(2026, 1, 31, 23, 59), True), (berlin(2026, 2, 1), False)])
def test_fiscal_period_turns_at_midnight_of_the_zone(as_of, expected):
    rule = leaf("in_period", "signed_on", period="fiscal_year", offset=0)

    assert verdict(rule, {"signed_on": day("2025-02-01")}, as_of=as_of) is expected


# --- derived attributes


@pytest.mark.parametrize(
    ("arr", "employees", "expected"),
    [
        (10, 3, (True, False)),  # 3.3333…: at least 3.3333 and not 3.3334
        (Decimal("9.99"), 3, (False, False)),
        (0, 3, (False, False)),
        (10, 0, (None, None)),
        (None, 3, (None, None)),
        (10, None, (None, None)),
    ],
)
def test_ratio_is_missing_by_zero_and_never_rounded_up(arr, employees, expected):
    row = {"arr": arr, "employees": employees}

    assert tuple(verdict(leaf("ge", "each", value=value), row) for value in ("3.3333", "3.3334")) == expected


def test_ratio_just_below_its_threshold_stays_below():
    row = {"arr": Decimal("29999999999999.99"), "employees": 3}

    assert verdict(leaf("lt", "each", value="10000000000000"), row) is True


@pytest.mark.parametrize(("delta", "expected"), [(3, True), (2, False), (None, None)])
def test_difference_of_two_attributes(delta, expected):
    assert verdict(leaf("eq", "net", value="7"), {"employees": 10, "delta": delta}) is expected


@pytest.mark.parametrize(
    ("signed", "expected"),
    [("2026-03-31", 0), ("2026-03-01", 30), ("2026-04-01", -1)],
)
def test_age_in_days_counts_from_the_day_to_today(signed, expected):
    assert verdict(leaf("eq", "tenure", value=str(expected)), {"signed_on": day(signed)}) is True


def test_age_of_an_instant_counts_days_of_the_zone():
    assert verdict(leaf("eq", "silence", value="1"), {"seen_at": berlin(2026, 3, 30, 23, 59)}) is True


def test_derived_value_is_missing_while_an_input_is_too_old():
    rule = leaf("ge", "intensity", value="2")
    fresh, stale = ({"usage": 10, "employees": 5, "usage_observed_at": berlin(2026, m, 28)} for m in (3, 2))

    assert (verdict(rule, fresh), verdict(rule, stale)) == (True, None)
    assert verdict(leaf("is_missing", "intensity"), stale) is True
