"""Runs: every account under one version, in chunks leased in the database.

A worker leases the next chunk, works on it in one transaction and gives it back; the lease of a worker that died
ends by itself. A chunk whose process dies three times waits for a person. Who asks for progress reads the chunks.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.errors import LeaseLostError
from accounts.evaluation import engine
from accounts.models import AssignmentRun, Cause, DistributionSnapshot, RunChunk
from accounts.services.overrides import close_moot_overrides
from accounts.signals import run_evaluated, run_finished, transitions_recorded
from accounts.transitions import RUN_TRANSITIONS
from frameworks.doorbell import ring
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Dimension, Framework, FrameworkVersion, User

# About a second of work: long enough to be efficient, short enough to let people's edits through.
CHUNK_ACCOUNTS = 20_000
LEASE = timedelta(seconds=90)
MAX_ATTEMPTS = 3
WORKERS = 2
State = AssignmentRun.State


# --- planning


def plan_run(*, version: FrameworkVersion, kind: str, actor: User | None, at: datetime) -> AssignmentRun:
    """Cut a run of `version` into chunks and ring for workers.

    A live re-evaluation is superseded; a live activation is not: raises ConflictError naming it.
    """
    with governed("run.planned", actor=actor, target=version, at=at) as act:
        framework = Framework.objects.select_for_update().get(pk=version.framework_id)
        _supersede_live(framework, kind, at)
        is_initial = framework.active_version_id is None
        is_activation = kind == AssignmentRun.Kind.ACTIVATION
        run = AssignmentRun.objects.create(
            framework=framework,
            framework_version=version,
            kind=kind,
            state=State.PLANNED if is_activation else State.APPLYING,
            is_initial=is_initial,
            as_of=at,
            requested_by=actor,
            created_at=at,
            applying_at=None if is_activation else at,
        )
        phase = RunChunk.Phase.EVALUATE if is_activation else RunChunk.Phase.APPLY
        run.accounts = _cut_chunks(run, phase)
        run.save(update_fields=["accounts"])
        act.after = {"run": str(run.uuid), "accounts": str(run.accounts)}
        if not run.accounts:
            _advance(run, at)
        ring_for(run)
    return run


def _supersede_live(framework: Framework, kind: str, at: datetime) -> None:
    live = AssignmentRun.objects.select_for_update().filter(framework=framework, state__in=AssignmentRun.LIVE).first()
    if live is None:
        return
    if live.kind == AssignmentRun.Kind.ACTIVATION and not (
        live.state == State.APPLYING and kind == AssignmentRun.Kind.ACTIVATION
    ):
        raise ConflictError(f"{live} is under way ({live.get_state_display().lower()}); wait for it or cancel it.")
    _move(live, State.SUPERSEDED, at)


def _cut_chunks(run: AssignmentRun, phase: str) -> int:
    """Whole lock buckets, about CHUNK_ACCOUNTS accounts each; returns the number of accounts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id / %s AS bucket, count(*) FROM accounts_account GROUP BY 1 ORDER BY 1", [engine.BUCKET]
        )
        buckets = cursor.fetchall()
    chunks: list[RunChunk] = []
    total = size = 0
    low = None
    for bucket, count in buckets:
        low = bucket if low is None else low
        size, total = size + count, total + count
        if size >= CHUNK_ACCOUNTS or bucket == buckets[-1][0]:
            span = {"low": low * engine.BUCKET, "high": (bucket + 1) * engine.BUCKET}
            chunks.append(RunChunk(run=run, phase=phase, accounts=size, **span))
            low, size = None, 0
    RunChunk.objects.bulk_create(chunks)
    return total


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
    chunk = _lease_chunk(run_id, at)
    if chunk is None:
        return False
    work = _evaluate_chunk if chunk.phase == RunChunk.Phase.EVALUATE else _apply_chunk
    work(chunk)
    finish_phase(run_id=run_id, at=timezone.now())
    return True


def _lease_chunk(run_id: int, at: datetime) -> RunChunk | None:
    free = Q(state=RunChunk.State.WAITING) | Q(state=RunChunk.State.LEASED, leased_until__lt=at)
    in_phase = Q(run__state=State.PLANNED, phase="evaluate") | Q(run__state=State.APPLYING, phase="apply")
    with transaction.atomic():
        chunk = (
            RunChunk.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(free & in_phase, run_id=run_id)
            .select_related("run")
            .order_by("low")
            .first()
        )
        if chunk is None:
            return None
        if chunk.attempts >= MAX_ATTEMPTS:
            chunk.state = RunChunk.State.STUCK
        else:
            chunk.state, chunk.attempts = RunChunk.State.LEASED, chunk.attempts + 1
            chunk.leased_until, chunk.lease = at + LEASE, uuid.uuid4()
        chunk.save(update_fields=["state", "attempts", "leased_until", "lease"])
    return chunk if chunk.state == RunChunk.State.LEASED else _lease_chunk(run_id, at)


def _evaluate_chunk(chunk: RunChunk) -> None:
    run = chunk.run
    with transaction.atomic():
        scope = engine.Scope(chunk.low, chunk.high)
        plan = engine.plan_of(run.framework_version)
        outcome = engine.preview(plan=plan, scope=scope, as_of=run.as_of, run_id=run.pk)
        _close(chunk, outcome)


