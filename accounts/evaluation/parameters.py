"""Writing SQL text with named parameters: no text of a person's becomes SQL."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Expression
from django.db.models.sql.compiler import SQLCompiler

from accounts.models import Account

# Stands in compiled SQL for the run's instant: no literal can be earlier than the year 1900.
AS_OF = datetime(1, 1, 1, tzinfo=UTC)


class _Written(Expression):
    """SQL of `Parameters.write`, its placeholders named."""

    output_field = BooleanField()

    def __init__(self, sql: str) -> None:
        super().__init__()
        self.sql = sql

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[()]]:
        return self.sql, ()


class Parameters:
    """Named parameters of one statement, collected while its text is written."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add(self, value: Any) -> str:
        """The placeholder of `value`; AS_OF becomes the parameter `as_of` that each execution brings."""
        if isinstance(value, datetime) and value == AS_OF:
            return "%(as_of)s"
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def text_array(self, items: Iterable[str]) -> str:
        return f"{self.add(list(items))}::text[]"

    def write(self, expression: Expression) -> str:
        """The SQL of a compiled expression over `accounts_account`."""
        return self._placed(*_compiled(expression))

    def written(self, verdict: Expression) -> Expression:
        """A boolean expression that is compiled now, and only put in place wherever it is named."""
        return _Written(self.write(verdict))

    def write_distinct(self, expressions: Iterable[Expression]) -> list[str]:
        """The SQL of each, those that say the same only once."""
        compiled = (_compiled(expression) for expression in expressions)
        distinct = {(sql, repr(values)): (sql, values) for sql, values in compiled}
        return [self._placed(sql, values) for sql, values in distinct.values()]

    def _placed(self, sql: str, values: Sequence[Any]) -> str:
        pieces = sql.split("%s")
        placed = [piece + self.add(value) for piece, value in zip(pieces, values, strict=False)]
        return "".join([*placed, *pieces[len(values) :]])


def _compiled(expression: Expression) -> tuple[str, Sequence[Any]]:
    query = Account.objects.all().query
    sql, values = query.get_compiler(connection=connection).compile(expression.resolve_expression(query))
    return sql, values


def over(query: str, columns: Iterable[str], joins: str = "") -> str:
    """One more select over `query` under the account table's alias; none where there is nothing to add.

    OFFSET 0 keeps PostgreSQL from flattening the selects, which would evaluate every leaf again at each mention.
    """
    selected = ", ".join(['"accounts_account".*', *columns])
    return f'SELECT {selected} FROM ({query}) AS "accounts_account"{joins} OFFSET 0' if [*columns] or joins else query
