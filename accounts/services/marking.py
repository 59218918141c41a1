"""Marking accounts whose assignment may be out of date, and ringing the doorbell.

The mark is the work owed and is written in the transaction of the change; the Celery message sent after
commit only says that there is some. If the message is lost, the sweeper finds the mark.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

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


def mark_touched(*, since: datetime, cause: str, at: datetime) -> int:
    """Owe an evaluation of every account whose facts or assignments changed at or after `since`; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK_TOUCHED, {"since": since, "cause": cause, "at": at})
        count: int = cursor.rowcount
    if count:
        ring_doorbell()
    return count


_MARK_TOUCHED = """
INSERT INTO accounts_pendingevaluation (account_id, cause, marked_at)
SELECT id, %(cause)s, %(at)s FROM (
    SELECT id FROM accounts_account WHERE updated_at >= %(since)s
    UNION SELECT account_id FROM accounts_assignment WHERE changed_at >= %(since)s
    UNION SELECT account_id FROM accounts_override WHERE created_at >= %(since)s OR ended_at >= %(since)s
    UNION SELECT account_id FROM accounts_pendingevaluation
) AS touched
"""


def ring_doorbell() -> None:
    """After commit, tell a worker that marks are waiting. People never wait for the broker."""
    transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    from accounts.tasks import evaluate_pending_task

    ring(evaluate_pending_task)
