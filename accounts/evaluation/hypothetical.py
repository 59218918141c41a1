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

from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account, Assignment, Override, Reason


@dataclass(frozen=True)
class Prior:
    """What is stored of a hypothetical account in one dimension: segments by key, None for Unassigned.

    `counted` is the effective segment, overrides aside. `decided_with` is the account's version at the last change
    of the computed segment, `is_same_version` whether the version asked now made the row.
    """

    computed: str | None
    counted: str | None
    computed_since: datetime
    reason: str = Reason.MATCHED.value
    decided_with: int | None = None
    is_same_version: bool = True
    released: str | None = None


@dataclass(frozen=True)
class HypotheticalOutcome:
    """One dimension of one hypothetical account. `verdicts` has, per candidate, the verdict on its root.

    `segment` is computed; `effective` differs from it where a move waits for a person.
    """

    segment: str | None
    effective: str | None
    reason: str
    rule_key: str
    missing: tuple[str, ...]
    losers: tuple[str, ...]
    verdicts: Mapping[str, bool | None]


def evaluate_rows(
    *,
    plan: FrameworkPlan,
    rows: Sequence[Mapping[str, Any]],
    as_of: datetime,
    prior: Sequence[Mapping[str, Prior]] = (),
) -> list[dict[str, HypotheticalOutcome]]:
    """The outcomes by dimension of accounts given as columns of the account's table, in the order of `rows`.

    `prior` has, in the same order, what is stored of them by dimension; without it all are new. Numbers that must
    stay exact are strings; what a row leaves out is missing. Overrides play no part. Nothing is written. Raises
    DataError for values PostgreSQL cannot read.
    """
    text, parameters = plan.explaining
    for d in plan.dimensions:
        text = text.replace(f"{{overrides:v{d.index}}}", "true").replace(f"{{prior:{d.index}}}", "true")
    accounts = [_DEFAULTS | dict(row) | {"id": place} for place, row in enumerate(rows)]
    stored = [
        _stored(plan, place, d, known[d.key])
        for place, known in enumerate(prior)
        for d in plan.dimensions
        if d.key in known
    ]
    given = {**parameters, "as_of": as_of, "hypothetical": json.dumps(accounts), "prior": json.dumps(stored)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_in_front() + text.replace("{accounts}", "true"), given)
        found = {row[0]: _outcomes(plan, row[1:]) for row in cursor.fetchall()}
    return [found[place] for place in range(len(rows))]


def _stored(plan: FrameworkPlan, place: int, d: DimensionPlan, known: Prior) -> dict[str, Any]:
    """The row of an assignment, as JSON has it."""
    return {
        "account_id": place,
        "dimension_id": d.dimension_id,
        "computed_id": d.segment_ids.get(known.computed or ""),
        "effective_id": d.segment_ids.get(known.counted or ""),
        "released_id": d.segment_ids.get(known.released or ""),
        "reason": known.reason,
        "computed_since": known.computed_since.isoformat(),
        "decided_with": known.decided_with,
        # No version has the number -1.
        "framework_version_id": plan.version_id if known.is_same_version else -1,
    }


@lru_cache(maxsize=1)
def _in_front() -> str:
    """Columns as the models have them: the tables need not even be there."""
    return (
        f"WITH accounts_account AS (SELECT * FROM jsonb_to_recordset(%(hypothetical)s) AS a({_columns(Account)})),"
        f" accounts_override AS (SELECT * FROM jsonb_to_recordset('[]') AS o({_columns(Override)})),"
        f" accounts_assignment AS (SELECT * FROM jsonb_to_recordset(%(prior)s) AS p({_columns(Assignment)})) "
    )


def _columns(model: type[Model]) -> str:
    return ", ".join(f'"{field.column}" {field.db_type(connection)}' for field in model._meta.concrete_fields)


_DEFAULTS = {"exclusion": "", "version": 1, "attributes": {}, "attribute_keys": {}, "provenance": {}}


def _outcomes(plan: FrameworkPlan, row: Sequence[Any]) -> dict[str, HypotheticalOutcome]:
    columns = iter(row)
    return {d.key: _outcome(d, [next(columns) for _ in range(6 + d.size)]) for d in plan.dimensions}


def _outcome(d: DimensionPlan, columns: list[Any]) -> HypotheticalOutcome:
    computed, effective, rule_key, reason, missing, losers, *verdicts = columns
    keys = {pk: key for key, pk in d.segment_ids.items()}
    return HypotheticalOutcome(
        segment=keys.get(computed),
        effective=keys.get(effective),
        reason=reason,
        rule_key=rule_key,
        missing=tuple(missing),
        losers=tuple(losers),
        verdicts={candidate.key: of[0] for candidate, of in zip(d.candidates, verdicts, strict=True)},
    )
