"""Marking accounts whose assignment may be out of date, and ringing the doorbell.

The mark is the work owed and is written in the transaction of the change; the Celery message sent after
commit only says that there is some. If the message is lost, the sweeper finds the mark.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts.models import PendingEvaluation
from frameworks.doorbell import ring


def mark_accounts(*, account_ids: Iterable[int], cause: str, at: datetime) -> int:
    """Owe an evaluation of each account (primary keys); returns how many marks were written."""
    marks = PendingEvaluation.objects.bulk_create(
        [PendingEvaluation(account_id=pk, cause=cause, marked_at=at) for pk in account_ids], batch_size=5000
    )
    if marks:
        ring_doorbell()
    return len(marks)


def ring_doorbell() -> None:
    """After commit, tell a worker that marks are waiting. People never wait for the broker."""
    transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    from accounts.tasks import evaluate_pending_task

    ring(evaluate_pending_task)
