"""Work that time alone causes: accounts whose rules may say something else from now on, and fiscal periods that ended.

Found by the sweeper, in the database: two sweepers at once find each thing once.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts.evaluation import engine
from accounts.models import AssignmentRun, Cause
from accounts.services import marking, runs
from frameworks.criteria.periods import period_of
from frameworks.criteria.types import Grain
from frameworks.criteria.uses import reads_periods
from frameworks.definition import Definition
from frameworks.models import Framework

BATCH = 5000

# The index of rows that have a flip gives them in its order. A row that another sweeper or an evaluation holds is
# left to the next sweep. Without its flip a row is found no more; the evaluation that is owed now writes the next.
_DUE = """
WITH due AS (
    SELECT account_id, dimension_id FROM accounts_assignment
    WHERE next_flip_at <= %(at)s ORDER BY next_flip_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
),
taken AS (
    UPDATE accounts_assignment x SET next_flip_at = NULL FROM due
    WHERE x.account_id = due.account_id AND x.dimension_id = due.dimension_id RETURNING x.account_id
)
INSERT INTO accounts_pendingevaluation (account_id, cause, marked_at) SELECT DISTINCT account_id, %(cause)s, %(at)s
FROM taken
"""


def mark_due(*, at: datetime) -> int:
    """Mark the accounts that time alone may have moved by `at`; returns how many, at most BATCH rows at a time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DUE, {"at": at, "batch": BATCH, "cause": Cause.TIME.value})
        marked = int(cursor.rowcount)
        if marked:
            marking.ring_doorbell()
    return marked


def start_period_runs(*, at: datetime) -> list[AssignmentRun]:
    """Evaluate every account anew where a fiscal period that rules read has ended since the last full run."""
    active = Framework.objects.filter(active_version__isnull=False).order_by("pk").values_list("pk", flat=True)
    return [run for pk in active if (run := _start_period_run(pk, at))]


def _start_period_run(framework_id: int, at: datetime) -> AssignmentRun | None:
    with transaction.atomic():
        # The lock comes first: a second sweeper then sees the run that the first has planned.
        framework = Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=framework_id)
        version = framework.active_version
        if version is None or framework.runs.live().exists():
            return None
        last = _last_look(framework)
        if last is None or not crossed_boundary(engine.plan_of(version).definition, since=last, at=at):
            return None
        return runs.plan_run(version=version, kind=AssignmentRun.Kind.PERIOD, actor=None, at=at)


def _last_look(framework: Framework) -> datetime | None:
    """When every account was last looked at; a period's run that a person has cancelled is not planned again."""
    states = [AssignmentRun.State.APPLIED, AssignmentRun.State.CANCELLED]
    found = framework.runs.filter(state__in=states).exclude(
        state=AssignmentRun.State.CANCELLED, kind__in=[k for k in AssignmentRun.Kind if k != AssignmentRun.Kind.PERIOD]
    )
    return found.order_by("-as_of").values_list("as_of", flat=True).first()


def crossed_boundary(definition: Definition, *, since: datetime, at: datetime) -> bool:
    """Whether a period of a grain that the rules read has ended between two instants."""
    zone, month = definition.zone, definition.start_month
    return any(
        _period(since, grain, zone, month) != _period(at, grain, zone, month) for grain in grains_read(definition)
    )


def grains_read(definition: Definition) -> set[Grain]:
    """The grains of all fiscal periods that a rule of the version looks at."""
    candidates = (candidate for key in definition.dimensions for candidate in definition.candidates(key))
    return {grain for candidate in candidates for grain in reads_periods(candidate.criteria.root)}


def _period(moment: datetime, grain: Grain, zone: ZoneInfo, start_month: int) -> str:
    return period_of(moment.astimezone(zone).date(), grain, start_month)
