"""What the pages of runs show: the state in words, what moved, the distribution afterwards, what waits for a person."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts.account_list import UNASSIGNED, moved_url
from accounts.models import AssignmentRun, Reason, RunChunk
from accounts.run_comparison import RunComparison, comparison_of
from accounts.services.runs import progress_of, seconds_worked
from accounts.tables import duration_words
from frameworks.models import Dimension, Segment, User

State = AssignmentRun.State
SWEPT_EVERY = 30.0
"""Seconds: the sweep looks for work that nobody does."""
NOBODY = ""
"""In `moves`: Unassigned, or an account that had no assignment yet."""

TONES: dict[str, str] = {
    State.PLANNED: "a",
    State.EVALUATED: "a",
    State.STUDIED: "ok",
    State.HELD: "warn",
    State.APPLYING: "a",
    State.APPLIED: "ok",
    State.FAILED: "bad",
}


def with_changed(runs: QuerySet[AssignmentRun]) -> QuerySet[AssignmentRun, Any]:
    """Annotates `changed`: assignments the run has written, or would write as long as it has not begun to apply."""
    of_run = RunChunk.objects.filter(run=OuterRef("pk")).order_by().values("run")
    written = of_run.filter(phase=RunChunk.Phase.APPLY).annotate(n=Sum("changed")).values("n")
    previewed = of_run.filter(phase=RunChunk.Phase.EVALUATE).annotate(n=Sum("changed")).values("n")
    return runs.annotate(changed=Coalesce(Subquery(written), Subquery(previewed)))


@dataclass(frozen=True)
class Cell:
    """One from → to of the matrix. `weight` is "" to "q3" by its share of what moved; `url` leads to its accounts."""

    count: int
    url: str
    weight: str
    stays: bool


@dataclass(frozen=True)
class Matrix:
    """What a run moved in one dimension: rows are where accounts came from, columns where they went."""

    label: str
    targets: list[str]
    rows: list[tuple[str, list[Cell], int]]
    moved: int
    kept: int

    @property
    def css(self) -> str:
        """Wide ones scroll in themselves on a phone."""
        return "mx mw" if len(self.targets) > 2 else "mx"


@dataclass(frozen=True)
class Placed:
    """Customers in one segment when the run ended."""

    segment: Segment | None
    accounts: int
    arr: Decimal
    url: str


class RunPage:
    """One run at one moment, for one person."""

    def __init__(self, run: AssignmentRun, user: User, at: datetime) -> None:
        self.run = run
        self.user = user
        self.at = at

    @property
    def tone(self) -> str:
        return TONES.get(self.run.state, "")

    @property
    def is_working(self) -> bool:
        """Whether the figures change by themselves."""
        return self.run.state in (State.PLANNED, State.EVALUATED, State.APPLYING)

    @property
    def sentence(self) -> str:
        """The state in words, and who acts next."""
        run = self.run
        asked = run.requested_by.name if run.requested_by else "Cutline"
        words: dict[str, str] = {
            State.PLANNED: "Evaluating what would move. Nothing changes yet; the guard looks at the outcome next.",
            State.STUDIED: "Looked at. It wrote nothing and never will: the version's impact page has the figures.",
            State.EVALUATED: "Evaluated. The guard compares the outcome with the policy now.",
            State.HELD: f"RevOps or CS Ops releases it next (not {asked}, who asked for it), or RevOps cancels it.",
            State.APPLYING: "Writing what differs. Leaving this page does not stop it.",
            State.APPLIED: "Applied. Nobody has to do anything.",
            State.CANCELLED: "Cancelled before anything changed.",
            State.SUPERSEDED: "A newer run took its place.",
            State.FAILED: "Failed. Accounts it had not reached are as they were.",
        }
        if self.stuck:
            return "Part of the work failed three times and waits: RevOps tries again or looks at the log."
        return words[run.state]

    # --- progress

    @cached_property
    def progress(self) -> dict[str, Any]:
        return progress_of(self.run, self.at)

    @property
    def phase(self) -> str:
        return "Evaluating" if self.progress["phase"] == RunChunk.Phase.EVALUATE else "Writing what differs"

    @property
    def time_left(self) -> str:
        seconds = self.progress["seconds_left"]
        if self.stuck:
            return "waits for a person"
        if resumes_at := self.progress["resumes_at"]:
            seconds = max(0.0, (resumes_at - self.at).total_seconds())
            return f"a worker has gone quiet; goes on by itself within {duration_words(seconds + SWEPT_EVERY)}"
        return "not known yet" if seconds is None else duration_words(seconds)

    @property
    def duration(self) -> str:
        """How long the run worked."""
        return duration_words(seconds_worked(self.run, self.at))

    @property
    def held_for(self) -> str:
        """How long the run has been held, or was until somebody released or cancelled it; "" for any other."""
        run = self.run
        if run.evaluated_at is None or not (run.state == State.HELD or run.held_because):
            return ""
        return duration_words(((run.applying_at or run.finished_at or self.at) - run.evaluated_at).total_seconds())

    @cached_property
    def stuck(self) -> list[RunChunk]:
        """Ranges whose work died three times, while the run still waits for them."""
        if self.run.state not in (State.PLANNED, State.APPLYING):
            return []
        return list(self.run.chunks.filter(state=RunChunk.State.STUCK).order_by("phase", "low"))

    @property
    def set_aside_url(self) -> str:
        """The accounts that could not be evaluated: they are Unassigned in every dimension."""
        first = next((dimension for dimension in self._dimensions.values() if dimension.is_live), None)
        return _list_url(first.key, f"{UNASSIGNED}{Reason.ERROR.value}") if first else ""

    # --- who may do what

    @property
    def release_refusals(self) -> list[str]:
        """Why this person may not release the run; empty when they may."""
        found = []
        if not self.user.has_perm("accounts.release_run"):
            found.append("Only RevOps and CS Ops may release a held run.")
        if self.run.requested_by_id == self.user.pk:
            found.append("You asked for this run: another person must release it.")
        return found

    @property
    def cancel_refusals(self) -> list[str]:
        return start_refusals(self.user, "cancel a run")

    @property
    def retry_refusals(self) -> list[str]:
        return start_refusals(self.user, "try the rest again")

    @property
    def may_be_cancelled(self) -> bool:
        return self.run.state in (State.PLANNED, State.HELD)

    # --- what moved

    @cached_property
    def _dimensions(self) -> dict[str, Dimension]:
        rows = Dimension.objects.filter(framework=self.run.framework_id).prefetch_related("segments")
        return {str(row.pk): row for row in rows}

    @cached_property
    def matrices(self) -> list[Matrix]:
        """One per dimension in which something moved, in the framework's order."""
        return [
            self._matrix(dimension, self.run.moves[key])
            for key, dimension in self._dimensions.items()
            if self.run.moves.get(key)
        ]

    def _matrix(self, dimension: Dimension, by_from: dict[str, dict[str, int]]) -> Matrix:
        segments = {str(segment.pk): segment for segment in dimension.segments.all()}
        order = [*segments, NOBODY]
        targets = [key for key in order if any(key in by_to for by_to in by_from.values())]
        moved = sum(n for was, by_to in by_from.items() for now, n in by_to.items() if was != now or not was)
        rows = []
        for was in (key for key in order if key in by_from):
            counts = by_from[was]
            cells = [self._cell(dimension, segments, was, now, counts.get(now, 0), moved) for now in targets]
            label = segments[was].name if was in segments else self._nobody_label
            rows.append((label, cells, sum(counts.values())))
        kept = sum(by_to.get(was, 0) for was, by_to in by_from.items() if was)
        names = [segments[key].name if key in segments else "Unassigned" for key in targets]
        return Matrix(dimension.name, names, rows, moved, kept)

    @property
    def _nobody_label(self) -> str:
        return "New" if self.run.is_initial else "Unassigned or new"

    def _cell(
        self, dimension: Dimension, segments: dict[str, Segment], was: str, now: str, count: int, moved: int
    ) -> Cell:
        stays = was == now and bool(was)
        ends = [segments[key].key if key in segments else "" for key in (was, now)]
        has_rows = self.run.state in (State.APPLYING, State.APPLIED) or bool(was)
        url = moved_url(self.run, dimension.key, *ends) if count and has_rows and not stays else ""
        return Cell(count, url, "" if stays else shade(count, moved), stays)

    @property
    def moves_title(self) -> str:
        if self.run.state in (State.APPLYING, State.APPLIED):
            return "What moved"
        return "What would move" if self.run.state in AssignmentRun.LIVE else "What would have moved"

    # --- afterwards

    @cached_property
    def comparison(self) -> RunComparison | None:
        """An activation beside what was signed; None for other runs and where nothing was previewed."""
        return comparison_of(self.run, self._dimensions)

    @cached_property
    def distribution(self) -> list[tuple[str, list[Placed], int]]:
        """Per dimension its customers by segment, and their number; empty until the run has ended."""
        rows = self.run.distribution.select_related("dimension", "segment")
        found: dict[int, list[Placed]] = {}
        for row in sorted(rows, key=lambda row: (row.dimension.position, row.segment.rank if row.segment else 999)):
            wanted = row.segment.key if row.segment else UNASSIGNED
            url = f"{_list_url(row.dimension.key, wanted)}&stage=customer"
            found.setdefault(row.dimension_id, []).append(Placed(row.segment, row.accounts, row.arr, url))
        return [
            (self._dimensions[str(key)].name, placed, sum(each.accounts for each in placed))
            for key, placed in found.items()
        ]


def _list_url(dimension: str, wanted: str) -> str:
    return f"{reverse('accounts:account_list')}?in-{dimension}={wanted}"


def shade(part: int | Decimal, moved: int | Decimal) -> str:
    """The shade of a cell: the more of what moved, the darker."""
    if not part or not moved:
        return ""
    share = part / moved
    return "q3" if share >= 0.4 else "q2" if share >= 0.15 else "q1"


def start_refusals(user: User, to: str) -> list[str]:
    """Why this person may not start, cancel or mend a run; empty when they may."""
    return [] if user.has_perm("accounts.start_run") else [f"Only RevOps may {to}."]


def states_of(runs: QuerySet[AssignmentRun]) -> dict[str, int]:
    """How many runs wait for a person or are under way, for the page's head."""
    return runs.aggregate(
        live=Count("pk", filter=Q(state__in=[State.PLANNED, State.EVALUATED, State.APPLYING])),
        held=Count("pk", filter=Q(state=State.HELD)),
    )
