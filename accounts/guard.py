"""Guard before flip: is what a run would do so large that a person must look first? Pure; figures are passed in."""

from collections.abc import Mapping
from decimal import Decimal

from frameworks.criteria.english import DimensionLabels
from frameworks.mapping import Successions
from frameworks.parts.policy import GuardPolicy

Counts = Mapping[str, Mapping[str, int]]
"""Dimension key → segment key ("" is Unassigned) → accounts."""

Moves = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Dimension key → from → to → accounts."""


# A share that was beyond its limit before holds no run that leaves it there: somebody has looked at it already.
WORSE = Decimal("0.01")


def distribution_after(before: Counts, moves: Moves, accounts: int) -> dict[str, dict[str, int]]:
    """The distribution of `accounts` in all once `moves` are applied. New ones come from "", and are counted there."""
    after: dict[str, dict[str, int]] = {}
    for dimension in {*before, *moves}:
        counts = dict(before.get(dimension, {}))
        counts[""] = counts.get("", 0) + max(0, accounts - sum(counts.values()))
        for was, by_to in moves.get(dimension, {}).items():
            for now, count in by_to.items():
                counts[was] = max(0, counts.get(was, 0) - count)
                counts[now] = counts.get(now, 0) + count
        after[dimension] = counts
    return after


def is_beyond(share: Decimal, was: Decimal, limit: Decimal) -> bool:
    """Whether a run that takes a share of a dimension's accounts from `was` (0 before any) to `share` has to wait."""
    return share > limit and share - was > WORSE


def without_mapped(before: Counts, moves: Moves, known: Successions) -> tuple[Counts, Moves]:
    """Distribution and moves as if merged, split and retired segments had always been their successors.

    What a mapping carries along was signed with it and is no movement that the guard should stop.
    """
    counted = {dimension: dict(counts) for dimension, counts in before.items()}
    left: dict[str, dict[str, dict[str, int]]] = {}
    for dimension, by_from in moves.items():
        counts = counted.setdefault(dimension, {})
        for was, by_to in by_from.items():
            succession = known.get(dimension, {}).get(was)
            for now, accounts in by_to.items():
                if succession and now in succession.into:
                    counts[was] = counts.get(was, 0) - accounts
                    counts[now] = counts.get(now, 0) + accounts
                else:
                    left.setdefault(dimension, {}).setdefault(was, {})[now] = accounts
    return {dimension: {key: n for key, n in counts.items() if n > 0} for dimension, counts in counted.items()}, left


def guard_findings(
    *,
    policy: GuardPolicy,
    before: Counts,
    moves: Moves,
    accounts: int,
    fallbacks: Mapping[str, str | None],
    labels: Mapping[str, DimensionLabels],
) -> list[str]:
    """Why a run over `accounts` must be held, one sentence with figures each; empty when it may go on.

    `labels` by dimension key; what is in none of them goes by its key.
    """
    findings: list[str] = []
    for dimension, after in sorted(distribution_after(before, moves, accounts).items()):
        was = before.get(dimension, {})
        if sum(after.values()):
            names = labels.get(dimension, DimensionLabels(dimension))
            findings += _moved(policy, names, was, moves.get(dimension, {}), after)
            findings += _unassigned(policy, names, was, after, fallbacks.get(dimension))
            findings += _dominance(policy, dimension, names, was, after)
    return findings


def _moved(
    policy: GuardPolicy,
    names: DimensionLabels,
    before: Mapping[str, int],
    moves: Mapping[str, Mapping[str, int]],
    after: Mapping[str, int],
) -> list[str]:
    """Only where accounts were assigned before: a first assignment moves everybody."""
    was_total = sum(before.values())
    if not was_total:
        return []
    findings = []
    moved = sum(n for was, by_to in moves.items() for now, n in by_to.items() if was and was != now)
    moved += _out_of_unassigned(moves.get("", {}), new=sum(after.values()) - was_total)
    if _share(moved, was_total) > policy.max_share_moved:
        findings.append(
            f"{names.label}: {moved:,} of {was_total:,} accounts would move ({_percent(moved, was_total)};"
            f" the limit is {policy.max_share_moved:.0%})."
        )
    for segment, count in sorted(before.items()):
        change = abs(after.get(segment, 0) - count)
        if segment and count and _share(change, count) > policy.max_segment_change:
            name = names.segments.get(segment, segment)
            findings.append(
                f"{names.label}: {name} would go from {count:,} to {after.get(segment, 0):,} accounts"
                f" ({_percent(change, count)}; the limit is {policy.max_segment_change:.0%})."
            )
    return findings


def _out_of_unassigned(by_to: Mapping[str, int], new: int) -> int:
    """How many accounts leave Unassigned: the `new` ones come from "" too, and either get a segment or stay there."""
    placed = sum(count for now, count in by_to.items() if now)
    return max(0, placed - max(0, new - by_to.get("", 0)))


def _unassigned(
    policy: GuardPolicy,
    names: DimensionLabels,
    before: Mapping[str, int],
    after: Mapping[str, int],
    fallback: str | None,
) -> list[str]:
    def left_open(counts: Mapping[str, int]) -> int:
        return counts.get("", 0) + (counts.get(fallback, 0) if fallback else 0)

    count, total = left_open(after), sum(after.values())
    if not is_beyond(_share(count, total), _share(left_open(before), sum(before.values())), policy.max_unassigned):
        return []
    return [
        f"{names.label}: {count:,} of {total:,} accounts would be Unassigned or in the fallback segment"
        f" ({_percent(count, total)}; the limit is {policy.max_unassigned:.0%})."
    ]


def _dominance(
    policy: GuardPolicy,
    dimension: str,
    names: DimensionLabels,
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> list[str]:
    findings = []
    total, was_total = sum(after.values()), sum(before.values())
    for segment, count in sorted(after.items()):
        limit = max(policy.max_dominance, policy.expectations.get(f"{dimension}/{segment}", Decimal(0)))
        was = _share(before.get(segment, 0), was_total)
        if segment and is_beyond(_share(count, total), was, limit):
            findings.append(
                f"{names.label}: {names.segments.get(segment, segment)} would hold {count:,} of {total:,} accounts"
                f" ({_percent(count, total)}; the limit is {limit:.0%})."
            )
    return findings


def _share(part: int, whole: int) -> Decimal:
    return Decimal(part) / Decimal(whole) if whole else Decimal(0)


def _percent(part: int, whole: int) -> str:
    return f"{_share(part, whole):.1%}"
