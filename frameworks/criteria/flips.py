"""When time alone may change a verdict, so that an account moves at midnight without anyone touching it.

A flip is a timestamptz expression: the first such instant after `as_of`, or NULL. A verdict may stay the same at a
flip; it never changes by time between two of them. Leaves that look at fiscal periods give none: uses.reads_periods
says which boundaries concern a rule, and the run at those evaluates it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import singledispatchmethod
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, Expression, Func, IntegerField, Value
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThan, LessThan

from frameworks.criteria.ast import Comparison, Membership, Node, Range, RelativeDate, SignalTest, Sustained
from frameworks.criteria.base import AttributeLeaf, BaseNode
from frameworks.criteria.compile import detail_keys
from frameworks.criteria.expressions import (
    MONTHS_PER,
    AllTrue,
    Infix,
    ValueWhere,
    local_day,
    shifted_day,
    start_of_day,
)
from frameworks.criteria.resolver import Resolver
from frameworks.criteria.types import AttributeType
from frameworks.criteria.uses import inputs_of, is_on_history
from frameworks.criteria.values import Values

# Python's dates end here; a flip beyond it is nobody's business.
HORIZON: Final = date(9000, 1, 1)
_OLDEST: Final = 4_000_000  # days; an age that no date can have or reach


def next_flips(node: Node, *, resolver: Resolver, as_of: Expression, zone: ZoneInfo) -> list[Expression]:
    """The next instant of every way in which time alone may change the verdict on `node`.

    Each is a timestamptz after `as_of`, or NULL; the earliest of them is the node's. Empty for most rules.
    """
    days = flip_days(node, resolver=resolver, as_of=as_of, zone=zone)
    return [_instant(day, as_of, zone) for day in days]


def flip_days(node: Node, *, resolver: Resolver, as_of: Expression, zone: ZoneInfo) -> list[Expression]:
    """The days, in `zone`, at whose beginning time alone may change the verdict on `node`.

    Each is a date, NULL, or long past, or further ahead than HORIZON: what counts are those between today and it.
    For many accounts it is cheaper to find the first of these days, and only then the instant at which it begins.
    """
    return list(_Flips(Values(resolver, local_day(as_of, zone), zone)).under(node))


def _instant(day: Expression, as_of: Expression, zone: ZoneInfo) -> Expression:
    instant = start_of_day(day, zone)
    ahead = AllTrue(GreaterThan(instant, as_of), LessThan(day, Value(HORIZON, output_field=DateField())))
    return ValueWhere(ahead, instant, output_field=DateTimeField())


class _Flips:
    def __init__(self, values: Values) -> None:
        self.values = values

    def under(self, node: Node) -> Iterator[Expression]:
        if isinstance(node, Sustained) or is_on_history(node):
            return
        yield from self.days(node)
        if isinstance(node, AttributeLeaf):
            yield from self._freshness(node)
        for child in node.children:
            yield from self.under(child)

    @singledispatchmethod
    def days(self, node: BaseNode) -> Iterable[Expression]:
        """The days at whose beginning the verdict on the node itself may change; also days long past."""
        return ()

    @days.register
    def _(self, node: RelativeDate) -> Iterable[Expression]:
        day = self.values.day(node.type, node.holder)
        after = shifted_day(day, 1, "days")
        if node.op == "within_next":
            return [_first_reaching(day, node.n, node.unit), after]
        last = _first_reaching(after, -node.n, node.unit)
        return [last] if node.op == "older_than" else [day, last]

    @days.register
    def _(self, node: SignalTest) -> Iterable[Expression]:
        return [self.values.resolver.next_signal_end(node.kind, detail_keys(node), node.within_days)]

    @days.register(Comparison)
    @days.register(Membership)
    @days.register(Range)
    def _(self, node: Comparison | Membership | Range) -> Iterable[Expression]:
        derived = node.type.derived
        if derived is None or derived.kind != "age_days":
            return ()
        day = self.values.day(derived.inputs[0], node.holder)
        ages = {age + turn for age in _ages(node) for turn in (0, 1)}
        return [shifted_day(day, age, "days") for age in sorted(ages) if abs(age) < _OLDEST]

    def _freshness(self, node: AttributeLeaf) -> Iterator[Expression]:
        """The first day on which a value is older than its limit."""
        for attribute in inputs_of(node.type):
            if attribute.freshness_days is not None:
                yield self._stale_from(attribute, node, attribute.freshness_days)

    def _stale_from(self, attribute: AttributeType, node: AttributeLeaf, limit: int) -> Expression:
        observed = self.values.resolver.observed_at(attribute.key, node.holder)
        return shifted_day(local_day(observed, self.values.zone), limit + 1, "days")


def _ages(node: Comparison | Membership | Range) -> Iterator[int]:
    for name in node.literal_fields:
        written = getattr(node, name)
        texts = written if isinstance(written, tuple) else (written,)
        yield from (int(str(node.typed(text))) for text in texts if text is not None)


def _first_reaching(day: Expression, count: int, unit: str) -> Expression:
    """The first day from which `count` units later (before, below 0) is `day` or after it."""
    first = shifted_day(day, -count, unit)
    if unit not in MONTHS_PER:
        return first
    # 31 March, a month before, is 28 February; yet a month after that is 28 March: 1 March is the first to reach it.
    was_cut = Func(_day_of_month(first), _day_of_month(day), arg_joiner=" <> ", template="(%(expressions)s)::int")
    return Cast(Infix("+", first, was_cut, output_field=DateField()), DateField())


def _day_of_month(day: Expression) -> Expression:
    return Func(day, template="extract(day FROM %(expressions)s)", output_field=IntegerField())
