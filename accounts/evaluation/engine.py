"""Evaluating accounts and keeping assignments equal to the outcome.

Every write happens under the advisory locks of the accounts' buckets, taken in ascending order by a statement of
its own; the evaluation is the next statement and so sees everything committed until the locks were held. Two
evaluators of one account can therefore never leave old facts in place. Only rows whose outcome differs from what
is stored are written: repeating an evaluation writes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.utils import DataError

from accounts.evaluation.effective import uncovered
from accounts.evaluation.facts import RANGE
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.prior import today_id
from accounts.evaluation.stages import FrameworkPlan, compile_version
from accounts.models import Cause
from frameworks.definition import definition_of
from frameworks.models import Framework, FrameworkVersion

BUCKET = 1000
LOCK_CLASS = 7201


@dataclass(frozen=True)
class Scope:
    """Which accounts an evaluation reads: a key range [low, high), a list of ids, or the movers of a run in a range."""

    low: int = 0
    high: int = 0
    ids: tuple[int, ...] | None = None
    movers_of: int | None = None

    def condition(self, column: str) -> str:
        """Both sides of every join get the condition: the planner does not carry a range across a left join."""
        if self.ids is not None:
            return f"{column} = ANY(%(ids)s)"
        condition = f"{column} >= %(low)s AND {column} < %(high)s"
        if self.movers_of is not None:
            condition += (
                f" AND {column} IN (SELECT account_id FROM accounts_runmove WHERE run_id = %(movers_of)s"
                " AND account_id >= %(low)s AND account_id < %(high)s)"
            )
        return condition

    def narrow(self, query: str, plan: FrameworkPlan) -> str:
        """Put the condition where a plan's query leaves room for it."""
        query = query.replace("{accounts}", self.condition('"accounts_account".id'))
        for d in plan.dimensions:
            query = query.replace(f"{{overrides:v{d.index}}}", self.condition(f"v{d.index}.account_id"))
            query = query.replace(f"{{prior:{d.index}}}", self.condition(f"prior{d.index}.account_id"))
        return RANGE.sub(lambda found: self.condition(found[1]), query)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "ids": list(self.ids or ()), "movers_of": self.movers_of}

    @property
    def buckets(self) -> Sequence[int]:
        if self.ids is not None:
            return sorted({pk // BUCKET for pk in self.ids})
        return range(self.low // BUCKET, (self.high - 1) // BUCKET + 1)


Move = tuple[int, int | None, int | None]


@dataclass(frozen=True)
class Outcome:
    """What an evaluation wrote: `changed` rows, also those that only learn when to be looked at again.

    `moves` counts per dimension id, from segment id and to segment id (None: Unassigned or new), `moved_arr` has the
    ARR of a preview's; `agreeing` are accounts whose rule came to agree with the override in force.
    """

    moves: Mapping[Move, int]
    changed: int
    transitions: int
    agreeing: tuple[int, ...] = ()
    failed: int = 0
    moved_arr: Mapping[Move, Decimal] = field(default_factory=dict)


@lru_cache(maxsize=32)
def _compiled_plan(version_id: int) -> FrameworkPlan:
    version = FrameworkVersion.objects.select_related("framework").get(pk=version_id)
    return compile_version(version, definition_of(version))


def plan_of(version: FrameworkVersion) -> FrameworkPlan:
    """The compiled version; kept in memory once its parts are frozen."""
    if version.state == FrameworkVersion.State.DRAFT:
        return compile_version(version, definition_of(version))
    return _compiled_plan(version.pk)


# --- the statement


_SAID = ("rule", "reason", "missing", "losers")
_STORED = {
    "s": "computed_id",
    "e": "effective_id",
    "w": "without_override_id",
    "u": "override_until",
    "rule": "rule_key",
    "reason": "reason",
    "missing": "missing",
    "losers": "conflict",
}
# What an outcome keeps of the row before it.
_KEPT = {
    "was_s": "computed_id",
    "was_e": "effective_id",
    "was_version": "version",
    "was_since": "effective_since",
    "was_computed_since": "computed_since",
    "was_decided": "decided_with",
    "was_released": "released_id",
    "was_decided_by": "framework_version_id",
    "was_changed": "changed_at",
}


def _compared(d: DimensionPlan, plan: FrameworkPlan) -> list[str]:
    """Columns of one dimension: what the rules say now, and when time alone may say something else."""
    n = d.index
    flip = [f"{plan.flips[n]} AS flip{n}"] if n in plan.flips else []
    return [
        f"s{n}, e{n}, u{n}, CASE WHEN u{n} IS NOT NULL THEN {uncovered(d)} END AS w{n}",
        *(f"{sql} AS {name}{n}" for sql, name in zip(plan.columns[n], _SAID, strict=True)),
        *([f"held{n}"] if d.is_reviewed else []),
        *flip,
    ]


def _says_else(d: DimensionPlan) -> str:
    """Whether the outcome differs from the stored one in anything that is said of it."""
    n, stored = d.index, dict(_STORED)
    if d.is_reviewed:
        stored["held"] = "is_held"
    pairs = " OR ".join(f"t.{now}{n} IS DISTINCT FROM x{n}.{column}" for now, column in stored.items())
    return f"(x{n}.account_id IS NULL OR {pairs})"


def _differs(d: DimensionPlan, plan: FrameworkPlan) -> str:
    n = d.index
    if n not in plan.flips:
        return _says_else(d)
    return f"({_says_else(d)} OR t.flip{n} IS DISTINCT FROM x{n}.next_flip_at)"


def changed_sql(plan: FrameworkPlan, scope: Scope, *, is_read_once: bool = False) -> str:
    """CTEs ending in `changed`: one row per account and dimension whose outcome differs from the stored one.

    What reads it only once gets the columns that it asks for, and nothing is kept in between.

    Joined wide and unpivoted after the filter: unpivoting every account first costs twice as much. UNION ALL over
    the materialised rows, because the planner misjudges LATERAL VALUES.
    """
    query = scope.narrow(plan.query, plan)
    now = ", ".join(column for d in plan.dimensions for column in _compared(d, plan))
    joins = " ".join(
        f"LEFT JOIN accounts_assignment x{d.index} ON x{d.index}.account_id = t.id"
        f" AND x{d.index}.dimension_id = {d.dimension_id} AND {scope.condition(f'x{d.index}.account_id')}"
        for d in plan.dimensions
    )
    stored = ", ".join(column for d in plan.dimensions for column in _stored(d, plan))
    any_differs = " OR ".join(_differs(d, plan) for d in plan.dimensions)
    rows = " UNION ALL ".join(_unpivoted(d, plan) for d in plan.dimensions)
    return (
        f"WITH {f'{plan.midnights}, ' if plan.midnights else ''}"
        f'outcome AS (SELECT id, version AS facts, {now} FROM ({query}) AS "accounts_account" OFFSET 0), '
        f"differing AS MATERIALIZED (SELECT t.*, {stored} FROM outcome t {joins} WHERE {any_differs}), "
        f"changed AS {'NOT ' if is_read_once else ''}MATERIALIZED ({rows})"
    )


def _stored(d: DimensionPlan, plan: FrameworkPlan) -> list[str]:
    n = d.index
    return [
        f"x{n}.account_id IS NULL AS new{n}",
        *(f"x{n}.{column} AS {name}{n}" for name, column in _KEPT.items()),
        f"{_differs(d, plan)} AS differs{n}",
        f"{_says_else(d)} AS says_else{n}",
    ]


def _unpivoted(d: DimensionPlan, plan: FrameworkPlan) -> str:
    n = d.index
    # Under another name it is the same place: since when, and on which facts, goes on being told.
    same = f"NOT new{n} AND {today_id(d, f'was_s{n}')} IS NOT DISTINCT FROM s{n}"
    return (
        f"SELECT id AS account_id, {d.dimension_id} AS dimension_id, s{n} AS computed_id, e{n} AS effective_id,"
        f" w{n} AS without_override_id, u{n} AS override_until, rule{n} AS rule_key, reason{n} AS reason,"
        f" missing{n} AS missing, losers{n} AS conflict, {f'held{n}' if d.is_reviewed else 'false'} AS is_held,"
        f" {f'flip{n}' if n in plan.flips else 'NULL::timestamptz'} AS next_flip_at,"
        f" new{n} AS is_new, says_else{n} AS says_else, was_s{n} AS was_computed, was_e{n} AS was_effective,"
        # A row that only learns when to be looked at again is no new version of what is said.
        f" COALESCE(was_version{n}, 0) + says_else{n}::int AS version,"
        f" CASE WHEN NOT says_else{n} THEN was_changed{n} END AS changed_at,"
        f" CASE WHEN NOT says_else{n} THEN was_decided_by{n} END AS decided_by,"
        f" CASE WHEN NOT new{n} AND was_e{n} IS NOT DISTINCT FROM e{n} THEN was_since{n} END AS since,"
        f" {same} AS is_computed_same, was_computed_since{n} AS computed_since, facts,"
        f" CASE WHEN {same} THEN was_decided{n} ELSE facts END AS decided_with,"
        f" CASE WHEN {same} THEN {today_id(d, f'was_released{n}')} END AS released_id"
        f" FROM differing WHERE differs{n}"
    )


# The assignment and its transition are one statement: an account is never half-applied.
_APPLY = """
, marked AS (SELECT * FROM unnest(%(mark_ids)s::bigint[], %(mark_causes)s::text[]) AS m(account_id, cause)),
mapped AS (SELECT DISTINCT was, now FROM unnest(%(mapped_from)s::int[], %(mapped_to)s::int[]) AS p(was, now)),
written AS (
    INSERT INTO accounts_assignment (account_id, dimension_id, computed_id, effective_id, without_override_id, reason,
        rule_key, missing, conflict, is_provisional, is_held, override_until, next_flip_at, framework_version_id,
        version, effective_since, changed_at, computed_since, decided_with, released_id)
    SELECT account_id, dimension_id, computed_id, effective_id, without_override_id, reason, rule_key, missing,
        conflict, reason = 'provisional', is_held, override_until, next_flip_at, COALESCE(decided_by, %(version_id)s),
        version, COALESCE(since, %(as_of)s), COALESCE(changed_at, %(as_of)s),
        CASE WHEN is_computed_same THEN computed_since ELSE %(as_of)s END, decided_with, released_id
    FROM changed
    ON CONFLICT (account_id, dimension_id) DO UPDATE SET
        computed_id = EXCLUDED.computed_id, effective_id = EXCLUDED.effective_id,
        without_override_id = EXCLUDED.without_override_id, reason = EXCLUDED.reason, rule_key = EXCLUDED.rule_key,
        missing = EXCLUDED.missing, conflict = EXCLUDED.conflict, is_provisional = EXCLUDED.is_provisional,
        is_held = EXCLUDED.is_held, override_until = EXCLUDED.override_until, next_flip_at = EXCLUDED.next_flip_at,
        framework_version_id = EXCLUDED.framework_version_id, version = EXCLUDED.version,
        effective_since = EXCLUDED.effective_since, changed_at = EXCLUDED.changed_at,
        computed_since = EXCLUDED.computed_since, decided_with = EXCLUDED.decided_with,
        released_id = EXCLUDED.released_id
),
logged AS (
    INSERT INTO accounts_transition (account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key,
        framework_version_id, run_id, version, effective_at, epoch)
    SELECT c.account_id, c.dimension_id, c.was_effective, c.effective_id, c.reason,
        CASE WHEN c.is_new THEN 'initial' WHEN p.was IS NOT NULL THEN 'mapping' ELSE COALESCE(m.cause, %(cause)s) END,
        c.rule_key, %(version_id)s,
        %(run_id)s, c.version, %(as_of)s, (SELECT epoch FROM accounts_feedepoch)
    FROM changed c LEFT JOIN marked m USING (account_id)
        LEFT JOIN mapped p ON p.was = c.was_effective AND p.now = c.effective_id
    WHERE c.is_new OR c.was_effective IS DISTINCT FROM c.effective_id
)
SELECT dimension_id, was_effective, effective_id, count(*) FILTER (WHERE says_else),
    count(*) FILTER (WHERE is_new OR was_effective IS DISTINCT FROM effective_id),
    array_agg(account_id) FILTER (
        WHERE override_until IS NOT NULL AND NOT is_new AND computed_id = effective_id
          AND was_computed IS DISTINCT FROM computed_id),
    count(*)
FROM changed GROUP BY 1, 2, 3
"""


def apply(
    *,
    plan: FrameworkPlan,
    scope: Scope,
    as_of: datetime,
    cause: str,
    run_id: int | None = None,
    causes: Mapping[int, str] | None = None,
) -> Outcome:
    """Evaluate the accounts of `scope` and write what differs, under their bucket locks, in the caller's transaction.

    `causes` says per account id why it is evaluated; `cause` holds for all others.
    """
    take_locks(scope)
    marks = causes or {}
    parameters = {
        **plan.parameters,
        **scope.parameters,
        "as_of": as_of,
        "version_id": plan.version_id,
        "run_id": run_id,
        "cause": cause,
        "mark_ids": list(marks),
        "mark_causes": list(marks.values()),
        **_mapped(plan),
    }
    with connection.cursor() as cursor:
        cursor.execute(changed_sql(plan, scope) + _APPLY, parameters)
        rows = cursor.fetchall()
    return Outcome(
        moves=_moves(rows),
        changed=sum(row[-1] for row in rows),
        transitions=sum(row[4] for row in rows),
        agreeing=tuple(sorted({pk for row in rows for pk in row[5] or ()})),
    )


def _mapped(plan: FrameworkPlan) -> dict[str, list[int]]:
    """Pairs of segments between which the mapping moves accounts, and nothing else."""
    pairs = [pair for d in plan.dimensions for pair in d.mapped_moves()]
    return {"mapped_from": [was for was, _ in pairs], "mapped_to": [now for _, now in pairs]}


def apply_with_isolation(*, plan: FrameworkPlan, scope: Scope, **how: Any) -> Outcome:
    """Like `apply`; an account whose values SQL cannot read becomes Unassigned with the reason `error`."""
    return _isolated(
        scope,
        work=lambda part: apply(plan=plan, scope=part, **how),
        set_aside=lambda pk: _apply_error(plan, pk, how),
    )


def _isolated(scope: Scope, *, work: Callable[[Scope], Outcome], set_aside: Callable[[int], Outcome]) -> Outcome:
    """Do the work; when a value cannot be evaluated, halve the scope until its account is found. All others go on."""
    try:
        with transaction.atomic():
            return work(scope)
    except DataError:
        ids = _ids_of(scope)
    if len(ids) == 1:
        return set_aside(ids[0])
    middle = len(ids) // 2
    halves = [Scope(ids=tuple(half)) for half in (ids[:middle], ids[middle:])]
    return _merged(_isolated(half, work=work, set_aside=set_aside) for half in halves)


def unreadable_accounts(*, plan: FrameworkPlan, as_of: datetime) -> list[int]:
    """Accounts with a value that SQL cannot read under the plan, such as "perhaps" where a yes or no is asked."""
    return _unreadable(plan, _ids_of(Scope(low=0, high=2**62)), as_of)


def _unreadable(plan: FrameworkPlan, ids: Sequence[int], as_of: datetime) -> list[int]:
    scope = Scope(ids=tuple(ids))
    parameters = {**plan.parameters, **scope.parameters, "as_of": as_of}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(changed_sql(plan, scope) + " SELECT count(*) FROM changed", parameters)
        return []
    except DataError:
        if len(ids) == 1:
            return list(ids)
    middle = len(ids) // 2
    return [*_unreadable(plan, ids[:middle], as_of), *_unreadable(plan, ids[middle:], as_of)]


def _ids_of(scope: Scope) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM accounts_account WHERE {scope.condition('id')} ORDER BY id", scope.parameters)
        return [row[0] for row in cursor.fetchall()]


_SET_ASIDE = """
WITH changed AS MATERIALIZED (
    SELECT %(account_id)s::bigint AS account_id, d.id AS dimension_id, NULL::int AS computed_id,
        NULL::int AS effective_id,
        NULL::int AS without_override_id, NULL::timestamptz AS override_until, '' AS rule_key, 'error' AS reason,
        '{}'::text[] AS missing, '{}'::text[] AS conflict, false AS is_held, NULL::timestamptz AS next_flip_at,
        NULL::timestamptz AS changed_at, NULL::bigint AS decided_by,
        x.account_id IS NOT NULL AND x.computed_id IS NULL AS is_computed_same, x.computed_since,
        CASE WHEN x.account_id IS NOT NULL AND x.computed_id IS NULL THEN x.decided_with END AS decided_with,
        NULL::int AS released_id,
        x.account_id IS NULL AS is_new, true AS says_else, x.computed_id AS was_computed,
        x.effective_id AS was_effective, COALESCE(x.version, 0) + 1 AS version,
        CASE WHEN x.effective_id IS NULL THEN x.effective_since END AS since
    FROM unnest(%(dimension_ids)s::int[]) AS d(id)
    LEFT JOIN accounts_assignment x ON x.account_id = %(account_id)s AND x.dimension_id = d.id
    WHERE x.reason IS DISTINCT FROM 'error')
"""


def _apply_error(plan: FrameworkPlan, account_id: int, how: Mapping[str, Any]) -> Outcome:
    take_locks(Scope(ids=(account_id,)))
    run_id = how.get("run_id")
    extra = {"run_id": run_id, "cause": how["cause"], "mark_ids": [], "mark_causes": [], **_mapped(plan)}
    rows = _run_error_statement(_APPLY, plan, account_id, how["as_of"], extra)
    return Outcome(_moves(rows), sum(row[-1] for row in rows), sum(row[4] for row in rows), failed=1)


def _moves(rows: Sequence[Any]) -> dict[Move, int]:
    """How many rows say something else, by dimension and segments; those that only learn their next flip do not."""
    return {(dimension, was, now): count for dimension, was, now, count, *_ in rows if count}


def _run_error_statement(
    ending: str, plan: FrameworkPlan, account_id: int, as_of: datetime, extra: Mapping[str, Any]
) -> list[Any]:
    parameters = {
        "account_id": account_id,
        "dimension_ids": [d.dimension_id for d in plan.dimensions],
        "as_of": as_of,
        "version_id": plan.version_id,
        **extra,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SET_ASIDE + ending, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def _merged(outcomes: Iterator[Outcome]) -> Outcome:
    moves: dict[Move, int] = {}
    arr: dict[Move, Decimal] = {}
    changed = transitions = failed = 0
    agreeing: tuple[int, ...] = ()
    for outcome in outcomes:
        for move, count in outcome.moves.items():
            moves[move] = moves.get(move, 0) + count
        for move, amount in outcome.moved_arr.items():
            arr[move] = arr.get(move, Decimal(0)) + amount
        changed, transitions = changed + outcome.changed, transitions + outcome.transitions
        failed, agreeing = failed + outcome.failed, agreeing + outcome.agreeing
    return Outcome(moves, changed, transitions, agreeing, failed, arr)


def take_locks(scope: Scope) -> None:
    """Wait for the buckets of the scope, lowest first, until the end of the transaction."""
    with connection.cursor() as cursor:
        # Compiling the many small expressions to machine code takes longer than running them on a chunk.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(
            "SELECT count(pg_advisory_xact_lock(%s, bucket)) FROM"
            " (SELECT bucket FROM unnest(%s::int[]) AS b(bucket) ORDER BY bucket OFFSET 0) AS ordered",
            [LOCK_CLASS, list(scope.buckets)],
        )


# --- pass 1: what would move

_PREVIEW = """
, kept AS (
    INSERT INTO accounts_runmove (run_id, account_id, dimension_id, from_segment_id, to_segment_id, reason)
    SELECT %(run_id)s, account_id, dimension_id, was_effective, effective_id, reason FROM changed
)
SELECT dimension_id, was_effective, effective_id, count(*) FILTER (WHERE says_else),
    COALESCE(sum((SELECT arr FROM accounts_account a WHERE a.id = account_id)) FILTER (WHERE says_else), 0), count(*)
FROM changed GROUP BY 1, 2, 3
"""
# Everything moves: one join is cheaper than looking up each account's ARR.
_PREVIEW_FIRST = """
SELECT dimension_id, was_effective, effective_id, count(*) FILTER (WHERE says_else),
    COALESCE(sum(a.arr) FILTER (WHERE says_else), 0), count(*)
FROM changed JOIN accounts_account a ON a.id = account_id AND {accounts} GROUP BY 1, 2, 3
"""


def preview(*, plan: FrameworkPlan, scope: Scope, as_of: datetime, run_id: int, is_first: bool = False) -> Outcome:
    """Pass 1 of a run: record in RunMove what would change; change nothing else.

    Of a first assignment everything is counted only: all of it is written in the second pass.
    """
    how = {"as_of": as_of, "run_id": run_id}
    of_one = _PREVIEW_FIRST.format(accounts="true") if is_first else _PREVIEW
    return _isolated(
        scope,
        work=lambda part: _preview(plan, part, how, is_first=is_first),
        set_aside=lambda pk: _previewed(_run_error_statement(of_one, plan, pk, as_of, how), failed=1),
    )


def _preview(plan: FrameworkPlan, scope: Scope, how: Mapping[str, Any], *, is_first: bool) -> Outcome:
    ending = _PREVIEW_FIRST.format(accounts=scope.condition("a.id")) if is_first else _PREVIEW
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        statement = changed_sql(plan, scope, is_read_once=is_first) + ending
        cursor.execute(statement, {**plan.parameters, **scope.parameters, **how})
        return _previewed(cursor.fetchall())


def _previewed(rows: Sequence[Any], failed: int = 0) -> Outcome:
    arr = {(dimension, was, now): amount for dimension, was, now, count, amount, _ in rows if count}
    return Outcome(_moves(rows), sum(row[-1] for row in rows), transitions=0, failed=failed, moved_arr=arr)


# --- single accounts


def active_plans() -> list[FrameworkPlan]:
    """The compiled active version of every framework that has one."""
    frameworks = Framework.objects.filter(active_version__isnull=False).select_related("active_version")
    return [plan_of(framework.active_version) for framework in frameworks if framework.active_version]


def evaluate_accounts(
    *, account_ids: Sequence[int], at: datetime, causes: Mapping[int, str] | None = None
) -> list[Outcome]:
    """Bring the assignments of these accounts (primary keys) up to date under every active version."""
    if not account_ids:
        return []
    scope = Scope(ids=tuple(sorted(set(account_ids))))
    with transaction.atomic():
        _hold_active_versions()
        return [
            apply_with_isolation(plan=plan, scope=scope, as_of=at, cause=Cause.DATA, causes=causes)
            for plan in active_plans()
        ]


def _hold_active_versions() -> None:
    """Let no version become active until this transaction has ended: it would leave outcomes of the one before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM frameworks_framework ORDER BY id FOR SHARE")
