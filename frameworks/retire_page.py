"""What the page shows that merges, splits and retires the segments of one dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from frameworks.definition import Bodies, bodies_of
from frameworks.holds import what_hangs_on_each
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.parts.dimension import Dimension, Retirement
from frameworks.parts.registry import parse_body
from frameworks.parts.wording import humanise, listed


@dataclass(frozen=True)
class Candidate:
    """A segment that may leave. `hangs` is what is on it, in words; `is_gone` where the draft lacks it already."""

    key: str
    label: str
    rank: int
    hangs: str
    is_gone: bool
    is_ticked: bool


@dataclass(frozen=True)
class Record:
    """One entry of the record; `may_return` where this draft made it."""

    key: str
    label: str
    into: str
    overrides: str
    reason: str
    may_return: bool


class RetirePage:
    """One dimension of one version, for one person; `ticked` are segments the form was opened for."""

    def __init__(self, version: FrameworkVersion, key: str, user: User, ticked: tuple[str, ...] = ()) -> None:
        self.version, self.key, self.ticked = version, key, ticked
        self.bodies: Bodies = bodies_of(version)
        self.may_edit = version.state == FrameworkVersion.State.DRAFT and user.has_perm("frameworks.edit_draft")
        part = version.parts.filter(kind=Kind.DIMENSION, key=key).values_list("body_id", flat=True).first()
        self.digest = part or ""

    @property
    def body(self) -> Mapping[str, Any]:
        return self.bodies[Kind.DIMENSION.value, self.key]

    @property
    def label(self) -> str:
        return str(self.body["label"])

    @cached_property
    def base(self) -> Bodies:
        return bodies_of(self.version.base_version) if self.version.base_version else {}

    @cached_property
    def gone(self) -> list[str]:
        """Segments of the base version that the draft has no more, in its order."""
        before = self.base.get((Kind.DIMENSION.value, self.key), {}).get("segments", ())
        return [short for short in before if short not in self.body["segments"]]

    @cached_property
    def _entries(self) -> dict[str, Retirement]:
        body = parse_body(Kind.DIMENSION, dict(self.body))
        return {entry.segment: entry for entry in body.retired} if isinstance(body, Dimension) else {}

    @property
    def segment_count(self) -> int:
        return len(self.body["segments"])

    @cached_property
    def unmapped(self) -> list[str]:
        """What left already without a word about where it goes."""
        return [self.name(short) for short in self.gone if short not in self._entries]

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Segments that may leave: those of the draft, after those that are gone and go nowhere yet."""
        open_ones = [short for short in self.gone if short not in self._entries]
        every = [*open_ones, *self.body["segments"]]
        hangs = what_hangs_on_each(self.version.framework, self.key, every)
        return [self._candidate(short, open_ones, hangs) for short in every]

    def _candidate(self, short: str, open_ones: list[str], hangs: Mapping[str, list[str]]) -> Candidate:
        part = (Kind.PLAYBOOK.value, f"{self.key}/{short}")
        hanging = [*hangs[short]]
        hanging += ["it has a playbook"] if part in self.bodies or part in self.base else []
        ranked = list(self.body["segments"])
        rank = ranked.index(short) + 1 if short in ranked else 0
        is_gone = short in open_ones
        is_ticked = short in self.ticked or (is_gone and not self.ticked)
        return Candidate(short, self.name(short), rank, listed(hanging), is_gone, is_ticked)

    @property
    def successors(self) -> list[tuple[str, str]]:
        return [(short, self.name(short)) for short in self.body["segments"]]

    @cached_property
    def records(self) -> list[Record]:
        """The record, what this draft added first."""
        found = [self._record(entry) for entry in self._entries.values()]
        return sorted(found, key=lambda each: not each.may_return)

    def _record(self, entry: Retirement) -> Record:
        to = self.name(entry.carries_to) if entry.carries_to else "to be asked for again"
        into = listed(self.name(short) for short in entry.into)
        may_return = entry.segment in self.gone and self.may_edit
        return Record(entry.segment, self.name(entry.segment), into, to, entry.reason, may_return)

    def name(self, short: str) -> str:
        part = (Kind.SEGMENT.value, f"{self.key}/{short}")
        body = self.bodies.get(part) or self.base.get(part) or {}
        return str(body.get("label") or self._stored_names.get(short) or humanise(short))

    @cached_property
    def _stored_names(self) -> dict[str, str]:
        rows = self.version.framework.dimensions.filter(key=self.key)
        return dict(rows.values_list("segments__key", "segments__name"))
