"""Allowed moves of each workflow's state. A service locks the row, asks here, and only then writes."""

from collections.abc import Mapping

from frameworks.errors import ConflictError
from governance.models import Homework, Meeting, OverrideRequest

State = OverrideRequest.State

OVERRIDE_REQUEST: Mapping[str, frozenset[str]] = {
    State.SUBMITTED: frozenset(
        {State.INFO_REQUESTED, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.TIMED_OUT, State.LAPSED}
    ),
    State.INFO_REQUESTED: frozenset({State.SUBMITTED, State.REJECTED, State.WITHDRAWN, State.TIMED_OUT, State.LAPSED}),
    State.APPROVED: frozenset(),
    State.REJECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.LAPSED: frozenset(),
}


def check_transition(request: OverrideRequest, to: str) -> None:
    """Raise ConflictError, naming the state of today, unless the locked request may become `to`."""
    if to not in OVERRIDE_REQUEST[request.state]:
        label = request.get_state_display().lower()
        raise ConflictError(f"This request is {label} already, so it cannot become {State(to).label.lower()}.")


MEETING: Mapping[str, frozenset[str]] = {
    Meeting.State.PLANNED: frozenset({Meeting.State.HELD, Meeting.State.CANCELLED}),
    Meeting.State.HELD: frozenset(),
    Meeting.State.CANCELLED: frozenset(),
}

HOMEWORK: Mapping[str, frozenset[str]] = {
    Homework.State.OPEN: frozenset({Homework.State.DONE, Homework.State.NOT_DONE}),
    Homework.State.DONE: frozenset({Homework.State.OPEN}),
    Homework.State.NOT_DONE: frozenset({Homework.State.OPEN}),
}


def check_meeting(meeting: Meeting, to: str = "") -> None:
    """Raise ConflictError unless the locked meeting may become `to`; without `to`, unless it may be changed at all."""
    allowed = MEETING[meeting.state]
    if not allowed or (to and to not in allowed):
        raise ConflictError(f"This meeting is {meeting.get_state_display().lower()} already, so it stays as it is.")


def check_homework(homework: Homework, to: str) -> None:
    """Raise ConflictError unless the locked homework may become `to`."""
    if to not in HOMEWORK[homework.state]:
        raise ConflictError(f"This homework is {homework.get_state_display().lower()} already.")
