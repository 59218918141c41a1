"""The impact of a version: studied on request and again at its activation, recorded where people sign it."""

from datetime import datetime

from accounts.impact import figures_of
from accounts.models import AssignmentRun
from accounts.services.runs import plan_study
from frameworks.errors import ConflictError
from frameworks.models import FrameworkVersion, User
from frameworks.services.impact import record_impact
from frameworks.transitions import UNDER_WAY


def request_impact(*, version: FrameworkVersion, actor: User | None, at: datetime) -> AssignmentRun:
    """Begin to compute what the version would change, or return the study under way. Nothing of an account changes.

    Raises ConflictError for a version that is in force or has ended.
    """
    if version.state not in (FrameworkVersion.State.DRAFT, *UNDER_WAY):
        raise ConflictError(f"Version {version.number} is {version.standing.lower()}: it changes nothing more.")
    return plan_study(version=version, actor=actor, at=at)


def record_study(*, run: AssignmentRun, at: datetime) -> None:
    """Keep the figures of a run whose pass 1 is complete, unless its version ended meanwhile."""
    try:
        record_impact(
            version=run.framework_version, figures=figures_of(run), as_of=run.as_of, actor=run.requested_by, at=at
        )
    except ConflictError as error:
        AssignmentRun.objects.filter(pk=run.pk).update(note=str(error))
