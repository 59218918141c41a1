"""Runs: every account under one version, first only looked at, then written.

Pass 1 says what would move and changes nothing; whoever guards looks at it; pass 2 writes the movers. How workers
share the accounts of a run is in chunks.py. Who asks for progress reads the chunks.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.models import Assignment, AssignmentRun, Cause, DistributionSnapshot, RunChunk
from accounts.services import chunks, marking
from accounts.signals import run_evaluated, run_finished
from accounts.transitions import RUN_TRANSITIONS
from frameworks.coverage import contents_digest
from frameworks.doorbell import ring
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Dimension, Framework, FrameworkVersion, User
from frameworks.transitions import UNDER_WAY

WORKERS = 2
QUIET = timedelta(seconds=20)
"""A chunk ends in seconds: a worker that has held one for so long is most likely dead."""
CHANGED = "{version} was changed after this run had begun."
State = AssignmentRun.State


# --- planning


def plan_run(*, version: FrameworkVersion, kind: str, actor: User | None, at: datetime) -> AssignmentRun:
    """Cut a run of `version` into chunks and ring for workers.

    A live re-evaluation is superseded; a live activation is not: raises ConflictError naming it.
    """
    with governed("run.planned", actor=actor, target=version, at=at) as act:
        framework = Framework.objects.select_for_update(no_key=True).get(pk=version.framework_id)
        _supersede_live(framework, kind, at)
        run = _planned(version, kind, actor, at)
        act.after = {"run": str(run.uuid), "accounts": str(run.accounts)}
    return run


def plan_study(*, version: FrameworkVersion, actor: User | None, at: datetime) -> AssignmentRun:
    """Look at every account under a version that is not in force, and write nothing; the study under way if any.

    It holds up nobody's run. `actor` None is the system, for a version that was submitted. Raises ConflictError for a
    version that is in force or has ended.
    """
    if actor and not (actor.has_perm("frameworks.edit_draft") or actor.has_perm("frameworks.activate_version")):
        raise NotAllowedError("RevOps, architects and executives compute an impact.")
    if version.state not in (FrameworkVersion.State.DRAFT, *UNDER_WAY):
        raise ConflictError(f"Version {version.number} is {version.is_now}: it changes nothing more.")
    kind = AssignmentRun.Kind.IMPACT
    with transaction.atomic():
        FrameworkVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
        under_way = AssignmentRun.objects.filter(framework_version=version, kind=kind, state=State.PLANNED).first()
        if under_way is not None and not _give_up_if_changed(under_way, at):
            return under_way
        with governed("impact.requested", actor=actor, target=version, at=at) as act:
            run = _planned(version, kind, actor, at)
            act.after = {"run": str(run.uuid), "accounts": str(run.accounts)}
    return run


def _planned(version: FrameworkVersion, kind: str, actor: User | None, at: datetime) -> AssignmentRun:
    framework = version.framework
    run = AssignmentRun.objects.create(
        framework=framework,
        framework_version=version,
        kind=kind,
        contents=contents_digest(version),
        is_initial=not Assignment.objects.filter(dimension__framework=framework).exists(),
        as_of=at,
        requested_by=actor,
        created_at=at,
    )
    run.accounts = chunks.cut_chunks(run)
    run.save(update_fields=["accounts"])
    if not run.accounts:
        _advance(run, at)
    ring_for(run)
    return run


def _supersede_live(framework: Framework, kind: str, at: datetime) -> None:
    live = AssignmentRun.objects.live().select_for_update().filter(framework=framework).first()
    if live is None:
        return
    if live.kind == AssignmentRun.Kind.ACTIVATION and not (
        live.state == State.APPLYING and kind == AssignmentRun.Kind.ACTIVATION
    ):
        raise ConflictError(f"{live} is under way ({live.get_state_display().lower()}); wait for it or cancel it.")
    _move(live, State.SUPERSEDED, at)


def ring_for(run: AssignmentRun) -> None:
    """After commit, ask as many workers as there are to look for chunks."""
    transaction.on_commit(lambda: _ring(run.pk), robust=True)


def _ring(run_id: int) -> None:
    from accounts.tasks import work_run_task

    for _ in range(WORKERS):
        ring(work_run_task, run_id)


# --- working on chunks


def work_next_chunk(*, run_id: int, at: datetime) -> bool:
    """Lease one chunk of the run and work on it; False when there was none to lease."""
    chunk = chunks.lease_chunk(run_id, at)
    if chunk is None or _give_up_if_changed(chunk.run, at):
        return False
    chunks.work_on(chunk)
    finish_phase(run_id=run_id, at=timezone.now())
    return True


# --- from one state to the next


def says_the_same(run: AssignmentRun) -> bool:
    """Whether the run's version still says what it said when the run was planned: one sent back may not."""
    return not run.contents or contents_digest(run.framework_version) == run.contents


