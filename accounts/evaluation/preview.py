"""What rules that are still being written would decide, counted in SQL over every account and stored nowhere.

The statements are those of runs: the compiled query of the dimensions in question, aggregated instead of compared.
Excluded, merged and deleted accounts are left out. A dimension of a draft costs one pass over the accounts' table
and reads only the columns its rules name; over 100,000 accounts that is a tenth of a second (docs/performance.md).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from accounts.evaluation.plan import DimensionPlan, ordered_dimensions
from accounts.evaluation.resolve import AccountResolver
from accounts.evaluation.stages import FrameworkPlan, Writer, with_columns_read
from accounts.evaluation.statement import Scope
from accounts.models import Reason
from frameworks.criteria.compile import compile_node
from frameworks.criteria.types import TEMPORAL
from frameworks.definition import Definition

EVERY_ACCOUNT = Scope(low=0, high=2**62)
EXAMPLES = 3
ARR = "arr"


@dataclass(frozen=True)
class Tally:
    """Accounts with one outcome: segment id (None is Unassigned), reason, how many, their ARR (0 where missing)."""

    segment_id: int | None
    reason: str
    accounts: int
    arr: Decimal


@dataclass(frozen=True)
class Mark:
    """Accounts in a gap (`reason` no_match) or an overlap, between two neighbouring cutlines of one attribute.

    `place` counts the cutlines below, -1 where the value is missing; `low` and `high` are the values seen.
    """

    reason: str
    segment_id: int | None
    losers: tuple[str, ...]
    place: int
    accounts: int
    low: float | None
    high: float | None
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """The values of a numeric or temporal attribute; days count from 1970."""

    accounts: int
    present: int
    low: float | None
    high: float | None
    average: float | None
    least_positive: float | None


@dataclass(frozen=True)
class PartialPlan:
    """Some dimensions compiled for questions of their own; they need not be stored as they are."""

    plan: FrameworkPlan
    writer: Writer

    def query(self, *named: str) -> str:
        """The query of all levels, with room for a scope, and the columns that it and these texts read."""
        query = with_columns_read(self.plan.query, " ".join([self.plan.query, *named]))
        return self.writer.facts.placed_in(query)


def compile_partly(
    *,
    version_id: int,
    framework_id: int,
    definition: Definition,
    identities: Mapping[str, tuple[int, Mapping[str, int]]],
) -> PartialPlan:
    """Compile all dimensions of `definition`; `identities` has each one's id and those of its segments, by key."""
    dimensions = ordered_dimensions(definition, identities)
    writer = Writer(definition, version_id, dimensions)
    query = writer.all_levels()
    columns = {d.index: writer.outcome_columns(d) for d in dimensions}
    values = writer.parameters.values
    return PartialPlan(FrameworkPlan(version_id, framework_id, definition, dimensions, query, values, columns), writer)


def plan_of_dimension(partial: PartialPlan, dimension: str) -> DimensionPlan:
    return next(d for d in partial.plan.dimensions if d.key == dimension)


def tally(partial: PartialPlan, dimension: str, *, as_of: datetime) -> list[Tally]:
    """Accounts and ARR per segment and reason of one dimension."""
    d = plan_of_dimension(partial, dimension)
    arr = _arr(partial)
    query = f"SELECT s{d.index}, {_reason(partial, d)}, count(*), COALESCE(sum({arr}), 0) FROM {_rows(partial, arr)}"
    return [Tally(*row) for row in _fetch(f"{query} GROUP BY 1, 2", _parameters(partial, as_of))]


def count_moved(one: PartialPlan, other: PartialPlan, dimension: str, *, as_of: datetime) -> int:
    """How many accounts come out in another segment under `other` than under `one`."""
    before, after = (
        f"(SELECT id, s{plan_of_dimension(partial, dimension).index} AS s FROM {_rows(partial)})"
        for partial in (one, other)
    )
    query = f"SELECT count(*) FROM {before} a JOIN {_renamed(after)} b USING (id) WHERE a.s IS DISTINCT FROM b.s"
    renamed = {_other_name(name): value for name, value in other.plan.parameters.items()}
    found: int = _fetch(query, {**_parameters(one, as_of), **renamed})[0][0]
    return found