def _apply_chunk(chunk: RunChunk) -> None:
    """Write what differs. After a preview only the movers are read again; without one, every account."""
    run = chunk.run
    is_previewed = run.kind == AssignmentRun.Kind.ACTIVATION and not run.is_initial
    scope = engine.Scope(chunk.low, chunk.high, movers_of=run.pk if is_previewed else None)
    cause = {AssignmentRun.Kind.ACTIVATION: Cause.VERSION, AssignmentRun.Kind.NIGHTLY: Cause.TIME}.get(
        AssignmentRun.Kind(run.kind), Cause.DATA
    )
    with transaction.atomic():
        outcome = engine.apply_with_isolation(
            plan=engine.plan_of(run.framework_version), scope=scope, as_of=run.as_of, cause=cause, run_id=run.pk
        )
        close_moot_overrides(outcome.agreeing, run.as_of)
        if outcome.transitions:
            transitions_recorded.send(
                sender=AssignmentRun,
                run=run,
                low=chunk.low,
                high=chunk.high,
                account_ids=None,
                count=outcome.transitions,
            )
        _close(chunk, outcome)


def _close(chunk: RunChunk, outcome: engine.Outcome) -> None:
    """Give the chunk back done, in the transaction of its work; raises LeaseLostError when another has it."""
    closed = RunChunk.objects.filter(pk=chunk.pk, lease=chunk.lease, state=RunChunk.State.LEASED).update(
        state=RunChunk.State.DONE,
        changed=outcome.changed,
        failed=outcome.failed,
        moves=as_json(outcome.moves),
        finished_at=timezone.now(),
    )
    if not closed:
        raise LeaseLostError(f"{chunk} was taken over by another worker")


def as_json(moves: Mapping[tuple[int, int | None, int | None], int]) -> dict[str, dict[str, dict[str, int]]]:
    """Dimension id → from segment id → to segment id → accounts; "" stands for Unassigned or new."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (dimension, was, now), count in moves.items():
        row = found.setdefault(str(dimension), {}).setdefault(str(was or ""), {})
        row[str(now or "")] = row.get(str(now or ""), 0) + count
    return found


# --- from one state to the next


def finish_phase(*, run_id: int, at: datetime) -> None:
    """Move the run on when its phase has no chunk left; safe to call at any time."""
    with transaction.atomic():
        run = AssignmentRun.objects.select_for_update(of=("self",)).select_related("framework").get(pk=run_id)
        if run.state not in (State.PLANNED, State.APPLYING):
            return
        phase = RunChunk.Phase.EVALUATE if run.state == State.PLANNED else RunChunk.Phase.APPLY
        if not run.chunks.filter(phase=phase).exclude(state=RunChunk.State.DONE).exists():
            _advance(run, at)


def _advance(run: AssignmentRun, at: datetime) -> None:
    if run.state == State.PLANNED:
        run.moves = _sum_moves(run.chunks.filter(phase="evaluate").values_list("moves", flat=True))
        run.evaluated_at = at
        _move(run, State.EVALUATED, at)
        run_evaluated.send(sender=AssignmentRun, run=run, at=at)
        return
    applied = _sum_moves(run.chunks.filter(phase="apply").values_list("moves", flat=True))
    if run.kind != AssignmentRun.Kind.ACTIVATION:
        run.moves = applied
    _move(run, State.APPLIED, at)
    take_snapshot(framework=run.framework, run=run, at=at)
    run_finished.send(sender=AssignmentRun, run=run, at=at)


def _sum_moves(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    total: dict[tuple[int, int | None, int | None], int] = {}
    for moves in rows:
        for dimension, by_from in moves.items():
            for was, by_to in by_from.items():
                for now, count in by_to.items():
                    key = (int(dimension), int(was) if was else None, int(now) if now else None)
                    total[key] = total.get(key, 0) + count
    return as_json(total)


def _move(run: AssignmentRun, state: str, at: datetime) -> None:
    if state not in RUN_TRANSITIONS[run.state]:
        raise ConflictError(f"{run} is {run.get_state_display().lower()}; that cannot be done now.")
    run.state = state
    if state not in AssignmentRun.LIVE:
        run.finished_at = at
    run.save()


def start_applying(*, run: AssignmentRun, at: datetime) -> None:
    """Begin the second pass of an evaluated run, in the transaction that moved the active version."""
    _move(run, State.APPLYING, at)
    run.applying_at = at
    run.save(update_fields=["applying_at"])
    ranges = run.chunks.filter(phase=RunChunk.Phase.EVALUATE).values_list("low", "high", "accounts")
    RunChunk.objects.bulk_create(
        [
            RunChunk(run=run, phase=RunChunk.Phase.APPLY, low=low, high=high, accounts=accounts)
            for low, high, accounts in ranges
        ]
    )
    if not run.accounts:
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
    return locked


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
    """Accounts done in the current phase, share, accounts per second and seconds left (None when unknown)."""
    phase = RunChunk.Phase.EVALUATE if run.applying_at is None else RunChunk.Phase.APPLY
    chunks = run.chunks.filter(phase=phase)
    row = chunks.aggregate(
        done=Sum("accounts", filter=Q(state="done"), default=0),
        changed=Sum("changed", default=0),
        failed=Sum("failed", default=0),
        stuck=Count("pk", filter=Q(state="stuck")),
    )
    since = run.created_at if phase == RunChunk.Phase.EVALUATE else run.applying_at or run.created_at
    elapsed = max(((run.finished_at or at) - since).total_seconds(), 0.001)
    rate = row["done"] / elapsed
    left = (run.accounts - row["done"]) / rate if rate and run.finished_at is None else None
    share = row["done"] / run.accounts if run.accounts else 1.0
    return {"phase": phase, "total": run.accounts, "share": share, "rate": rate, "seconds_left": left, **row}


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
