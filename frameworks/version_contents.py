"""What is in a version: counts, digests and labels; bodies only of what is read."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse

from frameworks.changes import Changed, described
from frameworks.comparison import Difference, bodies_of_parts, bodies_to_read, differences
from frameworks.coverage import Manifest, manifest_of
from frameworks.definition import bodies_of
from frameworks.document import Document, PartId
from frameworks.gates import CONFIRMED_LATER
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.naming import names_of
from frameworks.parts.wording import listed
from frameworks.querysets import assumed, policies_written_by, threads_on
from frameworks.removed_policies import RemovedPolicy, to_be_confirmed
from frameworks.services.carrying import tally_with_carried
from frameworks.standing import RequirementStanding
from frameworks.standing_tally import Tally, tally_of

State = FrameworkVersion.State
TERMS_SHOWN = 6
DIMENSIONS_SHOWN = 8
SEGMENTS_AT_ONCE = 100
"""Rules of so many segments are put in words on one page, about."""
LARGE = 2_000
"""More parts than this, and a draft is checked on its own tab only."""
CONFIRMED_AT_ONCE = 500


@dataclass(frozen=True)
class ConfirmChoice:
    """One tick of the confirmation: `value` is what it posts, with the digest that this page showed.

    `is_own` where the person changed the policy, or took it out, and somebody else confirms it.
    """

    label: str
    value: str
    is_own: bool

    @classmethod
    def of_removal(cls, each: RemovedPolicy, user: User) -> "ConfirmChoice":
        return cls(f"{each.title}: taken out", f"policy/{each.key}@{each.digest}", each.was_removed_by(user))

    @classmethod
    def of_part(cls, part: PartId, digest: str, label: str, own: Container[tuple[str, str]]) -> "ConfirmChoice":
        kind, key = part
        return cls(label, f"{kind}/{key}@{digest}", kind == Kind.POLICY and (key, digest) in own)


class VersionContents:
    """What is in one version, for one person, each piece read once: parts, changes, comments, signatures, addresses."""

    def __init__(self, version: FrameworkVersion, user: User, at: datetime) -> None:
        self.version = version
        self.user = user
        self.user_id = user.pk
        self.at = at
        self._standings: dict[PartId, list[RequirementStanding]] = {}

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
    def tally(self) -> Tally:
        return tally_of(self.version, self.at)

    @cached_property
    def standing_tally(self) -> Tally | None:
        """The tally; of a draft what it would be if it were submitted now, None where reading that takes seconds."""
        if self.version.state != State.DRAFT:
            return self.tally
        return None if self.is_large else tally_with_carried(self.version, self.at)

    @property
    def is_asked_about(self) -> bool:
        """Whether anybody is asked to sign any of it; nobody is, as long as it is a draft."""
        return self.version.state != State.DRAFT and self.tally.count > 0

    @cached_property
    def manifest(self) -> Manifest:
        return manifest_of(self.version)

    @cached_property
    def assumed_ids(self) -> set[PartId]:
        return set(assumed(self.version.parts.order_by()).values_list("kind", "key"))

    @cached_property
    def removals(self) -> list[RemovedPolicy]:
        """Policies that a draft takes out and for which a second person has yet to speak."""
        return to_be_confirmed(self.version) if self.version.state == State.DRAFT else []

    @property
    def to_confirm(self) -> str:
        """What waits for a confirmation, counted: "3 ASSUMED parts", "1 removal"; empty when nothing does."""
        counts = ((len(self.assumed_ids), "ASSUMED part"), (len(self.removals), "removal"))
        return listed(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)

    @property
    def confirmed_count(self) -> int:
        return self.part_count - len(self.assumed_ids)

    @property
    def has_assumed_gate(self) -> bool:
        """Whether confirming is what comes next; playbooks may wait."""
        return bool(self.removals) or any(kind not in CONFIRMED_LATER for kind, _ in self.assumed_ids)

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
        return names_of(self.version, parts)

    @cached_property
    def first_dimensions(self) -> list[dict[str, Any]]:
        """The dimensions of the overview with their segments in words."""
        return self.dimensions_among(self.keys_of(Kind.DIMENSION)[: self.dimensions_at_once(DIMENSIONS_SHOWN)])

    def dimensions_at_once(self, most: int) -> int:
        """How many dimensions one page shows: `most`, or fewer where they have many segments."""
        dimensions, segments = self.counts[Kind.DIMENSION], self.counts[Kind.SEGMENT]
        return max(1, min(most, SEGMENTS_AT_ONCE * dimensions // max(1, segments)))

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
    def confirm_choices(self) -> list[ConfirmChoice]:
        """ASSUMED parts and policies that left, these first."""
        chosen = sorted(self.assumed_ids)[:CONFIRMED_AT_ONCE]
        names = self.names(chosen)
        rows = self.version.parts.filter(_any_of(_grouped(chosen))).values_list("kind", "key", "body_id")
        digests = {(kind, key): digest for kind, key, digest in rows} if chosen else {}
        own = policies_written_by(self.user, self.version) if Kind.POLICY in _grouped(chosen) else set()
        gone = [ConfirmChoice.of_removal(each, self.user) for each in self.removals]
        return [*gone, *(ConfirmChoice.of_part(part, digests[part], names.title_of(*part), own) for part in chosen)]

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
            for standing in self.answers_to(part)
            for given in standing.rejections
        ]

    def answers_to(self, part: PartId) -> Sequence[RequirementStanding]:
        """The same as `alike`, but also what was said before of a draft's wording: a No that will stand in its way."""
        return self.standing_tally.by_part.get(part, ()) if self.standing_tally else ()

    @cached_property
    def disputed_ids(self) -> set[PartId]:
        """Parts to whose wording of today somebody said No."""
        found = self.standing_tally.by_part.items() if self.standing_tally else ()
        return {part for part, own in found if any(each.is_disputed for each in own)}

    def alike(self, part: PartId) -> Sequence[RequirementStanding]:
        """The part's own requirements as those that stand alike: enough to count, and each No is its own."""
        return self.tally.by_part.get(part, ()) if self.is_asked_about else ()

    def standings_about(self, part: PartId) -> list[RequirementStanding]:
        """The part's own requirements, with everything about each."""
        if part not in self._standings:
            self._standings |= self.tally.about([part]) if self.is_asked_about else {part: []}
        return self._standings[part]

    def is_asked(self, standing: RequirementStanding) -> bool:
        return any(person.pk == self.user_id for person in standing.missing) and not standing.is_met

    def may(self, codename: str) -> bool:
        return self.user.has_perm(f"frameworks.{codename}")

    # Addresses

    def url(self, name: str, **values: str) -> str:
        place = {"slug": self.version.framework.slug, "number": self.version.number}
        return reverse(f"frameworks:{name}", kwargs={**place, **values})

    def part_url(self, part: PartId) -> str:
        return f"{self.here}?part={part[0]}/{part[1]}"

    @cached_property
    def here(self) -> str:
        """The version's own page."""
        return self.url("version_detail")


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
