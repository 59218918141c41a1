"""AST to plain English, for sign-off pages and explanation trees. Output only: text.py is the form people type.

Boundaries are said, never implied: "200 up to but not including 1,000 employees".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
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
    DimensionLeaf,
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
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.types import AttributeType, Scalar, parse_literal

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_PATTERNS: Final = {"starts_with": "starts with", "ends_with": "ends with", "contains": "contains"}
_DAYS: Final = {"before": "before", "on_or_before": "on or before", "after": "after", "on_or_after": "on or after"}
_MISSING: Final = {"true": "counted as met when missing", "false": "counted as not met when missing"}
_TAG_WORDS: Final = {"has_any": "has any of", "has_all": "has all of", "has_none": "has none of"}
_ONE_TAG: Final = {"has_any": "has", "has_all": "has", "has_none": "does not have"}
_CHANGED: Final = {"gt": "over {}", "ge": "{} or more", "lt": "under {}", "le": "{} or less"}
_ABSENT_PERIOD: Final = {
    "breaks": " (not met when the history has a gap)",
    "skip": " (one missing period gives its place to the next older one)",
}


@dataclass(frozen=True, slots=True)
class DimensionLabels:
    """How a dimension and its segments are called on screens."""

    label: str
    segments: Mapping[str, str] = field(default_factory=dict)


def sentence(
    root: Node,
    attributes: Mapping[str, AttributeType],
    dimensions: Mapping[str, DimensionLabels] | None = None,
    lists: Mapping[str, str] | None = None,
) -> str:
    """The whole rule in one sentence, without a full stop. Nested groups stand in parentheses.

    `lists` has the labels of account lists by key.
    """
    return _Speaker(attributes, dimensions or {}, lists or {}).whole(root)


def node_text(
    node: Node,
    attributes: Mapping[str, AttributeType],
    dimensions: Mapping[str, DimensionLabels] | None = None,
    lists: Mapping[str, str] | None = None,
) -> str:
    """One node of an explanation tree: a leaf in full, a group by its heading only ("All of these")."""
    return _Speaker(attributes, dimensions or {}, lists or {}).heading(node)


def value_text(attribute: AttributeType, value: Scalar | None) -> str:
    """A value as screens print it: "1,000 employees", "$25,000", "31 January 2026", "yes", the label of a choice."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return _with_unit(attribute, _amount(attribute, value))
    return _said(attribute, value)


