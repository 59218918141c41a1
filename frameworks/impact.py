"""Signed impact: whether the figures of today are still those that people agreed to. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from frameworks.templatetags.cutline import money, money_short, number

TOLERANCE = Decimal("0.02")
FIGURES = ("accounts", "arr")
Figures = Mapping[str, Any]


def impact_exceeds(
    signed: Figures,
    now: Figures,
    tolerance: Decimal = TOLERANCE,
    names: Mapping[str, str] | None = None,
    currency: str = "USD",
) -> list[str]:
    """Where a segment's accounts or ARR differ from the signed figure by more than `tolerance` of that segment.

    Both arguments are `VersionImpact.figures`; one sentence each, empty when people would sign the same again.
    A segment that was signed as empty may not gain anything. `names` are what segments ("tier/smb") and Unassigned
    ("tier/") are called.
    """
    called = names or {}
    before, after = signed.get("segments", {}), now.get("segments", {})
    return [
        sentence
        for segment in sorted({*before, *after})
        for sentence in _differences(
            called.get(segment) or _words(segment), before.get(segment, {}), after.get(segment, {}), tolerance, currency
        )
    ]


def _differences(
    name_of_segment: str, signed: Figures, now: Figures, tolerance: Decimal, currency: str
) -> Iterator[str]:
    was, becomes = _figure(signed, "accounts"), _figure(now, "accounts")
    if abs(becomes - was) > tolerance * was:
        yield f"{name_of_segment}: {number(becomes)} account{'' if becomes == 1 else 's'} now, {number(was)} signed."
    was, becomes = _figure(signed, "arr"), _figure(now, "arr")
    if abs(becomes - was) > tolerance * was:
        before, after = _amounts(was, becomes, currency)
        yield f"{name_of_segment}: {after} ARR now, {before} signed."


def _amounts(was: Decimal, becomes: Decimal, currency: str) -> tuple[str, str]:
    """Both as figures are printed elsewhere; in full where they would read the same."""
    before, after = money_short(was, currency), money_short(becomes, currency)
    return (before, after) if before != after else (money(was, currency), money(becomes, currency))


def _figure(row: Figures, name: str) -> Decimal:
    return Decimal(str(row.get(name, 0) or 0))


def _words(segment: str) -> str:
    dimension, _, short = segment.partition("/")
    return f"{dimension} / {short or 'Unassigned'}"


def figure_problems(figures: Figures) -> list[str]:
    """What is missing or malformed in figures that somebody wants to record; empty when they can be compared."""
    segments = figures.get("segments")
    if not isinstance(segments, Mapping):
        return ["The figures have no “segments”."]
    return [
        f"{segment}: {name} is no figure."
        for segment, row in segments.items()
        for name in FIGURES
        if not _is_figure(row, name)
    ]


def _is_figure(row: object, name: str) -> bool:
    if not isinstance(row, Mapping) or isinstance(row.get(name), float | bool):
        return False
    try:
        return Decimal(str(row[name])) >= 0
    except (KeyError, InvalidOperation):
        return False
