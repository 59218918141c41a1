"""What a definition that is in no version yet would do to the accounts there are. Reads only."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count

from django.db import connection, transaction
from django.db.models import Max, Min

from accounts.evaluation.stages import FrameworkPlan, compile_unstored
from accounts.evaluation.statement import Scope, changed_sql
from accounts.models import Account
from frameworks.definition import Definition
from frameworks.models import Dimension, Framework

CHUNK = 50_000

Flow = tuple[str, str, str]
"""Dimension key, segment key before, segment key after; "" is Unassigned, "+" an account not assigned before."""

# Accounts that are gone are Unassigned whatever the rules say: nobody moves them.
_COUNTED = """
SELECT dimension_id, CASE WHEN is_new THEN -1 ELSE was_effective END, effective_id, count(*) FROM changed
JOIN accounts_account a ON a.id = changed.account_id AND a.deleted_at IS NULL AND a.merged_into_id IS NULL
WHERE is_new OR was_effective IS DISTINCT FROM effective_id GROUP BY 1, 2, 3
"""


def impact_of(*, definition: Definition, framework: Framework | None, as_of: datetime) -> Mapping[Flow, int]:
    """How many accounts would be in another segment than they are, by dimension, from and to.

    Raises ValueError for dimensions that read each other in a circle.
    """
    identities = _identities(definition, framework)
    plan = compile_unstored(framework.pk if framework else 0, definition, identities)
    names: dict[int | None, str] = {None: "", -1: "+"}
    names.update((pk, key) for _, by_key in identities.values() for key, pk in by_key.items())
    gone = Dimension.objects.filter(framework=framework, segments__isnull=False)
    stored = dict(gone.values_list("segments__pk", "segments__key"))
    dimensions = {pk: key for key, (pk, _) in identities.items()}
    found: Counter[Flow] = Counter()
    for scope in _scopes():
        for dimension, was, now, accounts in _counted(plan, scope, as_of):
            found[dimensions[dimension], (stored | names)[was], names[now]] += accounts
    return found


def _identities(definition: Definition, framework: Framework | None) -> dict[str, tuple[int, dict[str, int]]]:
    """Ids of dimensions and segments: the stored ones where there are such, made-up negative ones elsewhere."""
    made_up = count(-1_000, -1)
    rows = Dimension.objects.filter(framework=framework).prefetch_related("segments") if framework else ()
    stored = {row.key: (row.pk, {segment.key: segment.pk for segment in row.segments.all()}) for row in rows}
    found = {}
    for key, body in definition.dimensions.items():
        pk, segments = stored.get(key) or (next(made_up), {})
        found[key] = (pk, {short: segments.get(short) or next(made_up) for short in body.segments})
    return found


def _scopes() -> Iterator[Scope]:
    """Ranges of keys: one statement over everything would hold a snapshot for as long."""
    ends = Account.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is not None:
        for low in range(ends["low"], ends["high"] + 1, CHUNK):
            yield Scope(low=low, high=min(low + CHUNK, ends["high"] + 1))


def _counted(plan: FrameworkPlan, scope: Scope, as_of: datetime) -> list[tuple[int, int | None, int | None, int]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(changed_sql(plan, scope) + _COUNTED, {**plan.parameters, **scope.parameters, "as_of": as_of})
        rows: list[tuple[int, int | None, int | None, int]] = cursor.fetchall()
        return rows
