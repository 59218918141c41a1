"""Live figures for somebody who edits a dimension: counts per segment, gaps and overlaps, a histogram.

Everything here only reads, and reads the draft from the bodies it is given: nothing need be saved.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

from django.db.models import Count, Sum

from accounts.checking.live import QUESTIONS, with_questions
from accounts.evaluation import preview
from accounts.evaluation.preview import PartialPlan, compile_partly
from accounts.models import Account, Assignment, Reason
from frameworks.criteria.types import NUMERIC, TEMPORAL
from frameworks.definition import Bodies, Definition
from frameworks.models import Dimension, Framework, FrameworkVersion, Kind

BINS = 48
VALUES_SHOWN = 24
# From this ratio of greatest to average on, equal steps would put nearly all accounts into the first bars.
LOGARITHMIC_FROM = 6


@dataclass(frozen=True)
class Figure:
    """Accounts and their ARR, in the currency of the framework."""

    accounts: int = 0
    arr: Decimal = Decimal(0)

    def __add__(self, other: "Figure") -> "Figure":
        return Figure(self.accounts + other.accounts, self.arr + other.arr)


@dataclass(frozen=True)
class Counted:
    """A dimension's outcome over all accounts. `segments` by key; `reasons` divides the Unassigned (key None)."""

    segments: Mapping[str | None, Figure]
    reasons: Mapping[str, Figure]

    @property
    def accounts(self) -> int:
        return sum(figure.accounts for figure in self.segments.values())


@dataclass(frozen=True)
class Stretch:
    """Accounts in a gap or an overlap, with the values they have in the attribute looked at (None: missing)."""

    kind: str
    segment: str | None
    losers: tuple[str, ...]
    accounts: int
    low: float | None
    high: float | None
    examples: tuple[Account, ...]


@dataclass(frozen=True)
class Histogram:
    """How accounts are spread over an attribute. Bars are [from, to) with a count; values have a label and a count."""

    kind: str
    accounts: int
    present: int
    bars: Sequence[tuple[float, float, int]] = ()
    values: Sequence[tuple[str, int]] = ()
    below: int = 0


def count_dimension(*, version: FrameworkVersion, bodies: Bodies, dimension: str, at: datetime) -> Counted:
    """What the rules in `bodies` decide in one dimension, over every account that is not excluded.

    Raises PartError or CriteriaError when the dimension, or one it reads, cannot be read.
    """
    partial = _compiled(version, bodies, dimension)
    keys = {pk: key for key, pk in preview.plan_of_dimension(partial, dimension).segment_ids.items()}
    tallies = preview.tally(partial, dimension, as_of=at)
    return _counted((keys.get(t.segment_id or 0), t.reason, t.accounts, t.arr) for t in tallies)


def count_today(*, framework: Framework, dimension: str) -> Counted | None:
    """What is stored as computed for accounts now; None where the dimension has never been assigned."""
    stored = Assignment.objects.filter(dimension__framework=framework, dimension__key=dimension)
    rows = (
        stored.exclude(reason=Reason.EXCLUDED)
        .order_by()
        .values_list("computed__key", "reason")
        .annotate(accounts=Count("account_id"), arr=Sum("account__arr", default=Decimal(0)))
    )
    counted = _counted(rows.values_list("computed__key", "reason", "accounts", "arr"))
    return counted if counted.accounts else None


def _counted(rows: Any) -> Counted:
    segments: dict[str | None, Figure] = {}
    reasons: dict[str, Figure] = {}
    for segment, reason, accounts, arr in rows:
        figure = Figure(accounts, arr)
        segments[segment] = segments.get(segment, Figure()) + figure
        if segment is None:
            reasons[reason] = reasons.get(reason, Figure()) + figure
    return Counted(segments, reasons)


def count_choices(
    *, version: FrameworkVersion, bodies: Bodies, variants: Mapping[str, Bodies], dimension: str, at: datetime
) -> dict[str, int]:
    """For each variant of the rules how many accounts it puts elsewhere than `bodies` do."""
    base = _compiled(version, bodies, dimension)
    return {
        name: preview.count_moved(base, _compiled(version, variant, dimension), dimension, as_of=at)
        for name, variant in variants.items()
    }


def find_stretches(
    *, version: FrameworkVersion, bodies: Bodies, dimension: str, attribute: str, cuts: Sequence[float], at: datetime
) -> list[Stretch]:
    """Gaps and overlaps of a dimension, told apart by the cutlines of one attribute, with example accounts."""
    partial = _compiled(version, bodies, dimension)
    keys = {pk: key for key, pk in preview.plan_of_dimension(partial, dimension).segment_ids.items()}
    found = preview.marks(partial, dimension, attribute, sorted(cuts), as_of=at)
    accounts = Account.objects.only("pk", "uuid", "name").in_bulk([pk for mark in found for pk in mark.examples])
    return [
        Stretch(
            kind="gap" if mark.reason == Reason.NO_MATCH else "overlap",
            segment=keys.get(mark.segment_id or 0),
            losers=mark.losers,
            accounts=mark.accounts,
            low=mark.low,
            high=mark.high,
            examples=tuple(accounts[pk] for pk in mark.examples if pk in accounts),
        )
        for mark in found
    ]


def count_questions(
    *, version: FrameworkVersion, bodies: Bodies, questions: Sequence[Mapping[str, Any]], at: datetime
) -> list[tuple[int, tuple[int, ...]]]:
    """Of each question (a root node over what `bodies` has) how many accounts it is true of, and two of them by id.

    At most 50 at once. Raises DataError where an account has a value that cannot be read.
    """
    if not questions:
        return []
    asked = f"{QUESTIONS}_0"
    partial = _compiled(version, with_questions(Definition(bodies), questions).bodies, asked)
    found = preview.count_true(partial, asked, as_of=at)
    return [found[f"asked/q{place}"] for place in range(len(questions))]


