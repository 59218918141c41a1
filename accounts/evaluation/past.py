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
from accounts.models import Account, ListEntry, MetricObservation, MetricSeries, Override, Signal, Transition
from frameworks.models import FrameworkVersion

# One probe of the index past_account_until.
_COLUMNS = """
SELECT coalesce(
    (SELECT p.facts FROM accounts_pastaccount p WHERE p.account_id = a.id AND p.until > %(at)s
        ORDER BY p.until, p.id LIMIT 1),
    jsonb_strip_nulls(to_jsonb(a))
)::text FROM accounts_account a WHERE a.id = %(account)s
"""

_NOW = "SELECT jsonb_strip_nulls(to_jsonb(a))::text FROM accounts_account a WHERE a.id = %(account)s"


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
    signals = _signals(Signal.objects.filter(account_id=account_id, recorded_at__lte=at))
    return row | {"series": _series(account_id, at), "signals": signals}


def facts_now(account_id: int, at: datetime) -> dict[str, Any]:
    """What an evaluation at `at`, which is now, reads of the account: the tables as they are, whatever was so before,
    closed periods as it reads them, and the overrides in force."""
    row = _stored(account_id)
    parent_id = row.pop("ultimate_parent_id", None)
    if parent_id is not None:
        row["parent"] = _stored(parent_id)
        row["parent"].pop("ultimate_parent_id", None)
    beside = {"series": _series_now(account_id), "signals": _signals(Signal.objects.filter(account_id=account_id))}
    return row | beside | {"overrides": _overrides(account_id, at)}


def _stored(account_id: int) -> dict[str, Any]:
    row = _columns(_NOW, account_id)
    entries = ListEntry.objects.filter(account_id=account_id)
    return row | {"lists": list(entries.values_list("list__key", flat=True))}


def _series_now(account_id: int) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in MetricSeries.objects.filter(account_id=account_id):
        values = zip(row.ends, row.values, strict=True)
        found.setdefault(row.metric, {})[row.grain] = {end.isoformat(): str(value) for end, value in values}
    return found


def _overrides(account_id: int, at: datetime) -> list[dict[str, Any]]:
    columns = ("dimension_id", "segment_id", "origin_id", "valid_from", "valid_until", "ended_at")
    found = Override.objects.filter(account_id=account_id, valid_from__lte=at, valid_until__gt=at).values(*columns)
    return [{key: _json(value) for key, value in row.items()} for row in found]


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _of_one(account_id: int, at: datetime) -> dict[str, Any]:
    columns = _columns(_COLUMNS, account_id, at)
    entries = ListEntry.objects.filter(account_id=account_id, added_at__lte=at)
    return columns | {"lists": list(entries.values_list("list__key", flat=True))}


def _columns(query: str, account_id: int, at: datetime | None = None) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"account": account_id, "at": at})
        # Decimals stay the digits they are: a float has fewer.
        columns: dict[str, Any] = json.loads(cursor.fetchone()[0], parse_float=str)
    return columns


def _series(account_id: int, at: datetime) -> dict[str, dict[str, dict[str, str]]]:
    """Of each period the newest closed observation counts, as in MetricSeries."""
    rows = MetricObservation.objects.filter(account_id=account_id, is_closed=True, recorded_at__lte=at)
    newest = rows.order_by("metric", "grain", "-period_end_on", "-pk").distinct("metric", "grain", "period_end_on")
    found: dict[str, dict[str, dict[str, str]]] = {}
    for metric, grain, end, value in newest.values_list("metric", "grain", "period_end_on", "value"):
        found.setdefault(metric, {}).setdefault(grain, {})[end.isoformat()] = str(value)
    return found


def _signals(rows: QuerySet[Signal]) -> list[dict[str, Any]]:
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
