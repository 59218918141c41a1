"""Rounds of alignment: what each meeting left, what moved from ASSUMED to CONFIRMED between them, and where it stands.

A round is compared by digests: part bodies are kept for ever, so both texts of everything that was replaced are there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from frameworks.comparison import PartId
from frameworks.models import Framework, FrameworkVersion, Kind, Part
from frameworks.querysets import assumed
from frameworks.transitions import UNDER_WAY
from governance.models import Meeting, MeetingPart


class Said(NamedTuple):
    """A part at one moment: the digest of its body, and whether that body was CONFIRMED."""

    digest: str
    is_confirmed: bool


State = Mapping[PartId, Said]


@dataclass(frozen=True)
class Moves:
    """What happened to parts between two states, each by its id, in reading order.

    A part is in one list only. `replaced` has another text than before, whatever it was; `confirmed` was ASSUMED and
    is CONFIRMED with the same text, `fell_back` the other way round.
    """

    new: tuple[PartId, ...] = ()
    removed: tuple[PartId, ...] = ()
    replaced: tuple[PartId, ...] = ()
    confirmed: tuple[PartId, ...] = ()
    fell_back: tuple[PartId, ...] = ()


@dataclass(frozen=True)
class Round:
    """The state a meeting left (`meeting` None: now), and what moved since the round before."""

    label: str
    meeting: Meeting | None
    version: FrameworkVersion
    state: State
    moves: Moves

    @cached_property
    def confirmed(self) -> int:
        return sum(said.is_confirmed for said in self.state.values())

    @property
    def assumed(self) -> int:
        return self.total - self.confirmed

    @property
    def total(self) -> int:
        return len(self.state)


@dataclass(frozen=True)
class VersionCount:
    """A version by its parts: ASSUMED, CONFIRMED, and how many say something else than in the version before."""

    version: FrameworkVersion
    total: int
    assumed: int
    replaced: int

    @property
    def confirmed(self) -> int:
        return self.total - self.assumed


def working_version(framework: Framework) -> FrameworkVersion:
    """The version that people talk about: the newest draft, else the one under way, else the one in force."""
    state = FrameworkVersion.State
    versions = framework.versions.select_related("framework__active_version", "base_version").order_by("-number")
    found = list(versions.filter(Q(state__in=[state.DRAFT, *UNDER_WAY]) | Q(pk=framework.active_version_id)))
    for wanted in ({state.DRAFT}, UNDER_WAY, {state.ACTIVATED}):
        if version := next((each for each in found if each.state in wanted), None):
            return version
    newest: FrameworkVersion = versions[0]
    return newest


def state_of(version: FrameworkVersion) -> dict[PartId, Said]:
    """Every part of a version that is ASSUMED or CONFIRMED, as it is now; two queries. Waivers are neither."""
    parts = Part.objects.filter(version=version).exclude(kind=Kind.WAIVER).order_by()
    open_ones = set(assumed(parts).values_list("kind", "key"))
    rows = parts.values_list("kind", "key", "body_id")
    return {(kind, key): Said(digest, (kind, key) not in open_ones) for kind, key, digest in rows}


def states_left(meetings: Sequence[Meeting]) -> dict[int, dict[PartId, Said]]:
    """What these meetings left, by their id; one query."""
    found: dict[int, dict[PartId, Said]] = {meeting.pk: {} for meeting in meetings}
    rows = MeetingPart.objects.filter(meeting__in=found).order_by()
    for meeting, kind, key, digest, is_confirmed in rows.values_list(
        "meeting_id", "kind", "key", "body_id", "is_confirmed"
    ):
        found[meeting][kind, key] = Said(digest, is_confirmed)
    return found


def moves_between(before: State, after: State) -> Moves:
    """What happened from one state to the next. Pure."""
    both = sorted(before.keys() & after.keys())
    same = [part for part in both if before[part].digest == after[part].digest]
    return Moves(
        new=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        replaced=tuple(part for part in both if before[part].digest != after[part].digest),
        confirmed=tuple(p for p in same if after[p].is_confirmed and not before[p].is_confirmed),
        fell_back=tuple(p for p in same if before[p].is_confirmed and not after[p].is_confirmed),
    )


def rounds_of(framework: Framework) -> list[Round]:
    """Every held meeting in order, and now; a fixed number of queries."""
    meetings = list(
        Meeting.objects.filter(framework=framework).held().select_related("left_version").order_by("number")
    )
    states = states_left(meetings)
    found: list[Round] = []
    before: State | None = None
    for meeting in meetings:
        state = states[meeting.pk]
        moves = moves_between(before, state) if before is not None else Moves()
        found.append(Round(str(meeting), meeting, meeting.left_version, state, moves))
        before = state
    working = working_version(framework)
    now = state_of(working)
    found.append(Round("Now", None, working, now, moves_between(before, now) if before is not None else Moves()))
    return found


def counts_by_version(framework: Framework) -> list[VersionCount]:
    """ASSUMED, CONFIRMED and replaced per version as of today, newest first; four queries."""
    parts = Part.objects.filter(version__framework=framework).exclude(kind=Kind.WAIVER).order_by()
    totals = _by_version(parts)
    open_ones = _by_version(assumed(parts))
    base = Part.objects.filter(version=OuterRef("version__base_version"), kind=OuterRef("kind"), key=OuterRef("key"))
    other = _by_version(parts.annotate(was=Subquery(base.values("body")[:1])).exclude(was=None).exclude(was=F("body")))
    versions = framework.versions.order_by("-number")
    return [
        VersionCount(each, totals.get(each.pk, 0), open_ones.get(each.pk, 0), other.get(each.pk, 0))
        for each in versions
    ]


def _by_version(parts: QuerySet[Part, Any]) -> Counter[int]:
    rows = parts.values_list("version").annotate(count=Count("pk"))
    return Counter(dict(rows))
