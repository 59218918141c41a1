"""The canonical text form of a rule: one way to write each, with parentheses around every nested group."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import singledispatchmethod
from typing import Final

from frameworks.criteria.ast import (
    All,
    Always,
    AnyOf,
    AtLeast,
    Change,
    Comparison,
    DateComparison,
    Group,
    InPeriod,
    ListTest,
    Membership,
    Node,
    Not,
    Presence,
    Range,
    RelativeDate,
    SegmentTest,
    SignalTest,
    Sustained,
    TagTest,
    TextPattern,
    Truth,
    Unassigned,
)
from frameworks.criteria.base import AttributeLeaf, BaseNode, HeldNode
from frameworks.criteria.types import NUMERIC, TEMPORAL, AttributeType

COMPARATORS: Final = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
# Words of the grammar: an attribute or choice of that name is written in quotes.
KEYWORDS: Final = frozenset(
    {"all", "always", "and", "any", "at_least", "exact", "if", "in", "is", "not", "of", "or", "segment"}
    | {"false", "true", "missing", "present", "unassigned"}
    | {"starts_with", "ends_with", "contains", "before", "on_or_before", "after", "on_or_after"}
    | {"within_last", "within_next", "older_than", "days", "weeks", "months", "quarters"}
    | {"has_any", "has_all", "has_none", "in_period", "offset", "change", "over", "percent", "ultimate_parent"}
    | {"on_list", "signal", "within", "sustained", "missing_period", "unknown", "breaks", "skip"}
    | {"month", "fiscal_quarter", "fiscal_year", "fiscal_quarters", "fiscal_years"}
)

_SYMBOLS: Final = {op: symbol for symbol, op in COMPARATORS.items()}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def print_text(root: Node) -> str:
    """The canonical text form of a node and everything under it."""
    return _Printer().whole(root)


class _Printer:
    def whole(self, node: Node) -> str:
        printed: str = self.form(node)
        missing = getattr(node, "missing", None)
        return f"{printed} if missing {missing}" if missing else printed

    @singledispatchmethod
    def form(self, node: BaseNode) -> str:
        raise NotImplementedError(f"{type(node).__name__} has no text form.")

    @form.register
    def _(self, node: All) -> str:
        return self._joined(node, "all", " and ")

    @form.register
    def _(self, node: AnyOf) -> str:
        return self._joined(node, "any", " or ")

    @form.register
    def _(self, node: AtLeast) -> str:
        return f"at_least {node.k} of ({', '.join(map(self.whole, node.items))})"

    @form.register
    def _(self, node: Not) -> str:
        return f"not ({self.whole(node.item)})"

    @form.register
    def _(self, node: Always) -> str:
        return "always"

    @form.register
    def _(self, node: Comparison) -> str:
        symbol = f"{_subject(node)} {_SYMBOLS[node.op]}{_exact_word(node)}"
        return f"{symbol} {_literal(node, node.value)}{_measure(node)}"

    @form.register
    def _(self, node: Membership) -> str:
        word = "in" if node.op == "in" else "not in"
        values = ", ".join(_literal(node, value) for value in node.values)
        return f"{_subject(node)} {word}{_exact_word(node)} {{{values}}}{_measure(node)}"

    @form.register
    def _(self, node: Range) -> str:
        (low_op, low), (high_op, high) = node.lower, node.upper
        bounds = f"{_literal(node, low)}, {_literal(node, high)}"
        opening, closing = "[" if low_op == "ge" else "(", "]" if high_op == "le" else ")"
        return f"{_subject(node)} in {opening}{bounds}{closing}{_measure(node)}"

    @form.register
    def _(self, node: TextPattern) -> str:
        return f"{_subject(node)} {node.op}{_exact_word(node)} {_quoted(node.value)}"

    @form.register
    def _(self, node: DateComparison) -> str:
        return f"{_subject(node)} {node.op} {_literal(node, node.value)}"

    @form.register
    def _(self, node: RelativeDate) -> str:
        return f"{_subject(node)} {node.op} {node.n} {node.unit}"

    @form.register
    def _(self, node: TagTest) -> str:
        return f"{_subject(node)} {node.op} {{{', '.join(_literal(node, value) for value in node.values)}}}"

    @form.register
    def _(self, node: InPeriod) -> str:
        offset = f" offset {node.offset}" if node.offset else ""
        return f"{_subject(node)} in_period {node.period}{offset}"

    @form.register
    def _(self, node: Change) -> str:
        value = node.value if node.measure == "percent" else _number(node.value_type, node.value)
        percent = " percent" if node.measure == "percent" else ""
        span = f"{node.periods} {node.grain}s"
        return f"{_subject(node)} change over {span} {_SYMBOLS[node.compare]} {value}{percent}"

    @form.register
    def _(self, node: SignalTest) -> str:
        details = "".join(f", {_name(name)} = {_quoted(text)}" for name, text in sorted((node.details or {}).items()))
        return f"signal({_name(node.kind)}{details}) at_least {node.at_least} within {node.within_days} days"

    @form.register
    def _(self, node: ListTest) -> str:
        return f"on_list({_name(node.list)}){_parent(node)}"

    @form.register
    def _(self, node: Sustained) -> str:
        whole = self.whole(node.item)
        is_plain = isinstance(node.item, AttributeLeaf) and " if missing " not in whole
        item = whole if is_plain else f"({whole})"
        missing = f" missing_period {node.missing_period}" if node.missing_period else ""
        return f"{item} sustained {node.periods} {node.grain}s{missing}"

    @form.register
    def _(self, node: Truth) -> str:
        return f"{_subject(node)} is {node.op.removeprefix('is_')}"

    @form.register
    def _(self, node: Presence) -> str:
        return f"{_subject(node)} is {node.op.removeprefix('is_')}"

    @form.register
    def _(self, node: SegmentTest) -> str:
        word = "in" if node.any_of is not None else "not in"
        return f"segment({_name(node.dimension)}) {word} {{{', '.join(map(_bare, node.segments))}}}"

    @form.register
    def _(self, node: Unassigned) -> str:
        return f"segment({_name(node.dimension)}) is unassigned"

    def _joined(self, node: Group, call: str, joiner: str) -> str:
        # A group of one is a group all the same: written as a call, it survives the round trip.
        if len(node.items) == 1:
            return f"{call}({self.whole(node.items[0])})"
        return joiner.join(map(self._inside, node.items))

    def _inside(self, node: Node) -> str:
        # A condition that lasts is wrapped too: "A or (B for 2 quarters)" must not be read as "(A or B) for 2".
        nested = isinstance(node, Sustained) or (isinstance(node, All | AnyOf) and len(node.items) > 1)
        return f"({self.whole(node)})" if nested else self.whole(node)


def _name(key: str) -> str:
    return key if _NAME.match(key) and key not in KEYWORDS else f"`{key}`"


def _subject(node: AttributeLeaf) -> str:
    return f"{_name(node.attribute)}{_parent(node)}"


def _parent(node: HeldNode) -> str:
    return f" of {node.of}" if node.of else ""


def _bare(text: str) -> str:
    return text if _NAME.match(text) and text not in KEYWORDS else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _literal(node: AttributeLeaf, text: str) -> str:
    data_type = node.type.data_type
    if data_type in NUMERIC:
        return _number(node.type, text)
    if data_type in TEMPORAL:
        return text
    return _bare(text) if data_type == "choice" or node.type.choices else _quoted(text)


def _number(attribute: AttributeType, text: str) -> str:
    number = Decimal(text)
    if number == int(number):
        return str(int(number))
    return text if attribute.data_type == "money" else text.rstrip("0")


def _measure(node: Comparison | Membership | Range) -> str:
    measure = node.currency or node.unit
    return f" {_bare(measure)}" if measure else ""


def _exact_word(node: Comparison | Membership | TextPattern) -> str:
    return " exact" if node.match else ""
