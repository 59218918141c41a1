"""Rule engines: a function from an account's fields to the segment keys by dimension, and no more than that.

Each `prepare` translates the rules once, into what the engine calls its fastest form, and returns the function.
`python_loop` and `polars_columns` are scripts that say as little, to see what reasons cost.
"""

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

from governance.benchmark.engines.rules import ALONE, FALLBACKS, Condition, dimensions

Decide = Callable[[dict[str, Any]], dict[str, str | None]]
Test = Callable[[dict[str, Any]], bool]

_PYTHON = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt, "eq": operator.eq}


def _decided(tests: Mapping[str, list[tuple[str, Test]]]) -> Decide:
    """The first test that is true, else the fallback; in Industry the only one, or none."""

    def decide(facts: dict[str, Any]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for dimension, rules in tests.items():
            if dimension == ALONE:
                true = [segment for segment, test in rules if test(facts)]
                found[dimension] = true[0] if len(true) == 1 else None
            else:
                found[dimension] = next((segment for segment, test in rules if test(facts)), FALLBACKS.get(dimension))
            facts[dimension] = found[dimension]
        return found

    return decide


def _translated(cutline: int, test_of: Callable[[Condition], Test]) -> Decide:
    return _decided(
        {
            key: [(rule.partition("/")[0], test_of(condition)) for rule, condition in rules]
            for key, rules in dimensions(cutline).items()
        }
    )


# --- a loop in Python


def python_loop(cutline: int) -> Decide:
    return _translated(cutline, _python)


def _python(condition: Condition) -> Test:
    if condition[0] in ("all", "any"):
        tests = [_python(item) for item in condition[1]]
        combine = all if condition[0] == "all" else any
        return lambda facts: combine(test(facts) for test in tests)
    field, name, value = condition
    if name == "in":
        values = frozenset(value)
        return lambda facts: facts[field] in values
    if name == "true":
        return lambda facts: facts[field] is True
    compare = _PYTHON[name]
    return lambda facts: facts[field] is not None and bool(compare(facts[field], value))


# --- json-logic


def json_logic(cutline: int) -> Decide:
    from json_logic import jsonLogic

    def test_of(condition: Condition) -> Test:
        rule = _as_json_logic(condition)
        return lambda facts: bool(jsonLogic(rule, facts))

    return _translated(cutline, test_of)


_JSON_LOGIC = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "in": "in", "true": "=="}


def _as_json_logic(condition: Condition) -> Any:
    if condition[0] in ("all", "any"):
        items = [_as_json_logic(item) for item in condition[1]]
        return {"and" if condition[0] == "all" else "or": items} if items else True
    field, name, value = condition
    compared = {_JSON_LOGIC[name]: [{"var": field}, value]}
    # It compares null with numbers as if it were 0.
    return {"and": [{"!=": [{"var": field}, None]}, compared]}


# --- Flagsmith's engine: every rule is a segment, the account's fields are traits


def flagsmith(cutline: int) -> Decide:
    from flag_engine.segments.evaluator import is_context_in_segment

    def test_of(rule: Condition) -> Test:
        segment: Any = {"key": "1", "name": "rule", "rules": [_as_flagsmith(rule)]}

        def test(facts: dict[str, Any]) -> bool:
            identity = {"identifier": "account", "traits": facts}
            context: Any = {"environment": {"key": "bench", "name": "bench"}, "identity": identity}
            return bool(is_context_in_segment(context, segment))

        return test

    return _translated(cutline, test_of)


_FLAGSMITH = {
    "ge": "GREATER_THAN_INCLUSIVE",
    "gt": "GREATER_THAN",
    "le": "LESS_THAN_INCLUSIVE",
    "lt": "LESS_THAN",
    "eq": "EQUAL",
    "in": "IN",
    "true": "EQUAL",
}


def _as_flagsmith(condition: Condition) -> dict[str, Any]:
    if condition[0] not in ("all", "any"):
        return {"type": "ALL", "conditions": [_flagsmith_leaf(condition)]}
    leaves = [_flagsmith_leaf(item) for item in condition[1] if item[0] not in ("all", "any")]
    groups = [_as_flagsmith(item) for item in condition[1] if item[0] in ("all", "any")]
    return {"type": condition[0].upper(), "conditions": leaves, "rules": groups}


def _flagsmith_leaf(condition: Condition) -> dict[str, Any]:
    field, name, value = condition
    written = value if name == "in" else str(value).lower() if name == "true" else str(value)
    return {"property": field, "operator": _FLAGSMITH[name], "value": written}


# --- GoRules Zen: one decision with an expression for each dimension


def zen(cutline: int) -> Decide:
    from zen import ZenEngine

    expressions = []
    for key, rules in dimensions(cutline).items():
        tests = [(rule.partition("/")[0], _as_zen(condition)) for rule, condition in rules]
        last = f"'{FALLBACKS[key]}'" if key in FALLBACKS else "null"
        text = " : ".join(f"{test} ? '{segment}'" for segment, test in tests) + f" : {last}"
        if key == ALONE:
            count = " + ".join(f"({test} ? 1 : 0)" for _, test in tests)
            text = f"({count}) != 1 ? null : {text}"
        # An expression reads what those before it have said.
        expressions.append({"id": key, "key": key, "value": text.replace("engagement", "$.engagement")})
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in"},
        {"id": "rules", "type": "expressionNode", "name": "rules", "content": {"expressions": expressions}},
        {"id": "out", "type": "outputNode", "name": "out"},
    ]
    edges = [
        {"id": "e1", "sourceId": "in", "targetId": "rules", "type": "edge"},
        {"id": "e2", "sourceId": "rules", "targetId": "out", "type": "edge"},
    ]
    decision = ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    return lambda facts: decision.evaluate(facts)["result"]


_ZEN = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "in": "in", "true": "=="}


def _as_zen(condition: Condition) -> str:
    if condition[0] in ("all", "any"):
        word = " and " if condition[0] == "all" else " or "
        return f"({word.join(_as_zen(item) for item in condition[1])})" if condition[1] else "true"
    field, name, value = condition
    literal = json.dumps(value).replace('"', "'")
    return f"({field} != null and {field} {_ZEN[name]} {literal})"


# --- polars: whole columns at once


def polars_columns(cutline: int) -> Callable[[Any], Any]:
    """A function from a frame with the fields to the same frame with a column of segment keys for each dimension."""
    import polars as pl

    def expression(condition: Condition) -> Any:
        if condition[0] == "all":
            return pl.all_horizontal([expression(item) for item in condition[1]] or [pl.lit(value=True)])
        if condition[0] == "any":
            return pl.any_horizontal([expression(item) for item in condition[1]])
        field, name, value = condition
        column = pl.col(field)
        found = {"in": column.is_in, "true": column.eq}.get(name) or getattr(column, name)
        return found(value).fill_null(value=False)

    def place(frame: Any) -> Any:
        for key, rules in dimensions(cutline).items():
            tests = [(rule.partition("/")[0], expression(condition)) for rule, condition in rules]
            column = pl.lit(FALLBACKS.get(key), dtype=pl.String)
            for segment, test in reversed(tests):
                column = pl.when(test).then(pl.lit(segment)).otherwise(column)
            if key == ALONE:
                count = pl.sum_horizontal([test.cast(pl.Int8) for _, test in tests])
                column = pl.when(count == 1).then(column)
            frame = frame.with_columns(column.alias(key))
        return frame

    return place
