"""Which states may follow which, one table per workflow of this app."""

from accounts.models import AssignmentRun

State = AssignmentRun.State

RUN_TRANSITIONS: dict[str, frozenset[str]] = {
    State.PLANNED: frozenset({State.EVALUATED, State.STUDIED, State.CANCELLED, State.SUPERSEDED, State.FAILED}),
    State.EVALUATED: frozenset({State.HELD, State.APPLYING, State.CANCELLED, State.SUPERSEDED}),
    State.HELD: frozenset({State.EVALUATED, State.CANCELLED, State.SUPERSEDED}),
    State.APPLYING: frozenset({State.APPLIED, State.SUPERSEDED, State.FAILED}),
    State.STUDIED: frozenset(),
    State.APPLIED: frozenset(),
    State.CANCELLED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.FAILED: frozenset(),
}
