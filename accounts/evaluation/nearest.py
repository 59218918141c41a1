"""What would move an account up: the smallest changes of its numbers with which the rules reach the next segment.

Nothing is computed backwards. Thresholds of the rules that lead there only suggest values; the engine evaluates the
account with each of them in one statement, and only what it confirms is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any, cast

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.evaluation.hypothetical import Prior, evaluate_rows
from accounts.evaluation.past import facts_at
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account, Assignment
from frameworks.criteria.ast import Node, dimensions_used, thresholds
from frameworks.criteria.types import NUMERIC, AttributeType, LiteralError, parse_literal
from frameworks.criteria.uses import current_leaves

MOST = 300
"""Changes tried in one statement: all single ones of a usual dimension, and its nearest pairs."""
SHOWN = 6


@dataclass(frozen=True)
class Step:
    """One number changed. `before` is None where none is known; equal to `after` where it only must be seen again."""

    attribute: AttributeType
    before: Decimal | None
    after: Decimal

    @property
    def amount(self) -> Decimal:
        """How far, with its sign; a value that nobody knows yet counts whole."""
        return self.after - (self.before or Decimal(0))


@dataclass(frozen=True)
class Nearest:
    """The next segment up and the changes that reach it, each enough by itself; none may be found."""

    segment: str
    ways: tuple[tuple[Step, ...], ...]


def next_up(d: DimensionPlan, segment: str | None) -> str | None:
    """The segment above; of an Unassigned account the lowest. None at the top."""
    rank = d.rank(segment) if segment else len(d.ranked) + 1
    return d.ranked[rank - 2] if rank > 1 else None


def nearest_above(
    *, account: Account, plan: FrameworkPlan, d: DimensionPlan, segment: str | None, at: datetime
) -> Nearest | None:
    """What would bring the account from `segment` (by the rules) to the next one up; None at the top.

    Where the account stands counts, as in any evaluation: what a minimum stay keeps is reached by no number. Raises
    DataError for values that cannot be read.
    """
    target = next_up(d, segment)
    if target is None:
        return None
    facts = facts_at(account.pk, at)
    tried = _ways(list(_steps(plan, d, target, facts)))
    if not tried:
        return Nearest(target, ())
    rows = [_changed(facts, way, at) for way in tried]
    prior = prior_of(account, plan)
    outcomes = evaluate_rows(plan=plan, rows=rows, as_of=at, prior=[prior] * len(rows))
    reaching = [way for way, said in zip(tried, outcomes, strict=True) if said[d.key].segment == target]
    singles = [way for way in reaching if len(way) == 1]
    return Nearest(target, tuple(_smallest(singles or reaching)))


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
    )


# --- what to try


def _steps(plan: FrameworkPlan, d: DimensionPlan, target: str, facts: Mapping[str, Any]) -> Iterator[Step]:
    """Every threshold of the rules that lead to the segment, and its neighbours on either side of it."""
    for key, values in sorted(_thresholds(plan, d, target).items()):
        attribute = plan.definition.attributes[key]
        if attribute.data_type == "money" and facts.get("currency") != attribute.currency:
            continue  # The difference would be in a currency that the threshold is not in.
        before = _value(attribute, facts)
        unit = Decimal(1).scaleb(-attribute.scale)
        after = {value + side for value in values for side in (Decimal(0), unit, -unit)} - {before}
        if before is not None and attribute.freshness_days is not None:
            after.add(before)  # It may only have been seen too long ago.
        lowest = attribute.minimum
        yield from (Step(attribute, before, each) for each in sorted(after) if lowest is None or each >= lowest)


def _thresholds(plan: FrameworkPlan, d: DimensionPlan, target: str) -> dict[str, set[Decimal]]:
    """What the rules compare stored numbers of the account itself with, by attribute."""
    found: dict[str, set[Decimal]] = {}
    for leaf in (leaf for root in _roots(plan, d, target) for leaf in current_leaves(root)):
        if leaf.type.data_type in NUMERIC and leaf.type.derived is None and leaf.holder == "self":
            found.setdefault(leaf.attribute, set()).update(
                Decimal(str(each.value)) for each in thresholds(cast(Node, leaf))
            )
    return found


def _roots(plan: FrameworkPlan, d: DimensionPlan, target: str) -> Iterator[Node]:
    """The segment's own criteria, those of what it is nested in, and of every dimension that any of them reads."""
    leading = {target, *d.ancestors[target]}
    pending = [each.criteria.root for each in d.candidates if each.segment_key in leading]
    by_key = {each.key: each for each in plan.dimensions}
    seen = {d.key}
    while pending:
        root = pending.pop()
        yield root
        for key in sorted(dimensions_used(root) - seen):
            seen.add(key)
            pending += [each.criteria.root for each in by_key[key].candidates]


def _value(attribute: AttributeType, facts: Mapping[str, Any]) -> Decimal | None:
    stored = facts.get(attribute.key) if attribute.key in CORE_ATTRIBUTES else facts["attributes"].get(attribute.key)
    try:
        return None if stored is None else Decimal(str(parse_literal(attribute, str(stored))))
    except LiteralError:
        return None


def _ways(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Single changes, then pairs; the smaller first, where not all can be tried."""
    pairs = (pair for pair in combinations(steps, 2) if pair[0].attribute.key != pair[1].attribute.key)
    return [*((step,) for step in steps), *sorted(pairs, key=_effort)][:MOST]


def _effort(way: tuple[Step, ...]) -> Decimal:
    """How far in all, each step against what is there: 100 employees are more to 50 than to 5,000."""
    return sum((abs(step.amount) / max(abs(step.before or step.after), Decimal(1)) for step in way), Decimal(0))


def _smallest(ways: Sequence[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
    """Of the ways over the same attributes the shortest; the shortest of all first."""
    best: dict[tuple[str, ...], tuple[Step, ...]] = {}
    for way in sorted(ways, key=_effort):
        best.setdefault(tuple(step.attribute.key for step in way), way)
    return list(best.values())[:SHOWN]


def _changed(facts: Mapping[str, Any], way: tuple[Step, ...], at: datetime) -> dict[str, Any]:
    """The row with these values, seen now."""
    row = {**facts, "attributes": {**facts["attributes"]}, "provenance": {**facts["provenance"]}}
    row["version"] = facts["version"] + 1
    for step in way:
        key, text = step.attribute.key, str(step.after)
        if key in CORE_ATTRIBUTES:
            row[key] = text
        else:
            row["attributes"][key] = text
        if key in OBSERVED:
            row[f"{key}_observed_at"] = at.isoformat()
        row["provenance"][key] = {"at": at.isoformat()}
    return row