def figures_between(
    *, version: FrameworkVersion, bodies: Bodies, attribute: str, edges: Sequence[float], at: datetime
) -> list[Figure]:
    """Accounts with a value below the first edge, between each edge and the next, and from the last one on.

    `edges` are ascending and distinct; an account on an edge counts above it.
    """
    found = preview.figures_between(_compiled(version, bodies, None), attribute, edges, as_of=at)
    return [Figure(*found.get(place, (0, Decimal(0)))) for place in range(len(edges) + 1)]


def draw_histogram(*, version: FrameworkVersion, bodies: Bodies, attribute: str, at: datetime) -> Histogram:
    """Bars on an axis of equal or of logarithmic steps, or the commonest values of a text, choice or boolean."""
    partial = _compiled(version, bodies, None)
    data_type = partial.plan.definition.attributes[attribute].data_type
    if data_type not in NUMERIC | TEMPORAL:
        values, present, accounts = preview.counts_by_value(partial, attribute, most=VALUES_SHOWN, as_of=at)
        return Histogram("values", accounts, present, values=values)
    spread = preview.spread(partial, attribute, as_of=at)
    if not spread.present or spread.low is None or spread.high is None:
        return Histogram("linear", spread.accounts, 0)
    whole = data_type not in ("decimal", "money")
    is_log = data_type in NUMERIC and _is_logarithmic(spread)
    least = (spread.least_positive if is_log else None) or spread.low
    edges = (_log_edges if is_log else _even_edges)(least, spread.high, whole=whole)
    counts = preview.counts_between(partial, attribute, edges, as_of=at)
    bars = [(low, high, counts.get(place, 0)) for place, (low, high) in enumerate(pairwise(edges), 1)]
    kind = "days" if data_type in TEMPORAL else "log" if is_log else "linear"
    return Histogram(kind, spread.accounts, spread.present, bars=bars, below=counts.get(0, 0))


def _is_logarithmic(spread: preview.Spread) -> bool:
    return (
        spread.low is not None
        and spread.high is not None
        and spread.average is not None
        and spread.low >= 0
        and spread.high / max(spread.average, 1e-9) >= LOGARITHMIC_FROM
    )


def _log_edges(least: float, most: float, *, whole: bool) -> list[float]:
    """Edges at equal ratios that hit every power of ten; whole numbers where values are whole."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most) + 1e-9)
    if 10**high <= most:
        high += 1
    steps = max(2, min(10, BINS // max(1, high - low)))
    edges = [10 ** (low + place / steps) for place in range((high - low) * steps + 1)]
    rounded = sorted({float(round(edge)) if whole else float(f"{edge:.3g}") for edge in edges} - {0.0})
    end = next(place for place, edge in enumerate(rounded) if edge > most)
    return rounded[: end + 1]


def _even_edges(low: float, high: float, *, whole: bool) -> list[float]:
    """Edges at equal steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 40 or max(abs(high) / 10, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    step = max(1.0, step) if whole else step
    first = math.floor(low / step)
    last = math.floor(high / step) + 1
    return [float(f"{place * step:.9g}") for place in range(first, last + 1)]


# --- what of a draft has to be compiled


def _compiled(version: FrameworkVersion, bodies: Bodies, dimension: str | None) -> PartialPlan:
    definition = Definition(_needed(bodies, dimension))
    return compile_partly(
        version_id=version.pk,
        framework_id=version.framework_id,
        definition=definition,
        identities=_identities(version.framework_id, definition),
    )


def _needed(bodies: Bodies, dimension: str | None) -> Bodies:
    """Attributes, and the dimension with those it reads, directly or through others."""
    wanted: set[str] = set()
    waiting = [dimension] if dimension else []
    while waiting:
        key = waiting.pop()
        if key in wanted:
            continue
        wanted.add(key)
        of = [body for (kind, part), body in bodies.items() if kind == Kind.SEGMENT and part.startswith(f"{key}/")]
        waiting += [name for body in of for name in _dimensions_named(body)]
    found = {
        (kind, key): body
        for (kind, key), body in bodies.items()
        if kind in (Kind.META, Kind.DATA_SOURCE)
        or (kind in (Kind.DIMENSION, Kind.SEGMENT) and key.partition("/")[0] in wanted)
    }
    if dimension:
        # Whether a move waits for a person makes no difference to what is computed; asking would cost a join.
        body = found[Kind.DIMENSION.value, dimension]
        found[Kind.DIMENSION.value, dimension] = {**body, "upgrade": "auto", "downgrade": "auto"}
    return found


def _dimensions_named(body: Any) -> Iterator[str]:
    """Dimensions that nodes anywhere in a segment's body look at."""
    if isinstance(body, Mapping):
        if "op" in body and isinstance(body.get("dimension"), str):
            yield body["dimension"]
        for value in body.values():
            yield from _dimensions_named(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from _dimensions_named(value)


def _identities(framework_id: int, definition: Definition) -> dict[str, tuple[int, Mapping[str, int]]]:
    """Ids of dimensions and segments; what has been saved nowhere yet gets ids that no row has."""
    rows = Dimension.objects.filter(framework_id=framework_id, key__in=list(definition.dimensions))
    stored = {row.key: row for row in rows.prefetch_related("segments")}
    made_up = count(-1, -1)
    found: dict[str, tuple[int, Mapping[str, int]]] = {}
    for key, body in definition.dimensions.items():
        row = stored.get(key)
        ids = {segment.key: segment.pk for segment in row.segments.all()} if row else {}
        found[key] = (row.pk if row else next(made_up), {s: ids.get(s) or next(made_up) for s in body.segments})
    return found
