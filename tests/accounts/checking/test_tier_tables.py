"""The published tier tables, taken literally: the cell test names every overlap and gap that is in them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from accounts.checking.cell_findings import Region, cell_findings
from accounts.checking.cells import CellTest, row_of, run_cell_test
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from accounts.models import Reason
from frameworks.checks.findings import Finding
from frameworks.checks.regions import Cell
from frameworks.criteria.text import parse_text, print_text, scope_warnings
from frameworks.definition import Definition
from tests.frameworks.tier_tables import tables
from tests.frameworks.tier_tables.tables import Bodies

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def cells_of(bodies: Bodies) -> CellTest:
    definition = Definition(bodies)
    (key,) = definition.dimensions
    return run_cell_test(definition, key, as_of=AT)


def found(bodies: Bodies) -> dict[str, Finding]:
    return {each.finding.code: each.finding for each in cell_findings(cells_of(bodies))}


def places(finding: Finding) -> list[str]:
    return [example.text for example in finding.examples]


def outcome(bodies: Bodies, **values: Any) -> str:
    """Where one account lands, by the same engine."""
    plan = compile_definition(Definition(bodies))
    row = {**row_of([], AT), **values, "currency": "USD"}
    (said,) = evaluate_rows(plan=plan, rows=[row], as_of=AT)
    (only,) = said.values()
    return only.segment or only.reason


def test_sizes_that_meet_in_both_bands_overlap_exactly_there() -> None:
    findings = found(tables.SIZES_A)

    assert sorted(places(findings["overlap"])) == [
        "exactly 1,000 employees: Enterprise and Mid-Market are both true",
        "exactly 200 employees: Mid-Market and SMB are both true",
        "exactly 5,000 employees: Strategic and Enterprise are both true",
    ]
    assert findings["gap"].items == ("employee_count exactly 0",)


def test_source_a_overlaps_where_sizes_and_amounts_meet_and_leaves_disagreements_out() -> None:
    findings = found(tables.SOURCE_A)

    assert findings["overlap"].items == ("enterprise + mid_market", "strategic + enterprise")
    assert "exactly 1,000 employees, and ARR exactly $100,000: Enterprise and Mid-Market are both true" in places(
        findings["overlap"]
    )
    assert any("under 200 employees" in place and "ARR from $25,000" in place for place in places(findings["gap"]))
    assert any(place.startswith("exactly 0 employees") for place in places(findings["gap"]))
    assert outcome(tables.SOURCE_A, employee_count="150", arr="60000", attributes={"fortune_2000": False}) == "no_match"
    assert outcome(tables.SOURCE_A, employee_count="0", arr="10", attributes={"fortune_2000": False}) == "no_match"


def test_source_b_takes_150_employees_with_60k_and_leaves_zero_employees_out() -> None:
    findings = found(tables.SOURCE_B)

    assert findings["overlap"].items == ("enterprise + mid_market", "strategic + enterprise")
    assert any("exactly 0 employees" in item for item in places(findings["gap"]))
    assert outcome(tables.SOURCE_B, employee_count="0", arr="10", attributes={"potential_arr": "0"}) == "no_match"
    # The other sources leave this account out; B's Mid-Market begins at 100 employees and takes it.
    assert (
        outcome(tables.SOURCE_B, employee_count="150", arr="60000", attributes={"potential_arr": "0"}) == "mid_market"
    )


def test_source_c_leaves_accounts_out_whose_size_and_amount_disagree() -> None:
    findings = found(tables.SOURCE_C)

    assert findings["overlap"].items == ("enterprise + mid_market", "strategic + enterprise")
    assert any("under 200 employees" in place and "ARR from $25,000" in place for place in places(findings["gap"]))
    assert outcome(tables.SOURCE_C, employee_count="150", arr="60000") == "no_match"


def test_source_d_overlaps_at_500k_and_has_its_hole_under_100_employees() -> None:
    findings = found(tables.SOURCE_D)

    where = "100 up to but not including 1,000 employees, and ARR of $500,000 or more"
    assert places(findings["overlap"]) == [f"{where}: Enterprise and Mid-Market are both true"]
    assert places(findings["gap"]) == ["under 100 employees, and ARR from $50,000 up to but not including $500,000"]


def test_further_sizes_leave_only_zero_out_or_meet_at_1000() -> None:
    assert places(found(tables.SIZES_200)["gap"]) == ["exactly 0 employees"]
    assert "overlap" not in found(tables.SIZES_200)

    findings = found(tables.SIZES_100)
    assert places(findings["gap"]) == ["exactly 0 employees"]
    assert places(findings["overlap"]) == ["exactly 1,000 employees: Enterprise and Mid-Market are both true"]


def test_unbracketed_definition_differs_by_its_two_readings() -> None:
    or_last = outcome(
        tables.UNBRACKETED_OR_LAST, employee_count="3000", annual_revenue="0", attributes={"target_vertical": False}
    )
    and_last = outcome(
        tables.UNBRACKETED_AND_LAST, employee_count="3000", annual_revenue="0", attributes={"target_vertical": False}
    )

    assert (or_last, and_last) == ("enterprise", "no_match")
    assert places(found(tables.UNBRACKETED_OR_LAST)["gap"]) != places(found(tables.UNBRACKETED_AND_LAST)["gap"])


def test_lifecycle_bands_overlap_by_nature_and_leave_day_366_open() -> None:
    findings = found(tables.LIFECYCLE)

    assert set(findings["overlap"].items) == {
        "adoption + growth",
        "adoption + renewal",
        "onboarding + growth",
        "onboarding + renewal",
        "renewal + growth",
    }
    (hole,) = findings["gap"].examples
    assert "Customer since more than 365 days ago" in hole.text
    assert "Contract end in more than 120 days" in hole.text
    assert "Expansion opportunity is no" in hole.text
    assert dict(hole.cell)["Customer since"].endswith("(366 days ago)")


TABLES = {name: table for name, table in vars(tables).items() if name.isupper() and isinstance(table, dict)}
ALL = [name for name, table in TABLES.items() if ("meta", "meta") in table]


def cells_in(regions: Iterable[Region]) -> set[Cell]:
    return {cell for region in regions for cell in product(*region.box)}


@pytest.mark.parametrize("name", ALL)
def test_named_regions_are_every_gap_and_every_overlap_and_nothing_else(name: str) -> None:
    """Cell by cell, against what the engine says of each."""
    test = cells_of(TABLES[name])
    regions = {each.finding.code: each.regions for each in cell_findings(test)}

    left_out = {result.cell for result in test.results if result.reason == Reason.NO_MATCH}
    contested = {result.cell for result in test.results if len(result.true_segments) > 1}

    assert cells_in(regions.get("gap", ())) == left_out
    assert cells_in(regions.get("overlap", ())) == contested


def test_source_a_names_each_gap() -> None:
    assert found(tables.SOURCE_A)["gap"].items == (
        "(employee_count under 200 or employee_count over 5,000)"
        ", and arr from $25,000 up to but not including $500,000",
        "(employee_count exactly 0 or employee_count over 200), and arr under $25,000",
        "(employee_count under 1,000 or employee_count over 5,000), and arr over $100,000"
        " up to but not including $500,000",
        "(employee_count under 200 or employee_count over 1,000)"
        ", and arr from $25,000 up to but not including $100,000",
        "employee_count under 1,000, and fortune_2000 is no, and arr over $100,000",
        "employee_count exactly 0, and fortune_2000 is no",
        "employee_count under 5,000, and fortune_2000 is no, and arr over $500,000",
    )


def test_source_c_names_each_gap() -> None:
    assert found(tables.SOURCE_C)["gap"].items == (
        "employee_count under 2,000, and arr over $120,000",
        "(employee_count under 200 or employee_count over 10,000)"
        ", and arr from $25,000 up to but not including $500,000",
        "employee_count of 200 or more, and arr under $25,000",
        "employee_count under 10,000, and arr over $500,000",
        "(employee_count under 200 or employee_count over 2,000)"
        ", and arr from $25,000 up to but not including $120,000",
    )


def test_unbracketed_text_is_read_one_way_and_said_to_be_ambiguous() -> None:
    definition = Definition(tables.UNBRACKETED_OR_LAST)
    (candidate,) = definition.candidates("tier")

    read = parse_text(tables.UNBRACKETED_TEXT, previous=None, attributes=definition.attributes, dimensions={})

    assert print_text(read.root) == print_text(candidate.criteria.root)
    assert [each.message for each in scope_warnings(tables.UNBRACKETED_TEXT)] == [
        'Write parentheses around "and": nobody can see how far it reaches.'
    ]
