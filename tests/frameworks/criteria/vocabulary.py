"""A small framework to write rules about, and accounts as rows of literals that the compiled SQL really runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    Field,
    Func,
    TextField,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.sql import Query

from frameworks.criteria.ast import Criteria, Node
from frameworks.criteria.base import Of
from frameworks.criteria.compile import Compiler, compile_node
from frameworks.criteria.english import DimensionLabels
from frameworks.criteria.flips import next_flips
from frameworks.criteria.parsing import Problem, parse_criteria
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import NUMERIC, AttributeType, Derived, DerivedKind, Grain

BERLIN = ZoneInfo("Europe/Berlin")
# A fiscal year from February: its quarters are no calendar quarters.
START_MONTH = 2
AS_OF = datetime(2026, 3, 31, 10, 0, tzinfo=UTC)

REGIONS = (("emea", "EMEA"), ("apac", "APAC"), ("north-am", "North America"))
INDUSTRIES = (("saas", "SaaS"), ("fintech", "Fintech"), ("health-care", "Healthcare"))
STORED = {
    attribute.key: attribute
    for attribute in (
        AttributeType("employees", "Employees", "integer", unit="employees", minimum=Decimal(0)),
        AttributeType("delta", "Headcount change", "integer"),
        AttributeType("score", "Health score", "decimal", scale=4, unit="points"),
        AttributeType("arr", "ARR", "money", scale=2, currency="USD"),
        AttributeType("signed_on", "Signed on", "date"),
        AttributeType("seen_at", "Last seen", "datetime"),
        AttributeType("name", "Name", "text"),
        AttributeType("industry", "Industry", "choice", choices=INDUSTRIES),
        AttributeType("p", "P", "boolean"),
        AttributeType("q", "Q", "boolean"),
        AttributeType("r", "R", "boolean"),
        AttributeType("usage", "Weekly usage", "integer", unit="hours", freshness_days=30),
        AttributeType("tech", "Tech stack", "tags"),
        AttributeType("regions", "Regions", "tags", choices=REGIONS, freshness_days=30),
    )
}


def _derived(kind: DerivedKind, *keys: str) -> Derived:
    return Derived(kind, tuple(STORED[key] for key in keys))


def _growth(key: str, periods: int) -> Derived:
    return Derived("growth", (STORED[key],), "fiscal_quarter", periods)


ATTRIBUTES = {
    **STORED,
    **{
        attribute.key: attribute
        for attribute in (
            AttributeType(
                "each", "ARR per employee", "decimal", scale=4, derived=_derived("ratio", "arr", "employees")
            ),
            AttributeType("net", "Net headcount", "integer", derived=_derived("difference", "employees", "delta")),
            AttributeType("rising", "ARR growth", "decimal", scale=2, unit="%", derived=_growth("arr", 2)),
            AttributeType("tenure", "Tenure", "integer", unit="days", derived=_derived("age_days", "signed_on")),
            AttributeType("silence", "Silence", "integer", unit="days", derived=_derived("age_days", "seen_at")),
            AttributeType(
                "intensity", "Intensity", "decimal", scale=2, derived=_derived("ratio", "usage", "employees")
            ),
        )
    },
}
GRAINS: tuple[Grain, ...] = ("month", "fiscal_quarter", "fiscal_year")
LISTS = ("fortune_2000", "key_logos")
DIMENSIONS = {"lifecycle": frozenset({"onboarding", "renewal", "churned"}), "size": frozenset({"small", "large"})}
LABELS = {"lifecycle": DimensionLabels("Lifecycle", {"churned": "Churned", "renewal": "In renewal"})}

_FIELDS: dict[str, tuple[str, Field[Any, Any]]] = {
    "integer": ("int", BigIntegerField()),
    "decimal": ("numeric", DecimalField(max_digits=38, decimal_places=4)),
    "money": ("numeric", DecimalField(max_digits=38, decimal_places=2)),
    "date": ("date", DateField()),
    "datetime": ("timestamptz", DateTimeField()),
    "text": ("text", TextField()),
    "choice": ("text", TextField()),
    "boolean": ("boolean", BooleanField()),
    "tags": ("text[]", ArrayField(TextField())),
}

Row = dict[str, Any]
Verdict = bool | None


def _column(name: str, field: Field[Any, Any]) -> Expression:
    return Func(template=name, output_field=field)


class Columns:
    """Resolves to the columns of `account`, the rows of literals that `verdicts` makes.

    A row has, beside attributes and segments: `history` {(metric, grain): values, newest closed period first},
    `signals` [{"kind", "details", "on"}], `lists` [key], and `parent`, the row of its ultimate parent.
    """

    def __init__(self, as_of: datetime, zone: ZoneInfo) -> None:
        self.today = as_of.astimezone(zone).date()

    def value(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{_of(of)}{key}", _FIELDS[STORED[key].data_type][1])

    def text_key(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{_of(of)}{key}_key", TextField())

    def tag_keys(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{_of(of)}{key}", ArrayField(TextField()))

    def observed_at(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{_of(of)}{key}_observed_at", DateTimeField())

    def period_value(self, metric: str, grain: Grain, back: int) -> Expression:
        return _column(f"account.{metric}_{grain}[{back}]", _FIELDS["decimal"][1])

    def has_period(self, metric: str, grain: Grain, back: int) -> Expression:
        return _column(f"(account.{metric}_{grain}[{back}] IS NOT NULL)", BooleanField())

    def has_older_period(self, metric: str, grain: Grain, back: int) -> Expression:
        older = f"unnest(account.{metric}_{grain}[{back + 1}:]) AS older(value)"
        return _column(f"EXISTS (SELECT FROM {older} WHERE value IS NOT NULL)", BooleanField())

    def signal_count(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        matching, parameters = self._signals(kind, details)
        first = self.today - timedelta(days=within_days)
        sql = f"(SELECT count(*) FROM {matching} AND day BETWEEN %s AND %s)"
        return RawSQL(sql, (*parameters, first, self.today), output_field=BigIntegerField())  # noqa: S611

    def next_signal_end(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        matching, parameters = self._signals(kind, details)
        turn = f"CASE WHEN day > %s THEN day ELSE day + {within_days + 1} END"
        sql = f"(SELECT min({turn}) FROM {matching} AND day + {within_days} >= %s)"
        return RawSQL(sql, (self.today, *parameters, self.today), output_field=DateField())  # noqa: S611

    def _signals(self, kind: str, details: Mapping[str, str]) -> tuple[str, tuple[str, str]]:
        each = "jsonb_to_recordset(account.signals) AS each(kind text, details jsonb, day date)"
        return f"{each} WHERE kind = %s AND details @> %s::jsonb", (kind, json.dumps(details))

    def on_list(self, list_key: str, of: Of = "self") -> Expression:
        sql = f"(%s = ANY(account.{_of(of)}lists))"
        return RawSQL(sql, (list_key,), output_field=BooleanField())  # noqa: S611

    def segment(self, dimension: str) -> Expression:
        return _column(f"account.{dimension}_effective", TextField())


def _of(of: Of) -> str:
    return "" if of == "self" else "parent_"


def read(root: Row) -> Criteria:
    """The rule with this root."""
    return parse_criteria(
        {"schema": "criteria/1", "root": root}, attributes=ATTRIBUTES, dimensions=DIMENSIONS, lists=LISTS
    )


def leaf(op: str, attribute: str, **fields: Any) -> Row:
    """A leaf of the same id everywhere: for rules of one leaf."""
    return {"id": "n1", "op": op, "attribute": attribute, **fields}


def found(problems: Sequence[Problem]) -> list[tuple[str, str | None, str]]:
    """What a test compares of problems: code, node id and pointer."""
    return [(problem.code, problem.node_id, problem.pointer) for problem in problems]


def verdict(root: Row, row: Row, *, as_of: datetime = AS_OF, zone: ZoneInfo = BERLIN) -> Verdict:
    """The verdict of PostgreSQL on one account."""
    return verdicts([read(root).root], [row], as_of=as_of, zone=zone)[0][0]


def verdicts(
    nodes: Sequence[Node], rows: Sequence[Row], *, as_of: datetime = AS_OF, zone: ZoneInfo = BERLIN
) -> list[tuple[Verdict, ...]]:
    """For each row, the verdict on each node, all in one statement."""
    return _answered(*_columns(nodes, as_of, zone), rows)


def _answered(columns: str, values: Sequence[Any], rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    accounts, account_values = _literal_rows(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH account AS ({accounts}) SELECT {columns} FROM account ORDER BY position", [*account_values, *values]
        )
        return [tuple(row) for row in cursor.fetchall()]


def explained(node: Node) -> str:
    """PostgreSQL's plan for filtering accounts by a rule."""
    condition, values = _columns([node], AS_OF, BERLIN)
    accounts, account_values = _literal_rows([{}])
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (VERBOSE) WITH account AS MATERIALIZED ({accounts}) SELECT 1 FROM account WHERE {condition}",
            [*account_values, *values],
        )
        return "\n".join(line for (line,) in cursor.fetchall())


