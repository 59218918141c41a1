"""Which values of an attribute a rule can tell apart: thresholds, their neighbours, midpoints, extremes, missing.

Pure. The values are tried one by one; those that no condition tells apart become one class.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from frameworks.checks.isolation import Alias
from frameworks.criteria.ast import Membership, RelativeDate, TextPattern, thresholds
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.types import AttributeType

Value = int | Decimal | date | datetime | str | bool | tuple[str, ...] | None
Limits = Mapping[str, tuple[Decimal | None, Decimal | None]]
_FAR = timedelta(days=3650)
_MOST_CHOICES = 60
OTHER = "something else"


@dataclass(frozen=True)
class Input:
    """One input of a dimension: its values in order, missing (None) last where it can be missing.

    `anchors` are the days that relative conditions count from or to, in words.
    """

    key: str
    label: str
    attribute: AttributeType
    values: tuple[Value, ...]
    alias: Alias | None = None
    anchors: Mapping[date, str] = field(default_factory=dict)

    @property
    def is_ordered(self) -> bool:
        return self.attribute.data_type in ("integer", "decimal", "money", "date", "datetime")

    @property
    def step(self) -> Decimal:
        """The attribute's precision."""
        return Decimal(1).scaleb(-self.attribute.scale if self.attribute.data_type != "integer" else 0)


@dataclass(frozen=True)
class Moment:
    """When the test is: the day of `as_of` in the framework's zone."""

    today: date
    zone: ZoneInfo


def input_of(
    attribute: AttributeType,
    leaves: Sequence[AttributeLeaf],
    *,
    moment: Moment,
    limits: Limits,
    alias: Alias | None = None,
) -> Input:
    """The input that these conditions read. `limits` are what the store can hold at all, by attribute."""
    label = alias.label if alias else attribute.label
    if alias and alias.kind == "segment":
        return Input(attribute.key, label, attribute, (*(short for short, _ in alias.choices), None), alias)
    if alias:
        last: tuple[Value, ...] = (None,) if alias.may_be_unknown else ()
        return Input(attribute.key, label, attribute, (True, False, *last), alias)
    values, anchors = _values(attribute, leaves, moment, limits)
    return Input(attribute.key, label, attribute, (*values, None), None, anchors)


def _values(
    attribute: AttributeType, leaves: Sequence[AttributeLeaf], moment: Moment, limits: Limits
) -> tuple[list[Value], dict[date, str]]:
    kind = attribute.data_type
    if kind in ("integer", "decimal", "money"):
        return list(_numbers(attribute, leaves, limits)), {}
    if kind in ("date", "datetime"):
        anchors = _anchors(leaves, moment)
        days = _days(anchors, moment)
        return (list(days) if kind == "date" else list(_instants(days, leaves, moment))), anchors
    if kind == "boolean":
        return [True, False], {}
    if kind == "choice":
        return list(_choices(attribute, leaves)), {}
    return (list(_texts(leaves)) if kind == "text" else list(_tags(leaves))), {}


def _literals(leaves: Iterable[AttributeLeaf]) -> list[Any]:
    return list(dict.fromkeys(found.value for leaf in leaves for found in thresholds(leaf)))  # type: ignore[arg-type]


def _numbers(attribute: AttributeType, leaves: Sequence[AttributeLeaf], limits: Limits) -> list[Value]:
    cuts = sorted({Decimal(value) for value in _literals(leaves)})
    step = Decimal(1).scaleb(-attribute.scale if attribute.data_type != "integer" else 0)
    if not cuts:
        cuts = [Decimal(1)]
    found = {cut + distance for cut in cuts for distance in (-step, 0, step)}
    found |= {((low + high) / 2).quantize(step) for low, high in pairwise(cuts)}
    found |= {Decimal(0)} if cuts[0] > 0 else {cuts[0] * 2 - 1}
    found.add(max(cuts[-1] * 2, cuts[-1] + 100 * step))
    low, high = limits.get(attribute.key, (None, None))
    if attribute.minimum is not None:
        low = attribute.minimum if low is None else max(low, attribute.minimum)
    found |= {bound for bound in (low, high) if bound is not None}
    kept = sorted(value for value in found if (low is None or value >= low) and (high is None or value <= high))
    return [int(value) if attribute.data_type == "integer" else value for value in kept]


