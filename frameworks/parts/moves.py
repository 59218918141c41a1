"""Which items of an ordered list moved, with the fewest moves that explain the new order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def moves(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str, str]]:
    """(item, "above" or "below", neighbour) for every item that left its place among the common ones.

    Both lists hold distinct items; those that only one of them has are left out.
    """
    places = {item: place for place, item in enumerate(old)}
    common = [item for item in new if item in places]
    kept = {common[index] for index in _longest_rising([places[item] for item in common])}
    old_common = [item for item in old if item in set(common)]
    found = []
    for index, item in enumerate(common):
        if item in kept:
            continue
        if index < old_common.index(item):
            found.append((item, "above", common[index + 1]))
        else:
            found.append((item, "below", common[index - 1]))
    return found


def _longest_rising(places: Sequence[int]) -> list[int]:
    """Indexes of the longest rising subsequence; among equals the one that keeps what ranked higher."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, place in enumerate(places):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        tails[length:] = [place, *tails[length + 1 :]]
        ends[length:] = [index, *ends[length + 1 :]]
    found: list[int] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        found.append(index)
        index = before[index]
    return found[::-1]
