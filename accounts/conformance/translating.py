"""A published case as one rule of a made-up framework and one hypothetical account.

A field of the case becomes one attribute for each way in which the predicate looks at it: as a number, a text, a
moment, a truth value, a list that has something, or as something that is there at all. What the language leaves out
on purpose is said with what it has:

- Texts are written between two marks that no text contains, so that an empty text, a blank or "unknown" is a value,
  as it is in those products. They are compared exactly; `ci` compares them as our language does by itself.
- Texts have no order in our language. Where a case orders them, and where a number or a moment lies outside what a
  rule may name, the values of the case are put in order and their positions are compared.
- A comparison of two types is false, and "not equal" true: our language refuses to convert. Truth values have no
  order.
- An empty list, `and []` and `or []` become what they mean.
- A condition on a missing value is unknown. `is_stated` writes into every condition what products with two truth
  values answer there: not equal is true, everything else is false.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from accounts.conformance.reading import Case, moment_of
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import FIRST_YEAR, LAST_YEAR, MAX_INTEGER_DIGITS, MAX_TEXT_LENGTH

Node = dict[str, Any]
Bodies = dict[tuple[str, str], dict[str, Any]]

MATCHED: Final = "matched"
DIMENSION: Final = "case"
_MARK: Final = "\ue000"
_MAX_SCALE: Final = 9
_ORDER: Final = {"lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}
_DAYS: Final = {"lt": "before", "lte": "on_or_before", "gt": "after", "gte": "on_or_after"}
_NEGATIVE: Final = frozenset({"neq", "not_in"})
_PATTERNS: Final = frozenset({"contains", "starts_with", "ends_with"})


@dataclass(frozen=True)
class Translation:
    """The parts of a framework whose only segment takes the account when the predicate holds, and the account."""

    bodies: Bodies
    row: dict[str, Any]


def translate(case: Case, *, is_stated: bool) -> Translation:
    """The case as a framework and an account."""
    translator = _Translator(case, is_stated)
    root = translator.node(case.predicate)
    criteria = {"schema": "criteria/1", "root": _numbered(root)}
    rule = {"key": "r", "basis": "value", "criteria": criteria}
    bodies: Bodies = {
        ("dimension", DIMENSION): {"label": "Case", "hit_policy": "ranked", "downgrade": "auto", "segments": [MATCHED]},
        ("segment", f"{DIMENSION}/{MATCHED}"): {"label": "Matched", "dimension": DIMENSION, "rules": [rule]},
        **{("data_source", key): {"label": key, **kind} for key, kind in translator.types.items()},
    }
    row = {"attributes": translator.attributes, "attribute_keys": translator.attribute_keys}
    return Translation(bodies, row)


def looks_at_missing(case: Case) -> bool:
    """A condition of the predicate reads a field that has no value: products disagree there."""
    return any(case.context.get(leaf["field"]) is None for leaf in _leaves(case.predicate))


@dataclass
class _Translator:
    case: Case
    is_stated: bool
    types: dict[str, dict[str, Any]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    attribute_keys: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[Any, ...], str] = field(default_factory=dict)

    # --- groups

    def node(self, predicate: dict[str, Any]) -> Node:
        if "not" in predicate:
            return _negated(self.node(predicate["not"]))
        for word, op in (("and", "all"), ("or", "any")):
            if word in predicate:
                return _group(op, [self.node(item) for item in predicate[word]])
        return self.leaf(predicate)

    # --- conditions

    def leaf(self, leaf: dict[str, Any]) -> Node:
        name, op = leaf["field"], leaf["op"]
        if op in ("is_null", "is_not_null"):
            return {"op": "is_missing" if op == "is_null" else "is_present", "attribute": self.presence(name)}
        seen = self.case.context.get(name)
        if isinstance(seen, list) and op in ("in", "not_in", "contains"):
            return self.on_list(leaf, seen)
        if op in ("eq", "neq") and leaf["value"] is None:
            return {"op": "is_missing" if op == "eq" else "is_present", "attribute": self.presence(name)}
        if op in _PATTERNS and isinstance(leaf["value"], list) and leaf["value"]:
            return _group("any", [self.leaf({**leaf, "value": value}) for value in leaf["value"]])
        return self.on_value(leaf, seen)

    def on_list(self, leaf: dict[str, Any], seen: list[Any]) -> Node:
        asked = leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]]
        flags = [self.flag(leaf["field"], value, any(_same(value, each) for each in seen)) for value in asked]
        if not flags:
            return self.settled(leaf)
        op = "is_false" if leaf["op"] in _NEGATIVE else "is_true"
        items = [{"op": op, "attribute": flag} for flag in flags]
        return _group("all" if leaf["op"] in _NEGATIVE else "any", items)

    def on_value(self, leaf: dict[str, Any], seen: Any) -> Node:
        values = leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]]
        kind = _kind_of(values if seen is None else [seen], is_moment="type" in leaf)
        comparable = [value for value in values if _kind_of([value], is_moment="type" in leaf) == kind]
        if not comparable or (leaf["op"] not in ("in", "not_in") and len(comparable) < len(values)):
            return self.settled(leaf)
        write = {"number": self.on_number, "text": self.on_text, "moment": self.on_moment, "truth": self.on_truth}
        return write[kind](leaf, comparable) if kind in write else self.settled(leaf)

    def settled(self, leaf: dict[str, Any]) -> Node:
        """False for a value that is there, or true for a negative condition: nothing can be equal to it."""
        op = "is_true" if leaf["op"] in _NEGATIVE else "is_false"
        return self.stated(leaf, {"op": op, "attribute": self.presence(leaf["field"])})

    def stated(self, leaf: dict[str, Any], node: Node) -> Node:
        if not self.is_stated:
            return node
        return {**node, "missing": "true" if leaf["op"] in _NEGATIVE else "false"}

    def on_truth(self, leaf: dict[str, Any], values: list[bool]) -> Node:
        wanted = set(values)
        if leaf["op"] in _NEGATIVE:
            wanted = {True, False} - wanted
        if leaf["op"] not in ("eq", "neq", "in", "not_in") or not wanted:
            return self.settled({**leaf, "op": "eq"})
        if len(wanted) == 2:
            return self.settled({**leaf, "op": "neq"})
        key = self.attribute(leaf["field"], "truth", {"data_type": "boolean"}, lambda seen: seen)
        return self.stated(leaf, {"op": "is_true" if wanted == {True} else "is_false", "attribute": key})

    def on_number(self, leaf: dict[str, Any], values: list[Any]) -> Node:
        if leaf["op"] in _PATTERNS:
            return self.settled(leaf)
        numbers = [Decimal(value) for value in values]
        scale = max(_decimals(number) for number in numbers)
        if scale > _MAX_SCALE or any(number.adjusted() >= MAX_INTEGER_DIGITS for number in numbers):
            return self.on_rank(leaf, numbers, _number)
        scale = max((_decimals(Decimal(value)) for value in self.asked(leaf["field"], _number)), default=0)
        scale = min(scale, _MAX_SCALE)
        source = {"data_type": "decimal", "scale": scale}
        key = self.attribute(leaf["field"], f"number{scale}", source, lambda seen: f"{Decimal(seen):f}")
        return self.compared(leaf, key, [f"{number:f}" for number in numbers], numbers)

    def on_text(self, leaf: dict[str, Any], values: list[str]) -> Node:
        if leaf["op"] in _ORDER or leaf["op"] == "between" or any(len(v) > MAX_TEXT_LENGTH - 2 for v in values):
            return self.on_rank(leaf, values, _text)
        key = self.attribute(leaf["field"], "text", {"data_type": "text"}, _between_marks)
        exact = {} if leaf.get("ci") else {"match": "exact"}
        if leaf["op"] in ("in", "not_in"):
            written = [_between_marks(value) for value in dict.fromkeys(values)]
            return self.stated(leaf, {"op": leaf["op"], "attribute": key, "values": written, **exact})
        op = {"eq": "eq", "neq": "ne"}.get(leaf["op"], leaf["op"])
        written_one = _marked_for(leaf["op"], values[0])
        return self.stated(leaf, {"op": op, "attribute": key, "value": written_one, **exact})

    def on_moment(self, leaf: dict[str, Any], values: list[str]) -> Node:
        moments = [moment for moment in map(moment_of, values) if moment is not None]
        years = {moment.astimezone(UTC).year for moment in moments}
        if leaf["op"] in _PATTERNS:
            return self.settled(leaf)
        if leaf["op"] not in _DAYS or min(years) <= FIRST_YEAR or max(years) >= LAST_YEAR:
            return self.on_rank(leaf, moments, moment_of)
        key = self.attribute(leaf["field"], "moment", {"data_type": "datetime"}, lambda seen: _iso(moment_of(seen)))
        return self.stated(leaf, {"op": _DAYS[leaf["op"]], "attribute": key, "value": _iso(moments[0])})

    def on_rank(self, leaf: dict[str, Any], values: list[Any], read: Callable[[Any], Any]) -> Node:
        """Positions in the order of everything of its kind that the case says of the field."""
        name = leaf["field"]
        ordered = sorted(
            {*self.asked(name, read), *filter(lambda v: v is not None, [read(self.case.context.get(name))])}
        )
        rank = {value: place for place, value in enumerate(ordered)}
        key = self.attribute(name, f"rank{read.__name__}", {"data_type": "integer"}, lambda seen: rank[read(seen)])
        ranks = [rank[value] for value in values]
        return self.compared(leaf, key, [str(place) for place in ranks], ranks)

    def compared(self, leaf: dict[str, Any], key: str, written: list[str], values: list[Any]) -> Node:
        """A condition on numbers: given ones, or positions."""
        op = leaf["op"]
        if op == "between":
            return self.within(leaf, key, written, values)
        if op in ("in", "not_in"):
            return self.stated(leaf, {"op": op, "attribute": key, "values": list(dict.fromkeys(written))})
        ours = {"eq": "eq", "neq": "ne", **_ORDER}[op]
        return self.stated(leaf, {"op": ours, "attribute": key, "value": written[0]})

    def within(self, leaf: dict[str, Any], key: str, written: list[str], values: list[Any]) -> Node:
        is_closed = leaf.get("inclusive", True)
        if values[0] > values[1] or (values[0] == values[1] and not is_closed):
            return self.settled(leaf)
        if values[0] == values[1]:
            return self.stated(leaf, {"op": "eq", "attribute": key, "value": written[0]})
        bounds = zip(("ge", "le") if is_closed else ("gt", "lt"), written, strict=True)
        return self.stated(leaf, {"op": "range", "attribute": key, **dict(bounds)})

    # --- attributes

    def presence(self, name: str) -> str:
        return self.attribute(name, "presence", {"data_type": "boolean"}, lambda seen: True)

    def flag(self, name: str, value: Any, has: bool) -> str:  # noqa: FBT001 - the fact the flag states
        return self.attribute(name, ("has", type(value), str(value)), {"data_type": "boolean"}, lambda seen: has)

    def attribute(self, name: str, form: object, source: dict[str, Any], store: Callable[[Any], Any]) -> str:
        """The key of the attribute that has the field in this form; its value is stored when there is one."""
        if (name, form) in self.keys:
            return self.keys[name, form]
        key = self.keys[name, form] = f"a{len(self.keys)}"
        self.types[key] = source
        seen = self.case.context.get(name)
        if seen is not None:
            self.attributes[key] = store(seen)
            if source["data_type"] == "text":
                self.attribute_keys[key] = _matching(self.attributes[key])
        return key

    def asked(self, name: str, read: Callable[[Any], Any]) -> list[Any]:
        """Everything of a kind that the predicate compares the field with."""
        leaves = [leaf for leaf in _leaves(self.case.predicate) if leaf["field"] == name and "value" in leaf]
        values = [
            each for leaf in leaves for each in (leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]])
        ]
        return [found for found in map(read, values) if found is not None]


# --- values


def _kind_of(values: Iterable[Any], *, is_moment: bool) -> str:
    """The kind of the first value."""
    value = next(iter(values), None)
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | Decimal):
        return "number"
    if isinstance(value, str):
        return ("moment" if moment_of(value) else "") if is_moment else "text"
    return ""


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _number(value: Any) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - JSON has no NaN
    return max(0, -exponent)


def _iso(moment: datetime | None) -> str:
    assert moment is not None  # noqa: S101 - only moments are asked for
    return moment.astimezone(UTC).isoformat()


def _between_marks(text: str) -> str:
    return f"{_MARK}{_storable(text)}{_MARK}"


def _marked_for(op: str, text: str) -> str:
    """The part of a marked text that a condition asks for."""
    before = _MARK if op in ("eq", "neq", "starts_with") else ""
    after = _MARK if op in ("eq", "neq", "ends_with") else ""
    # Everything contains nothing: a mark stands for it.
    return f"{before}{_storable(text)}{after}" or _MARK


def _storable(text: str) -> str:
    """Without the characters that PostgreSQL cannot keep: each has a stand-in that nobody writes."""
    return "".join(chr(0xF0000 + ord(c)) if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def _matching(text: str) -> str:
    return matching_key(text, missing_tokens=()) or ""


# --- trees


def _leaves(predicate: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "field" in predicate:
        yield predicate
    for items in (predicate.get("and", ()), predicate.get("or", ()), [predicate["not"]] if "not" in predicate else ()):
        for item in items:
            yield from _leaves(item)


def _negated(node: Node) -> Node:
    return node["item"] if node["op"] == "not" else {"op": "not", "item": node}


def _group(op: str, items: list[Node]) -> Node:
    """As flat as it can be said: published cases wrap every condition into several groups of one."""
    if not items:
        return {"op": "always"} if op == "all" else {"op": "not", "item": {"op": "always"}}
    flat = [each for item in items for each in (item["items"] if item["op"] == op else [item])]
    return flat[0] if len(flat) == 1 else {"op": op, "items": flat}


def _numbered(root: Node) -> Node:
    numbers = iter(range(1, 10_000))

    def number(node: Node) -> Node:
        named = {"id": f"n{next(numbers)}", **node}
        if "item" in node:
            named["item"] = number(node["item"])
        if "items" in node:
            named["items"] = [number(item) for item in node["items"]]
        return named

    return number(root)
