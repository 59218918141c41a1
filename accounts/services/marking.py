"""Marking accounts whose assignment may be out of date, and ringing the doorbell.

The mark is the work owed and is written in the transaction of the change; the Celery message sent after
commit only says that there is some. If the message is lost, the sweeper finds the mark.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F

from accounts.models import Account, PendingEvaluation
from frameworks.doorbell import ring


def mark_accounts(*, account_ids: Iterable[int], cause: str, at: datetime) -> int:
    """Owe an evaluation of each account (primary keys); returns how many marks were written."""
    marks = PendingEvaluation.objects.bulk_create(
        [PendingEvaluation(account_id=pk, cause=cause, marked_at=at) for pk in account_ids], batch_size=5000
    )
    if marks:
        ring_doorbell()
    return len(marks)


def mark_facts(*, account_ids: Iterable[int], cause: str, at: datetime) -> int:
    """Owe an evaluation of accounts whose facts changed and of those under them, whose rules may read the facts of
    their ultimate parent; returns how many marks were written.
    """
    ids = set(account_ids)
    under = Account.objects.filter(ultimate_parent__in=ids).values_list("pk", flat=True)
    return mark_accounts(account_ids=sorted(ids.union(under)), cause=cause, at=at)


def note_other_facts(*, account_ids: Iterable[int], cause: str, at: datetime) -> int:
    """Give accounts a new version because what is known of them beside their own row changed, and mark them."""
    ids = sorted(set(account_ids))
    # A version counts what is known; locked in the order of ids, like everywhere.
    rows = Account.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids).order_by("pk")
    locked = list(rows.values_list("pk", flat=True))
    Account.objects.filter(pk__in=locked).update(version=F("version") + 1, updated_at=at)
    return mark_facts(account_ids=locked, cause=cause, at=at)


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
