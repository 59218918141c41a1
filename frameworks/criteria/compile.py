"""AST to Django expressions, strictly three-valued: true, false, and SQL NULL for unknown.

Leaves become Django lookup expressions on whatever columns the resolver gives. Groups are plain AND, OR and NOT,
which in SQL already have the three values of the language. Q objects are never used: `~Q(field__gt=x)` adds
IS NOT NULL by itself and so turns unknown into true. Nothing from a document becomes a keyword argument or SQL text:
literals are parameters, typed by their attribute.

Nothing here asks the clock. `as_of` is an expression of the caller's, and every bound that depends on it is
computed on its side, so that it is one constant per statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import singledispatchmethod
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from django.db.models import (
    BigIntegerField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    Field,
    TextField,
    Value,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
)

from frameworks.criteria.ast import (
    All,
    Always,
    AnyOf,
    AtLeast,
    Comparison,
    DateComparison,
    Membership,
    Node,
    Not,
    Presence,
    Range,
    RelativeDate,
    SegmentTest,
    TextPattern,
    Truth,
    Unassigned,
    attributes_used,
    dimensions_used,
    leaves,
    thresholds,
)
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.expressions import AllTrue, AnyTrue, AtLeastTrue, Like, Negation, ValueWhere, shifted_day
from frameworks.criteria.expressions import local_day as day_in_zone
from frameworks.criteria.expressions import start_of_day as midnight_in_zone
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import AttributeType, DataType, Scalar

__all__ = ["Resolver", "attributes_used", "compile_node", "dimensions_used", "leaves", "thresholds"]

# Wide enough for every stored number: at most 18 digits before the point and 12 after it.
_NUMERIC_DIGITS: Final = 38

_ORDER: Final[dict[str, type[Lookup[Any]]]] = {
    "lt": LessThan,
    "le": LessThanOrEqual,
    "gt": GreaterThan,
    "ge": GreaterThanOrEqual,
}
_DAY_ORDER: Final = {"before": "lt", "on_or_before": "le", "after": "gt", "on_or_after": "ge"}


class Resolver(Protocol):
    """Where the values of one evaluation are. Every expression is NULL where the value is missing."""

    def value(self, key: str) -> Expression:
        """The attribute, in its type: integer, numeric, date, timestamptz, text or boolean."""
        ...

    def text_key(self, key: str) -> Expression:
        """The matching key (text_keys.matching_key) of a text attribute."""
        ...

    def observed_at(self, key: str) -> Expression:
        """The instant the attribute was observed. Asked for only where a freshness limit is set."""
        ...

    def segment(self, dimension: str) -> Expression:
        """The segment key of another dimension as this evaluation sees it, NULL when Unassigned."""
        ...


def compile_node(node: Node, *, resolver: Resolver, as_of: Expression, zone: ZoneInfo) -> Expression:
    """The verdict on `node` as one boolean expression: true, false, or NULL for unknown.

    `as_of` is a timestamptz expression; days begin and end in `zone`.
    """
    return _Compiler(resolver, as_of, zone).node(node)


class _Compiler:
    def __init__(self, resolver: Resolver, as_of: Expression, zone: ZoneInfo) -> None:
        self.resolver = resolver
        self.zone = zone
        self.today = day_in_zone(as_of, zone)

    def node(self, node: Node) -> Expression:
        verdict: Expression = self.verdict(node)
        missing = getattr(node, "missing", None)
        if missing is None:
            return verdict
        return Coalesce(verdict, Value(missing == "true", output_field=BooleanField()))

    @singledispatchmethod
    def verdict(self, node: Node) -> Expression:
        raise NotImplementedError(f"{type(node).__name__} has no compile method.")

    # --- groups

    @verdict.register
    def _(self, node: All) -> Expression:
        return AllTrue(*self._items(node.items))

    @verdict.register
    def _(self, node: AnyOf) -> Expression:
        return AnyTrue(*self._items(node.items))

    @verdict.register
    def _(self, node: AtLeast) -> Expression:
        return AtLeastTrue(node.k, *self._items(node.items))

    @verdict.register
    def _(self, node: Not) -> Expression:
        return Negation(self.node(node.item))

    @verdict.register
    def _(self, node: Always) -> Expression:
        return Value(value=True, output_field=BooleanField())

    # --- attribute leaves

    @verdict.register
    def _(self, node: Comparison) -> Expression:
        if node.op in _ORDER:
            return _ORDER[node.op](self._value(node.type), self._literal(node, node.value))
        equal = Exact(self._comparable(node, node.match), self._literal(node, node.value, node.match))
        return Negation(equal) if node.op == "ne" else equal

    @verdict.register
    def _(self, node: Membership) -> Expression:
        literals = [self._literal(node, text, node.match) for text in node.values]
        member = In(self._comparable(node, node.match), literals)
        return Negation(member) if node.op == "not_in" else member

    @verdict.register
    def _(self, node: Range) -> Expression:
        sides = (node.lower, node.upper)
        return AllTrue(*(self._ordered(node, op, node.typed(text)) for op, text in sides))

    @verdict.register
    def _(self, node: TextPattern) -> Expression:
        literal = node.value if node.match else _key(node.type, node.value)
        return Like(self._comparable(node, node.match), _pattern(node.op, literal))

    @verdict.register
    def _(self, node: DateComparison) -> Expression:
        return self._ordered(node, _DAY_ORDER[node.op], node.typed(node.value))

    @verdict.register
    def _(self, node: RelativeDate) -> Expression:
        limit = shifted_day(self.today, _signed(node), node.unit)
        if node.op == "older_than":
            return self._day_compared(node.type, "lt", limit)
        first, last = (limit, self.today) if node.op == "within_last" else (self.today, limit)
        return AllTrue(self._day_compared(node.type, "ge", first), self._day_compared(node.type, "le", last))

    @verdict.register
    def _(self, node: Truth) -> Expression:
        value = self._value(node.type)
        return Negation(value) if node.op == "is_false" else AllTrue(value)

    @verdict.register
    def _(self, node: Presence) -> Expression:
        # A text of spaces or "N/A" is missing: its matching key says so.
        value = self._comparable(node, None)
        return IsNull(value, node.op == "is_missing")

    # --- leaves on another dimension

    @verdict.register
    def _(self, node: SegmentTest) -> Expression:
        keys = [Value(key, output_field=TextField()) for key in node.segments]
        member = In(self.resolver.segment(node.dimension), keys)
        return member if node.any_of is not None else Negation(member)

    @verdict.register
    def _(self, node: Unassigned) -> Expression:
        return IsNull(self.resolver.segment(node.dimension), True)

    # --- values and literals

    def _items(self, items: Iterable[Node]) -> list[Expression]:
        return [self.node(item) for item in items]

    def _value(self, attribute: AttributeType) -> Expression:
        return self._fresh(attribute, self.resolver.value(attribute.key))

    def _comparable(self, node: AttributeLeaf, match: str | None) -> Expression:
        if node.type.data_type != "text":
            return self._value(node.type)
        key = self.resolver.text_key(node.attribute)
        if not match:
            return self._fresh(node.type, key)
        # Only the matching key knows that "N/A" is no value; an exact comparison must not call it a text.
        known = IsNull(key, False)
        return ValueWhere(known, self._value(node.type), output_field=TextField())

    def _fresh(self, attribute: AttributeType, value: Expression) -> Expression:
        """NULL when observed before the first day of the freshness limit, or nobody knows when."""
        if attribute.freshness_days is None:
            return value
        first_day = shifted_day(self.today, -attribute.freshness_days, "days")
        observed = self.resolver.observed_at(attribute.key)
        fresh = GreaterThanOrEqual(observed, midnight_in_zone(first_day, self.zone))
        return ValueWhere(fresh, value, output_field=_field_of(attribute))

    def _literal(self, node: AttributeLeaf, text: str, match: str | None = None) -> Expression:
        value = node.typed(text)
        if node.type.data_type == "text" and not match:
            value = _key(node.type, text)
        return Value(value, output_field=_field_of(node.type))

    def _ordered(self, node: AttributeLeaf, op: str, bound: Scalar) -> Expression:
        """The attribute on one side of a bound; a day is compared as a day also where the attribute is an instant."""
        if isinstance(bound, date) and not isinstance(bound, datetime):
            return self._day_compared(node.type, op, Value(bound, output_field=DateField()))
        return _ORDER[op](self._value(node.type), Value(bound, output_field=_field_of(node.type)))

    def _day_compared(self, attribute: AttributeType, op: str, day: Expression) -> Expression:
        value = self._value(attribute)
        if attribute.data_type == "date":
            return _ORDER[op](value, day)
        # An instant lies after a day from the next midnight on, and before it until its own midnight.
        if op in {"le", "gt"}:
            day = shifted_day(day, 1, "days")
        lookup = LessThan if op in {"lt", "le"} else GreaterThanOrEqual
        return lookup(value, midnight_in_zone(day, self.zone))


def _signed(node: RelativeDate) -> int:
    return node.n if node.op == "within_next" else -node.n


def _key(attribute: AttributeType, text: str) -> str:
    key = matching_key(text, missing_tokens=attribute.missing_tokens)
    if key is None:
        raise ValueError(f'"{text}" means "no value" for {attribute.key}: parsing refuses it.')
    return key


def _pattern(op: str, literal: str) -> str:
    escaped = literal.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    before = "" if op == "starts_with" else "%"
    after = "" if op == "ends_with" else "%"
    return f"{before}{escaped}{after}"


def _numeric_field(attribute: AttributeType) -> Field[Any, Any]:
    return DecimalField(max_digits=_NUMERIC_DIGITS, decimal_places=attribute.scale)


_FIELDS: Final[dict[DataType, Callable[[AttributeType], Field[Any, Any]]]] = {
    "integer": lambda attribute: BigIntegerField(),
    "decimal": _numeric_field,
    "money": _numeric_field,
    "date": lambda attribute: DateField(),
    "datetime": lambda attribute: DateTimeField(),
    "boolean": lambda attribute: BooleanField(),
}


def _field_of(attribute: AttributeType) -> Field[Any, Any]:
    make = _FIELDS.get(attribute.data_type)
    return make(attribute) if make else TextField()
