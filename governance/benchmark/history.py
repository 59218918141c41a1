"""What rules over closed periods cost: the same framework with two `sustained` leaves, over quarters of history.

Rules read one row of `MetricSeries` an account, whatever the history holds; that is made here from the observations
as the product's services make it.
"""

from datetime import date
from statistics import median

from django.db import connection

from frameworks.criteria.periods import closed_period_end
from frameworks.models import FrameworkVersion
from governance.benchmark.evaluating import Evaluating, vacuum
from governance.benchmark.population import AS_OF, TODAY

QUARTERS = 8
MORE_QUARTERS = 24
ROUNDS = 3

_OBSERVED = """
INSERT INTO accounts_metricobservation (account_id, metric, grain, period, period_end_on, value, is_closed, source,
    recorded_at)
SELECT a.id, 'arr', 'fiscal_quarter', to_char(e.ends, 'YYYY-"Q"Q'), e.ends,
    round((a.arr * (0.9 + 0.2 * u(a.id, 100 + e.back)))::numeric, 4), true, 'bench', %(as_of)s
FROM accounts_account a CROSS JOIN unnest(%(ends)s::date[], %(backs)s::int[]) AS e (ends, back)
WHERE a.arr IS NOT NULL
"""
_SERIES = """
INSERT INTO accounts_metricseries (metric, grain, account_id, ends, values)
SELECT metric, grain, account_id, array_agg(period_end_on ORDER BY period_end_on DESC),
    array_agg(value ORDER BY period_end_on DESC)
FROM accounts_metricobservation GROUP BY metric, grain, account_id
"""


def measure_history(evaluating: Evaluating, watching: FrameworkVersion, *, with_more: bool) -> None:
    """A re-evaluation with the two leaves, as a ratio to one without; `with_more`: again with three times the history.

    Needs what `first_assignment` leaves. Each version's rows are written before it is measured.
    """
    _observe(1, QUARTERS)
    without = _seconds(evaluating, evaluating.current)
    sustained = _seconds(evaluating, watching)
    evaluating.report.add("sustained_seconds", sustained)
    evaluating.report.add("sustained_ratio", sustained / without)
    if with_more:
        _observe(QUARTERS + 1, MORE_QUARTERS)
        evaluating.report.add("sustained_of_24_quarters_ratio", _seconds(evaluating, watching) / sustained)
    # The rows of the version that the next part begins with.
    evaluating.product(evaluating.current)


def _seconds(evaluating: Evaluating, version: FrameworkVersion) -> float:
    evaluating.product(version)
    return median(evaluating.product(version)[1] for _ in range(ROUNDS))


def _observe(first: int, last: int) -> None:
    """Observations for the closed quarters `first` to `last`, counted back from today, and the series of all."""
    backs = list(range(first, last + 1))
    ends: list[date] = [closed_period_end(TODAY, "fiscal_quarter", 1, back) for back in backs]
    with connection.cursor() as cursor:
        cursor.execute(_OBSERVED, {"as_of": AS_OF, "ends": ends, "backs": backs})
        cursor.execute("TRUNCATE accounts_metricseries")
        cursor.execute(_SERIES)
        cursor.execute("VACUUM (ANALYZE) accounts_metricseries")
    vacuum()
