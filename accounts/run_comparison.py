"""An activation beside what people saw before it: the figures they signed, and those of the run, segment by segment."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from accounts.impact import NAMED
from accounts.models import AssignmentRun
from frameworks.models import Dimension, Segment, Signoff, VersionImpact
from frameworks.standing import impact_tolerance

MOVERS_SHOWN = 30
_NOTHING: Mapping[str, Any] = {"accounts": 0, "arr": "0"}


@dataclass(frozen=True)
class Line:
    """One segment (None: Unassigned) as it was previewed and as the run found it."""

    segment: Segment | None
    accounts: tuple[int, int]
    arr: tuple[Decimal, Decimal]
    tolerance: Decimal

    @property
    def more_accounts(self) -> int:
        return self.accounts[1] - self.accounts[0]

    @property
    def more_arr(self) -> Decimal:
        return self.arr[1] - self.arr[0]

    @property
    def is_equal(self) -> bool:
        return not self.more_accounts and not self.more_arr

    @property
    def is_within(self) -> bool:
        pairs = ((Decimal(was), Decimal(now)) for was, now in (self.accounts, self.arr))
        return all(abs(now - was) <= self.tolerance * was for was, now in pairs)


@dataclass(frozen=True)
class Mover:
    """An account that moves otherwise than previewed; `previewed` and `actual` say where to, "" stays."""

    uuid: str
    name: str
    dimension: str
    arr: Decimal | None
    previewed: str
    actual: str


class RunComparison:
    """The impact that was signed (else the one recorded before) beside the one that the run's own pass 1 recorded."""

    def __init__(self, run: AssignmentRun, dimensions: Mapping[str, Dimension]) -> None:
        self.run = run
        self.dimensions = {dimension.key: dimension for dimension in dimensions.values()}
        self.tolerance = impact_tolerance(run.framework_version)

    @cached_property
    def actual(self) -> VersionImpact | None:
        """None until pass 1 of the run is complete."""
        return self._impacts.filter(as_of=self.run.as_of).last()

    @cached_property
    def previewed(self) -> VersionImpact | None:
        """What the newest Yes to an impact was given on; without one, the last that people could see."""
        if self.actual is None:
            return None
        signed = self._signature
        if signed and (found := self._impacts.filter(digest=signed.impact_digest).last()):
            return found
        return self._impacts.filter(pk__lt=self.actual.pk).last()

    @property
    def _impacts(self) -> QuerySet[VersionImpact]:
        return VersionImpact.objects.filter(version=self.run.framework_version_id).order_by("pk")

    @cached_property
    def _signature(self) -> Signoff | None:
        given = Signoff.objects.filter(version=self.run.framework_version_id, decision=Signoff.Decision.APPROVE)
        return given.filter(signed_at__lte=self.run.as_of).exclude(impact_digest="").order_by("pk").last()

    @property
    def is_known(self) -> bool:
        return self.actual is not None and self.previewed is not None

    @property
    def signed_by(self) -> str:
        """Who signed the figures on the left; empty where they were only recorded."""
        signed, previewed = self._signature, self.previewed
        return signed.signed_by if signed and previewed and signed.impact_digest == previewed.digest else ""

    # --- segments

    @cached_property
    def tables(self) -> list[tuple[str, list[Line]]]:
        """Per dimension its segments, highest rank first, Unassigned last."""
        found: dict[str, list[Line]] = {}
        was, now = self._figures("segments")
        for key in {**was, **now}:
            dimension, _, short = key.partition("/")
            if dimension in self.dimensions:
                line = self._line(dimension, short, was.get(key, _NOTHING), now.get(key, _NOTHING))
                found.setdefault(dimension, []).append(line)
        return [
            (dimension.name, sorted(found[key], key=lambda line: line.segment.rank if line.segment else 9999))
            for key, dimension in self.dimensions.items()
            if key in found
        ]

    def _line(self, dimension: str, short: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Line:
        segments = {segment.key: segment for segment in self.dimensions[dimension].segments.all()}
        return Line(
            segments.get(short),
            (int(was["accounts"]), int(now["accounts"])),
            (Decimal(was["arr"]), Decimal(now["arr"])),
            self.tolerance,
        )

    def _figures(self, name: str) -> tuple[Any, Any]:
        previewed, actual = self.previewed, self.actual
        return (previewed.figures.get(name, {}) if previewed else {}, actual.figures.get(name, {}) if actual else {})

    @cached_property
    def lines(self) -> list[Line]:
        return [line for _, lines in self.tables for line in lines]

    @property
    def is_equal(self) -> bool:
        return all(line.is_equal for line in self.lines) and not self.movers

    @property
    def outside(self) -> int:
        return sum(not line.is_within for line in self.lines)

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        count = len(self.lines)
        if self.is_equal:
            return f"Exactly as previewed: the same accounts and ARR in all {count:,} segments, the same movers."
        if self.outside:
            verb = "is" if self.outside == 1 else "are"
            return f"{self.outside:,} of {count:,} segments {verb} further from the preview than {self._percent}."
        if all(line.is_equal for line in self.lines):
            return f"All {count:,} segments are as previewed; some accounts move otherwise."
        return f"Every segment is within {self._percent} of the preview."

    @property
    def _percent(self) -> str:
        return f"the tolerance of {(self.tolerance * 100).normalize():f} %"

    # --- movers

    @cached_property
    def movers(self) -> list[Mover]:
        """Accounts by name that move only in the preview, only in the run, or elsewhere; the largest first."""
        was, now = (_by_account(rows or []) for rows in self._figures("movers"))
        found = [
            self._mover(was.get(place), now.get(place))
            for place in {**was, **now}
            if not _alike(was.get(place), now.get(place)) and self._is_comparable(place, was, now)
        ]
        return sorted(found, key=lambda mover: (-(mover.arr or Decimal(0)), mover.name, mover.dimension))

    @property
    def movers_shown(self) -> list[Mover]:
        return self.movers[:MOVERS_SHOWN]

    def _is_comparable(self, place: "Place", was: "Movers", now: "Movers") -> bool:
        """A full list names the largest only: who is not in it may be too small for it."""
        for one, other in ((was, now), (now, was)):
            if place in one and place not in other:
                named = [_arr(row) for (_, dimension), row in other.items() if dimension == place[1]]
                if len(named) >= NAMED and _arr(one[place]) <= min(named):
                    return False
        return True

    def _mover(self, was: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> Mover:
        row = now or was or {}
        dimension = self.dimensions.get(row["dimension"])
        name = dimension.name if dimension else row["dimension"]
        arr = None if row["arr"] is None else Decimal(row["arr"])
        return Mover(row["account"], row["name"], name, arr, self._target(dimension, was), self._target(dimension, now))

    def _target(self, dimension: Dimension | None, row: Mapping[str, Any] | None) -> str:
        if row is None:
            return ""
        segments = {segment.key: segment.name for segment in dimension.segments.all()} if dimension else {}
        return segments.get(row["to"], row["to"]) or "Unassigned"


Place = tuple[str, str]
"""Account and dimension."""
Movers = Mapping[Place, Mapping[str, Any]]


def _by_account(rows: list[Mapping[str, Any]]) -> Movers:
    return {(row["account"], row["dimension"]): row for row in rows}


def _alike(was: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    return was is not None and now is not None and (was["from"], was["to"]) == (now["from"], now["to"])


def _arr(row: Mapping[str, Any]) -> Decimal:
    return Decimal(row["arr"] or 0)


def comparison_of(run: AssignmentRun, dimensions: Mapping[str, Dimension]) -> RunComparison | None:
    """The comparison of an activation that has both sides; None for any other run."""
    if run.kind != AssignmentRun.Kind.ACTIVATION:
        return None
    found = RunComparison(run, dimensions)
    return found if found.is_known else None
