"""A small framework to write rules about, and accounts as rows of literals that the compiled SQL really runs on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

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
from django.db.models.sql import Query

from frameworks.criteria.ast import Criteria, Node
from frameworks.criteria.base import Of
from frameworks.criteria.compile import compile_node
from frameworks.criteria.english import DimensionLabels
from frameworks.criteria.parsing import Problem, parse_criteria
from frameworks.criteria.resolver import BasisOf
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import AttributeType

BERLIN = ZoneInfo("Europe/Berlin")
# A fiscal year from February: its quarters are no calendar quarters.
START_MONTH = 2
AS_OF = datetime(2026, 3, 31, 10, 0, tzinfo=UTC)

INDUSTRIES = (("saas", "SaaS"), ("fintech", "Fintech"), ("health-care", "Healthcare"))
ATTRIBUTES = {
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
    )
}
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
}

Row = dict[str, Any]
Verdict = bool | None


def _column(name: str, field: Field[Any, Any]) -> Expression:
    return Func(template=name, output_field=field)


class Columns:
    """Resolves to the columns of `account`, the rows of literals that `verdicts` makes."""

    def value(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{key}", _FIELDS[ATTRIBUTES[key].data_type][1])

    def text_key(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{key}_key", TextField())

    def observed_at(self, key: str, of: Of = "self") -> Expression:
        return _column(f"account.{key}_observed_at", DateTimeField())

    def segment(self, dimension: str, basis_of: BasisOf = "effective") -> Expression:
        return _column(f"account.{dimension}_segment", TextField())


def read(root: Row) -> Criteria:
    """The rule with this root."""
    return parse_criteria({"schema": "criteria/1", "root": root}, attributes=ATTRIBUTES, dimensions=DIMENSIONS)


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
    columns, values = _columns(nodes, as_of, zone)
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
    compiler = Query(None).get_compiler(connection=connection)
    texts: list[str] = []
    values: list[Any] = []
    for node in nodes:
        expression = compile_node(node, resolver=Columns(), as_of=moment, zone=zone, start_month=START_MONTH)
        assert isinstance(expression.output_field, BooleanField)
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
    columns: dict[str, tuple[str, Any]] = {}
    for key, attribute in ATTRIBUTES.items():
        columns[key] = (_FIELDS[attribute.data_type][0], row.get(key))
        if attribute.data_type == "text":
            columns[f"{key}_key"] = ("text", matching_key(row.get(key)))
        if attribute.freshness_days is not None:
            columns[f"{key}_observed_at"] = ("timestamptz", row.get(f"{key}_observed_at"))
    for dimension in DIMENSIONS:
        columns[f"{dimension}_segment"] = ("text", row.get(f"{dimension}_segment"))
    return columns


def berlin(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """A moment on Berlin's clocks."""
    return datetime(year, month, day, hour, minute, second, tzinfo=BERLIN)


def day(text: str) -> date:
    return date.fromisoformat(text)
