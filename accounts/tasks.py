"""Celery tasks of accounts: each only a doorbell that lets a worker look into the database for work.

A task works in slices and rings again, so that it ends long before its time limit and a stopped worker loses little.
"""

import time

from celery import shared_task
from django.utils import timezone

from accounts.services import checking, evaluation, runs, uploads
from frameworks.doorbell import ring

SLICE_SECONDS = 20


@shared_task(name="accounts.evaluate_pending")
def evaluate_pending_task() -> None:
    """Evaluate marked accounts until none is left or the slice is over."""
    end = time.monotonic() + SLICE_SECONDS
    while evaluation.evaluate_pending(at=timezone.now()):
        if time.monotonic() > end:
            ring(evaluate_pending_task)
            return


@shared_task(name="accounts.work_run")
def work_run_task(run_id: int) -> None:
    """Work on chunks of a run until none can be leased or the slice is over."""
    end = time.monotonic() + SLICE_SECONDS
    while runs.work_next_chunk(run_id=run_id, at=timezone.now()):
        if time.monotonic() > end:
            ring(work_run_task, run_id)
            return


@shared_task(name="accounts.sweep")
def sweep_task() -> None:
    """Every 30 seconds: work whose doorbell was lost, imports included, and overrides whose time has come."""
    evaluation.sweep(at=timezone.now())
    uploads.resume_imports(at=timezone.now())


@shared_task(name="accounts.nightly_run")
def nightly_run_task() -> None:
    """Once a night: whatever nothing had marked."""
    evaluation.start_nightly_runs(at=timezone.now())


@shared_task(name="accounts.apply_import", soft_time_limit=3500, time_limit=3600)
def apply_import_task(import_id: int) -> None:
    """Check or apply one import. A long one is not sliced: it is one transaction, and its lease keeps others away."""
    uploads.work_import(import_id=import_id)


@shared_task(name="accounts.run_checks", soft_time_limit=540, time_limit=600)
def run_checks_task(version_id: int) -> None:
    """Compute the checks of one version. What goes wrong is kept with the report, where the page shows it."""
    checking.run_checks_in_worker(version_id=version_id, at=timezone.now())
