"""What was so on a past day: which segments an account was in, what was known of it, and what any version says of that.

Segments come from the log of changes. Facts are those that held then: the account's columns before they were changed,
observations and signals that had been recorded. Lists are the exception: an account that was taken off a list since
does not count as having been on it.
"""

import json
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.evaluation.engine import plan_of
from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.models import Account, ListEntry, MetricObservation, Signal, Transition
from frameworks.models import FrameworkVersion

# One probe of the index past_account_until.
_COLUMNS = """
SELECT coalesce(
    (SELECT p.facts FROM accounts_pastaccount p WHERE p.account_id = a.id AND p.until > %(at)s
        ORDER BY p.until, p.id LIMIT 1),
    jsonb_strip_nulls(to_jsonb(a))
)::text FROM accounts_account a WHERE a.id = %(account)s
"""


def segments_at(account: Account, at: datetime) -> QuerySet[Transition]:
    """The change that brought the account where it was at `at`, one per dimension that had been evaluated.

    By the assignment's version, which counts up; moments can be equal.
    """
    rows = Transition.objects.filter(account=account, effective_at__lte=at)
    newest = rows.order_by("dimension_id", "-version", "-pk").distinct("dimension_id")
    return newest.select_related("dimension", "to_segment", "framework_version")


def facts_at(account_id: int, at: datetime) -> dict[str, Any]:
    """What rules could read of the account at `at`, as a row of `evaluate_rows`."""
    row = _of_one(account_id, at)
    parent_id = row.pop("ultimate_parent_id", None)
    if parent_id is not None:
        row["parent"] = _of_one(parent_id, at)
        row["parent"].pop("ultimate_parent_id", None)
    return row | {"series": _series(account_id, at), "signals": _signals(account_id, at)}


def _of_one(account_id: int, at: datetime) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, {"account": account_id, "at": at})
        # Decimals stay the digits they are: a float has fewer.
        columns: dict[str, Any] = json.loads(cursor.fetchone()[0], parse_float=str)
    entries = ListEntry.objects.filter(account_id=account_id, added_at__lte=at)
    return columns | {"lists": list(entries.values_list("list__key", flat=True))}


def _series(account_id: int, at: datetime) -> dict[str, dict[str, dict[str, str]]]:
    """Of each period the newest closed observation counts, as in MetricSeries."""
    rows = MetricObservation.objects.filter(account_id=account_id, is_closed=True, recorded_at__lte=at)
    newest = rows.order_by("metric", "grain", "-period_end_on", "-pk").distinct("metric", "grain", "period_end_on")
    found: dict[str, dict[str, dict[str, str]]] = {}
    for metric, grain, end, value in newest.values_list("metric", "grain", "period_end_on", "value"):
        found.setdefault(metric, {}).setdefault(grain, {})[end.isoformat()] = str(value)
    return found


def _signals(account_id: int, at: datetime) -> list[dict[str, Any]]:
    rows = Signal.objects.filter(account_id=account_id, recorded_at__lte=at)
    return [
        {"kind": kind, "occurred_on": day.isoformat(), "details": details}
        for kind, day, details in rows.values_list("kind", "occurred_on", "details")
    ]


def said_at(account: Account, version: FrameworkVersion, at: datetime) -> dict[str, HypotheticalOutcome]:
    """By dimension, what the version's rules say of the account as it was at `at`.

    As of an account that is new to the version: where it was before plays no part, nor do overrides. Raises
    DataError for values the version cannot read.
    """
    return evaluate_rows(plan=plan_of(version), rows=[facts_at(account.pk, at)], as_of=at)[0]
