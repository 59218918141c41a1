"""Sample records reach every segment and every pair, whatever table the rules look at."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.checking.report import Computed, compute
from frameworks.definition import Definition

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db
Bodies = dict[tuple[str, str], dict[str, Any]]

SOURCES: dict[str, dict[str, Any]] = {
    "arr": {"label": "ARR", "data_type": "money", "scale": 2, "currency": "USD", "minimum": "0", "system": "Billing"},
    "employee_count": {"label": "Employees", "data_type": "integer", "minimum": "0", "system": "CRM"},
    "annual_revenue": {"label": "Revenue", "data_type": "money", "scale": 2, "currency": "USD", "system": "CRM"},
    "contract_end_on": {"label": "Contract end", "data_type": "date", "system": "CRM"},
    "revenue_per_head": {
        "label": "Revenue per head",
        "data_type": "decimal",
        "scale": 2,
        "derived": {"kind": "ratio", "of": ["annual_revenue", "employee_count"]},
    },
    "arr_growth": {
        "label": "ARR growth",
        "data_type": "decimal",
        "scale": 2,
        "derived": {"kind": "growth", "of": ["arr"], "grain": "fiscal_quarter", "periods": 4},
    },
}

CONDITIONS: dict[str, dict[str, Any]] = {
    "sustained": {
        "op": "sustained",
        "periods": 2,
        "grain": "fiscal_quarter",
        "item": {"id": "n2", "op": "ge", "attribute": "arr", "value": "25000"},
    },
    "sustained of two": {
        "op": "sustained",
        "periods": 3,
        "grain": "month",
        "missing_period": "skip",
        "item": {
            "id": "n2",
            "op": "all",
            "items": [
                {"id": "n3", "op": "lt", "attribute": "arr", "value": "5000"},
                {"id": "n4", "op": "gt", "attribute": "revenue_per_head", "value": "12.50"},
            ],
        },
    },
    "change in percent": {
        "op": "change",
        "attribute": "arr",
        "grain": "fiscal_year",
        "periods": 1,
        "measure": "percent",
        "compare": "le",
        "value": "-15",
    },
    "change in amount": {
        "op": "change",
        "attribute": "employee_count",
        "grain": "month",
        "periods": 6,
        "measure": "absolute",
        "compare": "gt",
        "value": "40",
    },
    "signal": {
        "op": "signal",
        "kind": "hiring",
        "details": {"role": "Sales Ops"},
        "at_least": 3,
        "within_days": 90,
    },
    "list": {"op": "on_list", "list": "fortune_2000"},
    "list of the parent": {"op": "on_list", "list": "fortune_2000", "of": "ultimate_parent"},
    "fiscal period": {"op": "in_period", "attribute": "contract_end_on", "period": "fiscal_quarter", "offset": 1},
    "ratio": {"op": "ge", "attribute": "revenue_per_head", "value": "200"},
    "growth": {"op": "gt", "attribute": "arr_growth", "value": "20"},
    "parent": {"op": "ge", "attribute": "employee_count", "value": "5000", "of": "ultimate_parent"},
}


def rule(root: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": "rule", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}]


def dimension(key: str, condition: dict[str, Any]) -> Bodies:
    """Two segments: the condition holds, or it does not."""
    no = {"id": "n9", "op": "not", "item": {"id": "n1", **condition}}
    return {
        ("dimension", key): {"label": key.title(), "segments": ["yes", "no"]},
        ("segment", f"{key}/yes"): {"label": "Yes", "dimension": key, "rules": rule({"id": "n1", **condition})},
        ("segment", f"{key}/no"): {"label": "No", "dimension": key, "rules": rule(no)},
    }


def bodies(**conditions: dict[str, Any]) -> Bodies:
    found: Bodies = {("meta", "meta"): {"name": "Samples", "company": "Samples", "fiscal_year_start_month": 2}}
    found |= {("data_source", key): body for key, body in SOURCES.items()}
    for key, condition in conditions.items():
        found |= dimension(key, condition)
    return found


def checked(given: Bodies) -> Computed:
    return compute(Definition(given), digest=repr(sorted(given.items())), as_of=AT)


def reached(computed: Computed) -> set[tuple[str | None, ...]]:
    return {tuple(sample.segments.values()) for sample in computed.samples}


@pytest.mark.parametrize("name", CONDITIONS)
def test_records_reach_both_sides_of_every_condition(name: str) -> None:
    computed = checked(bodies(one=CONDITIONS[name]))

    assert computed.unreached == []
    assert reached(computed) >= {("yes",), ("no",)}


PAIRS = [
    ("sustained", "change in percent"),
    ("sustained", "growth"),
    ("signal", "list"),
    ("ratio", "parent"),
    ("sustained of two", "change in amount"),
    ("fiscal period", "list of the parent"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_records_reach_every_pair_of_conditions(one: str, other: str) -> None:
    computed = checked(bodies(one=CONDITIONS[one], other=CONDITIONS[other]))

    assert computed.unreached == []
    assert reached(computed) >= {("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")}


def test_bands_of_one_attribute_in_two_dimensions_meet_where_they_overlap() -> None:
    low = {"op": "ge", "attribute": "arr", "value": "50000"}
    high = {"op": "ge", "attribute": "arr", "value": "100000"}

    computed = checked(bodies(one=low, other=high))

    assert reached(computed) >= {("yes", "yes"), ("yes", "no"), ("no", "no")}
    assert computed.unreached == ["One No with Other Yes: they ask for different values of ARR"]


def test_pair_that_no_closed_periods_allow_says_why() -> None:
    rising = {**CONDITIONS["change in percent"], "compare": "ge", "value": "10"}
    falling = {**CONDITIONS["change in percent"], "compare": "le", "value": "-10"}

    computed = checked(bodies(one=rising, other=falling))

    (said,) = computed.unreached
    assert said.startswith("One Yes with Other Yes: ")
    assert "contradict" in said or "tried" in said


def test_segment_that_no_value_reaches_says_so() -> None:
    given = bodies(one=CONDITIONS["list"])
    given["segment", "one/no"]["rules"] = rule(
        {
            "id": "n1",
            "op": "all",
            "items": [
                {"id": "n2", "op": "gt", "attribute": "arr", "value": "10"},
                {"id": "n3", "op": "lt", "attribute": "arr", "value": "5"},
            ],
        }
    )

    assert checked(given).unreached == ["One No: no combination of values leads into No"]


def test_record_shows_the_conditions_it_meets() -> None:
    computed = checked(bodies(one=CONDITIONS["signal"]))

    met = next(sample for sample in computed.samples if sample.segments["one"] == "yes")
    assert [shown for _, shown in met.values] == ["met"]
