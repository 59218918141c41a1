"""Guard before flip: is what a run would do so large that a person must look first? Pure; figures are passed in."""

from collections.abc import Mapping
from decimal import Decimal

from frameworks.mapping import Successions
from frameworks.parts.policy import GuardPolicy

Counts = Mapping[str, Mapping[str, int]]
"""Dimension key → segment key ("" is Unassigned) → accounts."""

Moves = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Dimension key → from → to → accounts."""


def distribution_after(before: Counts, moves: Moves) -> dict[str, dict[str, int]]:
    """The distribution once `moves` are applied. New accounts come from "" without having been counted there."""
    after = {dimension: dict(counts) for dimension, counts in before.items()}
    for dimension, by_from in moves.items():
        counts = after.setdefault(dimension, {})
        for was, by_to in by_from.items():
            for now, accounts in by_to.items():
                if counts.get(was, 0) >= accounts:
                    counts[was] -= accounts
                counts[now] = counts.get(now, 0) + accounts
    return after


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
    *, policy: GuardPolicy, before: Counts, moves: Moves, fallbacks: Mapping[str, str | None]
) -> list[str]:
    """Why the run must be held, one sentence with figures each; empty when it may go on."""
    after = distribution_after(before, moves)
    findings: list[str] = []
    for dimension, counts in sorted(after.items()):
        total = sum(counts.values())
        if total:
            findings += _moved(policy, dimension, before.get(dimension, {}), moves.get(dimension, {}), counts)
            findings += _unassigned(policy, dimension, counts, total, fallbacks.get(dimension))
            findings += _dominance(policy, dimension, counts, total)
    return findings


def _moved(
    policy: GuardPolicy,
    dimension: str,
    before: Mapping[str, int],
    moves: Mapping[str, Mapping[str, int]],
    after: Mapping[str, int],
) -> list[str]:
    """Only where accounts were assigned before: a first assignment moves everybody."""
    was_total = sum(before.values())
    if not was_total:
        return []
    findings = []
    moved = sum(n for was, by_to in moves.items() for now, n in by_to.items() if was != now and before.get(was))
    if _share(moved, was_total) > policy.max_share_moved:
        findings.append(
            f"{dimension}: {moved:,} of {was_total:,} accounts would move ({_percent(moved, was_total)};"
            f" the limit is {policy.max_share_moved:.0%})."
        )
    for segment, count in sorted(before.items()):
        change = abs(after.get(segment, 0) - count)
        if segment and count and _share(change, count) > policy.max_segment_change:
            findings.append(
                f"{dimension}: {segment} would go from {count:,} to {after.get(segment, 0):,} accounts"
                f" ({_percent(change, count)}; the limit is {policy.max_segment_change:.0%})."
            )
    return findings


def _unassigned(
    policy: GuardPolicy, dimension: str, counts: Mapping[str, int], total: int, fallback: str | None
) -> list[str]:
    open_accounts = counts.get("", 0) + (counts.get(fallback, 0) if fallback else 0)
    if _share(open_accounts, total) <= policy.max_unassigned:
        return []
    return [
        f"{dimension}: {open_accounts:,} of {total:,} accounts would be Unassigned or in the fallback segment"
        f" ({_percent(open_accounts, total)}; the limit is {policy.max_unassigned:.0%})."
    ]


def _dominance(policy: GuardPolicy, dimension: str, counts: Mapping[str, int], total: int) -> list[str]:
    findings = []
    for segment, count in sorted(counts.items()):
        limit = max(policy.max_dominance, policy.expectations.get(f"{dimension}/{segment}", Decimal(0)))
        if segment and _share(count, total) > limit:
            findings.append(
                f"{dimension}: {segment} would hold {count:,} of {total:,} accounts"
                f" ({_percent(count, total)}; the limit is {limit:.0%})."
            )
    return findings


def _share(part: int, whole: int) -> Decimal:
    return Decimal(part) / Decimal(whole)


def _percent(part: int, whole: int) -> str:
    return f"{_share(part, whole):.1%}"
