"""What the version page shows: rail, changes, requirements, and what this person can do next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count
from django.urls import reverse

from frameworks.checks.findings import Finding, Report
from frameworks.checks.slot import engine_checks
from frameworks.coverage import PartDigests
from frameworks.definition import bodies_of
from frameworks.document import Document, PartId, PartText
from frameworks.errors import InvalidError
from frameworks.gates import CONFIRMED_LATER, findings_of
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.parts.diff import FieldChange, PartChange, diff_parts
from frameworks.parts.wording import humanise
from frameworks.querysets import assumed, threads_on
from frameworks.recertification import Recertification, recertifications
from frameworks.services.activation import blockers_of
from frameworks.services.review import plan_requirements, submission_problems
from frameworks.standing import RequirementStanding, Standings
from frameworks.transitions import UNDER_WAY

State = FrameworkVersion.State
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
TERMS_SHOWN = 6
CONFIRMED_AT_ONCE = 500


@dataclass
class Row:
    """One difference: as two texts, or in words."""

    label: str
    before: str = ""
    after: str = ""
    text: str = ""


@dataclass
class Changed:
    """A part that differs from the base version."""

    change: PartChange
    url: str
    rows: list[Row] = field(default_factory=list)
    noes: list[tuple[str, str]] = field(default_factory=list)


class VersionPage:
    """Everything about one version for one person, each piece read once."""

    def __init__(self, version: FrameworkVersion, user: User, at: datetime) -> None:
        self.version = version
        self.user = user
        self.user_id = user.pk
        self.at = at

    # What is there

    @cached_property
    def document(self) -> Document:
        return Document(bodies_of(self.version))

    @cached_property
    def base_document(self) -> Document:
        base = self.version.base_version
        return Document(bodies_of(base) if base else {})

    @cached_property
    def standings_of(self) -> Standings:
        return Standings(self.version, self.at)

    @cached_property
    def standings(self) -> list[RequirementStanding]:
        return self.standings_of.all() if self.version.state != State.DRAFT else []

    @cached_property
    def assumed_ids(self) -> set[PartId]:
        return set(assumed(self.version.parts.all()).values_list("kind", "key"))

    @cached_property
    def to_confirm(self) -> list[PartText]:
        return [part for part in self.document.parts.values() if part.id in self.assumed_ids]

    @property
    def has_assumed_gate(self) -> bool:
        """Whether confirming is what comes next; playbooks may wait."""
        return any(part.kind not in CONFIRMED_LATER for part in self.to_confirm)

    @property
    def confirm_choices(self) -> list[tuple[str, str]]:
        """ASSUMED parts in words, and what each tick posts: the digest that this page showed."""
        digests = {part.id: part.digest for part in self.standings_of.manifest.parts.values()}
        return [
            (
                f"{Kind(part.kind).label}: {self.document.label_of(*part.id)}",
                f"{part.path}@{digests[part.id]}",
            )
            for part in self.to_confirm[:CONFIRMED_AT_ONCE]
        ]

    @property
    def dimensions(self) -> list[dict[str, Any]]:
        return [
            {"part": part, "url": self.part_url(part.id), "segments": segments, "count": len(segments)}
            for part in self.document.of_kind(Kind.DIMENSION)
            for segments in [self.document.segments_of(part.key)]
        ]

    @property
    def first_terms(self) -> list[dict[str, Any]]:
        terms = self.document.of_kind(Kind.TERM)[:TERMS_SHOWN]
        return [{"part": part, "url": self.part_url(part.id)} for part in terms]

    @cached_property
    def changed_ids(self) -> set[PartId]:
        base, now = self.base_document.bodies, self.document.bodies
        return {part for part in {*base, *now} if base.get(part) != now.get(part)}

    @cached_property
    def counts(self) -> dict[str, int]:
        return {kind.value: len(self.document.of_kind(kind)) for kind in Kind}

    @cached_property
    def open_threads(self) -> dict[PartId, int]:
        """Comments that wait, by part; those on the version itself under two empty texts."""
        rows = threads_on(self.version).filter(resolved_at__isnull=True).order_by()
        counts = rows.values_list("part_kind", "part_key").annotate(count=Count("pk"))
        return {(kind, key): count for kind, key, count in counts}

    @property
    def thread_count(self) -> int:
        return sum(self.open_threads.values())

    # Changes

    @cached_property
    def changes(self) -> list[Changed]:
        """The typed differences from the base version; empty for a version without one."""
        if self.version.base_version is None:
            return []
        return [self._changed(change) for change in diff_parts(self.base_document.bodies, self.document.bodies)]

    def _changed(self, change: PartChange) -> Changed:
        found = Changed(change, self.part_url((change.kind, change.key)))
        found.rows = _rows(change.fields)
        if change.kind == Kind.SEGMENT and change.change == "changed":
            before, after = self.base_document.sentences(change.key), self.document.sentences(change.key)
            if before != after:
                found.rows.append(Row("In words", before, after))
        if change.change == "added" and change.kind == Kind.TERM:
            found.rows.append(Row("Wording", after=str(self.document.bodies[change.kind, change.key]["wording"])))
        found.noes = [
            (given.printed_name, given.reason)
            for standing in self.standings_about((change.kind, change.key))
            for given in standing.rejections
        ]
        return found

    # The rail

    def rail(self, current: PartId | None = None) -> list[dict[str, Any]]:
        groups = []
        for label, kinds in RAIL:
            parts = [part for kind in kinds for part in self.document.of_kind(kind)]
            rows = self._shortened([self._rail_row(part, current) for part in parts], self._tab_of(kinds[0]))
            if rows:
                groups.append({"label": label, "parts": rows})
        return groups

    def _shortened(self, rows: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
        """What somebody has to look at first; the rest of a long group as one line."""
        is_loud = [
            row["is_changed"] or row["is_current"] or row["comments"] or row["badge"] not in QUIET for row in rows
        ]
        loud = [row for row, is_it in zip(rows, is_loud, strict=True) if is_it]
        quiet = [row for row, is_it in zip(rows, is_loud, strict=True) if not is_it]
        if len(rows) <= RAIL_ROWS:
            return [*loud, *quiet]
        kept = loud[:RAIL_ROWS]
        rest = rows[len(kept) :] if len(loud) > RAIL_ROWS or not self.version.base_version_id else quiet
        badges = {row["badge"] for row in rest}
        word = "unchanged" if rest is quiet else "more"
        label = f"{len(rows) - len(kept)} {word}" if kept or rest is quiet else f"All {len(rows)}"
        line = {"label": label, "url": url, "badge": badges.pop() if len(badges) == 1 else ""}
        return [*kept, line]

    def _rail_row(self, part: PartText, current: PartId | None) -> dict[str, Any]:
        own = [part.id]
        if part.kind == Kind.DIMENSION:
            own += [segment.id for segment in self.document.segments_of(part.key)]
        return {
            "label": part.label,
            "url": self.part_url(part.id),
            "badge": self.badge(own),
            "comments": sum(self.open_threads.get(each, 0) for each in own),
            "is_current": current in own,
            "is_changed": self.version.base_version_id is not None and any(each in self.changed_ids for each in own),
        }

    def badge(self, parts: Sequence[PartId]) -> str:
        """One word or two: what somebody has to know about these parts."""
        standings = [standing for part in parts for standing in self._about(part)]
        noes = sum(len(standing.rejections) for standing in standings)
        open_ones = [standing for standing in standings if not standing.is_met]
        waiting = sum(part in self.assumed_ids for part in parts)
        if any(self.is_asked(standing) for standing in standings):
            return "needs you"
        if noes:
            return f"{noes} No"
        if waiting:
            return "assumed" if len(parts) == 1 else f"{waiting} assumed"
        if open_ones:
            return f"{len(open_ones)} open" if len(parts) > 1 else "open"
        return "signed" if standings or self._is_signed_in_sets(parts) else ""

    @cached_property
    def _set_standings(self) -> list[RequirementStanding]:
        return [standing for standing in self.standings if not standing.requirement.part_key]

    def _is_signed_in_sets(self, parts: Sequence[PartId]) -> bool:
        """Parts without a requirement of their own are signed when every set that covers them is."""
        covering = [
            standing
            for standing in self._set_standings
            if any(kind in standing.requirement.kinds for kind, _ in parts)
            and (not standing.requirement.keys or any(key in standing.requirement.keys for _, key in parts))
        ]
        return bool(covering) and all(standing.is_met for standing in covering)

    def _about(self, part: PartId) -> list[RequirementStanding]:
        return self._standings_by_part.get(part, [])

    @cached_property
    def recurring(self) -> list[Recertification]:
        """What has to be signed again on the version in force, as far as it is open."""
        if not self.version.is_active:
            return []
        return [each for each in recertifications(self.version, self.at) if each.is_open]

    @property
    def is_stale_base(self) -> bool:
        """Whether another version became active since this one was drafted; it can be rebased."""
        is_open = self.version.state == State.DRAFT or self.version.state in UNDER_WAY
        return is_open and self.version.base_version_id != self.version.framework.active_version_id

    @property
    def may_declare_emergency(self) -> bool:
        is_open = self.version.state in (State.DRAFT, State.IN_REVIEW) and not self.is_stale_base
        in_force = self.version.framework.active_version_id
        return bool(is_open and in_force and not self.to_confirm_first and self.may("activate_emergency"))

    @property
    def to_confirm_first(self) -> bool:
        return self.version.state == State.DRAFT and self.has_assumed_gate

    @property
    def open_count(self) -> int:
        return sum(line["state"] != "met" for line in self.requirement_lines)

    @property
    def may_request_changes(self) -> bool:
        asked = any(self.user.pk in pool for pool in self.standings_of.pools.values())
        return self.version.state == State.IN_REVIEW and (asked or self.may("submit_version"))

    @cached_property
    def _standings_by_part(self) -> dict[PartId, list[RequirementStanding]]:
        found: dict[PartId, list[RequirementStanding]] = {}
        for standing in self.standings:
            requirement = standing.requirement
            if requirement.part_key:
                found.setdefault((requirement.part_kind, requirement.part_key), []).append(standing)
        return found

    def standings_about(self, part: PartId) -> list[RequirementStanding]:
        """The part's own requirements."""
        return self._about(part)

    # Requirements

    def is_asked(self, standing: RequirementStanding) -> bool:
        return any(person.pk == self.user_id for person in standing.missing) and not standing.is_met

    @cached_property
    def my_open(self) -> list[RequirementStanding]:
        if self.version.state != State.IN_REVIEW and not self.version.awaits_ratification:
            return []
        return [standing for standing in self.standings if self.is_asked(standing)]

    @cached_property
    def requirement_lines(self) -> list[dict[str, Any]]:
        """One line per code, in the policy's order, for the requirement rail."""
        if self.version.state == State.DRAFT:
            return [_planned_line(line) for line in plan_requirements(self.version, self.standings_of.manifest)]
        by_code: dict[str, list[RequirementStanding]] = {}
        for standing in self.standings:
            by_code.setdefault(standing.requirement.code, []).append(standing)
        return [self._requirement_line(standings) for standings in by_code.values()]

    def _requirement_line(self, standings: Sequence[RequirementStanding]) -> dict[str, Any]:
        first = standings[0].requirement
        met = sum(standing.is_met for standing in standings)
        single = standings[0] if len(standings) == 1 else None
        done = met == len(standings)
        blocked = any(standing.is_blocked for standing in standings)
        return {
            "title": first.label,
            "state": "met" if done else "blocked" if blocked else "open",
            "count": f"{len(single.approvals)}/{single.needed}" if single else f"{met}/{len(standings)}",
            "detail": _signed_by(standings) if done else self._still_needed(standings),
        }

    def _still_needed(self, standings: Sequence[RequirementStanding]) -> str:
        words = [
            f"{given.printed_name} said No to {self._about_label(standing)}."
            for standing in standings
            for given in standing.rejections
        ]
        open_ones = [standing for standing in standings if not standing.is_met]
        names = _names(person.name for standing in open_ones for person in standing.missing)
        mine = sum(self.is_asked(standing) for standing in open_ones)
        if mine:
            words.append(f"You: {mine} to answer.")
        others = [name for name in names if name != self.user.name]
        if others:
            words.append(f"Still needed: {', '.join(others)}.")
        words += sorted({lapse for standing in open_ones for lapse in standing.lapsed})
        return " ".join(words)

    def _about_label(self, standing: RequirementStanding) -> str:
        requirement = standing.requirement
        if not requirement.part_key:
            return requirement.label
        return self.document.label_of(requirement.part_kind, requirement.part_key)

    # What comes next

    @cached_property
    def problems(self) -> list[str]:
        """Why a draft cannot be submitted."""
        return submission_problems(self.version, self.report) if self.version.state == State.DRAFT else []

    @cached_property
    def report(self) -> Report | None:
        """What the engine and live accounts said when somebody last ran the checks."""
        checks = engine_checks()
        return checks.known(self.version) if checks else None

    @cached_property
    def findings(self) -> list[Finding]:
        """What the checks found, each warning with its waiver; nothing while parts cannot be read."""
        try:
            return findings_of(self.version, self.report)
        except InvalidError:
            return []

    @cached_property
    def blockers(self) -> list[str]:
        """Why a version under way cannot be activated yet."""
        if self.version.state not in (State.IN_REVIEW, State.APPROVED, State.SCHEDULED):
            return []
        return blockers_of(self.standings_of, self.standings)

    @property
    def met_count(self) -> int:
        return sum(line["state"] == "met" for line in self.requirement_lines)

    @property
    def waits_for(self) -> str:
        """The reason under a disabled button."""
        open_lines = [line for line in self.requirement_lines if line["state"] != "met"]
        if not open_lines:
            return self.blockers[0] if self.blockers else ""
        count = len(open_lines)
        return f"Activation waits for {count} requirement{'' if count == 1 else 's'}. {self._next_words()}"

    def _next_words(self) -> str:
        """Who acts next: whoever said No with the author, else the first whose answer is missing."""
        for standing in self.standings:
            for given in standing.rejections:
                return f"Next: {given.printed_name} and {self.version.author} settle {self._about_label(standing)}."
        missing = _names(person.name for each in self.standings if not each.is_met for person in each.missing)
        return f"Next: {missing[0]}." if missing else ""

    def may(self, codename: str) -> bool:
        return self.user.has_perm(f"frameworks.{codename}")

    # Addresses

    def url(self, name: str, **values: str) -> str:
        place = {"slug": self.version.framework.slug, "number": self.version.number}
        return reverse(f"frameworks:{name}", kwargs={**place, **values})

    def part_url(self, part: PartId) -> str:
        return f"{self._address}?part={part[0]}/{part[1]}"

    @cached_property
    def _address(self) -> str:
        return self.url("version_detail")

    def _tab_of(self, kind: str) -> str:
        tabs = {
            Kind.TERM: "version_definitions",
            Kind.PLAYBOOK: "version_playbooks",
            Kind.DATA_SOURCE: "version_data_sources",
            Kind.WAIVER: "version_checks",
        }
        return self.url(tabs.get(Kind(kind), "version_dimensions"))


def _rows(changes: Iterable[FieldChange]) -> list[Row]:
    """One row per difference; a label that repeats is not said twice."""
    rows, last = [], ""
    for change in changes:
        row = _row(change)
        row.label, last = ("" if row.label == last else row.label), row.label
        rows.append(row)
    return rows


def _row(change: FieldChange) -> Row:
    name, _, inner = change.pointer.strip("/").partition("/")
    lead, _, _ = change.text.rpartition(" › ")
    if change.words:
        return Row(lead if inner and lead else humanise(name), str(change.old), str(change.new))
    return Row(humanise(name), text=change.text)


def _planned_line(planned: Any) -> dict[str, Any]:
    names = ", ".join(person.name for person in planned.pool)
    covered: Sequence[PartDigests] = planned.covered
    parts = f"{len(covered)} part{'' if len(covered) == 1 else 's'}"
    return {
        "title": planned.line.label,
        "state": "blocked" if planned.problem() else "open",
        "count": parts,
        "detail": planned.problem() or (f"{planned.minimum} of: {names}" if names else ""),
    }


def _signed_by(standings: Sequence[RequirementStanding]) -> str:
    return ", ".join(_names(given.printed_name for standing in standings for given in standing.approvals))


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
