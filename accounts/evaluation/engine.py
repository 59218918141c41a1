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

from accounts.evaluation.stages import FrameworkPlan, compile_version
from accounts.evaluation.statement import APPLY, PREVIEW, PREVIEW_ONE, SET_ASIDE, Scope, changed_sql, first_sql
from accounts.models import Cause
from frameworks.coverage import contents_digest
from frameworks.definition import definition_with_digest
from frameworks.errors import ConflictError
from frameworks.models import Framework, FrameworkVersion

LOCK_CLASS = 7201

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
def _compiled_plan(version_id: int, contents: str) -> FrameworkPlan:
    version = FrameworkVersion.objects.select_related("framework").get(pk=version_id)
    definition, digest = definition_with_digest(version)
    if contents and digest != contents:
        raise ConflictError(f"{version} was changed just now.")
    return compile_version(version, definition)


def plan_of(version: FrameworkVersion) -> FrameworkPlan:
    """The compiled version, kept in memory by what it says.

    Once activated it says the same for ever. Sent back from review it may say something else under its number. Raises
    ConflictError where somebody changes it at this very moment.
    """
    is_final = version.state == FrameworkVersion.State.ACTIVATED
    return _compiled_plan(version.pk, "" if is_final else contents_digest(version))


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
        cursor.execute(changed_sql(plan, scope) + APPLY, parameters)
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


def _apply_error(plan: FrameworkPlan, account_id: int, how: Mapping[str, Any]) -> Outcome:
    take_locks(Scope(ids=(account_id,)))
    run_id = how.get("run_id")
    extra = {"run_id": run_id, "cause": how["cause"], "mark_ids": [], "mark_causes": [], **_mapped(plan)}
    rows = _run_error_statement(APPLY, plan, account_id, how["as_of"], extra)
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
        cursor.execute(SET_ASIDE + ending, parameters)
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


def preview(*, plan: FrameworkPlan, scope: Scope, as_of: datetime, run_id: int, is_first: bool = False) -> Outcome:
    """Pass 1 of a run: record in RunMove what would change; change nothing else.

    Of a first assignment everything is counted only: all of it is written in the second pass.
    """
    how = {"as_of": as_of, "run_id": run_id}
    of_one = PREVIEW_ONE if is_first else PREVIEW
    return _isolated(
        scope,
        work=lambda part: _preview(plan, part, how, is_first=is_first),
        set_aside=lambda pk: _previewed(_run_error_statement(of_one, plan, pk, as_of, how), failed=1),
    )


def _preview(plan: FrameworkPlan, scope: Scope, how: Mapping[str, Any], *, is_first: bool) -> Outcome:
    statement = first_sql(plan, scope) if is_first else changed_sql(plan, scope) + PREVIEW
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
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
