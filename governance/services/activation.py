"""Runs from pass 1 to pass 2: evaluate first, guard, for an activation flip the pointer, then apply.

Asking for activation plans a run of the approved version; pass 1 changes nothing. When it is complete the guard
compares it with the policy. Only then, in one transaction, every gate is checked again, the framework's pointer
moves and the run begins to apply. Runs under the active version are guarded in the same way. A run that is held or
cancelled has changed nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count

from accounts.guard import Counts, Moves, guard_findings, without_mapped
from accounts.models import Assignment, AssignmentRun
from accounts.services import runs
from accounts.services.overrides import settle_overrides
from frameworks.definition import Definition, definition_of
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.governed import governed
from frameworks.mapping import successions_of
from frameworks.models import Dimension, Framework, FrameworkVersion, Segment, User
from frameworks.services.activation import activation_blockers, flip_active_version, refuse_unauthorised
from frameworks.services.scheduling import unschedule_activation
from governance.services.impact import record_study
from governance.services.retiring import close_retired_requests, follow_carried, tell_settled, with_other_rules
from governance.services.telling import tell_about


def request_activation(*, version: FrameworkVersion, actor: User | None, at: datetime) -> AssignmentRun:
    """Plan the activation's run. Raises NotAllowedError, or ConflictError listing what still blocks.

    `actor` None is the system, which only brings back what an unratified emergency replaced.
    """
    refuse_unauthorised(version, actor)
    with governed("version.activation_requested", actor=actor, target=version, at=at):
        blockers = activation_blockers(version, at)
        if blockers:
            raise ConflictError(f"{version} cannot be activated yet.", reasons=blockers)
        return runs.plan_run(version=version, kind=AssignmentRun.Kind.ACTIVATION, actor=actor, at=at)


def continue_run(*, run: AssignmentRun, at: datetime) -> None:
    """Pass 1 is complete, or a person released the run: hold it, or go on to pass 2. A study ends here.

    What an activation would do is compared with what people signed before the guard looks: outside the tolerance
    the version goes back into review. What a gate stops is not held: nobody should release what cannot go on.
    """
    if run.kind in (AssignmentRun.Kind.IMPACT, AssignmentRun.Kind.ACTIVATION) and not run.released_by_id:
        record_study(run=run, at=at)
    if run.kind == AssignmentRun.Kind.IMPACT:
        return
    findings = [] if run.released_by_id or _is_revert(run) else _guard(run, definition_of(run.framework_version))
    if findings and not _is_stopped(run, at):
        runs.hold_run(run=run, because=findings, at=at)
    elif run.kind == AssignmentRun.Kind.ACTIVATION:
        _activate(run, at)
    else:
        runs.start_applying(run=run, at=at)


def _activate(run: AssignmentRun, at: datetime) -> None:
    """When a gate fails meanwhile, the run is cancelled with the reason and the active version keeps serving."""
    version = run.framework_version
    try:
        # A release is an act of its own around this one: what a failing gate finds is taken back here.
        with (
            governed("version.activated", actor=run.requested_by, target=version, at=at) as act,
            transaction.atomic(),
        ):
            flip_active_version(version=version, actor=run.requested_by, at=at)
            told = _settle(version, at)
            runs.start_applying(run=run, at=at)
            act.after = {"run": str(run.uuid), "version": str(version.number), **told}
    except (ConflictError, NotAllowedError) as error:
        run.refresh_from_db()
        runs.cancel_run(run=run, reason=str(error), actor=None, at=at)
        fall_back(version=version, reason=str(error), at=at)


def _settle(version: FrameworkVersion, at: datetime) -> dict[str, Any]:
    """What pointed to a segment that is gone goes on with its successor, or ends and is told; for the audit entry."""
    known = successions_of(version, definition_of(version))
    settled = settle_overrides(framework=version.framework, known=known, at=at)
    follow_carried(settled)
    again = with_other_rules(version, at)
    tell_settled(version, settled, again, at)
    closed = close_retired_requests(version=version, known=known, at=at)
    told: dict[str, Any] = {}
    if again:
        told["overrides_to_look_at"] = [str(each.uuid) for each in again]
    if settled.carried or settled.ended:
        carried, ended = ([str(each.uuid) for each in rows] for rows in (settled.carried, settled.ended))
        told["overrides"] = {"carried": carried, "ended": ended}
    if closed:
        told["requests_closed"] = [str(request.uuid) for request in closed]
    return told


def _is_stopped(run: AssignmentRun, at: datetime) -> bool:
    return run.kind == AssignmentRun.Kind.ACTIVATION and bool(activation_blockers(run.framework_version, at))


def _is_revert(run: AssignmentRun) -> bool:
    """Back to what was in force before an emergency: nobody is there to release it, and people had signed it."""
    return run.requested_by_id is None and run.framework_version.rollback_of_id is not None


def fall_back(*, version: FrameworkVersion, reason: str, at: datetime) -> None:
    """A scheduled version whose gate failed is approved again, with the reason, and people are told."""
    version.refresh_from_db()
    if version.state == FrameworkVersion.State.SCHEDULED:
        by = version.scheduled_by
        unschedule_activation(version=version, reason=reason, actor=None, at=at)
        tell_about(version, f"{version} was not activated as scheduled", reason, at=at, also=[by.pk] if by else [])


def _guard(run: AssignmentRun, definition: Definition) -> list[str]:
    policy = definition.policy("guard")
    if policy is None:
        return []
    known = successions_of(run.framework_version, definition)
    before, moves = without_mapped(current_distribution(run.framework), moves_by_key(run), known)
    return guard_findings(
        policy=policy,
        before=before,
        moves=moves,
        accounts=run.accounts,
        fallbacks={key: body.fallback for key, body in definition.dimensions.items()},
        labels=definition.labels,
    )


def current_distribution(framework: Framework) -> Counts:
    """Dimension key → segment key ("" is Unassigned) → accounts, as assigned now."""
    dimensions = dict(Dimension.objects.filter(framework=framework).values_list("pk", "key"))
    segments = dict(Segment.objects.filter(dimension__framework=framework).values_list("pk", "key"))
    rows = (
        Assignment.objects.filter(dimension_id__in=dimensions)
        .order_by()
        .values_list("dimension_id", "effective_id")
        .annotate(accounts=Count("account_id"))
    )
    found: dict[str, dict[str, int]] = {}
    for dimension, segment, count in rows:
        found.setdefault(dimensions[dimension], {})[segments.get(segment, "")] = count
    return found


def moves_by_key(run: AssignmentRun) -> Moves:
    """The run's moves with keys for ids."""
    dimensions = {
        str(pk): key for pk, key in Dimension.objects.filter(framework=run.framework).values_list("pk", "key")
    }
    rows = Segment.objects.filter(dimension__framework=run.framework).values_list("pk", "key")
    segments = {"": ""} | {str(pk): key for pk, key in rows}
    return {
        dimensions[dimension]: {
            segments[was]: {segments[now]: count for now, count in by_to.items()} for was, by_to in by_from.items()
        }
        for dimension, by_from in run.moves.items()
    }
