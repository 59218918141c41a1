"""How much a change matters. Computed from the difference, never chosen by a person."""

from __future__ import annotations

from collections.abc import Iterable

from frameworks.parts.base import Level
from frameworks.parts.base import highest as highest_level
from frameworks.parts.diff import FieldChange, PartChange


def materiality(change: PartChange | FieldChange) -> Level:
    """The level of one change: of a part, that of its highest field; of a new or removed part, of its content."""
    return change.level


def highest_materiality(changes: Iterable[PartChange | FieldChange]) -> Level | None:
    """The highest level among `changes`; None when nothing changed."""
    levels = [change.level for change in changes]
    return highest_level(levels) if levels else None
