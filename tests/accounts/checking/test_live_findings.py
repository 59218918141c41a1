"""Findings over live accounts, and the sample records."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.checking.live import SegmentFigures
from accounts.checking.live_findings import compared
from accounts.checking.report import Computed, compute
from accounts.models import Account
from frameworks.definition import Definition
from tests.frameworks.checks_bodies import Bodies, clean

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def customers(count: int, **values: Any) -> None:
    Account.objects.bulk_create(Account(name="A", name_key="a", **values) for _ in range(count))


def checked(bodies: Bodies, **how: Any) -> Computed:
    return compute(Definition(bodies), digest=repr((sorted(bodies.items()), how)), as_of=AT, **how)


def found(bodies: Bodies) -> set[tuple[str, str]]:
    return {(each.code, each.subject) for each in checked(bodies).findings}


def test_without_accounts_nothing_is_said_of_them_but_why() -> None:
    computed = checked(clean())

    assert computed.findings == []
    assert computed.notes == ["There are no accounts: sizes, coverage, ranges and outcomes were not tested."]


def test_balanced_accounts_with_different_amounts_have_no_finding() -> None:
    customers(40, arr=Decimal(50))
    customers(40, arr=Decimal(5_000))

    assert found(clean()) == set()


def test_few_accounts_on_one_side_are_small_dominant_and_out_of_range() -> None:
    customers(80, arr=Decimal(50))

    assert found(clean()) == {("small_segment", "tier/high"), ("dominant_segment", "tier/low"), ("out_of_range", "arr")}


def test_unknown_amounts_are_too_many_unassigned_and_badly_covered() -> None:
    customers(40, arr=Decimal(50))
    customers(40, arr=Decimal(5_000))
    customers(40)

    assert found(clean()) == {("too_unassigned", "tier"), ("coverage", "arr")}


def test_excluded_and_deleted_accounts_are_not_counted() -> None:
    customers(40, arr=Decimal(50))
    customers(40, arr=Decimal(5_000))
    customers(40, exclusion="test")
    customers(40, deleted_at=AT)

    assert checked(clean()).accounts == 80


def test_gap_counts_the_accounts_in_it_and_names_some() -> None:
    bodies = clean()
    bodies["segment", "tier/low"]["rules"][0]["criteria"]["root"]["value"] = "60"
    customers(3, arr=Decimal(80))

    (gap,) = (each for each in checked(bodies).findings if each.code == "gap")

    assert gap.examples[0].accounts == 3
    assert [name for _, name in gap.examples[0].named] == ["A", "A"]


def test_segments_that_behave_alike_are_not_distinct() -> None:
    alike = SegmentFigures(accounts=100, churned=10, with_arr=100, arr_sum=500.0, arr_squares=2_600.0)
    richer = SegmentFigures(accounts=100, churned=10, with_arr=100, arr_sum=900.0, arr_squares=8_200.0)
    few = SegmentFigures(accounts=10, churned=1, with_arr=10, arr_sum=50.0, arr_squares=260.0)

    assert compared(alike, alike) == {"churn": False, "ARR": False}
    assert compared(alike, richer) == {"churn": False, "ARR": True}
    assert compared(alike, few) == {}


def test_sample_records_reach_every_segment_and_are_the_same_every_time() -> None:
    first, again = checked(clean()), compute(Definition(clean()), digest="again", as_of=AT)

    assert {sample.segments["tier"] for sample in first.samples} == {"high", "low"}
    assert first.unreached == []
    assert first.samples == again.samples


def test_sample_record_that_changes_segment_is_said() -> None:
    moved = clean()
    moved["segment", "tier/high"]["rules"][0]["criteria"]["root"]["value"] = "1000"
    moved["segment", "tier/low"]["rules"][0]["criteria"]["root"]["value"] = "1000"

    computed = checked(moved, base=Definition(clean()))

    changed = [sample for sample in computed.samples if sample.before]
    assert all((sample.before["tier"], sample.segments["tier"]) == ("high", "low") for sample in changed)
