"""One table per family of operators: attribute value in, verdict of PostgreSQL out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.frameworks.criteria.vocabulary import berlin, day, leaf, verdict

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("op", "below", "equal", "above"),
    [
        ("eq", False, True, False),
        ("ne", True, False, True),
        ("lt", True, False, False),
        ("le", True, True, False),
        ("gt", False, False, True),
        ("ge", False, True, True),
    ],
)
@pytest.mark.parametrize(
    ("attribute", "threshold", "values"),
    [
        ("employees", "200", (199, 200, 201)),
        ("employees", "1000", (999, 1000, 1001)),
        ("employees", "5000", (4999, 5000, 5001)),
        ("employees", "0", (-1, 0, 1)),
        ("delta", "-5", (-6, -5, 5)),
        ("arr", "25000", (Decimal("24999.99"), Decimal("25000.00"), Decimal("25000.10"))),
        ("arr", "100000.00", (Decimal("99999.99"), Decimal(100000), Decimal("100000.01"))),
        ("arr", "500000", (Decimal("499999.99"), Decimal("500000"), Decimal("500000.01"))),
        ("arr", "80000", (Decimal(9), Decimal(80000), Decimal(90000))),
        ("score", "0.1", (Decimal("0.0999"), Decimal("0.1"), Decimal("0.1001"))),
    ],
)
def test_comparison_around_its_threshold_is_exact(op, below, equal, above, attribute, threshold, values):
    rule = leaf(op, attribute, value=threshold)

    found = [verdict(rule, {attribute: value}) for value in values]

    assert found == [below, equal, above]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"ge": "200", "lt": "1000"}, [False, True, True, False, False]),
        ({"gt": "200", "le": "1000"}, [False, False, True, True, False]),
        ({"ge": "200", "le": "1000"}, [False, True, True, True, False]),
        ({"gt": "200", "lt": "1000"}, [False, False, True, False, False]),
    ],
)
def test_range_at_its_ends_follows_the_bounds(bounds, expected):
    rule = leaf("range", "employees", **bounds)

    found = [verdict(rule, {"employees": value}) for value in (199, 200, 500, 1000, 1001)]

    assert found == expected


def test_integer_above_the_column_type_still_compares():
    assert verdict(leaf("lt", "employees", value="123456789012345678"), {"employees": 2_147_483_647}) is True


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (leaf("in", "employees", values=["1", "200"]), 200, True),
        (leaf("in", "employees", values=["1", "200"]), 20, False),
        (leaf("not_in", "employees", values=["1", "200"]), 20, True),
        (leaf("not_in", "employees", values=["1", "200"]), 200, False),
        (leaf("in", "arr", values=["25000.10"]), Decimal("25000.1"), True),
        (leaf("in", "industry", values=["saas", "health-care"]), "health-care", True),
        (leaf("not_in", "industry", values=["saas", "health-care"]), "fintech", True),
        (leaf("eq", "industry", value="saas"), "saas", True),
        (leaf("ne", "industry", value="saas"), "saas", False),
        (leaf("ne", "industry", value="saas"), "retired", True),
        (leaf("in", "name", values=["Smith, Jones & Co", "Acme"]), "smith, jones  & CO", True),
        (leaf("in", "name", values=["Smith", "Jones"]), "Smith, Jones", False),
    ],
)
def test_membership_compares_whole_values(rule, value, expected):
    assert verdict(rule, {rule["attribute"]: value}) is expected


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("straße", "STRASSE"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("Acme Corp", "  acme\u00a0\u00a0CORP "),
        ("ﬁne", "FINE"),
        ("Acme", "Ac\u200bme"),
        ("ＡＣＭＥ", "acme"),
        ("İstanbul", "i̇stanbul"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
    ],
)
def test_text_written_in_two_ways_is_equal_and_exact_match_tells_them_apart(written, stored):
    row = {"name": stored}

    assert verdict(leaf("eq", "name", value=written), row) is True
    assert verdict(leaf("ne", "name", value=written), row) is False
    assert verdict(leaf("eq", "name", value=written, match="exact"), row) is False
    assert verdict(leaf("in", "name", values=[written], match="exact"), row) is False
    assert verdict(leaf("eq", "name", value=stored, match="exact"), row) is True


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("starts_with", "ACME", True),
        ("starts_with", "corp", False),
        ("ends_with", "gmbh", True),
        ("ends_with", "acme", False),
        ("contains", "100% _pure", True),
        ("contains", "100_", False),
        ("contains", "%", True),
        ("contains", "\\", True),
        ("contains", "x%y", False),
    ],
)
def test_text_pattern_takes_its_literal_literally(op, value, expected):
    assert verdict(leaf(op, "name", value=value), {"name": "Acme 100% _pure\\ GmbH"}) is expected


def test_text_pattern_with_exact_match_keeps_case():
    row = {"name": "Acme GmbH"}

    assert verdict(leaf("starts_with", "name", value="acme", match="exact"), row) is False
    assert verdict(leaf("starts_with", "name", value="Acme", match="exact"), row) is True


def test_text_that_looks_like_a_number_compares_as_text():
    assert verdict(leaf("eq", "name", value="9"), {"name": "9.0"}) is False


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("before", [True, False, False]),
        ("on_or_before", [True, True, False]),
        ("after", [False, False, True]),
        ("on_or_after", [False, True, True]),
    ],
)
def test_date_comparison_around_its_day(op, expected):
    days = [day("2026-01-30"), day("2026-01-31"), day("2026-02-01")]

    assert [verdict(leaf(op, "signed_on", value="2026-01-31"), {"signed_on": each}) for each in days] == expected


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("before", [True, False, False, False]),
        ("on_or_before", [True, True, True, False]),
        ("after", [False, False, False, True]),
        ("on_or_after", [False, True, True, True]),
    ],
)
def test_instant_against_a_day_uses_the_day_of_the_zone(op, expected):
    # 31 January in Berlin begins at 23:00 UTC on the 30th.
    moments = [berlin(2026, 1, 30, 23, 59, 59), berlin(2026, 1, 31), berlin(2026, 1, 31, 23, 59), berlin(2026, 2, 1)]

    assert [verdict(leaf(op, "seen_at", value="2026-01-31"), {"seen_at": each}) for each in moments] == expected


def test_instant_against_an_instant_compares_moments():
    rule = leaf("before", "seen_at", value="2026-01-31T10:00:00+01:00")

    assert verdict(rule, {"seen_at": datetime(2026, 1, 31, 8, 59, 59, tzinfo=UTC)}) is True
    assert verdict(rule, {"seen_at": datetime(2026, 1, 31, 9, 0, tzinfo=UTC)}) is False


def test_date_range_is_half_open():
    rule = leaf("range", "signed_on", ge="2026-01-01", lt="2026-04-01")

    days = [day("2025-12-31"), day("2026-01-01"), day("2026-03-31"), day("2026-04-01")]

    assert [verdict(rule, {"signed_on": each}) for each in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("op", "n", "unit", "signed", "expected"),
    [
        # as_of is 31 March 2026
        ("within_last", 90, "days", "2025-12-31", True),
        ("within_last", 90, "days", "2025-12-30", False),
        ("within_last", 90, "days", "2026-03-31", True),
        ("within_last", 90, "days", "2026-04-01", False),
        ("older_than", 90, "days", "2025-12-31", False),
        ("older_than", 90, "days", "2025-12-30", True),
        ("older_than", 90, "days", "2026-04-01", False),
        ("within_next", 120, "days", "2026-03-31", True),
        ("within_next", 120, "days", "2026-03-30", False),
        ("within_next", 120, "days", "2026-07-29", True),
        ("within_next", 120, "days", "2026-07-30", False),
        ("within_last", 2, "weeks", "2026-03-17", True),
        ("within_last", 2, "weeks", "2026-03-16", False),
        # a month before 31 March is the last day of February; three months after it, the last of June
        ("within_last", 1, "months", "2026-02-28", True),
        ("within_last", 1, "months", "2026-02-27", False),
        ("within_next", 1, "quarters", "2026-06-30", True),
        ("within_next", 1, "quarters", "2026-07-01", False),
    ],
)
def test_relative_date_includes_both_ends(op, n, unit, signed, expected):
    assert verdict(leaf(op, "signed_on", n=n, unit=unit), {"signed_on": day(signed)}) is expected


@pytest.mark.parametrize(
    ("as_of", "last", "after"),
    [
        (berlin(2026, 1, 31, 12), "2026-02-28", "2026-03-01"),
        (berlin(2028, 1, 31, 12), "2028-02-29", "2028-03-01"),
        (berlin(2028, 2, 29, 12), "2028-03-29", "2028-03-30"),
    ],
)
def test_one_month_from_the_end_of_january_is_the_end_of_february(as_of, last, after):
    rule = leaf("within_next", "signed_on", n=1, unit="months")

    assert verdict(rule, {"signed_on": day(last)}, as_of=as_of) is True
    assert verdict(rule, {"signed_on": day(after)}, as_of=as_of) is False


def test_relative_date_changes_at_midnight_of_the_zone():
    rule = leaf("within_last", "signed_on", n=90, unit="days")
    row = {"signed_on": day("2026-01-01")}

    assert verdict(rule, row, as_of=berlin(2026, 4, 1, 23, 59, 59)) is True
    assert verdict(rule, row, as_of=berlin(2026, 4, 2)) is False
    # the same instant is still 1 April in New York
    assert verdict(rule, row, as_of=berlin(2026, 4, 2), zone=ZoneInfo("America/New_York")) is True


def test_relative_date_of_an_instant_counts_days_of_23_and_25_hours_as_days():
    rule = leaf("within_last", "seen_at", n=1, unit="days")

    # 29 March 2026 has 23 hours in Berlin, 25 October has 25.
    assert verdict(rule, {"seen_at": berlin(2026, 3, 28)}, as_of=berlin(2026, 3, 29, 12)) is True
    assert verdict(rule, {"seen_at": berlin(2026, 3, 27, 23, 59, 59)}, as_of=berlin(2026, 3, 29, 12)) is False
    assert verdict(rule, {"seen_at": berlin(2026, 10, 25)}, as_of=berlin(2026, 10, 26, 23)) is True
    assert verdict(rule, {"seen_at": berlin(2026, 10, 24, 23, 59, 59)}, as_of=berlin(2026, 10, 26)) is False


@pytest.mark.parametrize(("op", "expected"), [("is_true", (True, False, None)), ("is_false", (False, True, None))])
def test_truth_of_a_boolean(op, expected):
    assert tuple(verdict(leaf(op, "p"), {"p": value}) for value in (True, False, None)) == expected


@pytest.mark.parametrize(
    ("attribute", "value", "present"),
    [
        ("employees", None, False),
        ("employees", 0, True),
        ("arr", Decimal(0), True),
        ("name", "", False),
        ("name", " \u00a0\u200b", False),
        ("name", "n/a", False),
        ("name", "UNKNOWN", False),
        ("name", "-", False),
        ("name", "0", True),
        ("p", False, True),
    ],
)
def test_presence_knows_what_missing_means(attribute, value, present):
    assert verdict(leaf("is_present", attribute), {attribute: value}) is present
    assert verdict(leaf("is_missing", attribute), {attribute: value}) is not present


@pytest.mark.parametrize(
    ("fields", "segment", "expected"),
    [
        ({"any_of": ["churned", "renewal"]}, "renewal", True),
        ({"any_of": ["churned", "renewal"]}, "onboarding", False),
        ({"any_of": ["churned"]}, None, None),
        ({"none_of": ["churned"]}, "renewal", True),
        ({"none_of": ["churned"]}, "churned", False),
        ({"none_of": ["churned"]}, None, None),
        ({"none_of": ["churned"], "missing": "true"}, None, True),
    ],
)
def test_segment_of_another_dimension(fields, segment, expected):
    rule = {"id": "n1", "op": "segment", "dimension": "lifecycle", **fields}

    assert verdict(rule, {"lifecycle_segment": segment}) is expected


@pytest.mark.parametrize(("segment", "expected"), [(None, True), ("churned", False)])
def test_unassigned_is_never_unknown(segment, expected):
    rule = {"id": "n1", "op": "is_unassigned", "dimension": "lifecycle"}

    assert verdict(rule, {"lifecycle_segment": segment}) is expected


def test_always_matches_an_account_without_data():
    assert verdict({"id": "n1", "op": "always"}, {}) is True