# --- days


def shifted(day: date, n: int, unit: str) -> date:
    """`day` moved by n days, weeks, months or quarters; a month that is too short ends on its last day."""
    if unit in ("days", "weeks"):
        return day + timedelta(days=n * (7 if unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 + n * (3 if unit == "quarters" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _anchors(leaves: Sequence[AttributeLeaf], moment: Moment) -> dict[date, str]:
    found: dict[date, str] = {}
    for leaf in leaves:
        if isinstance(leaf, RelativeDate):
            is_ahead = leaf.op == "within_next"
            unit = leaf.unit if leaf.n > 1 else leaf.unit.removesuffix("s")
            day = shifted(moment.today, leaf.n if is_ahead else -leaf.n, leaf.unit)
            found.setdefault(day, f"in {leaf.n:,} {unit}" if is_ahead else f"{leaf.n:,} {unit} ago")
            found.setdefault(moment.today, "today")
    for value in _literals(leaves):
        day = value.astimezone(moment.zone).date() if isinstance(value, datetime) else value
        if isinstance(day, date):
            found.setdefault(day, "")
    return found or {moment.today: "today"}


def _days(anchors: Mapping[date, str], moment: Moment) -> list[date]:
    one = timedelta(days=1)
    cuts = sorted(anchors)
    found = {cut + distance for cut in cuts for distance in (-one, timedelta(0), one)}
    found |= {low + (high - low) // 2 for low, high in pairwise(cuts)}
    return sorted({*found, cuts[0] - _FAR, cuts[-1] + _FAR})


def _instants(days: Iterable[date], leaves: Sequence[AttributeLeaf], moment: Moment) -> list[datetime]:
    found = {datetime.combine(day, time(0), moment.zone).astimezone(UTC) for day in days}
    found |= {instant - timedelta(microseconds=1) for instant in found}
    for value in _literals(leaves):
        if isinstance(value, datetime):
            near = value.astimezone(UTC)
            found |= {near - timedelta(microseconds=1), near, near + timedelta(microseconds=1)}
    return sorted(found)


# --- words


def _choices(attribute: AttributeType, leaves: Sequence[AttributeLeaf]) -> list[str]:
    """The named choices, and of the others as many as anybody wants to try."""
    named = [value for value in _literals(leaves) if isinstance(value, str)]
    others = [choice for choice, _ in attribute.choices if choice not in named]
    return [*named, *others[: max(1, _MOST_CHOICES - len(named))]]


def _texts(leaves: Sequence[AttributeLeaf]) -> list[str]:
    """Every text a rule names; for parts of texts also with something before and after; and another one."""
    named = list(dict.fromkeys(value for value in _literals(leaves) if isinstance(value, str)))
    patterns = list(dict.fromkeys(leaf.value for leaf in leaves if isinstance(leaf, TextPattern)))
    found = [*named]
    for pattern in patterns:
        found += [f"{pattern} x", f"x {pattern}", f"x {pattern} x"]
    found += [f"{one} {other}" for one in patterns for other in patterns if one != other][:400]
    if any(getattr(leaf, "match", None) for leaf in leaves):
        found += [value.swapcase() for value in named]
    other = OTHER
    while other.casefold() in {value.casefold() for value in found}:
        other = f"{other} again"
    return list(dict.fromkeys([*found, other]))


def _tags(leaves: Sequence[AttributeLeaf]) -> list[Value]:
    """Each named tag alone, each list a rule asks for, one without each, all, none, and others only."""
    lists = [tuple(leaf.values) for leaf in leaves if isinstance(leaf, Membership) or hasattr(leaf, "values")]
    every = tuple(dict.fromkeys(tag for given in lists for tag in given))
    found: list[Value] = [(tag,) for tag in every]
    found += [tuple(dict.fromkeys(given)) for given in lists]
    found += [tuple(other for other in every if other != tag) for tag in every]
    found += [tuple(tag for tag in every if tag not in given) for given in lists]
    return list(dict.fromkeys([*found, every, (OTHER,), ()]))
