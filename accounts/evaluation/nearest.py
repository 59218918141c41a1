"""What would move an account up: the smallest changes with which the rules reach the next segment, or one above it.

Nothing is computed backwards. What the rules that lead there compare with only suggests changes (steps.py); the engine
evaluates the account with each of them, for every dimension in one statement, and only what it confirms is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain, combinations, islice, zip_longest
from typing import Any

from accounts.evaluation.altering import altered
from accounts.evaluation.hypothetical import HypotheticalOutcome, Prior, evaluate_rows
from accounts.evaluation.past import facts_now
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.evaluation.steps import Step, Suggesting, Turn
from accounts.models import Account, Assignment

MOST = 300
"""Changes tried in one statement, of all dimensions. Single ones are tried before any pair."""
PAIRED = 40
"""Of so many nearest steps of a dimension pairs are made; of all of 200 steps there would be 20,000."""
SHOWN = 6

Way = tuple[Step | Turn, ...]


@dataclass(frozen=True)
class Nearest:
    """The next segment up and the changes that reach it or one above it, each enough by itself; none may be found.

    `lands` has, for each way, the segment it leads to. `singles` and `pairs` count what was tried; `is_complete` where
    that is all that the rules suggest. Never all there is: a rule on a parent's value suggests nothing to the account.
    """

    segment: str
    ways: tuple[Way, ...]
    lands: tuple[str, ...] = ()
    singles: int = 0
    pairs: int = 0
    is_complete: bool = True


def next_up(d: DimensionPlan, segment: str | None) -> str | None:
    """The segment above; of an Unassigned account the lowest. None at the top."""
    above = _above(d, segment)
    return above[-1] if above else None


def _above(d: DimensionPlan, segment: str | None) -> list[str]:
    return list(d.ranked[: d.rank(segment) - 1] if segment else d.ranked)


def nearest_above(
    *, account: Account, plan: FrameworkPlan, d: DimensionPlan, segment: str | None, at: datetime
) -> Nearest | None:
    """As `ways_up`, of one dimension; None at the top."""
    return ways_up(account=account, plan=plan, segments={d.key: segment}, at=at).get(d.key)


def ways_up(
    *, account: Account, plan: FrameworkPlan, segments: Mapping[str, str | None], at: datetime
) -> dict[str, Nearest]:
    """What would bring the account from its segment (by the rules, by dimension) to one above; none for the top.

    Where the account stands counts, as in any evaluation: what a minimum stay keeps is reached by no change. Overrides
    in force count where another dimension reads them. Raises DataError for values that cannot be read.
    """
    facts = facts_now(account.pk, at)
    wanted = [(d, above) for d in plan.dimensions if d.key in segments and (above := _above(d, segments[d.key]))]
    if not wanted:
        return {}
    suggesting = Suggesting(plan, facts, at)
    # As they count when pairs are made of them: the nearest first.
    steps = {d.key: sorted(suggesting.towards(d, above), key=_effort_of) for d, above in wanted}
    tried = _tried(steps)
    prior = prior_of(account, plan)
    rows = [altered(facts, _changes(way), at) for way in tried.ways]
    said = evaluate_rows(plan=plan, rows=rows, as_of=at, prior=[prior] * len(rows)) if rows else []
    return {d.key: _nearest(d, above, tried, said, is_complete=d.key not in tried.cut) for d, above in wanted}


def _changes(way: Way) -> Iterable[Any]:
    return chain.from_iterable(step.changes for step in way)


def _nearest(
    d: DimensionPlan,
    above: Sequence[str],
    tried: "_Tried",
    said: Sequence[Mapping[str, HypotheticalOutcome]],
    *,
    is_complete: bool,
) -> Nearest:
    mine = tried.steps[d.key]
    asked = {way: said_of[d.key].segment for way, said_of in zip(tried.ways, said, strict=True) if mine.issuperset(way)}
    landing = {way: segment for way, segment in asked.items() if segment in above}
    ways = tuple(_smallest([way for way in landing if len(way) == 1] or list(landing)))
    lands = tuple(str(landing[way]) for way in ways)
    singles = sum(len(way) == 1 for way in asked)
    return Nearest(above[-1], ways, lands, singles, len(asked) - singles, is_complete)


def prior_of(account: Account, plan: FrameworkPlan) -> dict[str, Prior]:
    """What is stored of the account by dimension, for `evaluate_rows`."""
    stored = {row.dimension_id: row for row in Assignment.objects.filter(account=account)}
    return {d.key: _prior(stored[d.dimension_id], plan, d) for d in plan.dimensions if d.dimension_id in stored}


def _prior(row: Assignment, plan: FrameworkPlan, d: DimensionPlan) -> Prior:
    keys: dict[int | None, str] = {pk: key for key, pk in d.segment_ids.items()}
    counted = row.effective_id if row.override_until is None else row.without_override_id
    return Prior(
        computed=keys.get(row.computed_id),
        counted=keys.get(counted),
        computed_since=row.computed_since or row.effective_since,
        reason=row.reason,
        decided_with=row.decided_with,
        is_same_version=row.framework_version_id == plan.version_id,
        released=keys.get(row.released_id),
        is_held=row.is_held,
    )


# --- what to try


@dataclass(frozen=True)
class _Tried:
    """Ways in the order of their rows; `cut` are the dimensions of which something was left out."""

    ways: list[Way]
    steps: dict[str, frozenset[Step | Turn]]
    cut: frozenset[str]


def _tried(steps: Mapping[str, Sequence[Step | Turn]]) -> _Tried:
    """All single changes, then the nearest pairs of each dimension in turn, MOST in all; each once."""
    singles = dict.fromkeys((step,) for of in zip_longest(*steps.values()) for step in of if step is not None)
    pairs = {key: _pairs(of) for key, of in steps.items()}
    in_turn = dict.fromkeys(pair for of in zip_longest(*pairs.values()) for pair in of if pair is not None)
    ways: list[Way] = list(islice(chain(singles, in_turn), max(MOST, min(len(singles), 2 * MOST))))
    known = set(ways)
    cut = {
        key
        for key, of in steps.items()
        if len(of) > PAIRED or not known.issuperset((step,) for step in of) or not known.issuperset(pairs[key])
    }
    return _Tried(ways, {key: frozenset(of) for key, of in steps.items()}, frozenset(cut))


def _pairs(steps: Sequence[Step | Turn]) -> list[Way]:
    pairs = combinations(steps[:PAIRED], 2)
    return sorted((pair for pair in pairs if pair[0].key != pair[1].key), key=_effort)


def _effort(way: Way) -> Decimal:
    """How far in all, each step against what is there: 100 employees are more to 50 than to 5,000."""
    return sum((step.effort for step in way), Decimal(0))


def _effort_of(step: Step | Turn) -> tuple[Decimal, Decimal]:
    """Of two values that nobody knows, the one that needs less first."""
    return step.effort, abs(step.amount) if isinstance(step, Step) else Decimal(0)


def _smallest(ways: Sequence[Way]) -> list[Way]:
    """Of the ways over the same facts the shortest; the shortest of all first."""
    best: dict[tuple[str, ...], Way] = {}
    for way in sorted(ways, key=lambda way: (_effort(way), [_effort_of(step) for step in way])):
        best.setdefault(tuple(sorted(step.key for step in way)), way)
    return list(best.values())[:SHOWN]
