"""What changed between two rules, for the operators over history, signals, lists, tags and the parent."""

from __future__ import annotations

import pytest

from frameworks.criteria.text import parse_text
from frameworks.parts.criteria_diff import diff_criteria
from frameworks.parts.wording import Names
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS

NAMES = Names(
    {"arr": {"label": "ARR", "data_type": "money", "currency": "USD"}, "tech": {"label": "Tech stack"}},
    {"lifecycle": "Lifecycle"},
)


def _read(text, previous=None):
    return parse_text(text, previous=previous, attributes=ATTRIBUTES, dimensions=DIMENSIONS)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "arr > 25000 sustained 2 fiscal_quarters",
            "arr > 30000 sustained 2 fiscal_quarters",
            ["ARR > $25,000 → > $30,000"],
        ),
        (
            "arr > 25000 sustained 2 fiscal_quarters",
            "arr > 25000 sustained 3 fiscal_quarters missing_period skip",
            [
                "group “for 2 closed fiscal quarters” → "
                "group “for 3 closed fiscal quarters, one missing period is skipped”"
            ],
        ),
        (
            "arr > 25000",
            "arr > 25000 sustained 2 fiscal_quarters",
            ["added: group “for 2 closed fiscal quarters”", "ARR > $25,000 moved into “for 2 closed fiscal quarters”"],
        ),
        (
            "arr change over 4 fiscal_quarters >= 20 percent",
            "arr change over 1 fiscal_quarters < -5000",
            ["ARR change over 4 closed fiscal quarters ≥ 20 % → change over 1 closed fiscal quarter < $-5,000"],
        ),
        (
            'tech has_any {"Salesforce", "SAP"}',
            'tech has_any {"Salesforce", "HubSpot"}',
            ["tech stack has any of: added HubSpot, removed SAP"],
        ),
        (
            "signed_on in_period fiscal_quarter",
            "signed_on in_period fiscal_year offset 1",
            ["signed on in the current fiscal quarter → in the next fiscal year"],
        ),
        (
            'signal(hiring, role = "Sales Ops") at_least 3 within 90 days',
            "signal(hiring) at_least 5 within 30 days",
            [
                "at least 3 hiring signals (role Sales Ops) within the last 90 days → "
                "at least 5 hiring signals within the last 30 days"
            ],
        ),
        (
            "on_list(fortune_2000)",
            "on_list(fortune_2000) of ultimate_parent",
            ["on the list Fortune 2000 → on the list Fortune 2000 at the ultimate parent"],
        ),
        ("arr > 5", "arr of ultimate_parent > 5", ["ARR > $5 → > $5 at the ultimate parent"]),
        ("(arr > 5)", "arr > 5", []),
    ],
)
def test_change_of_a_rule_is_told_in_words(before, after, told):
    old = _read(before)
    new = _read(after, old)

    assert [change.text for change in diff_criteria(old.document(), new.document(), NAMES)] == told
