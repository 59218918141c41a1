"""The impact of a version: studied when asked or submitted, again at its activation; recorded where people sign it."""

from datetime import datetime

from accounts.impact import figures_of
from accounts.models import AssignmentRun
from accounts.services import runs
from frameworks.errors import ConflictError
from frameworks.services.impact import record_impact


def record_study(*, run: AssignmentRun, at: datetime) -> None:
    """Keep the figures of a run whose pass 1 is complete, unless its version was changed or ended meanwhile."""
    if not runs.says_the_same(run):
        AssignmentRun.objects.filter(pk=run.pk).update(note=runs.CHANGED.format(version=run.framework_version))
        return
    try:
        record_impact(
            version=run.framework_version, figures=figures_of(run), as_of=run.as_of, actor=run.requested_by, at=at
        )
    except ConflictError as error:
        AssignmentRun.objects.filter(pk=run.pk).update(note=str(error))
