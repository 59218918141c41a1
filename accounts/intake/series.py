"""Keeping MetricSeries equal to what the observations say, for many accounts in one statement."""

from collections.abc import Mapping
from typing import Any

from django.db.backends.utils import CursorWrapper

from accounts.models import MetricObservation, MetricSeries
from accounts.models.history import SERIES_PERIODS

_OBSERVATIONS = MetricObservation._meta.db_table
_SERIES = MetricSeries._meta.db_table


def keep_series(
    cursor: CursorWrapper, concerned: str, parameters: Mapping[str, Any] | None = None, *, into: str = ""
) -> list[int]:
    """Bring the series of `concerned` (SQL giving account_id, metric, grain) up to date.

    Of each period the newest closed observation counts. Returns the ids of accounts whose series changed; with
    `into`, a table of one column account_id, they are put there instead. The accounts must be locked: of two
    transactions that add observations of one account, the later must see what the earlier has added.

    The index observation_newest has the rows of a series in the order asked for, so that nothing is sorted.
    """
    ending = (
        f"INSERT INTO {into} SELECT DISTINCT account_id FROM written"
        if into
        else "SELECT DISTINCT account_id FROM written ORDER BY 1"
    )
    cursor.execute(_STATEMENT.replace("{concerned}", concerned) + ending, parameters)
    return [] if into else [row[0] for row in cursor.fetchall()]


_STATEMENT = f"""
WITH concerned AS MATERIALIZED (SELECT DISTINCT account_id, metric, grain FROM ({{concerned}}) AS c),
newest AS (
    SELECT DISTINCT ON (o.account_id, o.metric, o.grain, o.period_end_on)
        o.account_id, o.metric, o.grain, o.period_end_on, o.value
    FROM {_OBSERVATIONS} o JOIN concerned USING (account_id, metric, grain)
    WHERE o.is_closed
    ORDER BY o.account_id, o.metric, o.grain, o.period_end_on DESC, o.id DESC
),
series AS (
    SELECT metric, grain, account_id,
        (array_agg(period_end_on ORDER BY period_end_on DESC))[1:{SERIES_PERIODS}] AS ends,
        (array_agg(value ORDER BY period_end_on DESC))[1:{SERIES_PERIODS}] AS numbers
    FROM newest GROUP BY metric, grain, account_id
),
written AS (
    INSERT INTO {_SERIES} AS kept (metric, grain, account_id, ends, "values")
    SELECT metric, grain, account_id, ends, numbers FROM series ORDER BY metric, grain, account_id
    ON CONFLICT (metric, grain, account_id) DO UPDATE SET ends = EXCLUDED.ends, "values" = EXCLUDED."values"
    WHERE (kept.ends, kept."values") IS DISTINCT FROM (EXCLUDED.ends, EXCLUDED."values")
    RETURNING account_id
)
"""
