"""Conditions over closed periods, on PostgreSQL: `sustained`, `change` and growth."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.frameworks.criteria.rules import GRAINS, HISTORY, ROWS, numbered
from tests.frameworks.criteria.vocabulary import leaf, read, verdict, verdicts, walked

pytestmark = pytest.mark.django_db

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _sustained(item, periods=2, grain="fiscal_quarter", **options):
    return {"id": "s", "op": "sustained", "periods": periods, "grain": grain, **options, "item": item}


def _quarters(*arr, **others):
    """Values of ARR at closed quarters, the newest first; others by attribute."""
    history = {("arr", "fiscal_quarter"): list(arr)}
    history.update({(key, "fiscal_quarter"): list(values) for key, values in others.items()})
    return {"history": history}


OVER = leaf("gt", "arr", value="25000")


@pytest.mark.parametrize(
    ("quarters", "expected"),
    [
        ((30_000, 30_000), True),
        ((30_000, 30_000, 1), True),
        ((30_000, 25_000), False),
        ((1, 30_000), False),
        # open or missing: one quarter only, none at all, a gap
        ((30_000,), None),
        ((), None),
        ((None, 30_000), None),
        ((30_000, None, 30_000), None),
        # false is false whatever is missing
        ((1, None), False),
    ],
)
def test_sustained_needs_every_one_of_the_last_closed_periods(quarters, expected):
    assert verdict(_sustained(OVER), _quarters(*quarters)) is expected


def test_sustained_ignores_the_value_of_today():
    row = {**_quarters(30_000, 30_000), "arr": Decimal(1)}

    assert verdict(_sustained(OVER), row) is True
    assert verdict(OVER, row) is False


def test_sustained_reads_the_grain_it_names():
    row = {"history": {("arr", "month"): [30_000, 30_000]}}

    assert verdict(_sustained(OVER, grain="month"), row) is True
    assert verdict(_sustained(OVER, grain="fiscal_quarter"), row) is None


@pytest.mark.parametrize(
    ("quarters", "unknown", "breaks", "skip"),
    [
        ((9, 9, 9, 9), True, True, True),
        ((9, None, 9, 9), None, False, True),
        ((None, 9, 9, 9), None, False, True),
        ((9, None, 9, 1), None, False, False),
        ((9, None, 9), None, False, None),
        ((9, None, None, 9), None, False, None),
        # too little history, with or without a hole in it
        ((9, 9), None, None, None),
        ((9, None, None, None, 9), None, False, None),
        ((), None, None, None),
        ((1,), False, False, False),
        ((9, 9, 1, 9), False, False, False),
        ((9, 9, 9, None), True, True, True),
    ],
)
def test_missing_period_is_unknown_breaks_the_run_or_is_skipped_once(quarters, unknown, breaks, skip):
    rules = [_sustained(leaf("gt", "arr", value="5"), 3, missing_period=each) for each in ("unknown", "breaks", "skip")]

    found = [verdict(rule, _quarters(*quarters)) for rule in rules]

    assert found == [unknown, breaks, skip]


def test_conditions_meant_for_one_period_are_not_answered_by_two():
    # Each quarter has one of the two, and in no quarter does neither hold: "any of them for 2 quarters" holds.
    either = {
        "id": "g",
        "op": "any",
        "items": [leaf("gt", "arr", value="5"), {**leaf("gt", "delta", value="5"), "id": "b"}],
    }
    both = {**either, "op": "all"}
    row = _quarters(9, 1, delta=[1, 9])

    assert verdict(_sustained(either), row) is True
    assert verdict(_sustained(both, 1), row) is False
    assert (
        verdict(
            {
                "id": "a",
                "op": "all",
                "items": [
                    _sustained({**leaf("gt", "arr", value="5"), "id": "x"}, 1),
                    {**_sustained({**leaf("gt", "delta", value="5"), "id": "y"}, 1), "id": "t"},
                ],
            },
            row,
        )
        is False
    )


def test_period_with_one_of_two_values_is_not_absent():
    rule = _sustained(
        {"id": "g", "op": "any", "items": [OVER, {**leaf("gt", "delta", value="5"), "id": "b"}]},
        missing_period="breaks",
    )

    assert verdict(rule, _quarters(None, 30_000, delta=[9, None])) is True
    assert verdict(rule, _quarters(None, 30_000, delta=[None, None])) is False
    assert verdict(rule, _quarters(30_000, None, None, delta=[None, None, 9])) is False
    assert verdict(rule, _quarters(30_000, delta=[None, None])) is None


def test_leaf_inside_sustained_may_state_what_a_missing_period_means():
    rule = _sustained({**OVER, "missing": "true"})

    assert verdict(rule, _quarters(30_000)) is True


def test_freshness_limit_does_not_reach_into_closed_periods():
    rule = _sustained(leaf("gt", "usage", value="5"), 1, "month")

    assert verdict(rule, {"history": {("usage", "month"): [9]}, "usage_observed_at": None}) is True


def test_ratio_inside_sustained_is_that_of_each_period():
    rule = _sustained(leaf("ge", "each", value="10"))

    assert verdict(rule, _quarters(100, 50, employees=[10, 5])) is True
    assert verdict(rule, _quarters(100, 50, employees=[10, 6])) is False
    assert verdict(rule, _quarters(100, 50, employees=[10, 0])) is None


def _expected(rule, items, presence):
    """From the verdicts on the item at each period, newest first, and whether anything was observed there."""
    periods = list(range(rule["periods"]))
    absent = [place for place in periods if not presence[place]]
    if rule.get("missing_period") == "breaks" and any(any(presence[place + 1 :]) for place in absent):
        return False
    if rule.get("missing_period") == "skip" and absent:
        periods = [place for place in range(rule["periods"] + 1) if place != absent[0]]
    counted = [items[place] for place in periods]
    return False if False in counted else None if None in counted else True


@few
@given(HISTORY, ROWS, GRAINS, st.integers(1, 3), st.sampled_from(["unknown", "breaks", "skip"]))
def test_sustained_follows_from_its_item_at_each_period(item, rows, grain, periods, missing_period):
    rule = numbered(_sustained(item, periods, grain, missing_period=missing_period))
    metrics = _metrics(rule["item"])
    for row in rows:
        series = {metric: row["history"][metric, grain] for metric in ("employees", "arr")}
        each = [
            {metric: values[back] if back < len(values) else None for metric, values in series.items()}
            for back in range(max(map(len, series.values())) + periods + 1)
        ]

        items = [found for (found,) in verdicts([read(rule["item"]).root], each)]
        presence = [any(period[metric] is not None for metric in metrics) for period in each]

        assert verdict(rule, row) is _expected(rule, items, presence)


def _metrics(node):
    if "attribute" in node:
        return {"each": {"employees", "arr"}}.get(node["attribute"], {node["attribute"]})
    return set().union(*map(_metrics, [*node.get("items", ()), *filter(None, [node.get("item")])]))


def test_explanation_judges_what_is_inside_sustained_at_the_newest_period():
    root = read({"id": "n", "op": "not", "item": _sustained(OVER)}).root
    row = {**_quarters(30_000, 1), "arr": Decimal(1)}

    assert walked(root, row) == [True, False, True]


# --- change


def _change(compare, value, *, measure="absolute", periods=2, **options):
    return leaf(
        "change",
        "arr",
        grain="fiscal_quarter",
        periods=periods,
        measure=measure,
        compare=compare,
        value=value,
        **options,
    )


@pytest.mark.parametrize(
    ("quarters", "expected"),
    [
        ((120, 0, 100), (True, False, True, False)),
        ((121, 0, 100), (True, True, False, False)),
        ((119, 0, 100), (False, False, True, True)),
        ((120, None, 100), (True, False, True, False)),
        ((120, 100), (None, None, None, None)),
        ((None, 1, 100), (None, None, None, None)),
    ],
)
@pytest.mark.parametrize("measure", ["absolute", "percent"])
def test_change_compares_two_closed_periods(quarters, expected, measure):
    rules = [_change(compare, "20", measure=measure) for compare in ("ge", "gt", "le", "lt")]

    assert tuple(verdict(rule, _quarters(*quarters)) for rule in rules) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (-50, -100, True),  # half the loss is a rise by 50 percent of the amount
        (50, -100, True),
        (-150, -100, False),
        (5, 0, None),
        (0, 0, None),
    ],
)
def test_change_in_percent_is_of_the_earlier_amount_and_unknown_from_zero(new, old, expected):
    assert verdict(_change("ge", "50", measure="percent", periods=1), _quarters(new, old)) is expected


def test_change_in_percent_is_not_rounded():
    # 1 of 3 more is 33.333333…, over 33.333333 and under 33.333334
    row = _quarters(4, 3)

    assert verdict(_change("gt", "33.333333", measure="percent", periods=1), row) is True
    assert verdict(_change("lt", "33.333334", measure="percent", periods=1), row) is True


def test_change_may_fall_below_what_the_attribute_can_be():
    rule = leaf("change", "employees", grain="month", periods=1, measure="absolute", compare="le", value="-5")

    assert verdict(rule, {"history": {("employees", "month"): [5, 10]}}) is True


def test_change_may_state_what_missing_means():
    assert verdict(_change("ge", "20", missing="false"), _quarters(120)) is False


@pytest.mark.parametrize(
    ("quarters", "expected"),
    [((200, 0, 100), True), ((199, 0, 100), False), ((200, 0, 0), None), ((200, 100), None), ((1, 2, -100), True)],
)
def test_growth_is_the_percentage_over_its_periods(quarters, expected):
    assert verdict(leaf("ge", "rising", value="100"), _quarters(*quarters)) is expected
