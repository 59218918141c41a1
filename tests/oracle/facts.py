"""What an account is to the oracle: values, what lies beside them, what was decided before; and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Verdict = bool | None
Body = Mapping[str, Any]
Bodies = Mapping[tuple[str, str], Body]
Series = Mapping[str, Mapping[str, Mapping[date, Decimal]]]
"""Metric → grain → last day of a period → the value observed for it."""


@dataclass(frozen=True)
class Override:
    """An account counts as `segment` in `dimension` from `start` until just before `end`."""

    dimension: str
    segment: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Signal:
    """Something that happened on a day; `details` as they were sent."""

    kind: str
    day: date
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """One account. `values` and `observed` by attribute key; values as stored: typed, or as JSON keeps them.

    `currency` is that of all its money. `parent` is the topmost account above it.
    """

    values: Mapping[str, Any]
    observed: Mapping[str, datetime] = field(default_factory=dict)
    is_excluded: bool = False
    overrides: Sequence[Override] = ()
    currency: str = "USD"
    series: Series = field(default_factory=dict)
    signals: Sequence[Signal] = ()
    lists: frozenset[str] = frozenset()
    parent: Facts | None = None


@dataclass(frozen=True)
class State:
    """What is stored of one dimension of one account, as far as the next evaluation asks it.

    `counted` is the segment that counts, overrides aside. `decided_with` is the number of the account's facts when
    the computed segment last changed, `version` the framework's version then or since, `released` where a person let
    a held account go, `is_held` where it waits for one.
    """

    computed: str | None
    counted: str | None
    reason: str
    since: datetime
    decided_with: int
    version: int
    released: str | None = None
    is_held: bool = False


@dataclass
class Outcome:
    """One dimension of one account. `trace` has the verdict of every node by candidate and node id.

    `is_held` where the account waits for a person to let it go to `segment`.
    """

    segment: str | None
    effective: str | None
    until: datetime | None
    reason: str
    rule: str = ""
    missing: list[str] = field(default_factory=list)
    losers: list[str] = field(default_factory=list)
    trace: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    is_held: bool = False
