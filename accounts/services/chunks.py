"""The parts of a run that workers take: key ranges, leased in the database.

A worker leases the next chunk, works on it in one transaction and gives it back; the lease of a worker that died
ends by itself. A chunk whose process dies three times waits for a person.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.errors import LeaseLostError
from accounts.evaluation import engine
from accounts.evaluation.statement import BUCKET, Scope
from accounts.models import AssignmentRun, Cause, RunChunk
from accounts.services.overrides import close_moot_overrides
from accounts.signals import transitions_recorded

# About a second of work: long enough to be efficient, short enough to let people's edits through. Of few accounts as
# many chunks as let the workers end together, none so small that leasing it costs more than evaluating it.
CHUNK_ACCOUNTS = 20_000
SMALLEST_CHUNK = 5_000
FEWEST_CHUNKS = 10
LEASE = timedelta(seconds=90)
MAX_ATTEMPTS = 3

T = TypeVar("T")
N = TypeVar("N", int, Decimal)

_CAUSES = {
    AssignmentRun.Kind.ACTIVATION: Cause.VERSION,
    # Time is looked up by the sweep: what a nightly run finds was wrong before.
    AssignmentRun.Kind.NIGHTLY: Cause.CORRECTION,
    AssignmentRun.Kind.PERIOD: Cause.PERIOD,
    AssignmentRun.Kind.REEVALUATION: Cause.DATA,
}


def cut_chunks(run: AssignmentRun) -> int:
    """Whole lock buckets, CHUNK_ACCOUNTS accounts at most and somewhat more, for pass 1; returns how many accounts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id / %s AS bucket, count(*) FROM accounts_account GROUP BY 1 ORDER BY 1", [BUCKET])
        buckets = cursor.fetchall()
    chunks: list[RunChunk] = []
    total: int = sum(count for _, count in buckets)
    wanted = min(CHUNK_ACCOUNTS, max(SMALLEST_CHUNK, total // FEWEST_CHUNKS))
    size, low = 0, None
    for bucket, count in buckets:
        low = bucket if low is None else low
        size += count
        if size >= wanted or bucket == buckets[-1][0]:
            span = {"low": low * BUCKET, "high": (bucket + 1) * BUCKET}
            chunks.append(RunChunk(run=run, phase=RunChunk.Phase.EVALUATE, accounts=size, **span))
            low, size = None, 0
    RunChunk.objects.bulk_create(chunks)
    return total


def cut_second_pass(run: AssignmentRun) -> int:
    """The ranges of pass 1 in which something would change, for pass 2; returns how many."""
    ranges = run.chunks.filter(phase=RunChunk.Phase.EVALUATE, changed__gt=0).values_list("low", "high", "accounts")
    made = RunChunk.objects.bulk_create(
        [
            RunChunk(run=run, phase=RunChunk.Phase.APPLY, low=low, high=high, accounts=accounts)
            for low, high, accounts in ranges
        ]
    )
    return len(made)


def lease_chunk(run_id: int, at: datetime) -> RunChunk | None:
    """The run's next chunk that nobody works on, leased; None when there is none."""
    free = Q(state=RunChunk.State.WAITING) | Q(state=RunChunk.State.LEASED, leased_until__lt=at)
    in_phase = Q(run__state=AssignmentRun.State.PLANNED, phase="evaluate")
    in_phase |= Q(run__state=AssignmentRun.State.APPLYING, phase="apply")
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
    return chunk if chunk.state == RunChunk.State.LEASED else lease_chunk(run_id, at)


def work_on(chunk: RunChunk) -> None:
    """Evaluate or apply a leased chunk, and give it back done, in one transaction.

    Raises LeaseLostError when another worker has taken the chunk over, or the run was given up meanwhile.
    """
    work = _evaluate if chunk.phase == RunChunk.Phase.EVALUATE else _apply
    with transaction.atomic():
        _hold_on_to(chunk.run)
        _close(chunk, work(chunk))


def _hold_on_to(run: AssignmentRun) -> None:
    """Keep the run from being given up until this chunk is committed: who supersedes it waits for the row.

    What is written after the newer run has looked would otherwise stay as it is. The lock is the weakest there is,
    so that workers do not wait for each other when one moves the run on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM accounts_assignmentrun WHERE id = %s FOR KEY SHARE", [run.pk])
        (state,) = cursor.fetchone()
    if state not in (AssignmentRun.State.PLANNED, AssignmentRun.State.APPLYING):
        raise LeaseLostError(f"{run} is {AssignmentRun.State(state).label.lower()}")


def _evaluate(chunk: RunChunk) -> engine.Outcome:
    run = chunk.run
    return engine.preview(
        plan=engine.plan_of(run.framework_version),
        scope=Scope(chunk.low, chunk.high),
        as_of=run.as_of,
        run_id=run.pk,
        is_first=run.is_initial,
    )


def _apply(chunk: RunChunk) -> engine.Outcome:
    """Write what differs. Only the movers of pass 1 are read again; of a first assignment, every account."""
    run = chunk.run
    outcome = engine.apply_with_isolation(
        plan=engine.plan_of(run.framework_version),
        scope=Scope(chunk.low, chunk.high, movers_of=None if run.is_initial else run.pk),
        as_of=run.as_of,
        cause=_CAUSES[AssignmentRun.Kind(run.kind)],
        run_id=run.pk,
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
    return outcome


def _close(chunk: RunChunk, outcome: engine.Outcome) -> None:
    closed = RunChunk.objects.filter(pk=chunk.pk, lease=chunk.lease, state=RunChunk.State.LEASED).update(
        state=RunChunk.State.DONE,
        changed=outcome.changed,
        failed=outcome.failed,
        moves=as_json(outcome.moves),
        moved_arr=as_json(outcome.moved_arr, str),
        finished_at=timezone.now(),
    )
    if not closed:
        raise LeaseLostError(f"{chunk} was taken over by another worker")


# --- moves, counted


def as_json(
    moves: Mapping[engine.Move, T], written: Callable[[T], Any] = lambda figure: figure
) -> dict[str, dict[str, dict[str, Any]]]:
    """Dimension id → from segment id → to segment id → figure; "" stands for Unassigned or new."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (dimension, was, now), figure in moves.items():
        found.setdefault(str(dimension), {}).setdefault(str(was or ""), {})[str(now or "")] = written(figure)
    return found


def sum_moves(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """The moves of several chunks as one, in the form of `as_json`."""
    return as_json(_summed(rows, int))


def sum_arr(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """Their ARR as one, decimals as text."""
    return as_json(_summed(rows, Decimal), str)


def _summed(rows: Iterable[Mapping[str, Any]], read: Callable[[Any], N]) -> dict[engine.Move, N]:
    total: dict[engine.Move, N] = {}
    for moves in rows:
        for dimension, by_from in moves.items():
            for was, by_to in by_from.items():
                for now, figure in by_to.items():
                    key = (int(dimension), int(was) if was else None, int(now) if now else None)
                    total[key] = total[key] + read(figure) if key in total else read(figure)
    return total
