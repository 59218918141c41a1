"""A file of rule cases, one JSON object a line: a predicate, a context, and the expected answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

OPERATORS: Final = frozenset(
    {"eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "starts_with", "ends_with"}
    | {"between", "is_null", "is_not_null"}
)
_LEAF_FIELDS: Final = {"field", "op", "value", "type", "ci", "inclusive"}
_MAX_DEPTH: Final = 50
DEFAULT_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


class CaseFileError(ValueError):
    """A file that is not one of cases; `problems` name each line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Case:
    """One published case. Decimal numbers of predicate and context are Decimals."""

    id: str
    predicate: dict[str, Any]
    context: dict[str, Any]
    expected: bool
    agrees_strict: bool
    now: datetime


def read_cases(lines: Iterable[bytes]) -> list[Case]:
    """The cases of a file; blank lines are skipped. Raises CaseFileError with every problem."""
    cases, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            cases.append(_case(line))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise CaseFileError(problems)
    return cases


def _case(line: bytes) -> Case:
    data = _json(line)
    if not isinstance(data, dict):
        raise ValueError("a case is a JSON object.")
    for name, kind in (("id", str), ("predicate", dict), ("context", dict), ("expected", bool)):
        if not isinstance(data.get(name), kind):
            raise ValueError(f'"{name}" is missing or not {_NAMES[kind]}.')
    if problem := next(_problems(data["predicate"], "predicate", 1), None):
        raise ValueError(problem)
    strict = data.get("agrees_strict", True)
    if not isinstance(strict, bool):
        raise ValueError('"agrees_strict" is not true or false.')
    return Case(data["id"], data["predicate"], data["context"], data["expected"], strict, _now(data.get("now")))


_NAMES = {str: "a string", dict: "an object", bool: "true or false"}


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}.") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno}: {error.msg}.") from error
    except RecursionError:
        raise ValueError("nested too deeply.") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _now(value: Any) -> datetime:
    if value is None:
        return DEFAULT_NOW
    moment = moment_of(value)
    if moment is None:
        raise ValueError('"now" is not a moment such as "2026-01-31T09:00:00Z".')
    return moment


def moment_of(value: Any) -> datetime | None:
    """An ISO 8601 text as a moment, in UTC where it names no offset; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _problems(predicate: Any, at: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        yield f"{at}: nested more than {_MAX_DEPTH} levels deep."
    elif not isinstance(predicate, dict):
        yield f"{at}: not an object."
    elif "field" in predicate or "op" in predicate:
        yield from _leaf_problems(predicate, at)
    elif set(predicate) in ({"and"}, {"or"}):
        (name, items), *_ = predicate.items()
        if not isinstance(items, list):
            yield f"{at}/{name}: not a list."
            return
        for place, item in enumerate(items):
            yield from _problems(item, f"{at}/{name}/{place}", depth + 1)
    elif set(predicate) == {"not"}:
        yield from _problems(predicate["not"], f"{at}/not", depth + 1)
    else:
        yield f'{at}: neither "and", "or", "not" nor a condition with "field" and "op".'


def _leaf_problems(leaf: dict[str, Any], at: str) -> Iterator[str]:
    if not isinstance(leaf.get("field"), str):
        yield f'{at}: "field" is missing or not a string.'
    if leaf.get("op") not in OPERATORS:
        yield f"{at}: there is no operator {json.dumps(leaf.get('op'), default=str)}."
    if unknown := sorted(set(leaf) - _LEAF_FIELDS):
        yield f'{at}: a condition has no "{unknown[0]}".'
    if leaf.get("type", "datetime") != "datetime":
        yield f'{at}: the only "type" is "datetime".'
    for name in ("ci", "inclusive"):
        if not isinstance(leaf.get(name, False), bool):
            yield f'{at}: "{name}" is not true or false.'
    yield from _value_problems(leaf, at)


def _value_problems(leaf: dict[str, Any], at: str) -> Iterator[str]:
    op = leaf.get("op")
    if op in ("is_null", "is_not_null"):
        return
    if "value" not in leaf:
        yield f'{at}: "value" is missing.'
    elif op in ("in", "not_in") and not isinstance(leaf["value"], list):
        yield f'{at}: "{op}" needs a list of values.'
    elif op == "between" and not (isinstance(leaf["value"], list) and len(leaf["value"]) == 2):
        yield f'{at}: "between" needs two values.'
