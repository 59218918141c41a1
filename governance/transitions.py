"""Allowed moves of each workflow's state. A service locks the row, asks here, and only then writes."""

from collections.abc import Mapping

from frameworks.errors import ConflictError
from governance.models import OverrideRequest

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
