"""A thousand accounts change by the API's batch: from its commit to the last assignment that follows."""

from functools import partial
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection

from accounts.models import Account, PendingEvaluation
from accounts.services.evaluation import evaluate_pending
from accounts.services.pushing import ITEMS_MOST, push_accounts
from frameworks.models import User
from governance.benchmark.evaluating import LATER, Evaluating, strategic
from governance.benchmark.report import percentile, seconds_of

BATCHES = 20
SOURCE = "bench"
# Strategic in the bench's framework, and below it: every batch moves its accounts.
ARRS = ("760000.00", "1200.00")

_IDENTIFIERS = """
INSERT INTO accounts_accountidentifier (account_id, source, external_id)
SELECT 1 + (n * %(top)s / %(count)s), %(source)s, n::text FROM generate_series(0, %(count)s - 1) AS n
"""


def measure_pushes(evaluating: Evaluating) -> None:
    """BATCHES batches over the same accounts, spread over all. Needs assignments of the active version."""
    count = min(ITEMS_MOST, Account.objects.count())
    ids = _identify(count)
    actor = User.objects.get(pk=evaluating.current.author_id)
    actor.user_permissions.add(Permission.objects.get(codename="import_accounts", content_type__app_label="accounts"))
    taking, assigning = [], []
    for turn in range(BATCHES):
        items = [{"source": SOURCE, "external_id": str(n), "arr": ARRS[turn % 2]} for n in range(count)]
        taking.append(seconds_of(partial(_push, items, actor)))
        assigning.append(seconds_of(_assign))
        if (strategic(ids) == count) != (turn % 2 == 0):
            evaluating.differing.append(f"batch {turn + 1}")
    report = evaluating.report
    report.add("push_accounts", count)
    report.add("push_until_commit_p50_seconds", percentile(taking, 0.5))
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        report.add(f"push_commit_to_assigned_{name}_seconds", percentile(assigning, share))


def _identify(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM accounts_account")
        (top,) = cursor.fetchone()
        cursor.execute(_IDENTIFIERS, {"top": top, "count": count, "source": SOURCE})
        cursor.execute("ANALYZE accounts_accountidentifier")
        cursor.execute("SELECT account_id FROM accounts_accountidentifier WHERE source = %s", [SOURCE])
        return [pk for (pk,) in cursor.fetchall()]


def _push(items: list[dict[str, Any]], actor: User) -> None:
    result = push_accounts(items=items, all_or_none=True, actor=actor, at=LATER)
    if result.summary["updated"] != len(items):
        raise AssertionError(f"A batch was not taken: {result.summary}")


def _assign() -> None:
    while evaluate_pending(at=LATER):
        pass
    if PendingEvaluation.objects.exists():
        raise AssertionError("Evaluations are owed after all were done.")
