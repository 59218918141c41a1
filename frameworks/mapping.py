"""What took the place of segments that a version no longer has: written in its dimensions, or derived when going back.

A dimension's record says where each retired segment went. A version that goes back to an old one has that one's parts
and so no record of what came after: there the record of the version it leaves is read the other way round.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frameworks.definition import Bodies, Definition, bodies_of, definition_of
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts.dimension import Dimension, Retirement


@dataclass(frozen=True)
class Succession:
    """Where a retired segment's accounts belong now: `into` are segments of the version, one or, of a split, several.

    `carries_to` is the segment its overrides are carried to; None: they are to be reconfirmed, unless they came from
    a segment that is there again (`is_return`).
    """

    into: tuple[str, ...]
    carries_to: str | None
    is_return: bool = False

    @property
    def only(self) -> str | None:
        """The successor that is the same place for an account; a split has none."""
        return self.into[0] if len(self.into) == 1 else None


Successions = Mapping[str, Mapping[str, Succession]]
"""Dimension key → retired segment key → its succession."""


def successions(definition: Definition, left: Definition | None = None) -> dict[str, dict[str, Succession]]:
    """What took the place of retired segments, by dimension; `left` is the version that a rollback leaves."""
    return {
        key: {**(_returns(body, left.dimensions.get(key)) if left else {}), **_recorded(body)}
        for key, body in definition.dimensions.items()
    }


def successions_of(version: FrameworkVersion, definition: Definition) -> dict[str, dict[str, Succession]]:
    """The same of a stored version; asks the database only for one that goes back."""
    base = version.base_version if version.rollback_of_id else None
    return successions(definition, Definition(_dimensions_of(base)) if base else None)


def _dimensions_of(version: FrameworkVersion) -> Bodies:
    return {part: body for part, body in bodies_of(version).items() if part[0] == Kind.DIMENSION}


def _recorded(body: Dimension) -> dict[str, Succession]:
    entries = {entry.segment: entry for entry in body.retired}
    return {name: Succession(_ends(entry.into, entries), _carried(entry, entries)) for name, entry in entries.items()}


def _ends(into: Iterable[str], entries: Mapping[str, Retirement]) -> tuple[str, ...]:
    """Successors that are segments today, through those that were retired later themselves."""
    found: dict[str, None] = {}
    for name in into:
        found |= dict.fromkeys(_ends(entries[name].into, entries)) if name in entries else {name: None}
    return tuple(found)


def _carried(entry: Retirement, entries: Mapping[str, Retirement]) -> str | None:
    to = entry.carries_to
    return _carried(entries[to], entries) if to is not None and to in entries else to


def _returns(body: Dimension, left: Dimension | None) -> dict[str, Succession]:
    """Segments of the version that is left, each with the segments of this one that it had taken the place of."""
    if left is None:
        return {}
    recorded, found = _recorded(left), {}
    for name in left.segments:
        back = tuple(each for each in body.segments if each in recorded and name in recorded[each].into)
        if name not in body.segments and back:
            found[name] = Succession(back, back[0] if len(back) == 1 else None, is_return=True)
    return found


# --- what is wrong with a draft's record


@dataclass(frozen=True)
class Departure:
    """A segment of the base version that the draft does not have; `is_mapped` once the draft says where it goes."""

    dimension: str
    segment: str
    has_playbook: bool
    is_mapped: bool


def departures(definition: Definition, base: Definition, known: Successions) -> Iterator[Departure]:
    """Segments that leave a dimension which stays, in the base's order."""
    for key, body in base.dimensions.items():
        if key in definition.dimensions:
            for name in body.segments:
                if name not in definition.dimensions[key].segments:
                    yield Departure(key, name, f"{key}/{name}" in base.playbooks, name in known.get(key, {}))


def record_problems(definition: Definition, base: Definition | None) -> Iterator[tuple[str, str]]:
    """New entries of the record that name no segment of the base version: the dimension's key, and words."""
    for key, body in definition.dimensions.items():
        old = base.dimensions.get(key) if base else None
        kept = {entry.segment for entry in old.retired} if old else set()
        for entry in body.retired:
            if entry.segment not in kept and (old is None or entry.segment not in old.segments):
                yield key, f"{body.label} says where {entry.segment} went, but the version before has no such segment."


# --- what a successor may begin with


def offered_playbook(version: FrameworkVersion, key: str) -> dict[str, Any]:
    """The playbook of a segment that `key` took the place of, from the version before; empty where there is none."""
    dimension, _, short = key.partition("/")
    if version.base_version is None or not short:
        return {}
    known = successions_of(version, definition_of(version)).get(dimension, {})
    before = [f"{dimension}/{name}" for name, each in known.items() if short in each.into]
    rows = version.base_version.parts.filter(kind=Kind.PLAYBOOK, key__in=before)
    bodies: dict[str, dict[str, Any]] = dict(rows.values_list("key", "body__body"))
    return next((bodies[name] for name in before if name in bodies), {})
