"""Activation at a moment: asked for now, checked again then."""

from datetime import datetime, timedelta

from django.db import transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, User
from frameworks.services.access import require_permission
from frameworks.services.activation import activation_blockers
from frameworks.transitions import check_transition

State = FrameworkVersion.State
FURTHEST = timedelta(days=366)


def schedule_activation(*, version: FrameworkVersion, moment: datetime, actor: User, at: datetime) -> FrameworkVersion:
    """Have an approved version activated at `moment`, in the name of `actor`. Everything is checked again then.

    Raises NotAllowedError, InvalidError for a moment that is past or too far, ConflictError with what blocks.
    """
    require_permission(actor, "activate_version", to="schedule an activation")
    if not at < moment <= at + FURTHEST:
        raise InvalidError(["Choose a moment in the future, within a year."])
    with transaction.atomic():
        _lock(version)
        check_transition(version, State.SCHEDULED)
        if blockers := activation_blockers(version, at):
            raise ConflictError(f"{version} cannot be scheduled yet.", reasons=blockers)
        with governed("version.scheduled", actor=actor, target=version, at=at) as act:
            version.state, version.scheduled_for, version.scheduled_by = State.SCHEDULED, moment, actor
            version.state_reason = ""
            version.save(update_fields=["state", "scheduled_for", "scheduled_by", "state_reason", "updated_at"])
            act.after = {"for": moment.isoformat()}
    return version


def unschedule_activation(
    *, version: FrameworkVersion, reason: str, actor: User | None, at: datetime
) -> FrameworkVersion:
    """Back to approved, with the reason for people to read. `actor` None: the system, when a gate failed."""
    if actor is not None:
        require_permission(actor, "activate_version", to="take back a scheduled activation")
    if not reason.strip():
        raise InvalidError(["Say why."])
    with transaction.atomic():
        _lock(version)
        if version.state != State.SCHEDULED:
            raise ConflictError(f"Version {version.number} is {version.is_now}, not scheduled.")
        with governed("version.unscheduled", actor=actor, target=version, at=at, reason=reason.strip()) as act:
            act.before = {"for": version.scheduled_for.isoformat() if version.scheduled_for else ""}
            version.state, version.scheduled_for, version.scheduled_by = State.APPROVED, None, None
            version.state_reason = reason.strip()
            version.save(update_fields=["state", "scheduled_for", "scheduled_by", "state_reason", "updated_at"])
    return version


def due_schedules(at: datetime) -> list[FrameworkVersion]:
    """Scheduled versions whose moment has come, the earliest first."""
    rows = FrameworkVersion.objects.filter(state=State.SCHEDULED, scheduled_for__lte=at)
    return list(
        rows.select_related("framework__active_version", "base_version", "scheduled_by", "author").order_by(
            "scheduled_for", "pk"
        )
    )


def schedule_blockers(version: FrameworkVersion, at: datetime) -> list[str]:
    """Why a schedule whose moment has come is not carried out: the gates of activation, and whose schedule it is."""
    by = version.scheduled_by
    person: list[str] = []
    if by is None or not by.is_active:
        person = [f"{by or 'Whoever'} scheduled it and is deactivated since."]
    elif not by.has_perm("frameworks.activate_version"):
        person = [f"{by} scheduled it and may no longer activate a version."]
    return [*person, *activation_blockers(version, at)]


def _lock(version: FrameworkVersion) -> None:
    version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
