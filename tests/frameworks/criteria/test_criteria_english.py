"""Plain English for people who sign."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from frameworks.criteria.english import node_text, sentence, value_text
from frameworks.criteria.text import parse_text
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS, LABELS, berlin


def _root(text):
    return parse_text(text, previous=None, attributes=ATTRIBUTES, dimensions=DIMENSIONS).root


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("employees in [200, 1000)", "200 up to but not including 1,000 employees"),
        ("employees in (200, 1000]", "over 200 up to and including 1,000 employees"),
        ("employees >= 1000", "1,000 employees or more"),
        ("employees < 200", "under 200 employees"),
        ("employees = 200", "exactly 200 employees"),
        ("employees in {5, 7}", "5 or 7 employees"),
        ("arr > 25000", "ARR over $25,000"),
        ("arr >= 25000.10", "ARR of $25,000.10 or more"),
        ("arr in [25000, 100000)", "ARR from $25,000 up to but not including $100,000"),
        ("arr not in {1, 2}", "ARR is none of $1 and $2"),
        ("delta <= -5", "Headcount change up to and including -5"),
        ("score > 0.25", "Health score over 0.25 points"),
        ("industry in {saas, fintech}", "Industry is SaaS or Fintech"),
        ('industry != "health-care"', "Industry is not Healthcare"),
        ('name contains "Co"', "Name contains “Co”"),
        ('name = exact "Acme"', "Name is “Acme” (exact spelling)"),
        ("signed_on before 2026-01-31", "Signed on before 31 January 2026"),
        (
            "signed_on in [2026-01-01, 2026-04-01)",
            "Signed on from 1 January 2026 up to but not including 1 April 2026",
        ),
        ("signed_on within_last 90 days", "Signed on today or within the last 90 days"),
        ("signed_on within_next 1 months", "Signed on today or within the next 1 month"),
        ("seen_at older_than 2 quarters", "Last seen more than 2 quarters ago"),
        ("p is false", "P is false"),
        ("arr is missing", "ARR is missing"),
        ("segment(lifecycle) in {churned, renewal}", "Lifecycle is Churned or In renewal"),
        ("segment(size) not in {small, large}", "Size is none of Small and Large"),
        ("segment(lifecycle) is unassigned", "Lifecycle is Unassigned"),
        ("arr > 5 if missing true", "ARR over $5 (counted as met when missing)"),
        ("always", "every account"),
        ("arr > 25000 sustained 2 fiscal_quarters", "ARR over $25,000 in each of the last 2 closed fiscal quarters"),
        (
            "employees >= 200 or ((arr > 25000 and employees > 5) sustained 1 months missing_period breaks)",
            "200 employees or more, or ((ARR over $25,000, and over 5 employees) in the last closed month"
            " (not met when the history has a gap))",
        ),
        (
            "arr > 5 sustained 3 months missing_period skip",
            "ARR over $5 in each of the last 3 closed months"
            " (one missing period gives its place to the next older one)",
        ),
        (
            "arr change over 4 fiscal_quarters >= 20 percent",
            "ARR change over the last 4 closed fiscal quarters is 20% or more",
        ),
        ("arr change over 1 months < -25000.50", "ARR change over the last closed month is under -$25,000.50"),
        ('tech has_any {"SAP", "HubSpot"}', "Tech stack has any of “SAP” or “HubSpot”"),
        ('regions has_all {emea, "north-am"}', "Regions has all of EMEA and North America"),
        ("regions has_none {emea}", "Regions does not have EMEA"),
        ("signed_on in_period fiscal_quarter", "Signed on in the current fiscal quarter"),
        ("signed_on in_period fiscal_year offset -1", "Signed on in the last fiscal year"),
        ("signed_on in_period fiscal_quarter offset 3", "Signed on in the fiscal quarter 3 fiscal quarters ahead"),
        (
            'signal(hiring, job_role = "sales ops") at_least 3 within 90 days',
            "at least 3 hiring signals (job role “sales ops”) within the last 90 days",
        ),
        ("signal(new_office) at_least 1 within 1 days", "at least 1 new office signal within the last 1 day"),
        ("on_list(key_logos)", "on the list Our key logos"),
        ("on_list(fortune_2000) of ultimate_parent", "at the ultimate parent, on the list Fortune 2000"),
        (
            "arr of ultimate_parent > 5 if missing true",
            "at the ultimate parent, ARR over $5 (counted as met when missing)",
        ),
        ("rising >= 20", "ARR growth of 20% or more"),
        (
            "employees in [200, 1000) and arr > 25000 and not (segment(lifecycle) in {churned})",
            "200 up to but not including 1,000 employees, and ARR over $25,000, and not (Lifecycle is Churned)",
        ),
        ("(p is true and q is true) or r is true", "(P is true, and Q is true), or R is true"),
        ("at_least 2 of (p is true, q is true, r is true)", "at least 2 of these 3: P is true; Q is true; R is true"),
    ],
)
def test_rule_is_said_with_its_boundaries(text, said):
    assert sentence(_root(text), ATTRIBUTES, LABELS, {"key_logos": "Our key logos"}) == said


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("p is true and q is true", "All of these"),
        ("p is true or q is true", "Any of these"),
        ("at_least 1 of (p is true, q is true)", "At least 1 of these 2"),
        ("not p is true", "Not"),
        ("p is true", "P is true"),
        ("arr > 25000 sustained 2 fiscal_quarters", "In each of the last 2 closed fiscal quarters"),
    ],
)
def test_group_in_an_explanation_is_named_by_its_heading(text, heading):
    assert node_text(_root(text), ATTRIBUTES) == heading


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("employees", 1000, "1,000 employees"),
        ("employees", None, "missing"),
        ("arr", Decimal("-25000.10"), "-$25,000.10"),
        ("arr", Decimal("25000.00"), "$25,000"),
        ("score", Decimal("0.5000"), "0.5 points"),
        ("industry", "health-care", "Healthcare"),
        ("industry", "retired", "retired"),
        ("signed_on", date(2026, 1, 31), "31 January 2026"),
        ("seen_at", berlin(2026, 1, 31, 9, 5), "09:05 on 31 January 2026 (CET)"),
        ("p", True, "yes"),
    ],
)
def test_value_is_said_with_unit_and_label(key, value, said):
    assert value_text(ATTRIBUTES[key], value) == said