class _Speaker:
    def __init__(
        self,
        attributes: Mapping[str, AttributeType],
        dimensions: Mapping[str, DimensionLabels],
        lists: Mapping[str, str],
    ) -> None:
        self.attributes = attributes
        self.dimensions = dimensions
        self.lists = lists

    def whole(self, node: Node) -> str:
        if isinstance(node, All):
            return ", and ".join(self._inside(item) for item in node.items)
        if isinstance(node, AnyOf):
            return ", or ".join(self._inside(item) for item in node.items)
        if isinstance(node, AtLeast):
            return f"at least {node.k} of these {len(node.items)}: " + "; ".join(map(self._inside, node.items))
        if isinstance(node, Not):
            return f"not ({self.whole(node.item)})"
        if isinstance(node, Sustained):
            return f"{self._inside(node.item)} {_each_period(node)}"
        return self.heading(node)

    def heading(self, node: Node) -> str:
        said: str = self.say(node)
        if getattr(node, "of", None):
            said = f"at the ultimate parent, {said}"
        missing = getattr(node, "missing", None)
        return f"{said} ({_MISSING[missing]})" if missing else said

    def _inside(self, node: Node) -> str:
        grouped = isinstance(node, Sustained | AtLeast) or (isinstance(node, All | AnyOf) and len(node.items) > 1)
        return f"({self.whole(node)})" if grouped else self.whole(node)

    @singledispatchmethod
    def say(self, node: Node) -> str:
        raise NotImplementedError(f"{type(node).__name__} has no English.")

    @say.register
    def _(self, node: All) -> str:
        return "All of these"

    @say.register
    def _(self, node: AnyOf) -> str:
        return "Any of these"

    @say.register
    def _(self, node: AtLeast) -> str:
        return f"At least {node.k} of these {len(node.items)}"

    @say.register
    def _(self, node: Not) -> str:
        return "Not"

    @say.register
    def _(self, node: Sustained) -> str:
        return _capitalised(_each_period(node))

    @say.register
    def _(self, node: Always) -> str:
        return "every account"

    @say.register
    def _(self, node: Comparison) -> str:
        attribute = self._attribute(node)
        value = node.typed(node.value)
        if isinstance(value, str):
            return (
                f"{attribute.label} {'is not' if node.op == 'ne' else 'is'} {_said(attribute, value)}{_exactly(node)}"
            )
        return _measured(attribute, _compared(node.op, attribute, value))

    @say.register
    def _(self, node: Membership) -> str:
        attribute = self._attribute(node)
        values = [node.typed(text) for text in node.values]
        said = [_said(attribute, value) for value in values]
        if _speaks_for_itself(attribute):
            return _with_unit(attribute, _any_of(said) if node.op == "in" else f"neither {' nor '.join(said)}")
        joined = _any_of(said) if node.op == "in" else _none_of(said)
        return f"{attribute.label} is {_with_unit(attribute, joined)}{_exactly(node)}"

    @say.register
    def _(self, node: TagTest) -> str:
        attribute = self._attribute(node)
        names = [_said(attribute, node.typed(text)) for text in node.values]
        last = "and" if node.op == "has_all" else "or"
        joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
        return f"{attribute.label} {_TAG_WORDS[node.op] if len(names) > 1 else _ONE_TAG[node.op]} {joined}"

    @say.register
    def _(self, node: Range) -> str:
        attribute = self._attribute(node)
        (low_op, low_text), (high_op, high_text) = node.lower, node.upper
        low, high = _said(attribute, node.typed(low_text)), _said(attribute, node.typed(high_text))
        start = low if low_op == "ge" else f"over {low}"
        end = "up to but not including" if high_op == "lt" else "up to and including"
        if isinstance(node.typed(low_text), date):
            start = f"from {low}" if low_op == "ge" else f"after {low}"
            return f"{attribute.label} {start} {end} {high}"
        if _speaks_for_itself(attribute):
            return f"{start} {end} {_with_unit(attribute, high)}"
        return f"{attribute.label} {'from ' if low_op == 'ge' else ''}{start} {end} {_with_unit(attribute, high)}"

    @say.register
    def _(self, node: TextPattern) -> str:
        return f"{self._attribute(node).label} {_PATTERNS[node.op]} {_quoted(node.value)}{_exactly(node)}"

    @say.register
    def _(self, node: DateComparison) -> str:
        attribute = self._attribute(node)
        return f"{attribute.label} {_DAYS[node.op]} {_said(attribute, node.typed(node.value))}"

    @say.register
    def _(self, node: RelativeDate) -> str:
        label = self._attribute(node).label
        span = _counted(node.n, node.unit.removesuffix("s"))
        if node.op == "older_than":
            return f"{label} more than {span} ago"
        if node.op == "within_next":
            return f"{label} today or within the next {span}"
        return f"{label} today or within the last {span}"

    @say.register
    def _(self, node: InPeriod) -> str:
        return f"{self._attribute(node).label} in {_period_at(node.period.replace('_', ' '), node.offset)}"

    @say.register
    def _(self, node: Change) -> str:
        attribute = self._attribute(node)
        value = parse_literal(node.value_type, node.value)
        if node.measure == "percent":
            amount = f"{_amount(node.value_type, Decimal(value))}%"  # type: ignore[arg-type]  # a percentage is a number
        else:
            amount = _with_unit(attribute, _said(attribute, value))
        span = _closed(node.periods, node.grain)
        return f"{attribute.label} change over {span} is {_CHANGED[node.compare].format(amount)}"

    @say.register
    def _(self, node: SignalTest) -> str:
        details = ", ".join(
            f"{name.replace('_', ' ')} {_quoted(text)}" for name, text in sorted((node.details or {}).items())
        )
        signals = _counted(node.at_least, f"{node.kind.replace('_', ' ')} signal")
        window = _counted(node.within_days, "day")
        return f"at least {signals}{f' ({details})' if details else ''} within the last {window}"

    @say.register
    def _(self, node: ListTest) -> str:
        return f"on the list {self.lists.get(node.list, _humanised(node.list))}"

    @say.register
    def _(self, node: Truth) -> str:
        return f"{self._attribute(node).label} is {'true' if node.op == 'is_true' else 'false'}"

    @say.register
    def _(self, node: Presence) -> str:
        return f"{self._attribute(node).label} is {'missing' if node.op == 'is_missing' else 'present'}"

    @say.register
    def _(self, node: SegmentTest) -> str:
        names = [self._segment(node, key) for key in node.segments]
        return f"{self._dimension(node)} is {_any_of(names) if node.any_of is not None else _none_of(names)}"

    @say.register
    def _(self, node: Unassigned) -> str:
        return f"{self._dimension(node)} is Unassigned"

    def _attribute(self, node: AttributeLeaf) -> AttributeType:
        # Labels may have been reworded since the rule was read: the caller's are the current ones.
        return self.attributes.get(node.attribute, node.type)

    def _dimension(self, node: DimensionLeaf) -> str:
        known = self.dimensions.get(node.dimension)
        return known.label if known else _humanised(node.dimension)

    def _segment(self, node: DimensionLeaf, key: str) -> str:
        known = self.dimensions.get(node.dimension)
        return known.segments.get(key, _humanised(key)) if known else _humanised(key)