def _columns(nodes: Sequence[Node], as_of: datetime, zone: ZoneInfo) -> tuple[str, list[Any]]:
    moment = Value(as_of, output_field=DateTimeField())
    resolver = Columns(as_of, zone)
    found = [compile_node(node, resolver=resolver, as_of=moment, zone=zone, start_month=START_MONTH) for node in nodes]
    assert all(isinstance(expression.output_field, BooleanField) for expression in found)
    return _written(found)


def _written(expressions: Sequence[Expression]) -> tuple[str, list[Any]]:
    compiler = Query(None).get_compiler(connection=connection)
    texts: list[str] = []
    values: list[Any] = []
    for expression in expressions:
        sql, parameters = compiler.compile(expression.resolve_expression(Query(None)))
        texts.append(sql)
        values.extend(parameters)
    return ", ".join(texts), values


def _literal_rows(rows: Sequence[Row]) -> tuple[str, list[Any]]:
    selects: list[str] = []
    values: list[Any] = []
    for position, row in enumerate(rows):
        columns = _columns_of(row)
        selects.append(
            f"SELECT {position} AS position, "
            + ", ".join(f"%s::{sql_type} AS {name}" for name, (sql_type, _) in columns.items())
        )
        values.extend(value for _, value in columns.values())
    return " UNION ALL ".join(selects), values


