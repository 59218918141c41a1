"""Evaluating accounts that are in no table, with the statement that evaluates stored ones.

A CTE with a table's own name in front of a query takes the table's place for everything the query reads.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from accounts.evaluation.facts import RANGE
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account, Assignment, ListEntry, MetricSeries, Override, Reason, Signal
from accounts.signal_keys import details_keys
from frameworks.models import AccountList


@dataclass(frozen=True)
class Prior:
    """What is stored of a hypothetical account in one dimension: segments by key, None for Unassigned.

    `counted` is the effective segment, overrides aside. `decided_with` is the account's version at the last change
    of the computed segment, `is_same_version` whether the version asked now made the row; `is_held` where it waits
    for a person.
    """

    computed: str | None
    counted: str | None
    computed_since: datetime
    reason: str = Reason.MATCHED.value
    decided_with: int | None = None
    is_same_version: bool = True
    released: str | None = None
    is_held: bool = False


@dataclass(frozen=True)
class HypotheticalOutcome:
    """One dimension of one hypothetical account. `trace` has, per candidate, the verdict on every node of its rule, in
    the order of `walk`.

    `segment` is computed; `effective` differs from it where a move waits for a person or an override counts.
    """

    segment: str | None
    effective: str | None
    reason: str
    rule_key: str
    missing: tuple[str, ...]
    losers: tuple[str, ...]
    trace: Mapping[str, Sequence[bool | None]]

    @property
    def verdicts(self) -> dict[str, bool | None]:
        """Per candidate the verdict on its root."""
        return {key: nodes[0] for key, nodes in self.trace.items()}


def evaluate_rows(
    *,
    plan: FrameworkPlan,
    rows: Sequence[Mapping[str, Any]],
    as_of: datetime,
    prior: Sequence[Mapping[str, Prior]] = (),
) -> list[dict[str, HypotheticalOutcome]]:
    """The outcomes by dimension of accounts given as columns of the account's table, in the order of `rows`.

    `prior` has, in the same order, what is stored of them by dimension; without it all are new. Numbers that must
    stay exact are strings; what a row leaves out is missing. Besides columns a row may have
    `series` {metric: {grain: {last day: value}}}, `signals` [{kind, occurred_on, details}], `lists` [key], and
    `parent`, an ultimate parent given like a row; or `ultimate_parent_id`, one that is stored; and `overrides`, given
    as columns of their table, without which none plays a part. Nothing is written. Raises DataError for values
    PostgreSQL cannot read.
    """
    text, parameters = plan.explaining
    for d in plan.dimensions:
        text = text.replace(f"{{overrides:v{d.index}}}", "true").replace(f"{{prior:{d.index}}}", "true")
    text = RANGE.sub("true", text).replace("{accounts}", f'"accounts_account".id BETWEEN {-len(rows)} AND -1')
    stored = [
        _stored(plan, -place, d, known[d.key])
        for place, known in enumerate(prior, 1)
        for d in plan.dimensions
        if d.key in known
    ]
    tables = _Tables(rows, stored, plan)
    given = {**parameters, **tables.parameters, "as_of": as_of}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_in_front(has_parents=bool(tables.stored_parents)) + text, given)
        found = {row[0]: read_outcomes(plan, row[1:]) for row in cursor.fetchall()}
    return [found[-place] for place in range(1, len(rows) + 1)]


def _stored(plan: FrameworkPlan, place: int, d: DimensionPlan, known: Prior) -> dict[str, Any]:
    """The row of an assignment, as JSON has it."""
    return {
        "account_id": place,
        "dimension_id": d.dimension_id,
        "computed_id": d.place_of(known.computed),
        "effective_id": d.place_of(known.counted),
        "released_id": d.place_of(known.released),
        "reason": known.reason,
        "computed_since": known.computed_since.isoformat(),
        "decided_with": known.decided_with,
        "is_held": known.is_held,
        # No version has the number -1.
        "framework_version_id": plan.version_id if known.is_same_version else -1,
    }


_SHADOWED: tuple[type[Model], ...] = (Account, Override, Assignment, MetricSeries, Signal, AccountList, ListEntry)
_BESIDES = ("series", "signals", "lists", "parent", "overrides")


@cache
def _in_front(*, has_parents: bool) -> str:
    """Columns as the models have them: the tables need not even be there, unless stored parents are asked for."""
    tables = []
    for model in _SHADOWED:
        table = model._meta.db_table
        rows = f"SELECT * FROM jsonb_to_recordset(%({table})s) AS given({_columns(model, typed=True)})"
        if model is Account and has_parents:
            rows += f" UNION ALL SELECT {_columns(model, typed=False)} FROM {table} WHERE id = ANY(%(stored_parents)s)"
        tables.append(f"{table} AS ({rows})")
    return f"WITH {', '.join(tables)} "


def _columns(model: type[Model], *, typed: bool) -> str:
    fields = model._meta.concrete_fields
    return ", ".join(f'"{field.column}" {field.db_type(connection) if typed else ""}'.rstrip() for field in fields)


class _Tables:
    """The rows of every table the compiler can read. Ids of hypothetical accounts are below 0, so that real parents
    can stand beside them: -1 is the first row, their own parents come after the last.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], stored: list[dict[str, Any]], plan: FrameworkPlan) -> None:
        self.stored = stored
        self.currency = plan.definition.meta.currency if plan.definition.meta else "USD"
        self.accounts: list[dict[str, Any]] = []
        self.series: list[dict[str, Any]] = []
        self.signals: list[dict[str, Any]] = []
        self.overrides: list[dict[str, Any]] = []
        self.listed: list[tuple[int, str]] = []
        self.stored_parents = sorted({pk for row in rows if (pk := row.get("ultimate_parent_id"))})
        for place, row in enumerate(rows, 1):
            above = row.get("parent")
            known = {} if above is None else {"ultimate_parent_id": -len(rows) - place}
            self._add(-place, row, known)
            if above is not None:
                self._add(-len(rows) - place, above, {})
        if self.stored_parents:
            entries = ListEntry.objects.filter(account_id__in=self.stored_parents)
            self.listed += entries.values_list("account_id", "list__key")

    def _add(self, pk: int, row: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        columns = {name: value for name, value in row.items() if name not in _BESIDES}
        self.accounts.append({**_DEFAULTS, "currency": self.currency, **columns, "id": pk, **known})
        for metric, grains in row.get("series", {}).items():
            for grain, values in grains.items():
                newest = sorted(values, reverse=True)
                numbers = [values[end] for end in newest]
                key = {"account_id": pk, "metric": metric, "grain": grain}
                self.series.append({**key, "ends": newest, "values": numbers})
        for signal in row.get("signals", []):
            self.signals.append({**signal, "account_id": pk, "details_keys": details_keys(signal.get("details", {}))})
        self.overrides += [{**override, "account_id": pk} for override in row.get("overrides", [])]
        self.listed += [(pk, key) for key in row.get("lists", [])]

    @property
    def parameters(self) -> dict[str, Any]:
        ids = {key: place for place, key in enumerate(sorted({key for _, key in self.listed}), 1)}
        entries = [{"account_id": pk, "list_id": ids[key]} for pk, key in self.listed]
        rows: dict[type[Model], list[dict[str, Any]]] = {
            Account: self.accounts,
            Override: self.overrides,
            Assignment: self.stored,
            MetricSeries: self.series,
            Signal: self.signals,
            AccountList: [{"id": pk, "key": key} for key, pk in ids.items()],
            ListEntry: entries,
        }
        shadows = {model._meta.db_table: json.dumps(rows[model]) for model in _SHADOWED}
        return {**shadows, "stored_parents": self.stored_parents}


_DEFAULTS: dict[str, Any] = {"exclusion": "", "version": 1, "attributes": {}, "attribute_keys": {}, "provenance": {}}


def read_outcomes(plan: FrameworkPlan, row: Sequence[Any]) -> dict[str, HypotheticalOutcome]:
    """One row of the explaining statement, without the account's id, by dimension."""
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
        trace={candidate.key: of for candidate, of in zip(d.candidates, verdicts, strict=True)},
    )
