"""What the meetings pages show: the strip of rounds, the moves in words, and one meeting for one reader."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from frameworks.changes import Changed, described
from frameworks.comparison import Difference, PartId, between
from frameworks.document import Document
from frameworks.models import Framework, FrameworkVersion, Part, User
from frameworks.templatetags.cutline import day
from governance.models import Homework, Meeting
from governance.rounds import Moves, Round, State, moves_between, state_of, states_left, working_version
from governance.services.homework import may_settle
from governance.services.meetings import may_remark

SHOWN, MOST_NAMED = 6, 200
"""Parts of one kind of move that a page shows at once, and those it folds away; beyond, their number stands there."""
WORDS = (
    ("confirmed", "ASSUMED → CONFIRMED", "ok"),
    ("replaced", "Replaced", "a"),
    ("new", "New", ""),
    ("removed", "Taken out", ""),
    ("fell_back", "CONFIRMED → ASSUMED", "warn"),
)


@dataclass(frozen=True)
class MoveRow:
    """One kind of move with the parts it happened to: (label, address or "")."""

    label: str
    tone: str
    count: int
    parts: Sequence[tuple[str, str]]

    @property
    def first(self) -> Sequence[tuple[str, str]]:
        return self.parts[:SHOWN]

    @property
    def rest(self) -> Sequence[tuple[str, str]]:
        return self.parts[SHOWN:]

    @property
    def rest_count(self) -> int:
        return self.count - len(self.first)


def move_rows(round_: Round, names: Document) -> list[MoveRow]:
    """The moves of a round in words; kinds of which nothing happened are left out."""
    here = reverse("frameworks:version_detail", args=[round_.version.framework.slug, round_.version.number])
    found = []
    for name, label, tone in WORDS:
        parts: Sequence[PartId] = getattr(round_.moves, name)
        if parts:
            named = [
                (names.label_of(*part), "" if name == "removed" else f"{here}?part={part[0]}/{part[1]}")
                for part in parts[:MOST_NAMED]
            ]
            found.append(MoveRow(label, tone, len(parts), named))
    return found


def names_of(framework: Framework, parts: Iterable[PartId]) -> Document:
    """Labels of these parts, from the newest version that has each; one query."""
    wanted = set(parts)
    for kind, key in list(wanted):
        if kind in ("segment", "playbook"):
            wanted |= {("dimension", key.partition("/")[0]), ("segment", key)}
    if not wanted:
        return Document({})
    by_kind: dict[str, list[str]] = {}
    for kind, key in wanted:
        by_kind.setdefault(kind, []).append(key)
    either = Q(pk__in=[])
    for kind, keys in by_kind.items():
        either |= Q(kind=kind, key__in=keys)
    rows = Part.objects.filter(either, version__framework=framework).order_by("kind", "key", "-version__number")
    labels = rows.distinct("kind", "key").values_list("kind", "key", "body__body__label")
    return Document({(kind, key): {"label": label or ""} for kind, key, label in labels})


def moved_parts(moves: Moves) -> set[PartId]:
    return {part for name, _, _ in WORDS for part in getattr(moves, name)}


class MeetingPage:
    """One meeting for one person."""

    def __init__(self, meeting: Meeting, user: User, at: datetime) -> None:
        self.meeting = meeting
        self.user = user
        self.at = at
        self.framework = meeting.framework
        self.is_planned = meeting.state == Meeting.State.PLANNED
        self.may_run = user.has_perm("governance.run_meetings")

    @property
    def local_start(self) -> str:
        """The beginning on the clock of the meeting's own time zone."""
        moment = self.meeting.starts_at.astimezone(ZoneInfo(self.meeting.time_zone))
        return f"{moment:%a} {day(moment.date())}, {moment:%H:%M} ({self.meeting.time_zone.replace('_', ' ')})"

    @property
    def has_begun(self) -> bool:
        return self.meeting.starts_at <= self.at

    @property
    def is_overdue(self) -> bool:
        """Planned, begun, and nobody has closed it for a day."""
        return self.is_planned and (self.at - self.meeting.starts_at).days >= 1

    @property
    def may_remark(self) -> bool:
        return self.meeting.state != Meeting.State.CANCELLED and may_remark(self.user, self.meeting)

    @property
    def next_words(self) -> str:
        """Who acts next."""
        if self.meeting.state == Meeting.State.CANCELLED:
            return f"Nobody: it was cancelled. “{self.meeting.cancel_reason}”"
        if self.meeting.state == Meeting.State.HELD:
            left = sum(row["homework"].state == Homework.State.OPEN for row in self.homework)
            return f"{left} piece{'' if left == 1 else 's'} of homework still to be done." if left else "Nobody."
        if self.has_begun:
            return "RevOps or an architect closes it: who came, what was decided, the notes."
        return "RevOps prepares the pack; everybody invited reads it."

    @property
    def homework(self) -> list[dict[str, Any]]:
        today = timezone.localdate(self.at)
        rows = self.meeting.homework.select_related("assignee", "settled_by", "given_by")
        return [
            {
                "homework": row,
                "is_overdue": row.state == Homework.State.OPEN and row.due_on < today,
                "may_settle": self.meeting.state != Meeting.State.CANCELLED and may_settle(self.user, row),
            }
            for row in rows
        ]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        rows = list(self.meeting.decisions.select_related("decided_by", "recorded_by"))
        names = names_of(self.framework, [(row.part_kind, row.part_key) for row in rows if row.part_key])
        closed = self.meeting.closed_at
        return [
            {
                "decision": row,
                "about": names.label_of(row.part_kind, row.part_key) if row.part_key else "",
                "is_later": bool(closed and row.recorded_at > closed),
            }
            for row in rows
        ]

    def rounds(self) -> tuple[Round | None, Round | None]:
        """What the held meeting before left, and what this one left (while it is planned: what is there now)."""
        held = Meeting.objects.filter(framework=self.framework, number__lt=self.meeting.number).held()
        before = held.select_related("left_version__framework").order_by("-number").first()
        wanted = [each for each in (before, self.meeting if not self.is_planned else None) if each]
        states = states_left(wanted)
        old = _round(before, states[before.pk], Moves()) if before else None
        if self.meeting.state == Meeting.State.CANCELLED:
            return old, None
        version = working_version(self.framework) if self.is_planned else _left_by(self.meeting)
        state: State = state_of(version) if self.is_planned else states[self.meeting.pk]
        moves = moves_between(old.state, state) if old else Moves()
        return old, Round(str(self.meeting), self.meeting, version, state, moves)


def _round(meeting: Meeting, state: State, moves: Moves) -> Round:
    return Round(str(meeting), meeting, _left_by(meeting), state, moves)


def _left_by(meeting: Meeting) -> FrameworkVersion:
    """The version that a held meeting left; the database keeps a meeting from being held without one."""
    if meeting.left_version is None:
        raise ValueError(f"{meeting} is not held")
    return meeting.left_version


def differences_between(old: Round | None, new: Round) -> list[Difference]:
    """Parts whose text differs; nothing where there is no state before."""
    if old is None:
        return []
    before = {part: said.digest for part, said in old.state.items()}
    return between(before, {part: said.digest for part, said in new.state.items()})


def changes_in(new: Round, found: Sequence[Difference]) -> list[Changed]:
    """These differences typed and in words."""
    here = reverse("frameworks:version_detail", args=[new.version.framework.slug, new.version.number])
    return described(new.version, found, url=lambda part: f"{here}?part={part[0]}/{part[1]}")
