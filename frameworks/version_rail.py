"""The left rail of a version: what somebody has to look at first in each group of parts."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from frameworks.document import Document, PartId
from frameworks.models import Kind
from frameworks.version_contents import VersionContents

RAIL = (
    ("Dimensions", (Kind.DIMENSION,)),
    ("Definitions", (Kind.TERM,)),
    ("Playbooks", (Kind.PLAYBOOK,)),
    ("Policy", (Kind.META, Kind.POLICY)),
    ("Data sources", (Kind.DATA_SOURCE,)),
    ("Waivers", (Kind.WAIVER,)),
)
RAIL_ROWS = 6
QUIET = ("", "signed")


class VersionRail:
    """The rail of one version for one person; long groups are cut to what is loud."""

    def __init__(self, page: VersionContents) -> None:
        self.page = page

    def rail(self, current: PartId | None = None) -> list[dict[str, Any]]:
        """What somebody has to look at first in each group; the rest of a long group as one line."""
        groups = [(label, kinds, self._rail_parts(kinds, current)) for label, kinds in RAIL]
        names = self.page.names({part for _, _, parts in groups for part in parts})
        found = []
        for label, kinds, parts in groups:
            rows = [self._rail_row(part, names, current) for part in parts]
            left = sum(self.page.counts[kind] for kind in kinds) - len(parts)
            if left > 0:
                rows.append(self._rest(kinds, left, has_rows=bool(rows)))
            if rows:
                found.append({"label": label, "parts": rows})
        return found

    def _rail_parts(self, kinds: Sequence[str], current: PartId | None) -> list[PartId]:
        loud = sorted(part for kind in kinds for part in self._shown_loud.get(kind, ()))
        if current and (here := self._shown_as(current)) not in loud and here[0] in kinds:
            loud = sorted([*loud, here])
        if sum(self.page.counts[kind] for kind in kinds) > RAIL_ROWS:
            first = loud[:RAIL_ROWS]
            return [*first, *([current] if current and current[0] in kinds and current not in first else [])]
        every = [part for kind in kinds for part in self._small_kinds.get(kind, ())]
        return sorted(every, key=lambda part: (part not in loud, kinds.index(part[0]), part[1]))

    @cached_property
    def _small_kinds(self) -> dict[str, list[PartId]]:
        """The parts of groups that fit the rail as a whole; one query."""
        kinds = [k for _, group in RAIL if sum(self.page.counts[k] for k in group) <= RAIL_ROWS for k in group]
        found: dict[str, list[PartId]] = {}
        for kind, key in self.page.version.parts.filter(kind__in=kinds).order_by("key").values_list("kind", "key"):
            found.setdefault(kind, []).append((kind, key))
        return found

    @cached_property
    def _loud(self) -> set[PartId]:
        commented = {part for part in self.page.open_threads if part[1]}
        open_parts = self.page.tally.open_parts if self.page.is_asked_about else frozenset()
        return {
            *self.page.changed_ids,
            *self.page.assumed_ids,
            *commented,
            *open_parts,
            *self.page.disputed_ids,
        }

    @cached_property
    def _shown_loud(self) -> dict[str, set[PartId]]:
        """By kind, the rows under which the loud parts stand."""
        found: dict[str, set[PartId]] = {}
        for part in self._loud:
            row = self._shown_as(part)
            found.setdefault(row[0], set()).add(row)
        return found

    def _shown_as(self, part: PartId) -> PartId:
        """A segment stands in the rail under its dimension."""
        return (Kind.DIMENSION.value, part[1].partition("/")[0]) if part[0] == Kind.SEGMENT else part

    @cached_property
    def _loud_segments(self) -> dict[str, list[PartId]]:
        found: dict[str, list[PartId]] = {}
        every = self.page.tally.by_part if self.page.is_asked_about else ()
        for part in {*self._loud, *every}:
            if part[0] == Kind.SEGMENT:
                found.setdefault(part[1].partition("/")[0], []).append(part)
        return found

    def _rail_row(self, part: PartId, names: Document, current: PartId | None) -> dict[str, Any]:
        own = [part, *(self._loud_segments.get(part[1], []) if part[0] == Kind.DIMENSION else [])]
        return {
            "label": text.label if (text := names.part(*part)) else names.label_of(*part),
            "url": self.page.part_url(part),
            "badge": self.badge(own),
            "comments": sum(self.page.open_threads.get(each, 0) for each in own),
            "is_current": current is not None and (current in own or self._shown_as(current) == part),
            "is_changed": any(each in self.page.changed_ids for each in own),
        }

    def _rest(self, kinds: Sequence[str], left: int, *, has_rows: bool) -> dict[str, Any]:
        quiet = self._loud_count(kinds) <= RAIL_ROWS
        word = "unchanged" if quiet and self.page.version.base_version_id else "more"
        label = f"{left:,} {word}" if has_rows or word == "unchanged" else f"All {left:,}"
        badge = "signed" if quiet and self._kinds_are_signed(kinds) else ""
        return {"label": label, "url": self._tab_of(kinds[0]), "badge": badge}

    def _loud_count(self, kinds: Sequence[str]) -> int:
        """How many parts are loud; a segment counts for its dimension's group."""
        return sum(self._shown_as(part)[0] in kinds for part in self._loud)

    def _kinds_are_signed(self, kinds: Sequence[str]) -> bool:
        if not self.page.is_asked_about:
            return False
        return any(kind in self.page.tally.kinds for kind in kinds) or self._is_signed_in_sets([(k, "") for k in kinds])

    def badge(self, parts: Sequence[PartId]) -> str:
        """One word or two: what somebody has to know about these parts."""
        standings = [standing for part in parts for standing in self.page.alike(part)]
        disputed = [each for part in parts for each in self.page.answers_to(part) if each.is_disputed]
        noes = sum(len(each.rejections) for each in disputed)
        open_ones = [standing for standing in standings if not standing.is_met]
        waiting = sum(part in self.page.assumed_ids for part in parts)
        if any(self.page.is_asked(standing) for standing in standings):
            return "needs you"
        if noes:
            return f"{noes} No"
        if waiting:
            return "assumed" if len(parts) == 1 else f"{waiting} assumed"
        if open_ones:
            return f"{len(open_ones)} open" if len(parts) > 1 else "open"
        return "signed" if standings or self._is_signed_in_sets(parts) else ""

    def _is_signed_in_sets(self, parts: Sequence[PartId]) -> bool:
        """Parts without a requirement of their own are signed when every set that covers them is."""
        covering = [
            standing
            for standing in (self.page.tally.sets if self.page.is_asked_about else ())
            if any(kind in standing.requirement.kinds for kind, _ in parts)
            and (not standing.requirement.keys or any(key in standing.requirement.keys for _, key in parts))
        ]
        return bool(covering) and all(standing.is_met for standing in covering)

    def _tab_of(self, kind: str) -> str:
        tabs = {
            Kind.TERM: "version_definitions",
            Kind.PLAYBOOK: "version_playbooks",
            Kind.DATA_SOURCE: "version_data_sources",
            Kind.WAIVER: "version_checks",
        }
        return self.page.url(tabs.get(Kind(kind), "version_dimensions"))
