"""Allowed moves of a version's state. A service locks the row, asks here, and only then writes.

The database has the same table in a trigger (migration 0006), and checks the signatures again at activation.
"""

from collections.abc import Mapping

from frameworks.errors import ConflictError
from frameworks.models import FrameworkVersion

State = FrameworkVersion.State

# Approved and scheduled fall back to review when a sign-off is withdrawn or turned into a No, and to draft when
# the version is rebased. Out of review into force goes an emergency only.
VERSION: Mapping[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.IN_REVIEW}),
    State.IN_REVIEW: frozenset({State.DRAFT, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.ACTIVATED}),
    State.APPROVED: frozenset({State.DRAFT, State.IN_REVIEW, State.SCHEDULED, State.ACTIVATED, State.WITHDRAWN}),
    State.SCHEDULED: frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED, State.ACTIVATED, State.WITHDRAWN}),
    State.WITHDRAWN: frozenset({State.DRAFT}),
    State.REJECTED: frozenset(),
    State.ACTIVATED: frozenset(),
}
UNDER_WAY = frozenset({State.IN_REVIEW, State.APPROVED, State.SCHEDULED})


def check_transition(version: FrameworkVersion, to: str) -> None:
    """Raises ConflictError, naming the state of today, unless the locked version may become `to`."""
    if to not in VERSION[version.state]:
        wanted = "a draft" if to == State.DRAFT else State(to).label.lower()
        raise ConflictError(f"Version {version.number} is {version.is_now}, so it cannot become {wanted}.")
