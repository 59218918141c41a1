"""The text form of a rule: what people type, what YAML files and diffs hold.

    employee_count in [200, 1000) and (arr > 25000 USD or industry in {saas, fintech})

Lossless up to node ids: parsing what was printed gives the same document, and ids are re-attached from the rule
before (identity.py). There is one canonical way to print a rule, with parentheses around every nested group.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lark import Lark, Token, Transformer_NonRecursive, v_args
from lark.exceptions import UnexpectedEOF, UnexpectedInput, UnexpectedToken
from lark.tree import Meta

from frameworks.criteria.ast import SCHEMA, Criteria, node_document
from frameworks.criteria.identity import reattach_ids
from frameworks.criteria.parsing import CriteriaError, Problem, parse_criteria
from frameworks.criteria.printing import COMPARATORS, KEYWORDS, print_text
from frameworks.criteria.types import NUMERIC, AttributeType

__all__ = ["CriteriaTextError", "Place", "TextProblem", "parse_text", "print_text", "scope_warnings"]

MAX_TEXT: Final = 200_000

Raw = dict[str, Any]
_NUMBER_OPERATORS: Final = frozenset({*COMPARATORS.values(), "range", "in", "not_in", "change"})
# Fields that are JSON numbers.
_COUNTS: Final = frozenset({"k", "n", "periods", "offset", "at_least", "within_days"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text something stands, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class TextProblem:
    """One reason a text is refused."""

    code: str
    message: str
    place: Place


class CriteriaTextError(ValueError):
    """A text that is not a rule; `problems` has every reason found, in reading order."""

    def __init__(self, problems: list[TextProblem]) -> None:
        super().__init__("; ".join(f"line {p.place.line}, column {p.place.column}: {p.message}" for p in problems))
        self.problems = problems


def parse_text(
    text: str,
    *,
    previous: Criteria | None,
    attributes: Mapping[str, AttributeType],
    dimensions: Mapping[str, frozenset[str]],
    own_dimension: str | None = None,
    lists: Collection[str] | None = None,
) -> Criteria:
    """Read the text form; nodes that stood in `previous` keep their ids. Raises CriteriaTextError."""
    builder = _read(text, attributes)

    def checked(root: Raw) -> Criteria:
        return parse_criteria(
            {"schema": SCHEMA, "root": root},
            attributes=attributes,
            dimensions=dimensions,
            own_dimension=own_dimension,
            lists=lists,
        )

    try:
        read = checked(builder.root)
    except CriteriaError as error:
        raise CriteriaTextError([builder.located(problem) for problem in error.problems]) from None
    return checked(reattach_ids(node_document(read.root), node_document(previous.root) if previous else None))


def scope_warnings(text: str) -> list[TextProblem]:
    """Where a reader may guess another scope than the grammar's, for the linter. Raises CriteriaTextError.

    That is where `and` is mixed with `or`, or `sustained` stands beside `and`, `or` or `not`, without parentheses.
    """
    return _read(text, {}).ambiguous


# --- reading ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


def _read(text: str, attributes: Mapping[str, AttributeType]) -> _Builder:
    if len(text) > MAX_TEXT:
        raise CriteriaTextError([TextProblem("too_long", f"A rule has {MAX_TEXT:,} characters at most.", Place(1, 1))])
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise CriteriaTextError([_syntax_problem(error, text)]) from None
    builder = _Builder(attributes)
    builder.root = builder.transform(tree)
    if builder.problems:
        raise CriteriaTextError(builder.problems)
    return builder


def _syntax_problem(error: UnexpectedInput, text: str) -> TextProblem:
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        lines = text.split("\n")
        return TextProblem("syntax", "The rule ends too early.", Place(len(lines), len(lines[-1]) + 1))
    place = Place(error.line, error.column)
    position = _offset(text, place)
    grouped = re.search(r"[0-9]+(,[0-9]{3})+\Z", text[:position].rstrip())
    if grouped:
        hint = f"{grouped[0]} is read as one number: put a space after the comma between two numbers."
        return TextProblem("syntax", hint, place)
    found = str(error.token) if isinstance(error, UnexpectedToken) else text[position]
    before = text[:position].split()[-1:]
    return TextProblem("syntax", f'"{found[:80]}" cannot stand here.{_keyword_hint([found, *before])}', place)


def _offset(text: str, place: Place) -> int:
    return sum(len(line) + 1 for line in text.split("\n")[: place.line - 1]) + place.column - 1


def _keyword_hint(words: list[str]) -> str:
    for word in words:
        if word.casefold() in KEYWORDS and word not in KEYWORDS:
            return f' Write "{word.casefold()}" in lower case.'
    return ""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a leaf is about: the attribute, and whose."""

    name: Token
    of: dict[str, str]


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Token, Any]):
    """Parse tree to raw JSON nodes with provisional ids, remembering where each literal stands."""

    def __init__(self, attributes: Mapping[str, AttributeType]) -> None:
        super().__init__()
        self.attributes = attributes
        self.root: Raw = {}
        self.problems: list[TextProblem] = []
        self.ambiguous: list[TextProblem] = []
        self.places: dict[str, dict[str, Place]] = {}
        self.bare: dict[str, str] = {}

    def located(self, problem: Problem) -> TextProblem:
        """A problem of the document, at the place in the text it comes from."""
        known = self.places.get(problem.node_id or "", {"": Place(1, 1)})
        suffixes = (suffix for suffix in known if suffix and problem.pointer.endswith(suffix))
        return TextProblem(problem.code, problem.message, known[next(suffixes, "")])

    def start(self, meta: Meta, parts: list[Raw]) -> Raw:
        return parts[0]

    # groups

    def all_of(self, meta: Meta, parts: list[Raw]) -> Raw:
        self._warn(parts, "sustained")
        node = self._node(meta, "all", items=parts)
        self.bare[node["id"]] = "and"
        return node

    def any_of(self, meta: Meta, parts: list[Raw]) -> Raw:
        self._warn(parts, "and", "sustained")
        return self._node(meta, "any", items=parts)

    def all_call(self, meta: Meta, parts: list[Raw]) -> Raw:
        return self._node(meta, "all", items=parts)

    def any_call(self, meta: Meta, parts: list[Raw]) -> Raw:
        return self._node(meta, "any", items=parts)

    def at_least(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "at_least", k=parts[0], items=parts[1:])

    def negation(self, meta: Meta, parts: list[Raw]) -> Raw:
        self._warn(parts, "sustained")
        return self._node(meta, "not", item=parts[0])

    def parentheses(self, meta: Meta, parts: list[Raw]) -> Raw:
        self.bare.pop(parts[0]["id"], None)
        return parts[0]

    def sustained(self, meta: Meta, parts: list[Any]) -> Raw:
        item, periods, grain, *missing_period = parts
        options = {"missing_period": str(missing_period[0])} if missing_period else {}
        node = self._node(meta, "sustained", periods=periods, grain=_singular(grain), **options, item=item)
        self.bare[node["id"]] = "sustained"
        return node

    def always(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "always")

    # leaves

    def comparison(self, meta: Meta, parts: list[Any]) -> Raw:
        name, comparator, *rest = parts
        options, (value, *measure) = _exact(rest)
        node = self._leaf(meta, COMPARATORS[comparator], name, value=value, **options)
        return self._measured(node, measure)

    def range(self, meta: Meta, parts: list[Any]) -> Raw:
        name, opening, low, high, closing, *measure = parts
        bounds = {"ge" if opening == "[" else "gt": low, "le" if closing == "]" else "lt": high}
        return self._measured(self._leaf(meta, "range", name, **bounds), measure)

    def membership(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._membership(meta, "in", parts)

    def non_membership(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._membership(meta, "not_in", parts)

    def _membership(self, meta: Meta, op: str, parts: list[Any]) -> Raw:
        options, (values, *measure) = _exact(parts[1:])
        return self._measured(self._leaf(meta, op, parts[0], values=values, **options), measure)

    def tag_test(self, meta: Meta, parts: list[Any]) -> Raw:
        subject, op, values = parts
        return self._leaf(meta, str(op), subject, values=values)

    def in_period(self, meta: Meta, parts: list[Any]) -> Raw:
        subject, period, *offset = parts
        return self._leaf(meta, "in_period", subject, period=str(period), offset=offset[0] if offset else 0)

    def change(self, meta: Meta, parts: list[Any]) -> Raw:
        subject, periods, grain, comparator, value, *percent = parts
        fields = {"measure": "percent" if percent else "absolute", "compare": COMPARATORS[comparator], "value": value}
        return self._leaf(meta, "change", subject, grain=_singular(grain), periods=periods, **fields)

    def signal(self, meta: Meta, parts: list[Any]) -> Raw:
        kind, *details, at_least, within_days = parts
        named = {"details": dict(details)} if details else {}
        if len(named.get("details", {})) != len(details):
            message = "A detail stands here twice: a signal has each detail once."
            self.problems.append(TextProblem("syntax", message, Place(meta.line, meta.column)))
        return self._node(meta, "signal", kind=kind, **named, at_least=at_least, within_days=within_days)

    def detail(self, meta: Meta, parts: list[Token]) -> tuple[str, Token]:
        name, comparator, value = parts
        if comparator != "=":
            message = f'A detail is compared with "=", not with "{comparator}".'
            self.problems.append(TextProblem("syntax", message, Place(comparator.line or 1, comparator.column or 1)))
        return str(name), value

    def on_list(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "on_list", list=parts[0], **_of(parts[1:]))

    def pattern(self, meta: Meta, parts: list[Any]) -> Raw:
        name, op, *rest = parts
        options, (value,) = _exact(rest)
        return self._leaf(meta, str(op), name, value=self._unquoted(value), **options)

    def date_comparison(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._leaf(meta, str(parts[1]), parts[0], value=parts[2])

    def relative_date(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._leaf(meta, str(parts[1]), parts[0], n=parts[2], unit=str(parts[3]))

    def truth(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._leaf(meta, f"is_{parts[1]}", parts[0])

    def presence(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._leaf(meta, f"is_{parts[1]}", parts[0])

    def segment_in(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "segment", dimension=parts[0], any_of=parts[1])

    def segment_not_in(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "segment", dimension=parts[0], none_of=parts[1])

    def unassigned(self, meta: Meta, parts: list[Any]) -> Raw:
        return self._node(meta, "is_unassigned", dimension=parts[0])

    def with_missing(self, meta: Meta, parts: list[Any]) -> Raw:
        node, verdict = parts
        node["missing"] = str(verdict)
        return node  # type: ignore[no-any-return]  # the leaf made above

    # literals and names

    def subject(self, meta: Meta, parts: list[Any]) -> _Subject:
        return _Subject(parts[0], _of(parts[1:]))

    def parent(self, meta: Meta, parts: list[Any]) -> str:
        return "ultimate_parent"

    def name(self, meta: Meta, parts: list[Token]) -> Token:
        return Token.new_borrow_pos("NAME", parts[0].strip("`"), parts[0])

    def literal(self, meta: Meta, parts: list[Token]) -> Token:
        return self._unquoted(parts[0])

    def measure(self, meta: Meta, parts: list[Token]) -> Token:
        return self._unquoted(parts[0])

    def values(self, meta: Meta, parts: list[Token]) -> list[Token]:
        return parts

    def opening(self, meta: Meta, parts: list[Token]) -> str:
        return str(parts[0])

    def closing(self, meta: Meta, parts: list[Token]) -> str:
        return str(parts[0])

    def exact(self, meta: Meta, parts: list[Any]) -> dict[str, str]:
        return {"match": "exact"}

    # shared

    def _leaf(self, meta: Meta, op: str, subject: _Subject, **fields: Any) -> Raw:
        if op in _NUMBER_OPERATORS:
            self._refuse_quoted_numbers(subject, fields)
        return self._node(meta, op, attribute=subject.name, **subject.of, **fields)

    def _refuse_quoted_numbers(self, subject: _Subject, fields: Mapping[str, Any]) -> None:
        """A number in quotes is a text, and text never compares with numbers."""
        attribute = self.attributes.get(subject.name)
        if attribute is None or attribute.data_type not in NUMERIC:
            return
        for value in fields.values():
            for token in value if isinstance(value, list) else [value]:
                if isinstance(token, Token) and token.type == "STRING":
                    message = f"{attribute.label} is a number, “{token}” in quotes is a text: write it without quotes."
                    self.problems.append(
                        TextProblem("not_a_number", message, Place(token.line or 1, token.column or 1))
                    )

    def _warn(self, parts: list[Raw], *words: str) -> None:
        for part in parts:
            word = self.bare.get(part["id"])
            if word in words:
                message = f'Write parentheses around "{word}": nobody can see how far it reaches.'
                self.ambiguous.append(TextProblem("scope_ambiguous", message, self.places[part["id"]][""]))

    def _node(self, meta: Meta, op: str, **fields: Any) -> Raw:
        node_id = f"t{len(self.places)}"
        places = {"": Place(meta.line, meta.column)}
        plain: Raw = {}
        for key, value in fields.items():
            plain[key] = _whole(value) if key in _COUNTS else _plain(value)
            places.update(_places_of(key, value))
        self.places[node_id] = places
        return {"id": node_id, "op": op, **plain}

    def _measured(self, node: Raw, measure: list[Token]) -> Raw:
        if measure:
            attribute = self.attributes.get(node["attribute"])
            key = "currency" if attribute and attribute.data_type == "money" else "unit"
            node[key] = str(measure[0])
            self.places[node["id"]].update(_places_of(key, measure[0]))
        return node

    def _unquoted(self, token: Token) -> Token:
        if token.type != "STRING":
            return token
        try:
            return Token.new_borrow_pos("STRING", json.loads(token), token)
        except json.JSONDecodeError:
            message = f"{token} has an escape nobody knows; a backslash is written twice."
            self.problems.append(TextProblem("syntax", message, Place(token.line or 1, token.column or 1)))
            return token


def _exact(parts: list[Any]) -> tuple[dict[str, str], list[Any]]:
    if isinstance(parts[0], dict):
        return parts[0], parts[1:]
    return {}, parts


def _whole(token: Token | int) -> int | str:
    """A count as a number; anything else stays text, which parsing refuses with its place."""
    if isinstance(token, int):
        return token
    return int(token) if token.removeprefix("-").isdigit() and len(token) < 10 else str(token)


def _singular(grain: Token) -> Token:
    return Token.new_borrow_pos("GRAIN", grain.removesuffix("s"), grain)


def _of(parts: list[str]) -> dict[str, str]:
    return {"of": parts[0]} if parts else {}


def _plain(value: Any) -> Any:
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: str(each) if isinstance(each, Token) else each for key, each in value.items()}
    return value


def _places_of(key: str, value: Any) -> dict[str, Place]:
    if isinstance(value, Token):
        return {f"/{key}": Place(value.line or 1, value.column or 1)}
    if isinstance(value, dict):
        named = (_places_of(f"{key}/{name}", each) for name, each in value.items() if isinstance(each, Token))
        return {path: place for each in named for path, place in each.items()}
    if isinstance(value, list):
        return {
            f"/{key}/{position}": Place(each.line or 1, each.column or 1)
            for position, each in enumerate(value)
            if isinstance(each, Token)
        }
    return {}