def _give_up_if_changed(run: AssignmentRun, at: datetime) -> bool:
    """Half of a run under one text and half under another would be figures of no version."""
    if says_the_same(run):
        return False
    cancel_run(run=run, reason=CHANGED.format(version=run.framework_version), actor=None, at=at)
    return True


def finish_phase(*, run_id: int, at: datetime) -> None:
    """Move the run on when its phase has no chunk left; safe to call at any time."""
    with transaction.atomic():
        # Not the strongest lock: other workers hold on to the run while they work on their chunks.
        rows = AssignmentRun.objects.select_for_update(of=("self",), no_key=True).select_related("framework")
        run = rows.get(pk=run_id)
        if run.state not in (State.PLANNED, State.APPLYING):
            return
        phase = RunChunk.Phase.EVALUATE if run.state == State.PLANNED else RunChunk.Phase.APPLY
        if not run.chunks.filter(phase=phase).exclude(state=RunChunk.State.DONE).exists():
            _advance(run, at)


def _advance(run: AssignmentRun, at: datetime) -> None:
    if run.state == State.PLANNED:
        looked_at = run.chunks.filter(phase=RunChunk.Phase.EVALUATE)
        run.moves = chunks.sum_moves(looked_at.values_list("moves", flat=True))
        run.moved_arr = chunks.sum_arr(looked_at.values_list("moved_arr", flat=True))
        run.evaluated_at = at
        is_study = run.kind == AssignmentRun.Kind.IMPACT
        _move(run, State.STUDIED if is_study else State.EVALUATED, at)
        run_evaluated.send(sender=AssignmentRun, run=run, at=at)
        return
    _move(run, State.APPLIED, at)
    take_snapshot(framework=run.framework, run=run, at=at)
    run_finished.send(sender=AssignmentRun, run=run, at=at)


def _move(run: AssignmentRun, state: str, at: datetime) -> None:
    if state not in RUN_TRANSITIONS[run.state]:
        raise ConflictError(f"{run} is {run.get_state_display().lower()}; that cannot be done now.")
    run.state = state
    if state not in AssignmentRun.LIVE:
        run.finished_at = at
    run.save()


def start_applying(*, run: AssignmentRun, at: datetime) -> None:
    """Begin the second pass of an evaluated run; of an activation, in the transaction that moved the pointer.

    Accounts that changed since pass 1 began were looked at with other facts, or under the version before: they are
    marked, and so evaluated once more by themselves.
    """
    if not says_the_same(run):
        raise ConflictError(CHANGED.format(version=run.framework_version))
    _move(run, State.APPLYING, at)
    run.applying_at = at
    run.save(update_fields=["applying_at"])
    if run.kind == AssignmentRun.Kind.ACTIVATION:
        marking.mark_touched(since=run.created_at, cause=Cause.VERSION, at=at)
    if not chunks.cut_second_pass(run):
        _advance(run, at)
    ring_for(run)


def hold_run(*, run: AssignmentRun, because: list[str], at: datetime) -> None:
    """Stop an evaluated run for a person; nothing has changed yet. `because` are sentences with figures."""
    with governed("run.held", actor=None, target=run, at=at, reason=" ".join(because)):
        run.held_because = because
        _move(run, State.HELD, at)


def release_run(*, run: AssignmentRun, reason: str, actor: User, at: datetime) -> AssignmentRun:
    """Let a held run go on. Needs another person than the one who asked for it, and a reason."""
    with governed("run.released", actor=actor, target=run, at=at, reason=reason):
        locked = AssignmentRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if not actor.has_perm("accounts.release_run"):
            raise NotAllowedError("Only RevOps and CS Ops may release a held run.")
        if actor.pk == locked.requested_by_id:
            raise NotAllowedError("You asked for this run: another person must release it.")
        if locked.state != State.HELD:
            raise ConflictError(f"{locked} is {locked.get_state_display().lower()}, not held.")
        locked.released_by = actor
        _move(locked, State.EVALUATED, at)
        run_evaluated.send(sender=AssignmentRun, run=locked, at=at)
    return locked


def cancel_run(*, run: AssignmentRun, reason: str, actor: User | None, at: datetime) -> AssignmentRun:
    """Give up a run that has not begun to apply; nothing was changed by it."""
    with governed("run.cancelled", actor=actor, target=run, at=at, reason=reason):
        locked = AssignmentRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if actor is not None and not actor.has_perm("accounts.start_run"):
            raise NotAllowedError("Only RevOps may cancel a run.")
        locked.note = reason
        _move(locked, State.CANCELLED, at)
        _finish_what_was_superseded(locked, at)
    return locked


def _finish_what_was_superseded(run: AssignmentRun, at: datetime) -> None:
    """The cancelled run had stopped another in the middle of its second pass: its rest is still owed."""
    version = run.framework.active_version
    newest = AssignmentRun.objects.filter(framework=run.framework, applying_at__isnull=False).order_by("-pk").first()
    if newest is not None and newest.state == State.SUPERSEDED and version is not None:
        plan_run(version=version, kind=AssignmentRun.Kind.REEVALUATION, actor=None, at=at)


