"""Boundary cases of closed periods and of accounts above others, through the real engine and the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from frameworks.models import User
from tests import oracle
from tests.accounts.small import evaluated, leaf, one_rule
from tests.accounts.strategies import Bodies
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db

AT = datetime(2026, 5, 15, 10, tzinfo=UTC)
"""In the calendar's second quarter: the newest closed one ended on 31 March."""
ENDS = [date(2026, 3, 31), date(2025, 12, 31), date(2025, 9, 30), date(2025, 6, 30)]


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


def quarters(*arr: str | None, ends: list[date] = ENDS, heads: tuple[str, ...] = ()) -> Facts:
    """ARR and employees by quarter, the newest closed one first; None where nothing was observed."""
    given = {"arr": arr, "employee_count": heads}
    observed = {
        metric: {end: Decimal(value) for end, value in zip(ends, values, strict=False) if value is not None}
        for metric, values in given.items()
    }
    return Facts({}, series={metric: {"fiscal_quarter": by_end} for metric, by_end in observed.items()})


def sustained(periods: int = 2, item: Mapping[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    held = item or leaf("ge", "arr", "25000.00")
    return {"op": "sustained", "periods": periods, "grain": "fiscal_quarter", "item": held, **how}


def said(bodies: Bodies, accounts: list[Facts], author: User, at: datetime = AT) -> list[str]:
    """The segment of each account, or the reason for none."""
    return [each["d"].segment or each["d"].reason for each in evaluated(bodies, accounts, author, at)]


def test_one_quarter_only_is_too_little_history_and_no_missing_data(author: User) -> None:
    rule = one_rule(sustained())

    (found,) = (each["d"] for each in evaluated(rule, [quarters("30000")], author, AT))

    assert (found.reason, found.missing) == ("insufficient_history", ["history:arr"])


def test_quarter_still_open_counts_from_the_midnight_it_ends(author: User) -> None:
    accounts = [quarters("30000", "30000", ends=[date(2026, 6, 30), date(2026, 3, 31)])]
    rule = one_rule(sustained(), zone="America/New_York")

    open_still, closed = (
        said(rule, accounts, author, moment)
        for moment in (datetime(2026, 7, 1, 3, 59, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC))
    )

    assert (open_still, closed) == (["insufficient_history"], ["yes"])


def test_missing_quarter_is_unknown_breaks_the_run_or_is_skipped_once(author: User) -> None:
    accounts = [
        quarters("30000", None, "30000"),
        quarters(None, "30000", "30000"),
        quarters("30000", None, None, "30000"),
        quarters(None, None, "30000", "30000"),
        quarters("30000", None, "9"),
    ]
    little = "insufficient_history"

    found = {how: said(one_rule(sustained(missing_period=how)), accounts, author) for how in ("breaks", "skip")}

    assert said(one_rule(sustained()), accounts, author) == [little] * 5
    assert found["breaks"] == ["no_match"] * 5
    assert found["skip"] == ["yes", "yes", little, little, "no_match"]


def test_history_shorter_than_the_run_is_too_little_whatever_a_missing_period_means(author: User) -> None:
    accounts = [quarters(), quarters("30000"), quarters("30000", "30000")]
    policies = ("unknown", "breaks", "skip")
    three = [sustained(3, missing_period=how) for how in policies]
    little = ["insufficient_history"] * 3

    for rule in three:
        assert said(one_rule(rule), accounts, author) == little
        assert said(one_rule({"op": "not", "item": rule}), accounts, author) == little
    (found,) = (each["d"] for each in evaluated(one_rule(three[1]), [quarters()], author, AT))
    assert found.missing == ["history:arr"]


def test_hole_in_a_history_breaks_the_run_however_far_back_the_value_before_it_is(author: User) -> None:
    far = [*ENDS, *(date(year, month, day) for year in (2025, 2024, 2021) for month, day in ((3, 31),))]
    holed = quarters("30000", None, None, None, None, None, "1", ends=far)
    rule = sustained(missing_period="breaks")

    assert said(one_rule(rule), [holed], author) == ["no_match"]
    assert said(one_rule({"op": "not", "item": rule}), [holed], author) == ["yes"]


def test_value_that_is_none_or_no_period_of_the_calendar_makes_no_hole(author: User) -> None:
    never = one_rule({"op": "not", "item": sustained(missing_period="breaks")})
    never["data_source", "arr"]["missing_tokens"] = ["-1"]
    misplaced = quarters("30000", "30000", ends=[ENDS[0], date(2025, 10, 31)])
    no_rate = replace(quarters("30000", None, "30000"), currency="GBP")
    little = [quarters("30000", None, "-1"), misplaced, no_rate]
    holed = [quarters("30000", None, "0"), quarters("30000", None, "0", "-1")]

    assert said(never, [*little, *holed], author) == [*["insufficient_history"] * 3, "yes", "yes"]


def test_late_quarter_completes_the_run_and_a_restated_one_ends_it(author: User) -> None:
    rule = one_rule(sustained())
    late, complete, restated = quarters("30000"), quarters("30000", "25000"), quarters("30000", "24999.99")

    assert said(rule, [late, complete, restated], author) == ["insufficient_history", "yes", "no_match"]


def test_fiscal_quarter_that_is_not_a_calendar_quarter_is_the_one_that_counts(author: User) -> None:
    rule = one_rule(sustained())
    rule["meta", "meta"]["fiscal_year_start_month"] = 2
    fiscal = quarters("30000", "30000", ends=[date(2026, 4, 30), date(2026, 1, 31)])

    assert said(rule, [fiscal, quarters("30000", "30000")], author) == ["yes", "insufficient_history"]


def test_conditions_meant_for_one_quarter_are_not_answered_by_two(author: User) -> None:
    items = [leaf("ge", "arr", "25000.00"), leaf("ge", "employee_count", "200")]
    both, all_of = ({"op": op, "items": items} for op in ("any", "all"))
    crossed = quarters("30000", "1", heads=("10", "300"))
    apart = {"op": "any", "items": [sustained(item=item) for item in items]}

    assert said(one_rule(sustained(item=both)), [crossed], author) == ["yes"]
    assert said(one_rule(sustained(item=all_of)), [crossed], author) == ["no_match"]
    assert said(one_rule(apart), [crossed], author) == ["no_match"]


def test_change_in_percent_at_its_threshold_is_exact_and_unknown_from_zero(author: User) -> None:
    third = {"op": "change", "attribute": "arr", "grain": "fiscal_quarter", "periods": 1, "measure": "percent"}
    rule = one_rule({**third, "compare": "ge", "value": "33.3333"})
    accounts = [quarters("4", "3"), quarters("3.9999", "3"), quarters("4", "0"), quarters("4"), quarters("-2", "-3")]

    found = said(rule, accounts, author)

    assert found == ["yes", "no_match", "insufficient_history", "insufficient_history", "yes"]


def test_ratio_below_its_threshold_in_the_thirteenth_place_is_below_and_in_the_twelfth_too(author: User) -> None:
    rule = one_rule(leaf("ge", "arr_per_head", "0.3334"))
    accounts = [Facts({"arr": Decimal(arr), "employee_count": heads}) for arr, heads in ((1, 3), (3334, 10_000))]

    assert said(rule, accounts, author) == ["no_match", "yes"]


def test_child_smaller_than_its_parent_is_judged_by_the_one_the_rule_names(author: User) -> None:
    group = Facts({"employee_count": 9_000}, lists=frozenset({"fortune"}))
    accounts = [Facts({"employee_count": 20}, parent=group), Facts({"employee_count": 20}), Facts({}, parent=group)]
    large = leaf("ge", "employee_count", "5000")
    listed = {"op": "on_list", "list": "fortune", "of": "ultimate_parent"}

    assert said(one_rule(large), accounts, author) == ["no_match", "no_match", "missing_data"]
    assert said(one_rule({**large, "of": "ultimate_parent"}), accounts, author) == ["yes", "no_match", "yes"]
    assert said(one_rule(listed), accounts, author) == ["yes", "no_match", "yes"]


def test_parent_in_another_currency_is_converted_by_its_own_or_missing(author: User) -> None:
    rule = one_rule({**leaf("ge", "arr", "108.34"), "of": "ultimate_parent"})
    accounts = [
        Facts({"arr": Decimal(1)}, parent=Facts({"arr": Decimal(amount)}, currency=currency))
        for currency, amount in (("EUR", "100"), ("EUR", "99.99"), ("GBP", "900"), ("USD", "108.34"))
    ]

    assert said(rule, accounts, author) == ["missing_data"] * 3 + ["yes"]
    rule["meta", "meta"]["exchange_rates"] = {"EUR": "1.0834"}
    assert said(rule, accounts, author) == ["yes", "no_match", "missing_data", "yes"]


def test_verdict_inside_sustained_is_shown_for_the_newest_closed_quarter(author: User) -> None:
    facts = Facts({"arr": Decimal(9)}, series=quarters("30000", "1").series)

    found = evaluated(one_rule(sustained()), [facts], author, AT)[0]["d"]

    assert found.trace == {"yes/r": {"n1": False, "n2": True}}
    assert oracle.evaluate(one_rule(sustained()), facts, as_of=AT)["d"].trace == found.trace
