"""AST to Django expressions, strictly three-valued: true, false, and SQL NULL for unknown.

Leaves become Django lookup expressions on whatever columns the resolver gives. Groups are plain AND, OR and NOT,
which in SQL already have the three values of the language. Q objects are never used: `~Q(field__gt=x)` adds
IS NOT NULL by itself and so turns unknown into true. Nothing from a document becomes a keyword argument or SQL text:
literals are parameters, typed by their attribute.

Nothing here asks the clock. `as_of` is an expression of the caller's, and every bound that depends on it is
computed on its side, so that it is one constant per statement.

What an attribute's value is (stored, derived, too old) is said in values.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import singledispatchmethod
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    DateField,
    Expression,
    IntegerField,
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
    Change,
    Comparison,
    DateComparison,
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
    attributes_used,
    dimensions_used,
    leaves,
    thresholds,
)
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.expressions import (
    AllTrue,
    AnyTrue,
    AtLeastTrue,
    Contained,
    Infix,
    Like,
    Negation,
    Otherwise,
    Overlap,
    ValueWhere,
    fiscal_period_start,
    shifted_day,
)
from frameworks.criteria.expressions import local_day as day_in_zone
from frameworks.criteria.expressions import start_of_day as midnight_in_zone
from frameworks.criteria.resolver import Resolver
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import AttributeType, Grain, Scalar, parse_literal
from frameworks.criteria.uses import metrics_used
from frameworks.criteria.values import NUMBER, Values, amount_of, field_of, no_value

__all__ = [
    "Compiler",
    "Resolver",
    "attributes_used",
    "compile_node",
    "dimensions_used",
    "leaves",
    "thresholds",
]

_ORDER: Final[dict[str, type[Lookup[Any]]]] = {
    "lt": LessThan,
    "le": LessThanOrEqual,
    "gt": GreaterThan,
    "ge": GreaterThanOrEqual,
}
_DAY_ORDER: Final = {"before": "lt", "on_or_before": "le", "after": "gt", "on_or_after": "ge"}


def compile_node(
    node: Node,
    *,
    resolver: Resolver,
    as_of: Expression,
    zone: ZoneInfo,
    start_month: int,
) -> Expression:
    """The verdict on `node` as one boolean expression: true, false, or NULL for unknown.

    `as_of` is a timestamptz expression; days begin and end in `zone`; the fiscal year begins in `start_month`.
    """
    return Compiler.of(resolver=resolver, as_of=as_of, zone=zone, start_month=start_month).node(node)


def _as_it_is(verdict: Expression) -> Expression:
    return verdict


class Compiler:
    """Verdicts on nodes as boolean expressions: true, false, or NULL for unknown. Each node is compiled once.

    `kept` is given the verdict of every node and returns what stands for it in the verdicts around it: whoever asks
    for a tree node by node gives one that writes it down, or each level would be written again within the one above.
    """

    def __init__(self, values: Values, start_month: int, kept: Callable[[Expression], Expression] = _as_it_is) -> None:
        self.values = values
        self.resolver = values.resolver
        self.zone = values.zone
        self.today = values.today
        self.start_month = start_month
        self.kept = kept
        # By identity, with the node, so that no other takes its number.
        self._verdicts: dict[int, tuple[Node, Expression]] = {}
        self._at_periods: dict[tuple[Grain, int], Compiler] = {}

    @classmethod
    def of(
        cls,
        *,
        resolver: Resolver,
        as_of: Expression,
        zone: ZoneInfo,
        start_month: int,
        kept: Callable[[Expression], Expression] = _as_it_is,
    ) -> Compiler:
        """Arguments as `compile_node` takes them."""
        return cls(Values(resolver, day_in_zone(as_of, zone), zone), start_month, kept)

    def node(self, node: Node) -> Expression:
        """The verdict on one node."""
        if id(node) not in self._verdicts:
            self._verdicts[id(node)] = node, self.kept(self._decided(node))
        return self._verdicts[id(node)][1]

    def walk(self, node: Node) -> Iterator[Expression]:
        """The verdict on every node, in the order of `walk`, for explanations.

        A node inside `sustained` is judged at the newest closed period: its verdict is one of several that count.
        """
        yield self.node(node)
        inside = self.at_period(node.grain, 1) if isinstance(node, Sustained) else self
        for child in node.children:
            yield from inside.walk(child)

    def at_period(self, grain: Grain, back: int) -> Compiler:
        """The same compiler with every value as it was at the end of a closed period, 1 being the newest."""
        if (grain, back) not in self._at_periods:
            self._at_periods[grain, back] = self._in_history(lambda key: self.resolver.period_value(key, grain, back))
        return self._at_periods[grain, back]

    def without_period(self) -> Compiler:
        """The same compiler for a period nothing is known of."""
        return self._in_history(lambda key: no_value())

    def _in_history(self, history: Callable[[str], Expression]) -> Compiler:
        return Compiler(Values(self.resolver, self.today, self.zone, history), self.start_month, self.kept)

    def _decided(self, node: Node) -> Expression:
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
            return _ORDER[node.op](self._value(node), self._literal(node, node.value))
        equal = Exact(self._comparable(node, node.match), self._literal(node, node.value, node.match))
        return Negation(equal) if node.op == "ne" else equal

    @verdict.register
    def _(self, node: Membership) -> Expression:
        literals = [self._literal(node, text, node.match) for text in node.values]
        member = In(self._comparable(node, node.match), literals)
        return Negation(member) if node.op == "not_in" else member

    @verdict.register
    def _(self, node: TagTest) -> Expression:
        tags = self.values.tags(node.type, node.holder)
        keys = Value([_key(node.type, text) for text in node.values], output_field=ArrayField(TextField()))
        if node.op == "has_all":
            return Contained(keys, tags)
        overlap = Overlap(tags, keys)
        return Negation(overlap) if node.op == "has_none" else overlap

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
            return self._day_compared(node, "lt", limit)
        first, last = (limit, self.today) if node.op == "within_last" else (self.today, limit)
        return AllTrue(self._day_compared(node, "ge", first), self._day_compared(node, "le", last))

    @verdict.register
    def _(self, node: InPeriod) -> Expression:
        first, after = (
            fiscal_period_start(self.today, node.period, self.start_month, offset)
            for offset in (node.offset, node.offset + 1)
        )
        return AllTrue(self._day_compared(node, "ge", first), self._day_compared(node, "lt", after))

    @verdict.register
    def _(self, node: Truth) -> Expression:
        value = self._value(node)
        return Negation(value) if node.op == "is_false" else AllTrue(value)

    @verdict.register
    def _(self, node: Presence) -> Expression:
        # A text of spaces or "N/A" is missing: its matching key says so.
        is_tags = node.type.data_type == "tags"
        value = self.values.tags(node.type, node.holder) if is_tags else self._comparable(node, None)
        return IsNull(value, node.op == "is_missing")

    # --- closed periods

    @verdict.register
    def _(self, node: Sustained) -> Expression:
        if node.missing_period == "skip":
            return self._sustained_but_one(node)
        verdicts = [self.at_period(node.grain, back).node(node.item) for back in range(1, node.periods + 1)]
        if node.missing_period == "breaks":
            verdicts += [Negation(self._is_hole(node, back)) for back in range(1, node.periods + 1)]
        return AllTrue(*verdicts)

    def _sustained_but_one(self, node: Sustained) -> Expression:
        """Absent periods are all alike: the first gives its place to the next older one, a second is unknown.

        So it need not be asked whether one is a hole: before the history begins, the next older one is absent too.
        Counting them keeps the expression as long as the number of periods, not its square.
        """
        window = range(1, node.periods + 1)
        present = [self._has_any(node, back) for back in window]
        verdicts: list[Expression] = [
            Otherwise(has_any, self.at_period(node.grain, back).node(node.item))
            for has_any, back in zip(present, window, strict=True)
        ]
        older = self.at_period(node.grain, node.periods + 1).node(node.item)
        verdicts.append(Otherwise(Negation(AllTrue(*present)), older))
        if node.periods > 1:
            two_absent = AtLeastTrue(2, *(Negation(has_any) for has_any in present))
            verdicts.append(Otherwise(two_absent, self.without_period().node(node.item)))
        return AllTrue(*verdicts)

    def _is_hole(self, node: Sustained, back: int) -> Expression:
        """Absent, with something of the item observed before: not where the history has yet to begin."""
        older = (self.resolver.has_older_period(metric, node.grain, back) for metric in _metrics(node))
        return AllTrue(Negation(self._has_any(node, back)), AnyTrue(*older))

    def _has_any(self, node: Sustained, back: int) -> Expression:
        return AnyTrue(*(self.resolver.has_period(metric, node.grain, back) for metric in _metrics(node)))

    @verdict.register
    def _(self, node: Change) -> Expression:
        new = self.at_period(node.grain, 1)._value(node)
        old = self.at_period(node.grain, 1 + node.periods)._value(node)
        limit = Value(parse_literal(node.value_type, node.value), output_field=NUMBER)
        moved: Expression = Infix("-", new, old)
        if node.measure == "percent":
            # Both sides times |old|: a division would round.
            moved = Infix("*", moved, Value(100, output_field=IntegerField()))
            return _ORDER[node.compare](moved, Infix("*", limit, amount_of(old)))
        return _ORDER[node.compare](moved, limit)

    # --- signals and lists

    @verdict.register
    def _(self, node: SignalTest) -> Expression:
        count = self.resolver.signal_count(node.kind, detail_keys(node), node.within_days)
        return GreaterThanOrEqual(count, Value(node.at_least, output_field=IntegerField()))

    @verdict.register
    def _(self, node: ListTest) -> Expression:
        return AllTrue(self.resolver.on_list(node.list, node.holder))

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

    def _value(self, node: AttributeLeaf) -> Expression:
        return self.values.value(node.type, node.holder)

    def _comparable(self, node: AttributeLeaf, match: str | None) -> Expression:
        if node.type.data_type != "text":
            return self._value(node)
        key = self.resolver.text_key(node.attribute, node.holder)
        if not match:
            return self.values.fresh(node.type, node.holder, key)
        # Only the matching key knows that "N/A" is no value; an exact comparison must not call it a text.
        known = IsNull(key, False)
        return ValueWhere(known, self._value(node), output_field=TextField())

    def _literal(self, node: AttributeLeaf, text: str, match: str | None = None) -> Expression:
        value = node.typed(text)
        if node.type.data_type == "text" and not match:
            value = _key(node.type, text)
        return Value(value, output_field=field_of(node.type))

    def _ordered(self, node: AttributeLeaf, op: str, bound: Scalar) -> Expression:
        """The attribute on one side of a bound; a day is compared as a day also where the attribute is an instant."""
        if isinstance(bound, date) and not isinstance(bound, datetime):
            return self._day_compared(node, op, Value(bound, output_field=DateField()))
        return _ORDER[op](self._value(node), Value(bound, output_field=field_of(node.type)))

    def _day_compared(self, node: AttributeLeaf, op: str, day: Expression) -> Expression:
        value = self._value(node)
        if node.type.data_type == "date":
            return _ORDER[op](value, day)
        # An instant lies after a day from the next midnight on, and before it until its own midnight.
        if op in {"le", "gt"}:
            day = shifted_day(day, 1, "days")
        lookup = LessThan if op in {"lt", "le"} else GreaterThanOrEqual
        return lookup(value, midnight_in_zone(day, self.zone))


def detail_keys(node: SignalTest) -> dict[str, str]:
    """The details a signal must have, each value by its matching key."""
    return {name: matching_key(text) or "" for name, text in sorted((node.details or {}).items())}


def _metrics(node: Sustained) -> list[str]:
    return sorted(metric for metric, _ in metrics_used(node))


def _signed(node: RelativeDate) -> int:
    return node.n if node.op == "within_next" else -node.n


def _key(attribute: AttributeType, text: str) -> str:
    # A declared choice is a value, also where it reads like a missing token.
    key = matching_key(text, missing_tokens=() if attribute.choices else attribute.missing_tokens)
    if key is None:
        raise ValueError(f'"{text}" means "no value" for {attribute.key}: parsing refuses it.')
    return key


def _pattern(op: str, literal: str) -> str:
    escaped = literal.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    before = "" if op == "starts_with" else "%"
    after = "" if op == "ends_with" else "%"
    return f"{before}{escaped}{after}"