def _each_period(node: Sustained) -> str:
    each = "each of " if node.periods > 1 else ""
    return f"in {each}{_closed(node.periods, node.grain)}{_ABSENT_PERIOD.get(node.missing_period or '', '')}"


def _closed(count: int, grain: str) -> str:
    period = f"closed {grain.replace('_', ' ')}"
    return f"the last {_counted(count, period) if count > 1 else period}"


def _period_at(period: str, offset: int) -> str:
    near = {-1: f"the last {period}", 0: f"the current {period}", 1: f"the next {period}"}
    if offset in near:
        return near[offset]
    return f"the {period} {_counted(abs(offset), period)} {'ahead' if offset > 0 else 'ago'}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _compared(op: str, attribute: AttributeType, value: Scalar) -> str:
    amount = _with_unit(attribute, _said(attribute, value))
    alone = _speaks_for_itself(attribute)
    phrases = {
        "eq": f"exactly {amount}",
        "ne": f"not {amount}",
        "lt": f"under {amount}",
        "gt": f"over {amount}",
        "le": f"up to and including {amount}",
        "ge": f"{amount} or more" if alone else f"of {amount} or more",
    }
    return phrases[op]


def _measured(attribute: AttributeType, phrase: str) -> str:
    return phrase if _speaks_for_itself(attribute) else f"{attribute.label} {phrase}"


def _speaks_for_itself(attribute: AttributeType) -> bool:
    """ "1,000 employees" needs no label in front; "20 users" does, when several attributes count users."""
    unit, label = attribute.unit.casefold(), attribute.label.casefold()
    return bool(unit) and label in {unit, f"number of {unit}", f"{unit.removesuffix('s')} count"}


def _said(attribute: AttributeType, value: Scalar) -> str:
    if isinstance(value, int | Decimal):
        return _amount(attribute, value)
    if isinstance(value, datetime):
        return f"{value:%H:%M} on {_day(value)} ({value:%Z})"
    if isinstance(value, date):
        return _day(value)
    labels = dict(attribute.choices)
    return labels.get(value, value) if labels or attribute.data_type == "choice" else _quoted(value)


def _amount(attribute: AttributeType, value: int | Decimal) -> str:
    whole = value == int(value)
    digits = f"{int(value):,}" if whole else f"{value:,.{max(attribute.scale, 1)}f}"
    if attribute.data_type != "money":
        return digits if whole else digits.rstrip("0")
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    symbol = _SYMBOLS.get(attribute.currency)
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{attribute.currency} {digits}".strip()


def _with_unit(attribute: AttributeType, amount: str) -> str:
    if not attribute.unit:
        return amount
    return f"{amount}%" if attribute.unit in {"%", "percent"} else f"{amount} {attribute.unit}"


def _day(value: date) -> str:
    return f"{value.day} {value:%B} {value.year}"


def _quoted(text: str) -> str:
    return f"“{text}”"


def _exactly(node: Comparison | Membership | TextPattern) -> str:
    return " (exact spelling)" if node.match else ""


def _any_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _none_of(names: Sequence[str]) -> str:
    return f"not {names[0]}" if len(names) == 1 else f"none of {', '.join(names[:-1])} and {names[-1]}"


def _humanised(key: str) -> str:
    return key.replace("_", " ").capitalize()
