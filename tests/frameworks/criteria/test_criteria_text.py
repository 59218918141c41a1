"""The text form: what is written, how it is printed, where it is wrong, and which ids survive an edit."""

from __future__ import annotations

import pytest

from frameworks.criteria.ast import walk
from frameworks.criteria.text import CriteriaTextError, parse_text, print_text, scope_warnings
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS, read


def _parse(text, previous=None):
    return parse_text(text, previous=previous, attributes=ATTRIBUTES, dimensions=DIMENSIONS)


def _refused(text):
    with pytest.raises(CriteriaTextError) as caught:
        _parse(text)
    return [(problem.code, problem.place.line, problem.place.column) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "employees in [200, 1000) and (arr > 25000 USD or industry in {saas, fintech})",
        "employees in (200, 1000] employees",
        "employees = 200 or employees != 300 or employees < 1 or employees <= 2 or employees > 3 or employees >= 4",
        "employees not in {1, 2} if missing true",
        "arr >= 25000.10 if missing false",
        "score in [0.25, 0.5) points",
        'industry = "health-care"',
        'name = "Smith, Jones & Co"',
        'name in exact {"Acme", "say \\"hi\\""}',
        'name != exact "Acme"',
        'name starts_with "Ac" and name ends_with exact "me" and name contains "\\\\"',
        "signed_on before 2026-01-31 or signed_on on_or_after 2026-02-01",
        "signed_on in [2026-01-01, 2026-04-01)",
        "seen_at after 2026-01-31T10:00:00+01:00",
        "seen_at within_last 90 days or signed_on within_next 2 quarters or seen_at older_than 1 months",
        "p is true and q is false and r is missing and name is present",
        "segment(lifecycle) in {renewal, onboarding} and segment(lifecycle) not in {churned} if missing true",
        "not (segment(size) is unassigned)",
        "at_least 2 of (p is true, q is true or r is true, not (p is true and q is true))",
        "all(p is true) or any(all(q is true))",
        "p is true and (q is true and r is true)",
        "always",
        # closed periods
        "arr > 25000 sustained 2 fiscal_quarters",
        "employees in [200, 1000) or (arr > 25000 USD sustained 2 fiscal_quarters)",
        "(arr > 25000 and employees >= 5) sustained 3 months missing_period skip",
        "(arr > 5 if missing true) sustained 1 fiscal_years missing_period breaks",
        "not (arr > 5 sustained 2 months)",
        "(not (arr > 5)) sustained 2 months",
        "at_least 1 of (arr > 5 sustained 2 months, p is true)",
        "arr change over 4 fiscal_quarters >= 20 percent",
        "arr change over 1 months < -5000.50 if missing false",
        "employees change over 12 fiscal_years > 0 and score change over 1 months <= -0.5",
        # other facts
        'tech has_any {"Salesforce", "a, b"} and tech has_none {"x"} if missing true',
        'regions has_all {emea, "north-am"}',
        "signed_on in_period fiscal_quarter or seen_at in_period fiscal_year offset -1",
        "signal(hiring) at_least 1 within 30 days",
        'signal(hiring, department = "R&D", role = "sales ops") at_least 3 within 90 days',
        "on_list(fortune_2000) and not (on_list(key_logos) of ultimate_parent)",
        "arr of ultimate_parent > 5 and name of ultimate_parent is missing and p of ultimate_parent is true",
        'employees of ultimate_parent in [200, 1000) employees or tech of ultimate_parent has_any {"x"}',
        "rising >= 20 or tenure in {30, 60}",
    ],
)
def test_canonical_text_is_printed_as_it_was_read(text):
    assert print_text(_parse(text).root) == text


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("  employees>=200\n\tand\r\narr<5.50", "employees >= 200 and arr < 5.50"),
        ("((employees = 1))", "employees = 1"),
        ("not employees = 1", "not (employees = 1)"),
        ("p is true and q is true or r is true", "(p is true and q is true) or r is true"),
        ("not p is true and q is true", "not (p is true) and q is true"),
        ('industry in {"saas"}', "industry in {saas}"),
        ("arr = 5.00", "arr = 5"),
        ("`employees` = 1", "employees = 1"),
        ("(arr > 25000) sustained 2 fiscal_quarters", "arr > 25000 sustained 2 fiscal_quarters"),
        ("arr > 5 sustained 1 month missing_period unknown", "arr > 5 sustained 1 months"),
        ("arr > 5 or arr > 6 sustained 2 months", "arr > 5 or (arr > 6 sustained 2 months)"),
        ("arr change over 1 fiscal_year > 20.50 percent", "arr change over 1 fiscal_years > 20.5 percent"),
        (
            'signal(hiring, b = "x", a = y) at_least 1 within 5 days',
            'signal(hiring, a = "y", b = "x") at_least 1 within 5 days',
        ),
        ('regions has_any {"emea"}', "regions has_any {emea}"),
    ],
)
def test_other_ways_to_write_a_rule_are_printed_canonically(written, printed):
    assert print_text(_parse(written).root) == printed


