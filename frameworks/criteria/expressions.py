"""The few SQL expressions Django lacks: groups that keep three values, and days of a time zone."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    Func,
    IntegerField,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Least

from frameworks.criteria.periods import MONTHS_OF
from frameworks.criteria.types import Grain

MONTHS_PER: Final = {"months": 1, "quarters": 3}
DAYS_PER: Final = {"days": 1, "weeks": 7}


class AllTrue(Func):
    """AND: false if any is false, else NULL if any is NULL."""

    template = "(%(expressions)s)"
    arg_joiner = " AND "
    output_field = BooleanField()


class AnyTrue(Func):
    """OR: true if any is true, else NULL if any is NULL."""

    template = "(%(expressions)s)"
    arg_joiner = " OR "
    output_field = BooleanField()


class Negation(Func):
    """NOT: NULL stays NULL."""

    template = "(NOT (%(expressions)s))"
    output_field = BooleanField()


class _Tally(Func):
    """One item of an AtLeastTrue as a number: 0 false, 1 true, `unknown` NULL."""

    template = "COALESCE((%(expressions)s)::int, %(unknown)s)"
    output_field = IntegerField()


class AtLeastTrue(Func):
    """True once k are true, false once k can no longer be reached, else NULL.

    Counting trues and NULLs needs each item twice, and nested groups would double again at every level. So each
    item is written once, into one sum: trues + (n + 1) x NULLs, which looks the verdict up in a constant array
    (1 true, 0 false, 2 unknown).
    """

    template = "(NULLIF((%(verdicts)s)[1 + %(expressions)s], 2) = 1)"
    arg_joiner = " + "
    output_field = BooleanField()

    def __init__(self, k: int, *items: Expression, **extra: Any) -> None:
        size = len(items)
        verdicts = (_verdict(k, trues, unknowns) for unknowns in range(size + 1) for trues in range(size + 1))
        array = f"'{{{','.join(verdicts)}}}'::int2[]"
        super().__init__(*(_Tally(item, unknown=size + 1) for item in items), verdicts=array, **extra)


def _verdict(k: int, trues: int, unknowns: int) -> str:
    if trues >= k:
        return "1"
    return "2" if trues + unknowns >= k else "0"


class Like(Func):
    """A text matches a LIKE pattern whose own wildcards the caller has escaped."""

    template = "(%(expressions)s)"
    arg_joiner = " LIKE "
    output_field = BooleanField()

    def __init__(self, text: Expression, pattern: str, **extra: Any) -> None:
        super().__init__(text, Value(pattern, output_field=TextField()), **extra)


class ValueWhere(Func):
    """A value where a condition is true, else NULL."""

    template = "(CASE WHEN %(expressions)s END)"
    arg_joiner = " THEN "

    def __init__(self, condition: Expression, value: Expression, **extra: Any) -> None:
        super().__init__(condition, value, **extra)


class Otherwise(Func):
    """The verdict where a condition (never NULL) is true, else true: for items of an AND that may not count."""

    template = "(CASE WHEN %(expressions)s ELSE TRUE END)"
    arg_joiner = " THEN "
    output_field = BooleanField()

    def __init__(self, condition: Expression, verdict: Expression, **extra: Any) -> None:
        super().__init__(condition, verdict, **extra)


class Overlap(Func):
    """Two arrays have an element in common."""

    template = "(%(expressions)s)"
    arg_joiner = " && "
    output_field = BooleanField()


class Contained(Func):
    """Every element of the first array is in the second."""

    template = "(%(expressions)s)"
    arg_joiner = " <@ "
    output_field = BooleanField()


class Infix(Func):
    """Two numbers, or two days, joined by an operator of ours; NULL if either is."""

    template = "(%(expressions)s)"
    output_field = DecimalField(max_digits=38, decimal_places=12)

    def __init__(self, operator: str, first: Expression, second: Expression, **extra: Any) -> None:
        super().__init__(first, second, arg_joiner=f" {operator} ", **extra)


class Ratio(Func):
    """first / second with further digits cut off; NULL where the second is 0.

    Never rounded up to a threshold: PostgreSQL's own division rounds, and at a place that depends on the operands.
    """

    output_field = DecimalField(max_digits=38, decimal_places=12)

    def __init__(self, first: Expression, second: Expression, *, decimals: int, **extra: Any) -> None:
        super().__init__(
            first,
            second,
            template=f"(div((%(expressions)s), 0)) * 1e-{decimals})",
            arg_joiner=f")::numeric * 1e{decimals}, NULLIF((",
            **extra,
        )


class _Sum(Func):
    template = "(%(expressions)s)"
    arg_joiner = " + "
    output_field = DateField()


class _Months(Func):
    """PostgreSQL's own month arithmetic: 31 January plus one month is the last day of February."""

    template = "make_interval(months => %(expressions)s)"
    output_field = IntegerField()


def local_day(instant: Expression, zone: ZoneInfo) -> Expression:
    """The calendar day of an instant in a time zone."""
    return Cast(_at_time_zone(instant, zone), DateField())


def start_of_day(day: Expression, zone: ZoneInfo) -> Expression:
    """The instant a calendar day begins in a time zone, also on days of 23 and 25 hours.

    Where clocks go back from 1:00 to 0:00 midnight comes twice and PostgreSQL takes the second; the microsecond
    before it came once, and leads to the first. Where the evening before was skipped, midnight itself is right.
    """
    midnight = _instant_at(_Timestamp(day), zone)
    before = _instant_at(_Timestamp(day, template="((%(expressions)s)::timestamp - interval '1 microsecond')"), zone)
    after_it = Func(before, template="(%(expressions)s + interval '1 microsecond')", output_field=DateTimeField())
    return Least(midnight, after_it, output_field=DateTimeField())


def shifted_day(day: Expression, count: int, unit: str) -> Expression:
    """A calendar day `count` days, weeks, months or quarters later; earlier when negative."""
    if unit in DAYS_PER:
        return _Sum(day, Value(count * DAYS_PER[unit], output_field=IntegerField()))
    months = _Months(Value(count * MONTHS_PER[unit], output_field=IntegerField()))
    return Cast(_Sum(day, months), DateField())


def fiscal_period_start(day: Expression, grain: Grain, start_month: int, offset: int) -> Expression:
    """The first day of the fiscal period `offset` periods after the one `day` lies in."""
    months = MONTHS_OF[grain]
    before = Func(day, template="(extract(day FROM %(expressions)s)::int - 1)", output_field=IntegerField())
    into_period = Func(
        day,
        template=f"mod(extract(month FROM %(expressions)s)::int + {12 - start_month}, {months})",
        output_field=IntegerField(),
    )
    moved = Infix("-", Value(offset * months, output_field=IntegerField()), into_period, output_field=IntegerField())
    return Cast(_Sum(Infix("-", day, before, output_field=DateField()), _Months(moved)), DateField())


class _Timestamp(Func):
    """A day as a timestamp without time zone: DateTimeField would cast to one with."""

    template = "(%(expressions)s)::timestamp"
    output_field = DateTimeField()


def _instant_at(clock: Expression, zone: ZoneInfo) -> Expression:
    name = Value(zone.key, output_field=TextField())
    return Func(name, clock, function="timezone", output_field=DateTimeField())


def _at_time_zone(instant: Expression, zone: ZoneInfo) -> Expression:
    name = Value(zone.key, output_field=TextField())
    return Func(name, instant, function="timezone", output_field=DateTimeField())
