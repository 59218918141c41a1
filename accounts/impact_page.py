"""What the impact page shows: one dimension's matrix and flows, movers by name, and how near the guard is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from accounts.guard import is_beyond
from accounts.models import AssignmentRun
from accounts.run_page import shade
from frameworks.comparison import bodies_of_parts
from frameworks.definition import Definition, definition_of
from frameworks.impact import TOLERANCE
from frameworks.models import FrameworkVersion, Kind, Segment, User, VersionImpact
from frameworks.parts.policy import GuardPolicy
from frameworks.templatetags.cutline import money_short, number
from frameworks.transitions import UNDER_WAY

FIGURES = ("accounts", "arr")
UNASSIGNED = "Unassigned"
FATE_WORDS = {
    "carried": "carried",
    "mapped": "carried to a successor",
    "reconfirm": "go on, to be looked at again",
    "ask_again": "to be asked for again",
    "lapsing": "lapse",
}


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix; `value` is a count of accounts or ARR, None where nobody goes that way."""

    value: Decimal | None
    weight: str
    stays: bool


@dataclass(frozen=True)
class Row:
    """One segment today: its cells by the segments after activation, and its own figures. `rank` 0 is Unassigned."""

    label: str
    rank: int
    cells: list[Cell]
    accounts: int
    arr: Decimal


@dataclass(frozen=True)
class Gauge:
    """How near a figure is to the guard's limit; all are shares from 0 to 1. `is_beyond`: a run would wait for it."""

    label: str
    value: Decimal
    limit: Decimal
    where: str
    is_beyond: bool

    @property
    def tone(self) -> str:
        return "fr" if self.is_beyond else "fw" if self.value > self.limit * Decimal("0.9") else "fa"