def _renamed(text: str) -> str:
    return re.sub(r"%\((p\d+)\)s", lambda match: f"%({_other_name(match.group(1))})s", text)


def _other_name(name: str) -> str:
    return f"other_{name}"


def marks(
    partial: PartialPlan, dimension: str, attribute: str, cuts: Sequence[float], *, as_of: datetime
) -> list[Mark]:
    """Gaps and overlaps of one dimension by the stretch between `cuts` (ascending) they lie in, largest first."""
    d = plan_of_dimension(partial, dimension)
    value, losers, reason = numeric(partial, attribute), partial.plan.columns[d.index][3], _reason(partial, d)
    place = f"COALESCE(width_bucket(v, {partial.writer.parameters.add(list(cuts))}::float8[]), -1)" if cuts else "0"
    open_ones = f"r IN ('{Reason.NO_MATCH}', '{Reason.CONFLICT}') OR l <> '{{}}'"
    query = (
        f"WITH seen AS MATERIALIZED (SELECT id, s{d.index} AS s, {reason} AS r, {losers} AS l, {value} AS v"
        f" FROM {_rows(partial, value, losers)})"
        f" SELECT r, s, l, {place} AS place, count(*), min(v), max(v), (array_agg(id ORDER BY id))[1:{EXAMPLES}]"
        f" FROM seen WHERE {open_ones} GROUP BY r, s, l, place ORDER BY count(*) DESC, place LIMIT 40"
    )
    rows = _fetch(query, _parameters(partial, as_of))
    return [Mark(r, s, tuple(of), at, count, low, high, tuple(ids)) for r, s, of, at, count, low, high, ids in rows]


def count_true(partial: PartialPlan, dimension: str, *, as_of: datetime) -> dict[str, tuple[int, tuple[int, ...]]]:
    """By rule of one dimension how many accounts it is true of, and the first and the last of them by id."""
    d = plan_of_dimension(partial, dimension)
    places = range(len(d.candidates))
    verdicts = ", ".join(f"c{d.index}_{place + 1}" for place in places)
    # By all verdicts at once: an aggregate each would work every rule out three times for every account.
    rows = _fetch(
        f"SELECT {verdicts}, count(*), min(id), max(id) FROM {_rows(partial)} GROUP BY {verdicts}",
        _parameters(partial, as_of),
    )
    found = {}
    for place in places:
        true = [row[-3:] for row in rows if row[place]]
        ends = {min(low for _, low, _ in true), max(high for *_, high in true)} if true else set()
        found[d.candidates[place].key] = (sum(accounts for accounts, *_ in true), tuple(sorted(ends)))
    return found


# --- one attribute


def spread(partial: PartialPlan, attribute: str, *, as_of: datetime) -> Spread:
    """How many accounts have the attribute, and from where to where its values go."""
    value = numeric(partial, attribute)
    query = (
        "SELECT count(*), count(v), min(v), max(v), avg(v), min(v) FILTER (WHERE v > 0)"
        f" FROM (SELECT {value} AS v FROM {_rows(partial, value)}) AS seen"
    )
    return Spread(*_fetch(query, _parameters(partial, as_of))[0])


def counts_between(
    partial: PartialPlan, attribute: str, edges: Sequence[float], *, as_of: datetime
) -> Mapping[int, int]:
    """Accounts by the number of edges at or below their value."""
    value = numeric(partial, attribute)
    place = f"width_bucket(v, {partial.writer.parameters.add(list(edges))}::float8[])"
    query = (
        f"SELECT {place}, count(*) FROM (SELECT {value} AS v FROM {_rows(partial, value)}) AS seen"
        " WHERE v IS NOT NULL GROUP BY 1"
    )
    return dict(_fetch(query, _parameters(partial, as_of)))


