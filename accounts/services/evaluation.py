"""Doing the evaluations that are owed, and finding those that time alone has caused."""

from datetime import datetime
from typing import cast

from django.db import transaction

from accounts.evaluation import engine
from accounts.models import AssignmentRun, PendingEvaluation, RunChunk
from accounts.services import clock, marking, runs
from accounts.services.overrides import close_moot_overrides, sweep_overrides
from accounts.signals import transitions_recorded
from frameworks.models import Framework, FrameworkVersion

BATCH = 2000


def evaluate_pending(*, at: datetime) -> int:
    """Evaluate up to BATCH marked accounts and delete the marks that were read; returns how many marks.

    The marks are locked, not merged: a mark written while this runs is another row and is found next time.
    """
    with transaction.atomic():
        marks = list(PendingEvaluation.objects.select_for_update(skip_locked=True).order_by("pk")[:BATCH])
        if not marks:
            return 0
        causes = {mark.account_id: mark.cause for mark in reversed(marks)}
        outcomes = engine.evaluate_accounts(account_ids=list(causes), at=at, causes=causes)
        close_moot_overrides([pk for outcome in outcomes for pk in outcome.agreeing], at)
        count = sum(outcome.transitions for outcome in outcomes)
        if count:
            transitions_recorded.send(
                sender=PendingEvaluation, run=None, low=None, high=None, account_ids=list(causes), count=count
            )
        PendingEvaluation.objects.filter(pk__in=[mark.pk for mark in marks]).delete()
    return len(marks)


def sweep(*, at: datetime) -> dict[str, int]:
    """Find work whose doorbell was lost, and what time has brought: overrides, moves, ends of fiscal periods."""
    started, expired = sweep_overrides(at)
    due = clock.mark_due(at=at)
    periods = clock.start_period_runs(at=at)
    waiting = PendingEvaluation.objects.count()
    if waiting:
        marking.ring_doorbell()
    live = list(AssignmentRun.objects.filter(state__in=[AssignmentRun.State.PLANNED, AssignmentRun.State.APPLYING]))
    for run in live:
        runs.finish_phase(run_id=run.pk, at=at)
        if run.chunks.filter(state__in=[RunChunk.State.WAITING, RunChunk.State.LEASED]).exists():
            runs.ring_for(run)
    return {
        "overrides_started": started,
        "overrides_expired": expired,
        "due": due,
        "periods": len(periods),
        "marks": waiting,
        "runs": len(live),
    }


def start_nightly_runs(*, at: datetime) -> list[AssignmentRun]:
    """Evaluate every account of every active version again: there must be nothing left to find."""
    found = []
    for framework in Framework.objects.filter(active_version__isnull=False).select_related("active_version"):
        if not framework.runs.live().exists():
            version = cast(FrameworkVersion, framework.active_version)
            found.append(runs.plan_run(version=version, kind=AssignmentRun.Kind.NIGHTLY, actor=None, at=at))
    return found