def test_text_of_the_rule_in_the_documentation_gives_its_document():
    rule = _parse("employees in [200, 1000) and (arr > 25000 or not (segment(lifecycle) in {churned}))")

    assert rule.document() == {
        "schema": "criteria/1",
        "root": {
            "id": "n1",
            "op": "all",
            "items": [
                {"id": "n2", "op": "range", "attribute": "employees", "ge": "200", "lt": "1000"},
                {
                    "id": "n3",
                    "op": "any",
                    "items": [
                        {"id": "n4", "op": "gt", "attribute": "arr", "value": "25000.00"},
                        {
                            "id": "n5",
                            "op": "not",
                            "item": {"id": "n6", "op": "segment", "dimension": "lifecycle", "any_of": ["churned"]},
                        },
                    ],
                },
            ],
        },
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("syntax", 1, 1)]),
        ("arr >", [("syntax", 1, 6)]),
        ("arr > 5 and\n", [("syntax", 2, 1)]),
        ("arr ! 5", [("syntax", 1, 5)]),
        ("arr > 5 AND p is true", [("syntax", 1, 13)]),
        ("(arr > 5", [("syntax", 1, 9)]),
        ('name = "open', [("syntax", 1, 8)]),
        ('name = "\\q"', [("syntax", 1, 8)]),
        ("industry in {}", [("syntax", 1, 14)]),
        ("employees in [200, 1000", [("syntax", 1, 24)]),
        ("arr > 25,000", [("not_a_number", 1, 7)]),
        ("employees in {25,100}", [("not_a_number", 1, 15)]),
        ("employees in [100,500)", [("syntax", 1, 22)]),
        ("nobody = 1 and\n  arr > 5.123", [("unknown_field", 1, 1), ("scale", 2, 9)]),
        ("arr > 5 EUR", [("wrong_currency", 1, 9)]),
        ("employees in {1, 2, x}", [("not_a_number", 1, 21)]),
        ("employees in [1000, 200)", [("empty_range", 1, 15)]),
        ("industry in {saas, retail}", [("unknown_choice", 1, 20)]),
        ("segment(lifecycle) in {gone}", [("unknown_segment", 1, 24)]),
        ("at_least 3 of (always, always)", [("unreachable_count", 1, 10)]),
        ("name = 'Acme'", [("syntax", 1, 8)]),
        ("arr > 1e9", [("not_a_number", 1, 7)]),
        ("arr > 1k", [("not_a_number", 1, 7)]),
        ("signed_on within_last 9x days", [("invalid_value", 1, 23)]),
        ("(" * 3000 + "arr > " + ")" * 3000, [("syntax", 1, 3007)]),
        ("not " * 3000 + "always", [("too_deep", 1, 33)]),
        ("x" * 200_001, [("too_long", 1, 1)]),
        ("arr > 5 sustained 13 months", [("invalid_value", 1, 19)]),
        ("p is true sustained 2 months", [("not_in_history", 1, 1)]),
        (
            "(p is true or arr > 5 sustained 2 months) sustained 3 months",
            [("not_in_history", 1, 2), ("not_in_history", 1, 15)],
        ),
        ("arr > 5 sustained two months", [("syntax", 1, 19)]),
        ("arr change over 2 months = 5", [("invalid_value", 1, 1)]),
        ("name change over 2 months > 5", [("operator_not_valid", 1, 1)]),
        ("arr change over 2 months > 25,000", [("not_a_number", 1, 28)]),
        ("arr of parent > 5", [("syntax", 1, 8)]),
        ("signed_on in_period fiscal_quarter offset 5", [("invalid_value", 1, 43)]),
        ('signal(hiring, role = "N/A") at_least 1 within 5 days', [("missing_token", 1, 23)]),
        ("signal(hiring, role > x) at_least 1 within 5 days", [("syntax", 1, 21)]),
        ("signal(hiring, role = x, role = y) at_least 1 within 5 days", [("syntax", 1, 1)]),
        ("signal(hiring) at_least 0 within 5 days", [("invalid_value", 1, 25)]),
        ("regions has_any {EMEA}", [("unknown_choice", 1, 18)]),
    ],
)
def test_text_that_is_not_a_rule_is_refused_with_line_and_column(text, expected):
    assert _refused(text) == expected


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("p is true and q is true or r is true", [(1, 1)]),
        ("r is true or\np is true and q is true", [(2, 1)]),
        ("(p is true and q is true) or r is true", []),
        ("p is true and (q is true or r is true)", []),
        ("all(p is true, q is true) or r is true", []),
        ("arr > 5 or arr > 6 sustained 2 months", [(1, 12)]),
        ("p is true and\n arr > 6 sustained 2 months", [(2, 2)]),
        ("not arr > 6 sustained 2 months", [(1, 5)]),
        ("p is true and q is true or arr > 6 sustained 2 months", [(1, 1), (1, 28)]),
        ("arr > 5 or (arr > 6 sustained 2 months)", []),
        ("(arr > 5 or arr > 6) sustained 2 months", []),
        ("arr > 6 sustained 2 months", []),
        ("at_least 1 of (arr > 5 sustained 2 months, p is true)", []),
    ],
)
def test_scope_that_can_be_misread_is_found_where_parentheses_are_missing(text, places):
    warnings = scope_warnings(text)

    assert [(each.place.line, each.place.column) for each in warnings] == places
    assert {each.code for each in warnings} <= {"scope_ambiguous"}


