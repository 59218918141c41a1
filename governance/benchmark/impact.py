"""What an impact costs: pass 1 over every account, then matrix, ARR, movers by name and books, next to bare SQL.

Neither way writes an assignment. The statement by hand keeps its movers in a temporary table, as pass 1 keeps them in
`RunMove`, and reads the same figures from it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, transaction

from accounts.impact import BOOKS, NAMED, figures_of
from accounts.models import Account, AssignmentRun
from accounts.services import runs
from accounts.services.chunks import CHUNK_ACCOUNTS
from frameworks.models import Dimension, Segment
from governance.benchmark import bare_sql
from governance.benchmark.evaluating import Evaluating, without_gates, work_off
from governance.benchmark.population import AS_OF
from governance.benchmark.report import seconds_of

Matrix = dict[tuple[str, str, str], tuple[int, str]]


def measure_impact(evaluating: Evaluating) -> None:
    """Needs what `first_assignment` leaves; leaves it as it was."""
    product: list[float] = []
    bare: dict[str, list[float]] = {"statement": [], "chunks": []}
    for turn in range(evaluating.rounds):
        ours: dict[str, Any] = {}
        product.append(seconds_of(partial(_by_product, evaluating, ours)))
        for name in bare:
            theirs: dict[str, Any] = {}
            bare[name].append(seconds_of(partial(_by_hand, evaluating, theirs, in_chunks=name == "chunks")))
        if turn == 0 and (_matrix_of(ours["figures"]), _movers_of(ours["figures"])) != _said(theirs):
            evaluating.differing.append("impact")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE accounts_runmove")
            cursor.execute("VACUUM (ANALYZE) accounts_runmove")
    evaluating.report.add_comparison("impact", product, bare)


# --- the product's way


def _by_product(evaluating: Evaluating, found: dict[str, Any]) -> None:
    with without_gates():
        run = runs.plan_run(version=evaluating.moved, kind=AssignmentRun.Kind.IMPACT, actor=None, at=AS_OF)
        work_off(run, 1)
    run.refresh_from_db()
    found["figures"] = figures_of(run)


def _matrix_of(figures: dict[str, Any]) -> Matrix:
    return {
        (dimension, was, now): (cell["accounts"], cell["arr"])
        for dimension, by_from in figures["matrix"].items()
        for was, by_to in by_from.items()
        for now, cell in by_to.items()
    }


def _movers_of(figures: dict[str, Any]) -> list[tuple[str, str]]:
    return [(mover["dimension"], mover["account"]) for mover in figures["movers"]]


# --- by hand

_FIGURES = {
    "matrix": """
        SELECT m.dimension_id, m.was_effective, m.effective_id, count(*), COALESCE(sum(a.arr), 0)
        FROM moving m JOIN accounts_account a ON a.id = m.account_id GROUP BY 1, 2, 3
    """,
    "before": """
        SELECT x.dimension_id, x.effective_id, count(*), COALESCE(sum(a.arr), 0)
        FROM accounts_assignment x JOIN accounts_account a ON a.id = x.account_id
        WHERE x.dimension_id = ANY(%(dimensions)s) GROUP BY 1, 2
    """,
    "moving": """
        SELECT count(*), COALESCE(sum(arr), 0) FROM accounts_account WHERE id IN (SELECT account_id FROM moving)
    """,
    "movers": """
        SELECT dimension_id, uuid, name, was_effective, effective_id, reason, arr FROM (
            SELECT m.*, a.uuid, a.name, a.arr,
                row_number() OVER (PARTITION BY m.dimension_id ORDER BY a.arr DESC NULLS LAST, a.id) AS place
            FROM moving m JOIN accounts_account a ON a.id = m.account_id
        ) AS ranked WHERE place <= %(named)s ORDER BY dimension_id, place
    """,
    "books": """
        SELECT u.name, count(*), COALESCE(sum(a.arr), 0) FROM accounts_account a JOIN frameworks_user u
            ON u.id = a.csm_id
        WHERE a.id IN (SELECT account_id FROM moving) GROUP BY u.id, u.name ORDER BY 2 DESC LIMIT %(books)s
    """,
}


def _by_hand(evaluating: Evaluating, found: dict[str, Any], *, in_chunks: bool) -> None:
    dimensions = list(Dimension.objects.values_list("pk", flat=True))
    parameters = {**evaluating.parameters(evaluating.moved), "dimensions": dimensions, "named": NAMED, "books": BOOKS}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE moving (account_id bigint, dimension_id int, was_effective int, effective_id int,"
            " reason text) ON COMMIT DROP"
        )
        _collect(cursor.execute, parameters, in_chunks=in_chunks)
        cursor.execute("ANALYZE moving")
        for name, statement in _FIGURES.items():
            cursor.execute(statement, parameters)
            found[name] = cursor.fetchall()


def _collect(execute: Callable[[str, dict[str, Any]], object], parameters: dict[str, Any], *, in_chunks: bool) -> None:
    statement = bare_sql.moving_sql(in_chunks=in_chunks)
    if not in_chunks:
        execute(statement, parameters)
        return
    execute("SET LOCAL jit = off", {})
    top = Account.objects.order_by("-pk").values_list("pk", flat=True)[0] + 1
    for first in range(0, top, CHUNK_ACCOUNTS):
        execute(statement, {**parameters, "first": first, "end": first + CHUNK_ACCOUNTS})


def _said(theirs: dict[str, Any]) -> tuple[Matrix, list[tuple[str, str]]]:
    """The matrix and the movers in the words of the product."""
    dimensions = dict(Dimension.objects.values_list("pk", "key"))
    segments: dict[int | None, str] = {None: "", **dict(Segment.objects.values_list("pk", "key"))}
    matrix = {
        (dimensions[dimension], segments[was], segments[now]): (accounts, f"{arr:f}")
        for dimension, was, now, accounts, arr in theirs["matrix"]
    }
    return matrix, [(dimensions[row[0]], str(row[1])) for row in theirs["movers"]]