def start_reevaluation(*, framework: Framework, actor: User, at: datetime) -> AssignmentRun:
    """Evaluate every account again under the active version, because a person asked."""
    if not actor.has_perm("accounts.start_run"):
        raise NotAllowedError("Only RevOps may start a run.")
    if framework.active_version is None:
        raise ConflictError("No version of this framework is active yet.")
    return plan_run(version=framework.active_version, kind=AssignmentRun.Kind.REEVALUATION, actor=actor, at=at)


def retry_stuck(*, run: AssignmentRun, actor: User, at: datetime) -> int:
    """Give the run's chunks that wait for a person new attempts; returns how many. Raises ConflictError for none."""
    with governed("run.retried", actor=actor, target=run, at=at) as act:
        if not actor.has_perm("accounts.start_run"):
            raise NotAllowedError("Only RevOps may try the rest of a run again.")
        locked = AssignmentRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if locked.state not in (State.PLANNED, State.APPLYING):
            raise ConflictError(f"{locked} is {locked.get_state_display().lower()}; nothing of it waits.")
        count = locked.chunks.filter(state=RunChunk.State.STUCK).update(
            state=RunChunk.State.WAITING, attempts=0, lease=None, leased_until=None
        )
        if not count:
            raise ConflictError(f"Nothing of {locked} waits for a person any more.")
        act.after = {"chunks": str(count)}
        ring_for(locked)
    return count


# --- figures


def progress_of(run: AssignmentRun, at: datetime) -> dict[str, Any]:
    """Accounts done in the current phase, share, accounts per second and seconds left (None when unknown).

    Pass 2 counts the accounts of the ranges in which something changes; an applied run counts all of them, over both
    passes. `resumes_at` is when work goes on where every worker on it has gone quiet.
    """
    phase = RunChunk.Phase.EVALUATE if run.applying_at is None else RunChunk.Phase.APPLY
    row = run.chunks.filter(phase=phase).aggregate(
        total=Sum("accounts", default=0),
        done=Sum("accounts", filter=Q(state="done"), default=0),
        changed=Sum("changed", default=0),
        failed=Sum("failed", default=0),
        stuck=Count("pk", filter=Q(state="stuck")),
    )
    if run.state == State.APPLIED:
        row["total"] = row["done"] = run.accounts
    if run.finished_at:
        elapsed = seconds_worked(run, at)
    else:
        elapsed = (at - (run.applying_at or run.created_at)).total_seconds()
    rate = row["done"] / max(elapsed, 0.001)
    left = (row["total"] - row["done"]) / rate if rate and run.finished_at is None else None
    share = row["done"] / row["total"] if row["total"] else 1.0
    resumes_at = None if run.finished_at else _resumes_at(run, phase, at)
    return {"phase": phase, "share": share, "rate": rate, "seconds_left": left, "resumes_at": resumes_at, **row}


def seconds_worked(run: AssignmentRun, at: datetime) -> float:
    """Both passes together; the time in which the run was held is nobody's work."""
    end = run.finished_at or at
    seconds = ((run.evaluated_at or end) - run.created_at).total_seconds()
    return seconds + (end - run.applying_at).total_seconds() if run.applying_at else seconds


def _resumes_at(run: AssignmentRun, phase: str, at: datetime) -> datetime | None:
    """When the first lease ends, if all that is left of the phase was leased longer ago than a chunk ever takes."""
    open_ones = run.chunks.filter(phase=phase).exclude(state__in=(RunChunk.State.DONE, RunChunk.State.STUCK))
    leases = list(open_ones.values_list("leased_until", flat=True))
    if not leases or any(end is None or end - at > chunks.LEASE - QUIET for end in leases):
        return None
    return min(end for end in leases if end)


def take_snapshot(*, framework: Framework, run: AssignmentRun | None, at: datetime) -> None:
    """Keep today's distribution over segments: customers only, as reports count them."""
    live = Dimension.objects.filter(framework=framework, is_live=True).values_list("pk", flat=True)
    with connection.cursor() as cursor:
        # The ids by value: joined to the dimensions, the planner reads four million rows one by one.
        cursor.execute(
            "SELECT x.dimension_id, x.effective_id, count(*), COALESCE(sum(a.arr), 0) FROM accounts_assignment x"
            " JOIN accounts_account a ON a.id = x.account_id"
            " WHERE x.dimension_id = ANY(%s) AND a.stage = 'customer' AND a.deleted_at IS NULL GROUP BY 1, 2",
            [list(live)],
        )
        rows = cursor.fetchall()
    DistributionSnapshot.objects.bulk_create(
        [
            DistributionSnapshot(
                run=run, dimension_id=dimension, segment_id=segment, accounts=accounts, arr=arr, taken_at=at
            )
            for dimension, segment, accounts, arr in rows
        ]
    )