BEFORE = {
    "id": "root",
    "op": "all",
    "items": [
        {"id": "size", "op": "range", "attribute": "employees", "ge": "200", "lt": "1000"},
        {
            "id": "money",
            "op": "any",
            "items": [
                {"id": "arr", "op": "gt", "attribute": "arr", "value": "25000.00"},
                {"id": "saas", "op": "eq", "attribute": "industry", "value": "saas"},
            ],
        },
    ],
}


def _ids_after(text):
    return [node.id for node in walk(_parse(text, previous=read(BEFORE)).root)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # unchanged
        ("employees in [200, 1000) and (arr > 25000 or industry = saas)", ["root", "size", "money", "arr", "saas"]),
        # a threshold moved
        ("employees in [250, 1000) and (arr > 25000 or industry = saas)", ["root", "size", "money", "arr", "saas"]),
        # another operator on the same attribute
        ("employees >= 200 and (arr >= 25000 or industry = saas)", ["root", "size", "money", "arr", "saas"]),
        # turned around
        ("(industry = saas or arr > 25000) and employees in [200, 1000)", ["root", "money", "saas", "arr", "size"]),
        # one item more, one item less
        (
            "employees in [200, 1000) and (arr > 25000 or industry = saas or p is true)",
            ["root", "size", "money", "arr", "saas", "n1"],
        ),
        ("employees in [200, 1000) and any(arr > 25000)", ["root", "size", "money", "arr"]),
        # and became or
        ("employees in [200, 1000) or (arr > 25000 and industry = saas)", ["root", "size", "money", "arr", "saas"]),
        # something else
        ("p is true", ["n1"]),
    ],
)
def test_node_keeps_its_id_through_an_edit_of_the_text(text, ids):
    assert _ids_after(text) == ids


LASTING = {
    "id": "root",
    "op": "any",
    "items": [
        {"id": "size", "op": "ge", "attribute": "employees", "value": "200"},
        {
            "id": "lasts",
            "op": "sustained",
            "periods": 2,
            "grain": "fiscal_quarter",
            "item": {
                "id": "both",
                "op": "all",
                "items": [
                    {"id": "arr", "op": "gt", "attribute": "arr", "value": "25000.00"},
                    {"id": "usage", "op": "gt", "attribute": "usage", "value": "5"},
                ],
            },
        },
        {"id": "jobs", "op": "signal", "kind": "hiring", "at_least": 3, "within_days": 90},
        {"id": "logo", "op": "on_list", "list": "key_logos"},
    ],
}


@pytest.mark.parametrize(
    ("lasting", "ids"),
    [
        ("(arr > 25000 and usage > 5) sustained 2 fiscal_quarters", ["lasts", "both", "arr", "usage"]),
        # a threshold, the number of periods, the grain
        ("(arr > 30000 and usage > 5) sustained 2 fiscal_quarters", ["lasts", "both", "arr", "usage"]),
        ("(arr > 25000 and usage > 5) sustained 3 months", ["lasts", "both", "arr", "usage"]),
        # one condition less
        ("arr > 25000 sustained 2 fiscal_quarters", ["lasts", "arr"]),
        # no longer lasting, or its opposite
        ("(arr > 25000 and usage > 5)", ["both", "arr", "usage"]),
        ("not (arr > 25000 and usage > 5)", ["n1", "both", "arr", "usage"]),
    ],
)
def test_node_inside_sustained_keeps_its_id_through_an_edit(lasting, ids):
    text = f"employees >= 200 or ({lasting}) or signal(hiring) at_least 5 within 30 days or on_list(key_logos)"

    edited = _parse(text, previous=read(LASTING))

    assert [node.id for node in walk(edited.root)] == ["root", "size", *ids, "jobs", "logo"]
