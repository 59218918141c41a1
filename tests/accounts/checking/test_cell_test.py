"""The cell test against brute force, and what it does beyond its limit and with what is not in the account's row."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.checking.cell_findings import cell_findings
from accounts.checking.cells import row_of, run_cell_test
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.definition import Definition
from tests.frameworks.tier_tables.tables import ARR, EMPLOYEES, Bodies, both, either, framework, leaf

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db

_CUTS = st.integers(1, 6).map(str)
_EMPLOYEES = st.builds(leaf, st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), st.just("employee_count"), _CUTS)
_FLAG = st.builds(leaf, st.sampled_from(["is_true", "is_false", "is_missing", "is_present"]), st.just("flag"))
_LEAF = _EMPLOYEES | _FLAG
_NODE = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda items: st.sampled_from([both(*items), either(*items)])
    ),
    max_leaves=4,
)
_SOURCES = {"employee_count": EMPLOYEES, "flag": {"label": "Flag", "data_type": "boolean", "system": "CRM"}}


def codes(bodies: Bodies, **how: Any) -> dict[str, Any]:
    definition = Definition(bodies)
    key = next(iter(definition.dimensions))
    return {each.finding.code: each for each in cell_findings(run_cell_test(definition, key, as_of=AT, **how))}


@given(st.lists(_NODE, min_size=1, max_size=3), st.sampled_from(["ranked", "unique"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cell_test_finds_exactly_what_every_value_one_by_one_gives(roots: list[dict[str, Any]], policy: str) -> None:
    bodies = framework({f"s{n}": root for n, root in enumerate(roots)}, _SOURCES, hit_policy=policy)
    plan = compile_definition(Definition(bodies))
    every = list(product([None, *range(15)], [None, True, False]))
    rows = [{"employee_count": count, "attributes": {} if flag is None else {"flag": flag}} for count, flag in every]
    outcomes = [said["tier"] for said in evaluate_rows(plan=plan, rows=rows, as_of=AT)]

    found = codes(bodies)

    trues = [{key.partition("/")[0] for key, verdict in each.verdicts.items() if verdict} for each in outcomes]
    assert ("overlap" in found) == any(len(true) > 1 for true in trues)
    assert ("gap" in found) == any(each.reason == "no_match" for each in outcomes)
    reached = {each.segment for each in outcomes}
    assert ("unreachable" in found) == any(f"s{n}" not in reached for n in range(len(roots)))


def test_too_many_cells_are_sampled_and_the_finding_says_so() -> None:
    bodies = framework(
        {"big": leaf("ge", "employee_count", "10"), "small": leaf("lt", "arr", "5")},
        {
            "employee_count": EMPLOYEES,
            "arr": ARR,
        },
    )

    found = codes(bodies, at_most=5)

    assert found["cells_sampled"].finding.severity == "warning"
    assert "gap" in found
    assert "cells_sampled" not in codes(bodies)


def test_sample_has_no_more_cells_than_there_is_time_for() -> None:
    sources = {"employee_count": EMPLOYEES, "arr": ARR}
    bodies = framework({"big": leaf("ge", "employee_count", "10"), "small": leaf("lt", "arr", "5")}, sources)

    test = run_cell_test(Definition(bodies), "tier", as_of=AT, at_most=3, sample_at_most=3)

    assert (len(test.results), test.is_sampled) == (3, True)


def test_region_lies_on_the_axes_that_bound_it_and_days_count_from_1970() -> None:
    rule = both(leaf("ge", "employee_count", "10"), leaf("before", "signed_on", "2026-01-11"))
    signed = {"label": "Signed", "data_type": "date", "system": "CRM"}
    bodies = framework({"big": rule}, {"employee_count": EMPLOYEES, "signed_on": signed})

    test = run_cell_test(Definition(bodies), "tier", as_of=AT)
    found = {each.finding.code: each for each in cell_findings(test)}

    day = (datetime(2026, 1, 11, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert [test.wording.ranges(region.box) for region in found["gap"].regions] == [
        {"employee_count": [(None, 10)]},
        {"signed_on": [(day, None)]},
    ]


def test_segment_nobody_reaches_is_an_error_and_one_reached_by_missing_data_a_warning() -> None:
    shadowed = framework(
        {"all": leaf("ge", "employee_count", "0"), "some": leaf("ge", "employee_count", "100")},
        {"employee_count": EMPLOYEES},
    )
    assert codes(shadowed)["unreachable"].finding.subject == "tier/some"

    missing = framework(
        {"known": leaf("ge", "employee_count", "0"), "unknown": leaf("is_missing", "employee_count")},
        {"employee_count": EMPLOYEES},
    )
    found = codes(missing)
    assert found["decided_by_missing"].finding.subject == "tier/unknown"
    assert "unreachable" not in found
    sampled = codes(missing, at_most=1)["decided_by_missing"].finding.text
    assert "sampled cells, only where data is missing" in sampled


def test_overlap_under_unique_is_an_error_per_pair_with_its_regions() -> None:
    bodies = framework(
        {"a": leaf("ge", "employee_count", "10"), "b": leaf("le", "employee_count", "10")},
        {"employee_count": EMPLOYEES},
        hit_policy="unique",
    )

    finding = codes(bodies)["overlap"].finding

    assert (finding.severity, finding.items) == ("error", ("a + b: employee_count exactly 10",))


def test_other_dimension_is_an_input_with_its_segments_and_unassigned() -> None:
    bodies = framework({"big": leaf("ge", "employee_count", "10")}, {"employee_count": EMPLOYEES}, key="size")
    rule = {"id": "n1", "op": "segment", "dimension": "size", "any_of": ["big"]}
    criteria = {"schema": "criteria/1", "root": rule}
    bodies["dimension", "tier"] = {"label": "Tier", "hit_policy": "ranked", "segments": ["top"]}
    bodies["segment", "tier/top"] = {
        "label": "Top",
        "dimension": "tier",
        "rules": [{"key": "r", "basis": "value", "criteria": criteria}],
    }

    test = run_cell_test(Definition(bodies), "tier", as_of=AT)

    (axis,) = test.axes
    assert axis.input.values == ("big", None)
    assert {result.segment for result in test.results} == {"top", None}


def test_condition_over_history_is_met_or_not_or_unknown() -> None:
    item = leaf("ge", "arr", "25000")
    root = {"op": "sustained", "periods": 2, "grain": "fiscal_quarter", "item": {"id": "i1", **item}}
    bodies = framework({"top": root, "rest": leaf("lt", "arr", "25000")}, {"arr": ARR})

    test = run_cell_test(Definition(bodies), "tier", as_of=AT)

    assert [axis.size for axis in test.axes if axis.input.alias] == [3]
    assert "top" in {result.segment for result in test.results}


def test_ten_thousand_cells_are_evaluated_in_bearable_time(django_assert_max_num_queries: Any) -> None:
    """Ten thousand cells take about a second; the bound leaves room for a busy machine."""
    roots = {
        f"s{n}": both(leaf("ge", "employee_count", str(n * 10 + 10)), leaf("ge", "arr", str(n * 10 + 10)))
        for n in range(20)
    }
    began = datetime.now(UTC)

    test = run_cell_test(Definition(framework(roots, {"employee_count": EMPLOYEES, "arr": ARR})), "tier", as_of=AT)

    assert len(test.results) == 22 * 22
    assert datetime.now(UTC) - began < timedelta(seconds=20)


def test_row_of_a_cell_leaves_out_what_is_missing() -> None:
    assert row_of([], AT) == {"attributes": {}, "attribute_keys": {}, "provenance": {}}
