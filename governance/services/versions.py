"""What becomes of versions by themselves: schedules that come due, emergencies that nobody ratified."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from accounts.models import AssignmentRun
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, User
from frameworks.services.emergency import declare_emergency, draft_revert, unratified
from frameworks.services.scheduling import due_schedules, schedule_blockers
from governance.services.activation import fall_back, request_activation
from governance.services.telling import tell_about

logger = logging.getLogger(__name__)


def activate_emergency(*, version: FrameworkVersion, reason: str, actor: User, at: datetime) -> AssignmentRun:
    """Declare the emergency and plan its run, both or neither; raises as `declare_emergency` does."""
    with governed("version.emergency_activation", actor=actor, target=version, at=at, reason=reason.strip()):
        declare_emergency(version=version, reason=reason, actor=actor, at=at)
        run = request_activation(version=version, actor=actor, at=at)
        text = f"{actor.name} activates it before it is signed: “{version.emergency_reason}”"
        tell_about(version, f"{version} is activated as an emergency", text, at=at)
    return run


def watch_versions(at: datetime) -> None:
    """Start what is scheduled for now, and revert emergencies whose time is over. Each by itself: one that fails
    does not hold up the others, and is tried again the next time."""
    for version in due_schedules(at):
        _each(start_scheduled, version, at)
    for version in unratified(at):
        _each(revert_emergency, version, at)


def _each(act: Callable[..., object], version: FrameworkVersion, at: datetime) -> None:
    try:
        act(version=version, at=at)
    except (ConflictError, NotAllowedError, InvalidError):
        logger.exception("version_watch_failed", extra={"version": str(version), "act": act.__name__})


def start_scheduled(*, version: FrameworkVersion, at: datetime) -> AssignmentRun | None:
    """Carry out a schedule whose moment has come, in the name of whoever made it.

    When a gate fails, the version is approved again with the reason. None when nothing was started.
    """
    with transaction.atomic():
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        due = version.scheduled_for
        if version.state != FrameworkVersion.State.SCHEDULED or due is None or due > at:
            return None
        run = _activation_run(version, due)
        if run and run.state in AssignmentRun.LIVE:
            return None
        if run and run.state in (AssignmentRun.State.CANCELLED, AssignmentRun.State.FAILED):
            fall_back(version=version, reason=f"{run} was given up: {run.note}", at=at)
            return None
        if blockers := schedule_blockers(version, at):
            fall_back(version=version, reason=" ".join(blockers), at=at)
            return None
    return request_activation(version=version, actor=version.scheduled_by, at=at)


def _activation_run(version: FrameworkVersion, since: datetime) -> AssignmentRun | None:
    runs = AssignmentRun.objects.filter(framework_version=version, kind=AssignmentRun.Kind.ACTIVATION)
    return runs.filter(created_at__gte=since).order_by("-pk").first()


def revert_emergency(*, version: FrameworkVersion, at: datetime) -> AssignmentRun | None:
    """Bring back what an emergency replaced, when the normal signers did not ratify it in time."""
    with transaction.atomic():
        rollback = draft_revert(version=version, at=at)
        if rollback is None:
            return None
        before = AssignmentRun.objects.filter(framework_version=rollback, state__in=AssignmentRun.LIVE)
        if before.exists():
            return None
        run = request_activation(version=rollback, actor=None, at=at)
        tell_about(rollback, f"{version} was not ratified", rollback.emergency_reason, at=at)
    return run