class ImpactPage:
    """A version's newest impact, seen in one dimension. `figures` is "accounts" or "arr"."""

    def __init__(self, version: FrameworkVersion, user: User, *, dimension: str = "", figures: str = "") -> None:
        self.version, self.user = version, user
        self._asked = dimension
        self.shown = figures if figures in FIGURES else FIGURES[0]
        self.impact: VersionImpact | None = version.impacts.order_by("-pk").first()
        kind = AssignmentRun.Kind.IMPACT
        self.study = AssignmentRun.objects.filter(framework_version=version, kind=kind).order_by("-pk").first()

    # --- what is known

    @cached_property
    def definition(self) -> Definition:
        """Every part of the version: nothing that the line on the version page may need."""
        return definition_of(self.version)

    @cached_property
    def dimension(self) -> str:
        """The dimension that was asked for, else the first."""
        known = list(self.definition.dimensions)
        return self._asked if self._asked in known else next(iter(known), "")

    @property
    def is_working(self) -> bool:
        return self.study is not None and self.study.state == AssignmentRun.State.PLANNED

    @property
    def figures(self) -> Mapping[str, Any]:
        return self.impact.figures if self.impact else {}

    @property
    def seconds(self) -> float | None:
        """How long the study took; None for figures that came with an activation."""
        study = self.study
        if study is None or self.impact is None or study.evaluated_at is None or study.as_of != self.impact.as_of:
            return None
        return (study.evaluated_at - study.created_at).total_seconds()

    @property
    def refusal(self) -> str:
        """Why the impact cannot be computed now, in words; empty when it can."""
        if not self.user.has_perm("frameworks.edit_draft") and not self.user.has_perm("frameworks.activate_version"):
            return "RevOps, architects and executives compute an impact."
        if self.version.state not in (FrameworkVersion.State.DRAFT, *UNDER_WAY):
            return f"Version {self.version.number} is {self.version.is_now}: it changes nothing more."
        return ""

    @property
    def dimensions(self) -> list[tuple[str, str, int]]:
        """Key, label and how many accounts move, by dimension."""
        return [
            (key, body.label, _accounts(self.figures, "matrix", key) - _accounts(self.figures, "mapped", key))
            for key, body in self.definition.dimensions.items()
        ]

    @property
    def mapped(self) -> list[dict[str, Any]]:
        """In this dimension, what only follows the mapping: from, to, accounts and ARR."""
        moves = self.figures.get("mapped", {}).get(self.dimension, {})
        return [
            {"was": self.label(was), "now": self.label(now), "accounts": cell["accounts"], "arr": Decimal(cell["arr"])}
            for was, to in moves.items()
            for now, cell in to.items()
        ]

    @property
    def override_fates(self) -> list[dict[str, Any]]:
        """In this dimension, overrides that do not simply go on."""
        rows = self.figures.get("override_fates", [])
        return [
            {
                **row,
                "was": self.label(row["from"]),
                "now": self.label(row["to"]) if row["to"] else "",
                "until": datetime.fromisoformat(row["until"]),
                "words": FATE_WORDS[row["fate"]],
            }
            for row in rows
            if row["dimension"] == self.dimension
        ]

    @cached_property
    def currency(self) -> str:
        meta = Definition(bodies_of_parts(self.version, [(Kind.META.value, "meta")])).meta
        return meta.currency if meta else "USD"

    @property
    def switches(self) -> list[tuple[str, str]]:
        return [("accounts", "Accounts"), ("arr", "ARR")]

    @property
    def key_figures(self) -> list[dict[str, Any]]:
        """The strip above: what moves in any dimension; Unassigned in this one, and where else it changes."""
        moving, total, overrides = self.figures["moving"], self.figures["accounts"], self.figures["overrides"]
        told = [f"{count:,} {words}" for words, count in _named_overrides(overrides)]
        return [
            {
                "label": "Accounts that move",
                "value": number(moving["accounts"]),
                "detail": f"{_share(moving['accounts'], total)} of {total:,}{self._anywhere}",
            },
            {
                "label": "ARR that moves",
                "value": money_short(moving["arr"], self.currency),
                "detail": f"{_share(moving['arr'], self.total_arr)} of {money_short(self.total_arr, self.currency)}",
            },
            {
                "label": f"{UNASSIGNED} in {self.definition.dimensions[self.dimension].label}",
                "value": number(self._segment("")["accounts"]),
                "detail": ", ".join(self._unassigned_changes()),
            },
            {"label": "Overrides", "value": number(sum(overrides.values())), "detail": ", ".join(told)},
        ]

    @property
    def _anywhere(self) -> str:
        return ", in any dimension" if len(self.definition.dimensions) > 1 else ""

    def _unassigned_changes(self) -> Iterator[str]:
        """Of this dimension in any case, of the others where there is one."""
        for key, body in sorted(self.definition.dimensions.items(), key=lambda each: each[0] != self.dimension):
            row = self.figures["segments"].get(f"{key}/")
            change = row["accounts"] - _accounts_before(row) if row else 0
            if key == self.dimension:
                yield _change_words(change)
            elif change:
                yield f"{abs(change):,} {'more' if change > 0 else 'fewer'} in {body.label}"

    @property
    def sentence(self) -> str:
        """What a person who signs confirms."""
        if self.figures["first"]:
            return f"You confirm where {self.figures['accounts']:,} accounts get their first segment."
        moving = self.figures["moving"]
        if not moving["accounts"]:
            return "You confirm that no account moves."
        amount = money_short(moving["arr"], self.currency)
        count = moving["accounts"]
        words = f"{count:,} accounts with {amount} move" if count != 1 else f"1 account with {amount} moves"
        words = f"You confirm that {words}"
        leaving = len(self.leaving_top)
        return f"{words}, {leaving} of them out of {self.label(self._order[0])}." if leaving else f"{words}."

    @property
    def tolerance_words(self) -> str:
        policy = self.definition.policy("guard")
        share = policy.impact_tolerance if policy else TOLERANCE
        return f"If any segment differs by more than {share * 100:.0f} % at activation, you are asked again."

    @property
    def guard_tone(self) -> str:
        return "bad" if any(gauge.is_beyond for gauge in self.gauges) else "ok"

    @property
    def guard_chip(self) -> str:
        return "A run would be held" if self.guard_tone == "bad" else "Within limits"

    # --- one dimension

    @cached_property
    def _order(self) -> list[str]:
        """Segment keys of the dimension, those that only today's version has after its own, "" (Unassigned) last."""
        prefix = f"{self.dimension}/"
        found = [key.removeprefix(prefix) for key in self.figures.get("segments", {}) if key.startswith(prefix)]
        ranked = [key for key in self.definition.dimensions[self.dimension].segments if key in found]
        return [*ranked, *(key for key in found if key and key not in ranked), ""]

    def label(self, segment: str) -> str:
        labels = self.definition.labels[self.dimension].segments
        return labels.get(segment) or self._gone.get(segment, segment) if segment else UNASSIGNED

    @cached_property
    def _gone(self) -> dict[str, str]:
        """What segments are called that the version does not have."""
        rows = Segment.objects.filter(dimension__framework=self.version.framework, dimension__key=self.dimension)
        return dict(rows.values_list("key", "name"))

    def rank(self, segment: str) -> int:
        return self._order.index(segment) + 1 if segment else 0

    @property
    def segment_count(self) -> int:
        return len(self._order) - 1

    def _segment(self, segment: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.figures.get("segments", {}).get(f"{self.dimension}/{segment}", {})
        return found

    @property
    def columns(self) -> list[str]:
        return [self.label(segment) for segment in self._order]

    @cached_property
    def rows(self) -> list[Row]:
        moves = self.figures.get("matrix", {}).get(self.dimension, {})
        moving = sum(Decimal(cell[self.shown]) for to in moves.values() for cell in to.values()) or Decimal(0)
        return [self._row(segment, moves.get(segment, {}), moving) for segment in self._order]

    def _row(self, was: str, moves: Mapping[str, Any], moving: Decimal) -> Row:
        before = self._segment(was).get("before", {"accounts": 0, "arr": "0"})
        left = sum((Decimal(cell[self.shown]) for now, cell in moves.items() if now != was), Decimal(0))
        cells = []
        for now in self._order:
            stays = now == was
            value = Decimal(before[self.shown]) - left if stays else _figure(moves.get(now), self.shown)
            cells.append(Cell(value or None, "" if stays else shade(value or 0, moving), stays))
        return Row(self.label(was), self.rank(was), cells, before["accounts"], Decimal(before["arr"]))

    @property
    def after(self) -> list[tuple[Decimal, Decimal, Decimal]]:
        """Per column: accounts after activation, their change, and ARR after it."""
        found = []
        for segment in self._order:
            row = self._segment(segment)
            accounts = Decimal(row["accounts"])
            found.append((accounts, accounts - row["before"]["accounts"], Decimal(row["arr"])))
        return found

    @property
    def totals(self) -> tuple[int, Decimal]:
        """Accounts in this dimension after activation, and their ARR."""
        return sum(int(self._segment(segment)["accounts"]) for segment in self._order), self.total_arr

    @property
    def total_arr(self) -> Decimal:
        return sum((Decimal(self._segment(segment)["arr"]) for segment in self._order), Decimal(0))

    @property
    def flows(self) -> dict[str, Any]:
        """The Sankey of what moves, in the form charts.js draws."""
        moves = self.figures.get("matrix", {}).get(self.dimension, {})
        mapped = self.figures.get("mapped", {}).get(self.dimension, {})
        pairs = [
            (was, now, cell["accounts"])
            for was, to in moves.items()
            for now, cell in to.items()
            if was != now and now not in mapped.get(was, {})
        ]
        nodes = []
        for side, place in (("left", 0), ("right", 1)):
            for segment in self._order:
                total = sum(pair[2] for pair in pairs if pair[place] == segment)
                if total:
                    nodes.append(self._node(segment, side, total))
        links = [
            [f"a:{self.label(was)}", f"b:{self.label(now)}", count, self._way(was, now)] for was, now, count in pairs
        ]
        return {"nodes": nodes, "links": links}

    def _node(self, segment: str, side: str, total: int) -> dict[str, Any]:
        label, count = self.label(segment), f"{{m|{total:,}}}"
        words = f"{label}  {count}" if side == "left" else f"{count}  {label}"
        return {
            "id": f"{'a' if side == 'left' else 'b'}:{label}",
            "s": min(self.rank(segment), 4),
            "label": words,
            "side": side,
        }

    def _way(self, was: str, now: str) -> str:
        if not now:
            return "out"
        return "up" if not was or self.rank(now) < self.rank(was) else "down"

    # --- names

    @property
    def movers(self) -> list[dict[str, Any]]:
        return [self._mover(row) for row in self.figures.get("movers", []) if row["dimension"] == self.dimension]

    @property
    def leaving_top(self) -> list[dict[str, Any]]:
        """Who leaves the highest segment, by name."""
        top = next(iter(self._order), "")
        return [row for row in self.movers if top and row["from"] == top]

    def _mover(self, row: Mapping[str, Any]) -> dict[str, Any]:
        ends = {"was": self.label(row["from"]), "now": self.label(row["to"])}
        return {**row, **ends, "arr": Decimal(row["arr"]) if row["arr"] is not None else None}

    # --- the guard

    @property
    def gauges(self) -> Iterator[Gauge]:
        policy = self.definition.policy("guard")
        if policy is None or not self._shares:
            return
        if not self.figures["first"]:
            yield from self._movement(policy)
        largest = max(self._shares.keys() - {""}, key=lambda key: self._shares[key][1], default="")
        limit = max(policy.max_dominance, policy.expectations.get(f"{self.dimension}/{largest}", Decimal(0)))
        yield self._share_gauge("Largest segment", [largest], limit, self.label(largest))
        left_open = ["", *filter(None, [self.definition.dimensions[self.dimension].fallback])]
        yield self._share_gauge(UNASSIGNED, left_open, policy.max_unassigned, "Unassigned or fallback")

    @cached_property
    def _shares(self) -> dict[str, tuple[Decimal, Decimal]]:
        """By segment, its share of all accounts today and after activation; empty without any account."""
        rows = {key: self._segment(key) for key in self._order} if self.impact else {}
        before, after = sum(self._before.values()), Decimal(sum(int(row["accounts"]) for row in rows.values()))
        if not after:
            return {}
        return {
            key: (Decimal(self._before[key]) / (before or 1), Decimal(row["accounts"]) / after)
            for key, row in rows.items()
        }

    @cached_property
    def _before(self) -> dict[str, int]:
        """Accounts by segment today, those that follow a mapping in their successor, as the guard counts them."""
        counts = {key: _accounts_before(self._segment(key)) for key in self._order} if self.impact else {}
        for was, to in self.figures.get("mapped", {}).get(self.dimension, {}).items():
            for now, cell in to.items():
                counts[was] -= cell["accounts"]
                counts[now] += cell["accounts"]
        return counts

    def _share_gauge(self, label: str, segments: Sequence[str], limit: Decimal, where: str) -> Gauge:
        was, share = (sum((self._shares[key][place] for key in segments), Decimal(0)) for place in (0, 1))
        return Gauge(label, share, limit, where, is_beyond(share, was, limit))

    def _movement(self, policy: GuardPolicy) -> Iterator[Gauge]:
        """What moves but for the mapping, and the segment that grows or shrinks most; as the guard counts it."""
        total = Decimal(sum(self._before.values()))
        # What leaves a segment or Unassigned: accounts without an assignment yet come from nowhere, and are no movers.
        leaving = sum(int(self._segment(key)["leaving"]["accounts"]) for key in self._order)
        moving = max(0, leaving - _accounts(self.figures, "mapped", self.dimension))
        if total:
            share, limit = moving / total, policy.max_share_moved
            yield Gauge("Accounts that move", share, limit, f"{moving:,} of {total:,f}", share > limit)
        grown = {
            key: _growth(was, self._segment(key)["accounts"]) for key, was in self._before.items() if key and was > 0
        }
        if grown:
            most = max(grown, key=lambda key: grown[key])
            growth, limit = grown[most], policy.max_segment_change
            yield Gauge("Largest segment change", growth, limit, self.label(most), growth > limit)


def _named_overrides(overrides: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for key, words in FATE_WORDS.items():
        if overrides.get(key):
            yield words, overrides[key]


def _accounts(figures: Mapping[str, Any], name: str, dimension: str) -> int:
    moves = figures.get(name, {}).get(dimension, {})
    return sum(cell["accounts"] for to in moves.values() for cell in to.values())


def _change_words(change: int) -> str:
    if not change:
        return "as many as today"
    return f"{abs(change):,} {'more' if change > 0 else 'fewer'} than today"


def _share(part: Any, whole: Any) -> str:
    return f"{Decimal(part) / Decimal(whole) * 100:.1f} %" if Decimal(whole) else "–"


def _figure(cell: Mapping[str, Any] | None, name: str) -> Decimal | None:
    return Decimal(cell[name]) if cell else None


def _accounts_before(row: Mapping[str, Any]) -> int:
    return int(row["before"]["accounts"])


def _growth(before: int, after: int) -> Decimal:
    return Decimal(abs(after - before)) / before
