"""Signed impact: whether the figures of today are still those that people agreed to. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

TOLERANCE = Decimal("0.02")
FIGURES = ("accounts", "arr")
Figures = Mapping[str, Any]


def impact_exceeds(
    signed: Figures, now: Figures, tolerance: Decimal = TOLERANCE, names: Mapping[str, str] | None = None
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
            called.get(segment) or _words(segment), before.get(segment, {}), after.get(segment, {}), tolerance
        )
    ]


def _differences(name_of_segment: str, signed: Figures, now: Figures, tolerance: Decimal) -> Iterator[str]:
    for name in FIGURES:
        was, becomes = _figure(signed, name), _figure(now, name)
        if abs(becomes - was) > tolerance * was:
            yield f"{name_of_segment}: {becomes:,f} {_unit(name)} now, {was:,f} signed."


def _figure(row: Figures, name: str) -> Decimal:
    return Decimal(str(row.get(name, 0) or 0))


def _words(segment: str) -> str:
    dimension, _, short = segment.partition("/")
    return f"{dimension} / {short or 'Unassigned'}"


def _unit(name: str) -> str:
    return "ARR" if name == "arr" else name


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
