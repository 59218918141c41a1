"""True, false and unknown: run on PostgreSQL, compared with tables written from the definition."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from frameworks.criteria.ast import operators_for
from tests.frameworks.criteria.vocabulary import AS_OF, ATTRIBUTES, berlin, explained, leaf, read, verdict, verdicts

pytestmark = pytest.mark.django_db

VALUES = (True, False, None)
ROWS = [{"p": p, "q": q, "r": r} for p, q, r in product(VALUES, repeat=3)]


def _items():
    return [{"id": key, "op": "is_true", "attribute": key} for key in "pqr"]


def _on_all_rows(root):
    return [found for (found,) in verdicts([read(root).root], ROWS)]


def _all(values):
    return False if False in values else None if None in values else True


def _any(values):
    return True if True in values else None if None in values else False


def _at_least(k, values):
    if values.count(True) >= k:
        return True
    return None if values.count(True) + values.count(None) >= k else False


def test_all_has_three_values():
    expected = [_all(list(row.values())) for row in ROWS]

    assert _on_all_rows({"id": "g", "op": "all", "items": _items()}) == expected


def test_any_has_three_values():
    expected = [_any(list(row.values())) for row in ROWS]

    assert _on_all_rows({"id": "g", "op": "any", "items": _items()}) == expected


@pytest.mark.parametrize("k", [1, 2, 3])
def test_at_least_has_three_values(k):
    expected = [_at_least(k, list(row.values())) for row in ROWS]

    assert _on_all_rows({"id": "g", "op": "at_least", "k": k, "items": _items()}) == expected


def test_not_exchanges_true_and_false_and_keeps_unknown():
    root = {"id": "g", "op": "not", "item": _items()[0]}

    assert [verdict(root, {"p": value}) for value in VALUES] == [False, True, None]


def test_at_least_nested_in_itself_writes_each_item_once():
    root = _items()[0]
    for level in range(6):
        root = {"id": f"g{level}", "op": "at_least", "k": 1, "items": [root, {**_items()[1], "id": f"q{level}"}]}

    assert [verdict(root, {"p": p, "q": False}) for p in VALUES] == [True, False, None]


def test_at_least_over_a_hundred_items():
    items = [{"id": f"i{number}", "op": "is_true", "attribute": "p"} for number in range(100)]
    root = {"id": "g", "op": "at_least", "k": 100, "items": items}

    assert [verdict(root, {"p": value}) for value in VALUES] == [True, False, None]


_OPERANDS: dict[str, dict[str, Any]] = {
    "integer": {"value": "1", "values": ["1"], "ge": "1", "lt": "2"},
    "decimal": {"value": "1", "values": ["1"], "ge": "1", "lt": "2"},
    "money": {"value": "1", "values": ["1"], "ge": "1", "lt": "2"},
    "date": {"value": "2026-01-01", "ge": "2026-01-01", "lt": "2026-02-01"},
    "datetime": {"value": "2026-01-01", "ge": "2026-01-01", "lt": "2026-02-01"},
    "text": {"value": "a", "values": ["a"]},
    "choice": {"value": "saas", "values": ["saas"]},
    "boolean": {},
    "tags": {"values": ["apac"]},
}
_SHAPES = {
    "value": {"eq", "ne", "lt", "le", "gt", "ge", "before", "on_or_before", "after", "on_or_after"}
    | {"starts_with", "ends_with", "contains"},
    "values": {"in", "not_in", "has_any", "has_all", "has_none"},
    "in_period": {"in_period"},
    "change": {"change"},
    "range": {"range"},
    "relative": {"within_last", "within_next", "older_than"},
    "bare": {"is_true", "is_false"},
}


def _every_leaf():
    for key, attribute in ATTRIBUTES.items():
        for op in operators_for(attribute.data_type):
            if op in {"is_missing", "is_present"} or (op == "change" and not attribute.has_history):
                continue
            yield pytest.param(op, key, id=f"{op}-{key}")


def _leaf(op, key, **options):
    operands = _OPERANDS[ATTRIBUTES[key].data_type]
    shape = next(name for name, ops in _SHAPES.items() if op in ops)
    fields = {
        "value": lambda: {"value": operands["value"]},
        "values": lambda: {"values": operands["values"]},
        "range": lambda: {"ge": operands["ge"], "lt": operands["lt"]},
        "relative": lambda: {"n": 1, "unit": "days"},
        "in_period": lambda: {"period": "fiscal_quarter", "offset": 0},
        "change": lambda: {
            "grain": "month",
            "periods": 1,
            "measure": "percent",
            "compare": "gt",
            "value": "1",
        },
        "bare": dict,
    }[shape]()
    return leaf(op, key, **fields, **options)


@pytest.mark.parametrize(("op", "key"), list(_every_leaf()))
def test_leaf_on_a_missing_value_is_unknown_unless_it_says_otherwise(op, key):
    plain, negated = _leaf(op, key), {"id": "g", "op": "not", "item": _leaf(op, key)}
    stated = [{**plain, "missing": "true"}, {**plain, "missing": "false"}]
    negated_stated = {"id": "g", "op": "not", "item": stated[0]}

    nodes = [read(root).root for root in (plain, negated, *stated, negated_stated)]

    assert verdicts(nodes, [{}]) == [(None, None, True, False, False)]


def test_missing_stated_on_a_leaf_does_not_touch_known_values():
    rule = leaf("gt", "employees", value="200", missing="true")

    assert [verdict(rule, {"employees": value}) for value in (100, 300)] == [False, True]


@pytest.mark.parametrize(
    ("observed_at", "expected"),
    [
        (berlin(2026, 3, 1), True),
        (berlin(2026, 2, 28, 23, 59, 59), None),
        (None, None),
    ],
)
def test_value_older_than_its_freshness_limit_is_unknown(observed_at, expected):
    # 30 days before 31 March 2026 is 1 March.
    row = {"usage": 40, "usage_observed_at": observed_at}

    assert verdict(leaf("ge", "usage", value="10"), row, as_of=AS_OF) is expected
    assert verdict(leaf("lt", "usage", value="10"), row, as_of=AS_OF) is (None if expected is None else False)
    assert verdict(leaf("is_missing", "usage"), row, as_of=AS_OF) is (expected is None)


def test_null_beside_a_list_never_makes_not_in_true():
    assert verdict(leaf("not_in", "industry", values=["saas"]), {"industry": None}) is None


@pytest.mark.parametrize("stored", ["", "  ", "N/A", "-"])
@pytest.mark.parametrize("match", [{}, {"match": "exact"}])
def test_text_that_means_no_value_is_unknown_to_every_text_operator(stored, match):
    rules = [
        leaf("eq", "name", value="Acme", **match),
        leaf("ne", "name", value="Acme", **match),
        leaf("not_in", "name", values=["Acme"], **match),
        leaf("contains", "name", value="/", **match),
    ]

    assert [verdict(rule, {"name": stored}) for rule in rules] == [None] * 4


def test_bounds_from_as_of_are_constants_of_the_statement():
    rule = read(leaf("within_last", "seen_at", n=2, unit="months")).root

    plan = explained(rule)

    assert "timezone" not in plan
    assert "make_interval" not in plan