def figures_between(
    partial: PartialPlan, attribute: str, edges: Sequence[float], *, as_of: datetime
) -> Mapping[int, tuple[int, Decimal]]:
    """Accounts and their ARR (0 where missing) by the number of edges at or below their value."""
    value, arr = numeric(partial, attribute), _arr(partial)
    place = f"width_bucket(v, {partial.writer.parameters.add(list(edges))}::float8[])"
    query = (
        f"SELECT {place}, count(*), COALESCE(sum(a), 0)"
        f" FROM (SELECT {value} AS v, {arr} AS a FROM {_rows(partial, value, arr)}) AS seen"
        " WHERE v IS NOT NULL GROUP BY 1"
    )
    rows = _fetch(query, _parameters(partial, as_of))
    return {place: (accounts, total) for place, accounts, total in rows}


def counts_by_value(
    partial: PartialPlan, attribute: str, *, most: int, as_of: datetime
) -> tuple[list[tuple[str, int]], int, int]:
    """The commonest values with their accounts; how many accounts have a value; how many accounts there are."""
    value = _value(partial, attribute)
    query = (
        f"WITH seen AS MATERIALIZED (SELECT v::text AS v, count(*) AS n FROM"
        f" (SELECT {value} AS v FROM {_rows(partial, value)}) AS each GROUP BY 1)"
        " SELECT v, n, sum(n) FILTER (WHERE v IS NOT NULL) OVER (), sum(n) OVER () FROM seen"
        f" ORDER BY v IS NULL, n DESC, v LIMIT {most}"
    )
    rows = _fetch(query, _parameters(partial, as_of))
    present, accounts = (int(rows[0][2] or 0), int(rows[0][3])) if rows else (0, 0)
    return [(text, count) for text, count, *_ in rows if text is not None], present, accounts


def numeric(partial: PartialPlan, attribute: str) -> str:
    """The attribute as a double: numbers as they are, days and moments as days since 1970, others as nothing."""
    value, data_type = _value(partial, attribute), partial.plan.definition.attributes[attribute].data_type
    if data_type in TEMPORAL:
        return f"(extract(epoch FROM {value}) / 86400)::float8"
    return f"({value})::float8" if data_type in ("integer", "decimal", "money") else "NULL::float8"


def _value(partial: PartialPlan, attribute: str) -> str:
    """The attribute as rules see it: NULL when it is missing or no longer fresh."""
    definition, writer = partial.plan.definition, partial.writer
    resolver, parameters = AccountResolver(definition, {}, writer.facts), writer.parameters
    leaf = {"schema": "criteria/1", "root": {"id": "m", "op": "is_present", "attribute": attribute}}
    is_present = compile_node(
        definition.criteria_of("", leaf).root,
        resolver=resolver,
        as_of=writer.as_of,
        zone=definition.zone,
        start_month=definition.start_month,
    )
    return f"CASE WHEN {parameters.write(is_present)} THEN {parameters.write(resolver.value(attribute))} END"


# --- shared


def _reason(partial: PartialPlan, d: DimensionPlan) -> str:
    return partial.plan.columns[d.index][1]


def _arr(partial: PartialPlan) -> str:
    return _value(partial, ARR) if ARR in partial.plan.definition.attributes else '"accounts_account".arr'


def _rows(partial: PartialPlan, *named: str) -> str:
    query = EVERY_ACCOUNT.narrow(partial.query(*named), partial.plan)
    return f'({query}) AS "accounts_account" WHERE NOT "accounts_account".is_excluded'


def _parameters(partial: PartialPlan, as_of: datetime) -> dict[str, Any]:
    return {**partial.plan.parameters, **EVERY_ACCOUNT.parameters, "as_of": as_of}


def _fetch(query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Compiling these long expressions to machine code takes longer than running them over 100,000 rows.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(query, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
