"""What the version page shows: rail, changes, requirements, and what this person can do next."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse

from frameworks.changes import Changed, described
from frameworks.checks.findings import Finding, Report
from frameworks.checks.slot import engine_checks
from frameworks.comparison import Difference, bodies_of_parts, bodies_to_read, differences
from frameworks.coverage import Manifest, PartDigests, manifest_of
from frameworks.definition import bodies_of
from frameworks.document import Document, PartId
from frameworks.errors import InvalidError
from frameworks.gates import CONFIRMED_LATER, findings_of
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.querysets import assumed, threads_on
from frameworks.recertification import Recertification, recertifications
from frameworks.services.activation import blockers_of
from frameworks.services.review import plan_requirements, submission_problems
from frameworks.standing import RequirementStanding
from frameworks.standing_cache import Line, Overview, overview_of
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
DIMENSIONS_SHOWN = 8
NOES_NAMED = 5
LARGE = 2_000
"""More parts than this, and a draft is checked on its own tab only."""
CONFIRMED_AT_ONCE = 500


class VersionPage:
    """Everything about one version for one person, each piece read once."""

    def __init__(self, version: FrameworkVersion, user: User, at: datetime) -> None:
        self.version = version
        self.user = user
        self.user_id = user.pk
        self.at = at

    # What is there: counts, digests and labels; bodies only of what is read

    @cached_property
    def counts(self) -> dict[str, int]:
        found = dict(self.version.parts.order_by().values_list("kind").annotate(count=Count("pk")))
        return {kind.value: found.get(kind.value, 0) for kind in Kind}

    @property
    def part_count(self) -> int:
        return sum(self.counts.values())

    @property
    def is_large(self) -> bool:
        return self.part_count > LARGE

    @cached_property
    def overview(self) -> Overview:
        return overview_of(self.version, self.at)

    @cached_property
    def standings(self) -> Sequence[RequirementStanding]:
        return self.overview.standings if self.version.state != State.DRAFT else ()

    @cached_property
    def manifest(self) -> Manifest:
        return manifest_of(self.version)

    @cached_property
    def assumed_ids(self) -> set[PartId]:
        return set(assumed(self.version.parts.order_by()).values_list("kind", "key"))

    @property
    def confirmed_count(self) -> int:
        return self.part_count - len(self.assumed_ids)

    @property
    def has_assumed_gate(self) -> bool:
        """Whether confirming is what comes next; playbooks may wait."""
        return any(kind not in CONFIRMED_LATER for kind, _ in self.assumed_ids)

    def read(self, parts: Iterable[PartId]) -> Document:
        """These parts as a document, with what they refer to."""
        return Document(bodies_to_read(self.version, parts))

    @cached_property
    def document(self) -> Document:
        """Every part: for pages that judge the whole, such as the checks."""
        return Document(bodies_of(self.version))

    def keys_of(self, kind: str) -> list[PartId]:
        """The ids of all parts of a kind, by key."""
        keys = self.version.parts.filter(kind=kind).order_by("key").values_list("key", flat=True)
        return [(str(kind), key) for key in keys]

    def names(self, parts: Iterable[PartId]) -> Document:
        """A document of labels alone, to call parts by their names; one query."""
        wanted = set(parts)
        for kind, key in list(wanted):
            if kind in (Kind.SEGMENT, Kind.PLAYBOOK):
                wanted |= {(Kind.DIMENSION.value, key.partition("/")[0]), (Kind.SEGMENT.value, key)}
        rows = self.version.parts.filter(_any_of(_grouped(wanted))).order_by("kind", "key")
        labels = rows.values_list("kind", "key", "body__body__label") if wanted else ()
        return Document({(kind, key): {"label": label or ""} for kind, key, label in labels})

    @cached_property
    def first_dimensions(self) -> list[dict[str, Any]]:
        """The dimensions of the overview with their segments in words."""
        return self.dimensions_among(self.keys_of(Kind.DIMENSION)[:DIMENSIONS_SHOWN])

    def dimensions_among(self, parts: Sequence[PartId]) -> list[dict[str, Any]]:
        """These dimensions with their segments, highest rank first."""
        document = self.read(parts)
        wanted = {(Kind.SEGMENT.value, f"{key}/{short}") for _, key in parts for short in _shorts(document, key)}
        document = self.read([*parts, *wanted])
        return [
            {"part": part, "url": self.part_url(part.id), "segments": segments, "count": len(segments)}
            for each in parts
            if (part := document.part(*each))
            for segments in [document.segments_of(part.key)]
        ]

    @property
    def first_terms(self) -> list[dict[str, Any]]:
        keys = self.version.parts.filter(kind=Kind.TERM).order_by("key").values_list("key", flat=True)[:TERMS_SHOWN]
        document = Document(bodies_of_parts(self.version, [(Kind.TERM.value, key) for key in keys]))
        return [{"part": part, "url": self.part_url(part.id)} for part in document.of_kind(Kind.TERM)]

    @property
    def purpose(self) -> str:
        meta = self.version.parts.filter(kind=Kind.META).values_list("body__body__purpose", flat=True).first()
        return str(meta or "")

    @cached_property
    def confirm_choices(self) -> list[tuple[str, str]]:
        """ASSUMED parts in words, and what each tick posts: the digest that this page showed."""
        chosen = sorted(self.assumed_ids)[:CONFIRMED_AT_ONCE]
        names = self.names(chosen)
        rows = self.version.parts.filter(_any_of(_grouped(chosen))).values_list("kind", "key", "body_id")
        digests = {(kind, key): digest for kind, key, digest in rows} if chosen else {}
        return [
            (f"{Kind(kind).label}: {names.label_of(kind, key)}", f"{kind}/{key}@{digests[kind, key]}")
            for kind, key in chosen
        ]

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
    def differences(self) -> list[Difference]:
        """What differs from the base version; nothing for a version without one."""
        base = self.version.base_version
        return differences(base, self.version) if base else []

    @cached_property
    def changed_ids(self) -> set[PartId]:
        return {each.id for each in self.differences}

    def changes(self, found: Sequence[Difference]) -> list[Changed]:
        """These differences typed and in words."""
        return described(self.version, found, url=self.part_url, noes=self._noes)

    def _noes(self, part: PartId) -> list[tuple[str, str]]:
        return [
            (given.printed_name, f"{given.reason}{over_dissent_words(standing)}")
            for standing in self.standings_about(part)
            for given in standing.rejections
        ]

    # The rail

    def rail(self, current: PartId | None = None) -> list[dict[str, Any]]:
        """What somebody has to look at first in each group; the rest of a long group as one line."""
        groups = [(label, kinds, self._rail_parts(kinds, current)) for label, kinds in RAIL]
        names = self.names({part for _, _, parts in groups for part in parts})
        found = []
        for label, kinds, parts in groups:
            rows = [self._rail_row(part, names, current) for part in parts]
            left = sum(self.counts[kind] for kind in kinds) - len(parts)
            if left > 0:
                rows.append(self._rest(kinds, left, has_rows=bool(rows)))
            if rows:
                found.append({"label": label, "parts": rows})
        return found

    def _rail_parts(self, kinds: Sequence[str], current: PartId | None) -> list[PartId]:
        loud = sorted({self._shown_as(part) for part in self._loud(current)})
        loud = [part for part in loud if part[0] in kinds]
        if sum(self.counts[kind] for kind in kinds) > RAIL_ROWS:
            here = {(kind, key) for kind, key in loud[:RAIL_ROWS]}
            return [*loud[:RAIL_ROWS], *([current] if current and current[0] in kinds and current not in here else [])]
        every = [part for kind in kinds for part in self._small_kinds.get(kind, ())]
        return sorted(every, key=lambda part: (part not in loud, kinds.index(part[0]), part[1]))

    @cached_property
    def _small_kinds(self) -> dict[str, list[PartId]]:
        """The parts of groups that fit the rail as a whole; one query."""
        kinds = [k for _, group in RAIL if sum(self.counts[k] for k in group) <= RAIL_ROWS for k in group]
        found: dict[str, list[PartId]] = {}
        for kind, key in self.version.parts.filter(kind__in=kinds).order_by("key").values_list("kind", "key"):
            found.setdefault(kind, []).append((kind, key))
        return found

    def _loud(self, current: PartId | None) -> set[PartId]:
        commented = {part for part in self.open_threads if part[1]}
        open_parts = self.overview.open_parts if self.standings else frozenset()
        return {*self.changed_ids, *self.assumed_ids, *commented, *open_parts, *([current] if current else [])}

    def _shown_as(self, part: PartId) -> PartId:
        """A segment stands in the rail under its dimension."""
        return (Kind.DIMENSION.value, part[1].partition("/")[0]) if part[0] == Kind.SEGMENT else part

    @cached_property
    def _loud_segments(self) -> dict[str, list[PartId]]:
        found: dict[str, list[PartId]] = {}
        every = self.overview.by_part if self.standings else ()
        for part in {*self._loud(None), *every}:
            if part[0] == Kind.SEGMENT:
                found.setdefault(part[1].partition("/")[0], []).append(part)
        return found

    def _rail_row(self, part: PartId, names: Document, current: PartId | None) -> dict[str, Any]:
        own = [part, *(self._loud_segments.get(part[1], []) if part[0] == Kind.DIMENSION else [])]
        return {
            "label": text.label if (text := names.part(*part)) else names.label_of(*part),
            "url": self.part_url(part),
            "badge": self.badge(own),
            "comments": sum(self.open_threads.get(each, 0) for each in own),
            "is_current": current is not None and (current in own or self._shown_as(current) == part),
            "is_changed": any(each in self.changed_ids for each in own),
        }

    def _rest(self, kinds: Sequence[str], left: int, *, has_rows: bool) -> dict[str, Any]:
        loud = any(self._shown_as(part)[0] in kinds for part in self._loud(None))
        quiet = not loud or sum(self._shown_as(part)[0] in kinds for part in self._loud(None)) <= RAIL_ROWS
        word = "unchanged" if quiet and self.version.base_version_id else "more"
        label = f"{left} {word}" if has_rows or word == "unchanged" else f"All {left}"
        badge = "signed" if quiet and self._kinds_are_signed(kinds) else ""
        return {"label": label, "url": self._tab_of(kinds[0]), "badge": badge}

    def _kinds_are_signed(self, kinds: Sequence[str]) -> bool:
        if not self.standings:
            return False
        return any(kind in self.overview.kinds for kind in kinds) or self._is_signed_in_sets([(k, "") for k in kinds])

    def badge(self, parts: Sequence[PartId]) -> str:
        """One word or two: what somebody has to know about these parts."""
        standings = [standing for part in parts for standing in self.standings_about(part)]
        noes = sum(len(standing.rejections) for standing in standings if standing.is_disputed)
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

    def _is_signed_in_sets(self, parts: Sequence[PartId]) -> bool:
        """Parts without a requirement of their own are signed when every set that covers them is."""
        covering = [
            standing
            for standing in (self.overview.sets if self.standings else ())
            if any(kind in standing.requirement.kinds for kind, _ in parts)
            and (not standing.requirement.keys or any(key in standing.requirement.keys for _, key in parts))
        ]
        return bool(covering) and all(standing.is_met for standing in covering)

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
        if self.version.state != State.IN_REVIEW:
            return False
        asked = any(self.user.pk in pool for pool in self.overview.known.pools.values())
        return asked or self.may("submit_version")

    def standings_about(self, part: PartId) -> list[RequirementStanding]:
        """The part's own requirements."""
        return self.overview.by_part.get(part, []) if self.standings else []

    # Requirements

    def is_asked(self, standing: RequirementStanding) -> bool:
        return any(person.pk == self.user_id for person in standing.missing) and not standing.is_met

    @cached_property
    def my_open(self) -> list[RequirementStanding]:
        if self.version.state != State.IN_REVIEW and not self.version.awaits_ratification:
            return []
        return [
            standing
            for line in self.overview.lines
            if self.user_id in line.missing
            for standing in line.standings
            if self.is_asked(standing)
        ]

    @cached_property
    def requirement_lines(self) -> list[dict[str, Any]]:
        """One line per code, in the policy's order, for the requirement rail."""
        if self.version.state == State.DRAFT:
            return [_planned_line(line) for line in plan_requirements(self.version, self.manifest)]
        return [self._requirement_line(line) for line in self.overview.lines]

    def _requirement_line(self, line: Line) -> dict[str, Any]:
        single = line.standings[0] if len(line.standings) == 1 else None
        return {
            "title": line.label,
            "state": "met" if line.is_done else "blocked" if line.is_blocked else "open",
            "count": f"{len(single.approvals)}/{single.needed}" if single else f"{line.met}/{len(line.standings)}",
            "detail": " ".join([self._detail(line), *self._dissent(line)]),
        }

    def _detail(self, line: Line) -> str:
        return ", ".join(line.approved_by) if line.is_done else self._still_needed(line)

    def _dissent(self, line: Line) -> list[str]:
        """Each No that was approved over, with both names: it is never left out."""
        return [
            f"Over the dissent of {given.printed_name} on {self._about_label(standing)}: “{given.reason}”."
            for standing, given in line.dissents
        ]

    def _still_needed(self, line: Line) -> str:
        words = [
            f"{given.printed_name} said No to {self._about_label(standing)}."
            for standing, given in line.rejections[:NOES_NAMED]
        ]
        if len(line.rejections) > NOES_NAMED:
            words.append(f"And {len(line.rejections) - NOES_NAMED} more No.")
        if self.user_id in line.missing:
            words.append(f"You: {line.missing[self.user_id][1]} to answer.")
        others = [name for pk, (name, _) in line.missing.items() if pk != self.user_id]
        if others:
            words.append(f"Still needed: {', '.join(others)}.")
        words += sorted(line.lapsed)
        return " ".join(words)

    def _about_label(self, standing: RequirementStanding) -> str:
        requirement = standing.requirement
        if not requirement.part_key:
            return requirement.label
        return self._rejected_names.label_of(requirement.part_kind, requirement.part_key)

    @cached_property
    def _rejected_names(self) -> Document:
        noes = [found for line in self.overview.lines for found in (*line.rejections[:NOES_NAMED], *line.dissents)]
        about = [standing.requirement for standing, _ in noes]
        return self.names((each.part_kind, each.part_key) for each in about if each.part_key)

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

    @property
    def are_problems_elsewhere(self) -> bool:
        """Checking every rule of a very large draft takes seconds: the Checks tab does, this page does not wait."""
        return self.version.state == State.DRAFT and self.is_large

    @cached_property
    def blockers(self) -> list[str]:
        """Why a version under way cannot be activated yet."""
        if self.version.state not in (State.IN_REVIEW, State.APPROVED, State.SCHEDULED):
            return []
        return blockers_of(self.overview.known, self.standings)

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
        for line in self.overview.lines:
            for standing, given in line.rejections[:1]:
                return f"Next: {given.printed_name} and {self.version.author} settle {self._about_label(standing)}."
        missing = [name for line in self.overview.lines for name, _ in line.missing.values()]
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


def over_dissent_words(standing: RequirementStanding) -> str:
    """ "” Approved over this dissent by Priya: “…": what stands beside a No that was approved over."""
    over = standing.overruled_by
    return f"” Approved over this dissent by {over.printed_name}: “{over.reason}" if over else ""


def _any_of(by_kind: Mapping[str, Sequence[str]]) -> Q:
    found = Q(pk__in=[])
    for kind, keys in by_kind.items():
        found |= Q(kind=kind, key__in=keys)
    return found


def _grouped(parts: Iterable[PartId]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, key in parts:
        found.setdefault(kind, []).append(key)
    return found


def _shorts(document: Document, dimension: str) -> Sequence[str]:
    found: Sequence[str] = document.bodies.get((Kind.DIMENSION.value, dimension), {}).get("segments", ())
    return found


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
