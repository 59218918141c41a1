"""Evaluating accounts that are in no table, with the statement that evaluates stored ones.

A CTE with a table's own name in front of a query takes the table's place for everything the query reads.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from accounts.evaluation.stages import DimensionPlan, FrameworkPlan
from accounts.models import Account, Override


@dataclass(frozen=True)
class HypotheticalOutcome:
    """One dimension of one hypothetical account. `verdicts` has, per candidate rule, the verdict on its root."""

    segment: str | None
    reason: str
    rule_key: str
    missing: tuple[str, ...]
    losers: tuple[str, ...]
    verdicts: Mapping[str, bool | None]


def evaluate_rows(
    *, plan: FrameworkPlan, rows: Sequence[Mapping[str, Any]], as_of: datetime
) -> list[dict[str, HypotheticalOutcome]]:
    """The outcomes by dimension of accounts given as columns of the account's table, in the order of `rows`.

    Numbers that must stay exact are strings; what a row leaves out is missing. Overrides play no part. Nothing is
    written. Raises DataError for values PostgreSQL cannot read.
    """
    text, parameters = plan.explaining
    for d in plan.dimensions:
        text = text.replace(f"{{overrides:v{d.index}}}", "true")
    accounts = [_DEFAULTS | dict(row) | {"id": place} for place, row in enumerate(rows)]
    given = {**parameters, "as_of": as_of, "hypothetical": json.dumps(accounts)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_in_front() + text.replace("{accounts}", "true"), given)
        found = {row[0]: _outcomes(plan, row[1:]) for row in cursor.fetchall()}
    return [found[place] for place in range(len(rows))]


@lru_cache(maxsize=1)
def _in_front() -> str:
    """Columns as the models have them: the tables need not even be there."""
    return (
        f"WITH accounts_account AS (SELECT * FROM jsonb_to_recordset(%(hypothetical)s) AS a({_columns(Account)})),"
        f" accounts_override AS (SELECT * FROM jsonb_to_recordset('[]') AS o({_columns(Override)})) "
    )


def _columns(model: type[Model]) -> str:
    return ", ".join(f'"{field.column}" {field.db_type(connection)}' for field in model._meta.concrete_fields)


_DEFAULTS = {"exclusion": "", "attributes": {}, "attribute_keys": {}, "provenance": {}}


def _outcomes(plan: FrameworkPlan, row: Sequence[Any]) -> dict[str, HypotheticalOutcome]:
    columns = iter(row)
    return {d.key: _outcome(d, [next(columns) for _ in range(6 + d.size)]) for d in plan.dimensions}


def _outcome(d: DimensionPlan, columns: list[Any]) -> HypotheticalOutcome:
    computed, _, rule_key, reason, missing, losers, *verdicts = columns
    return HypotheticalOutcome(
        segment=next((key for key, pk in d.segment_ids.items() if pk == computed), None),
        reason=reason,
        rule_key=rule_key,
        missing=tuple(missing),
        losers=tuple(losers),
        verdicts={candidate.key: of[0] for candidate, of in zip(d.candidates, verdicts, strict=True)},
    )