def _columns_of(row: Row) -> dict[str, tuple[str, Any]]:
    columns = {**_own_columns(row, ""), **_own_columns(row.get("parent", row), "parent_")}
    for dimension in DIMENSIONS:
        effective = row.get(f"{dimension}_segment")
        columns[f"{dimension}_effective"] = ("text", effective)
        columns[f"{dimension}_computed"] = ("text", row.get(f"{dimension}_computed", effective))
    for metric, attribute in STORED.items():
        if attribute.data_type in NUMERIC:
            for grain in GRAINS:
                columns[f"{metric}_{grain}"] = ("numeric[]", list(row.get("history", {}).get((metric, grain), [])))
    columns["signals"] = ("jsonb", json.dumps([_signal(each) for each in row.get("signals", [])]))
    return columns


def _own_columns(row: Row, prefix: str) -> dict[str, tuple[str, Any]]:
    columns: dict[str, tuple[str, Any]] = {f"{prefix}lists": ("text[]", list(row.get("lists", [])))}
    for key, attribute in STORED.items():
        value = row.get(key)
        if attribute.data_type == "tags" and value is not None:
            value = [matching_key(tag) for tag in value]
        columns[prefix + key] = (_FIELDS[attribute.data_type][0], value)
        if attribute.data_type == "text":
            columns[f"{prefix}{key}_key"] = ("text", matching_key(value))
        if attribute.freshness_days is not None:
            columns[f"{prefix}{key}_observed_at"] = ("timestamptz", row.get(f"{key}_observed_at"))
    return columns


def _signal(each: Row) -> Row:
    details = {name: matching_key(text) for name, text in each.get("details", {}).items()}
    return {"kind": each["kind"], "details": details, "day": each["on"].isoformat()}


def walked(node: Node, row: Row) -> list[Verdict]:
    """The verdicts on every node under `node`, as an explanation shows them."""
    moment = Value(AS_OF, output_field=DateTimeField())
    compiler = Compiler.of(resolver=Columns(AS_OF, BERLIN), as_of=moment, zone=BERLIN, start_month=START_MONTH)
    return list(_answered(*_written(list(compiler.walk(node))), [row])[0])


def flips(root: Row, row: Row, *, as_of: datetime = AS_OF, zone: ZoneInfo = BERLIN) -> list[datetime]:
    """The instants at which PostgreSQL says time alone may change the verdict on one account, earliest first."""
    moment = Value(as_of, output_field=DateTimeField())
    found = next_flips(read(root).root, resolver=Columns(as_of, zone), as_of=moment, zone=zone)
    if not found:
        return []
    (instants,) = _answered(*_written(found), [row])
    return sorted(instant for instant in instants if instant is not None)


def berlin(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """A moment on Berlin's clocks."""
    return datetime(year, month, day, hour, minute, second, tzinfo=BERLIN)


def day(text: str) -> date:
    return date.fromisoformat(text)
