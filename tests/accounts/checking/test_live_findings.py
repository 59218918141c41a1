"""Findings over live accounts, and the sample records."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.checking.live import Moments, SegmentFigures, ask_live
from accounts.checking.live_findings import comparisons
from accounts.checking.report import Computed, compute
from accounts.models import Account, MetricSeries
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


def test_overlap_of_tags_and_parts_of_texts_counts_every_account_the_rules_mean() -> None:
    bodies = clean()
    bodies["dimension", "tier"]["hit_policy"] = "ranked"
    bodies["data_source", "tech_stack"] = {"label": "Tech stack", "data_type": "tags", "system": "Enrichment"}
    bodies["data_source", "city"] = {"label": "City", "data_type": "text", "system": "CRM"}
    both = [
        {"id": "n2", "op": "has_any", "attribute": "tech_stack", "values": ["SAP", "HubSpot", "Oracle"]},
        {"id": "n3", "op": "contains", "attribute": "city", "value": "york"},
    ]
    root = {"id": "n1", "op": "all", "items": both}
    bodies["segment", "tier/high"]["rules"][0]["criteria"]["root"] = root
    customers(2, arr=Decimal(50), city="New York", city_key="new york", **tags("SAP", "Zoom"))
    customers(1, arr=Decimal(50), city="Yorkshire", city_key="yorkshire", **tags("Oracle", "SAP"))
    customers(4, arr=Decimal(50), city="Boston", city_key="boston", **tags("SAP"))
    customers(8, arr=Decimal(50), city="New York", city_key="new york", **tags("Zoom"))

    (overlap,) = (each for each in checked(bodies).findings if each.code == "overlap")

    assert sum(example.accounts or 0 for example in overlap.examples) == 3


def tags(*names: str) -> dict[str, Any]:
    keys = {"tech_stack": [name.casefold() for name in names]}
    return {"attributes": {"tech_stack": list(names)}, "attribute_keys": keys}


def moments(values: list[float]) -> Moments:
    return Moments(len(values), sum(values), sum(value**2 for value in values))


SPREAD = [4.0, 5.0, 6.0, 5.5, 4.5] * 20


def figures(**changes: Any) -> SegmentFigures:
    return SegmentFigures(**{"accounts": 100, "churned": 10, "arr": moments(SPREAD), **changes})


def differing(one: SegmentFigures, other: SegmentFigures) -> dict[str, bool]:
    return {each.outcome: each.differs for each in comparisons(one, other)}


def test_segments_that_behave_alike_are_not_distinct() -> None:
    few = SegmentFigures(accounts=10, churned=1, arr=moments([5.0] * 10))

    assert differing(figures(), figures()) == {"churn": False, "ARR": False}
    assert differing(figures(), figures(arr=moments([each + 4 for each in SPREAD]))) == {"churn": False, "ARR": True}
    assert differing(figures(), figures(churned=40)) == {"churn": True, "ARR": False}
    assert differing(figures(), few) == {}


def test_retention_and_win_rate_tell_segments_apart_where_they_are_known() -> None:
    half, grown = moments([0.40, 0.41, 0.42] * 15), moments([0.75, 0.76, 0.77] * 15)
    kept = figures(retention=half, opening=100.0, closing=50.0, win_rate=moments([30.0, 31.0] * 20))
    more = figures(retention=grown, opening=100.0, closing=115.0, win_rate=moments([30.0, 31.0] * 20))
    unknown = figures(retention=moments([0.4] * 10))

    assert differing(kept, more) == {"churn": False, "ARR": False, "NRR": True, "win rate": False}
    assert differing(kept, unknown) == {"churn": False, "ARR": False}
    nrr = next(each for each in comparisons(kept, more) if each.outcome == "NRR")
    assert (nrr.shown, nrr.known) == (("50%", "115%"), (45, 45))


def test_effect_is_cohens_with_its_numbers() -> None:
    """By hand: h = 2·asin(√0.4) - 2·asin(√0.1) = 0.7259."""
    one, other = figures(), figures(churned=40, arr=moments([each + 2 for each in SPREAD]))

    churn, arr = comparisons(one, other)

    assert (churn.outcome, round(churn.effect, 4)) == ("churn", 0.7259)
    assert round(arr.effect, 3) == round(2 / moments(SPREAD).variance ** 0.5, 3)
    assert churn.words == "churn (10.0% and 40.0%, h = 0.73, n = 100 and 100)"


def series(account: Account, metric: str, ends: list[date], values: list[int], grain: str = "fiscal_quarter") -> None:
    MetricSeries.objects.create(metric=metric, grain=grain, account=account, ends=ends, values=values)


QUARTERS = [date(2026, 9, 30), date(2026, 6, 30), date(2026, 3, 31), date(2025, 12, 31), date(2025, 9, 30)]


def test_retention_is_read_from_closed_periods_a_year_apart() -> None:
    customers(40, arr=Decimal(50))
    customers(40, arr=Decimal(5_000))
    for account in Account.objects.order_by("pk"):
        newest = 40 + account.pk % 3 if account.arr == 50 else 130 + account.pk % 3
        series(account, "arr", QUARTERS, [newest, 90, 95, 99, 100])
        series(account, "win_rate", QUARTERS[:1], [30 + account.pk % 2], "fiscal_year")
    asked = ask_live(Definition(clean()), [], as_of=AT)

    low, high = asked.figures["tier"]["low"], asked.figures["tier"]["high"]

    assert (low.retention.count, high.retention.count, low.opening, high.opening) == (40, 40, 4000.0, 4000.0)
    assert 0.40 < low.nrr < 0.43
    assert 1.30 < high.nrr < 1.33
    assert (low.win_rate.count, round(low.win_rate.mean, 1)) == (40, 30.5)


def test_retention_needs_the_period_a_year_before_and_a_recent_one() -> None:
    customers(3, arr=Decimal(50))
    gap, old, empty = Account.objects.order_by("pk")
    series(gap, "arr", QUARTERS[:4], [10, 10, 10, 10])
    series(old, "arr", [date(2025, 9, 30), date(2024, 9, 30)], [10, 10])
    series(empty, "arr", [QUARTERS[0], QUARTERS[4]], [10, 0])

    low = ask_live(Definition(clean()), [], as_of=AT).figures["tier"]["low"]

    assert (low.accounts, low.retention.count) == (3, 0)


def test_segments_alike_in_everything_are_named_with_effect_and_number() -> None:
    customers(40, arr=Decimal(50))
    customers(40, arr=Decimal(5_000))
    # By ARR alone these differ, so nothing is said.
    assert ("not_distinct", "tier") not in found(clean())

    bodies = clean()
    for short, op in (("high", "ge"), ("low", "lt")):
        bodies["segment", f"tier/{short}"]["rules"][0]["criteria"]["root"] = {
            "id": "n1",
            "op": op,
            "attribute": "employee_count",
            "value": "100",
        }
    employees = {"label": "Employees", "data_type": "integer", "unit": "employees", "system": "CRM"}
    bodies["data_source", "employee_count"] = employees
    Account.objects.update(arr=Decimal(50))
    for n, account in enumerate(Account.objects.order_by("pk")):
        account.employee_count = 50 if n < 40 else 500
        account.save()
        series(account, "arr", [QUARTERS[0], QUARTERS[4]], [100 + n % 5, 100])

    (finding,) = [each for each in checked(bodies).findings if each.code == "not_distinct"]

    assert "NRR (102% and 102%, d = 0.00, n = 40 and 40)" in finding.text
    assert "ARR (typically 50 and typically 50, d = 0.00, n = 40 and 40)" in finding.text
    assert len(finding.items) == 1


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
