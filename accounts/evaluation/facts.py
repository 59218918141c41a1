"""What rules read beside the account's own row, joined once and computed once per account.

Whatever compiled rules ask for is collected while they are written and put into the innermost select: the closed
periods of a metric (one row of MetricSeries, however long its history), the number of signals in a window (one
aggregate), membership of a list (one probe of its key), the ultimate parent's columns (one probe of the primary key).
Nothing is joined that no rule reads. Every join but the parent's carries the statement's key range as well, where
`{range:alias.account_id}` stands; each meets one row at most, so that no account is there twice. The select is fenced
by OFFSET 0: flattened into the levels above, its columns would be computed again at each mention.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from django.db.models import DateField, Expression
from django.db.models.expressions import RawSQL

from frameworks.criteria.base import Of
from frameworks.criteria.expressions import fiscal_period_start, local_day
from frameworks.criteria.types import Grain

RANGE = re.compile(r"\{range:([\w.]+)\}")
_PARENT = "accounts_account.ultimate_parent_id"


class Writing(Protocol):
    """Collects a statement's parameters (stages.Parameters)."""

    def add(self, value: object) -> str: ...

    def write(self, expression: Expression) -> str: ...


class FactsRead:
    """The facts one statement reads. Its methods give the column, of the innermost select, that will hold them."""

    def __init__(self, parameters: Writing, as_of: Expression, zone: ZoneInfo, start_month: int) -> None:
        """`as_of` is a timestamptz expression; days begin in `zone`, the fiscal year in `start_month`."""
        self._parameters = parameters
        self._today = local_day(as_of, zone)
        self._start_month = start_month
        self._columns: dict[str, str] = {}
        self._aliases: dict[tuple[object, ...], str] = {}
        self._joins: list[str] = []
        self._parent_columns: set[str] = set()

    def placed_in(self, query: str) -> str:
        """The query with what was asked for in the room its innermost select leaves: {facts}, {joins}, {fence}."""
        columns = "".join(f", {sql} AS {name}" for name, sql in self._columns.items())
        joins = "".join([*self._joins, self._parent_join()])
        fence = " OFFSET 0" if columns else ""
        return query.replace("{facts}", columns).replace("{joins}", joins).replace("{fence}", fence)

    # --- the account and its ultimate parent

    def source(self, column: str, of: Of) -> str:
        """SQL, inside the innermost select, of a column of the account's table."""
        if of == "self":
            return f"accounts_account.{column}"
        self._parent_columns.add(column)
        return f"(CASE WHEN {_PARENT} IS NULL THEN accounts_account.{column} ELSE fact_up.{column} END)"

    def parent(self, column: str) -> str:
        """A column of the ultimate parent; an account without parent is its own."""
        return self._column(f"fact_up_{column}", lambda: self.source(column, "ultimate_parent"))

    def _parent_join(self) -> str:
        """Fetched one by one: a hash join would read the whole table for every range of accounts."""
        if not self._parent_columns:
            return ""
        columns = ", ".join(f"up.{column}" for column in sorted(self._parent_columns))
        return (
            f" LEFT JOIN LATERAL (SELECT {columns} FROM accounts_account up"
            f" WHERE up.id = {_PARENT} AND {_PARENT} IS NOT NULL LIMIT 1) fact_up ON true"
        )

    def tags(self, key: str, of: Of, tokens: Sequence[str]) -> str:
        """The matching keys of a tags attribute as text[], without `tokens`; NULL where there is no array."""

        def keys() -> str:
            array = f"({self.source('attribute_keys', of)} -> {self._parameters.add(key)})"
            but = f" WHERE tag <> ALL({self._parameters.add([*tokens])}::text[])" if tokens else ""
            found = f"ARRAY(SELECT tag FROM jsonb_array_elements_text({array}) AS t(tag){but})"
            return f"CASE WHEN jsonb_typeof({array}) = 'array' THEN {found} END"

        return self._column(f"fact_tags_{of}_{key}", keys)

    # --- closed periods

    def period(self, metric: str, grain: Grain, back: int) -> str:
        """The metric at the end of the back-th newest closed period, as observed; NULL where nothing was."""
        alias = self._series(metric, grain)

        def value() -> str:
            end = f"({self._parameters.write(self.period_start(grain, back - 1))} - 1)"
            # In a series without gaps the period stands where it is expected; else it is looked for.
            place = f"CASE WHEN {alias}.ends[{back}] = {end} THEN {back} ELSE array_position({alias}.ends, {end}) END"
            return f"{alias}.values[{place}]"

        return self._column(f"{alias}_{back}", value)

    def first_period(self, metric: str, grain: Grain, tokens: Sequence[object]) -> str:
        """The last day of the oldest period with a value, those in `tokens` being none; NULL where there is none.

        Ends of another calendar's periods do not count. As a rule the last of the series is the one; else it is
        looked for.
        """
        alias = self._series(metric, grain)

        def is_known(end: str, value: str) -> str:
            following = RawSQL(f"({end} + 1)", (), output_field=DateField())  # noqa: S611 - names of ours
            begin = fiscal_period_start(following, grain, self._start_month, 0)
            known = f"{self._parameters.write(begin)} = {end} + 1"
            return f"{known} AND {value} <> ALL({self._parameters.add([*tokens])}::numeric[])" if tokens else known

        def first() -> str:
            last, value = (f"{alias}.{column}[cardinality({alias}.ends)]" for column in ("ends", "values"))
            searched = (
                f"(SELECT min(s.ends) FROM unnest({alias}.ends, {alias}.values) AS s(ends, value)"
                f" WHERE {is_known('s.ends', 's.value')})"
            )
            return f"CASE WHEN {is_known(last, value)} THEN {last} ELSE {searched} END"

        return self._column(f"{alias}_first", first)

    def period_start(self, grain: Grain, back: int) -> Expression:
        """The first day of the back-th newest closed period."""
        return fiscal_period_start(self._today, grain, self._start_month, -back)

    def _series(self, metric: str, grain: Grain) -> str:
        return self._alias(
            ("series", metric, grain),
            lambda alias: (
                f" LEFT JOIN accounts_metricseries {alias} ON {alias}.account_id = accounts_account.id"
                f" AND {alias}.metric = {self._parameters.add(metric)}"
                f" AND {alias}.grain = {self._parameters.add(grain)} AND {{range:{alias}.account_id}}"
            ),
        )

    # --- signals

    def signals(self, kind: str, details: Mapping[str, str], within_days: int) -> str:
        """How many signals lie in the window; never NULL."""
        alias = self._signals(kind, details, within_days)
        return self._column(f"{alias}_count", lambda: f"COALESCE({alias}.counted, 0)")

    def next_signal_day(self, kind: str, details: Mapping[str, str], within_days: int) -> str:
        """The first day after today on which time alone changes that number, or NULL."""
        alias = self._signals(kind, details, within_days)
        return self._column(f"{alias}_next", lambda: f"{alias}.next_day")

    def _signals(self, kind: str, details: Mapping[str, str], within_days: int) -> str:
        today = self._parameters.write(self._today)
        wanted = json.dumps(dict(details), sort_keys=True)
        detailed = f" AND g.details_keys @> {self._parameters.add(wanted)}::jsonb" if details else ""
        return self._alias(
            ("signal", kind, wanted, within_days),
            lambda alias: (
                " LEFT JOIN (SELECT g.account_id,"
                f" (count(*) FILTER (WHERE g.occurred_on <= {today}))::int AS counted,"
                f" min(CASE WHEN g.occurred_on > {today} THEN g.occurred_on"
                f" ELSE g.occurred_on + {int(within_days) + 1} END) AS next_day"
                f" FROM accounts_signal g WHERE g.kind = {self._parameters.add(kind)}{detailed}"
                f" AND g.occurred_on >= {today} - {int(within_days)} AND {{range:g.account_id}}"
                f" GROUP BY g.account_id) {alias} ON {alias}.account_id = accounts_account.id"
            ),
        )

    # --- lists

    def listed(self, list_key: str, of: Of) -> str:
        """Whether the account is on the list; never NULL."""
        holder = "accounts_account.id" if of == "self" else f"COALESCE({_PARENT}, accounts_account.id)"
        within = " AND {{range:{alias}.account_id}}" if of == "self" else ""
        alias = self._alias(
            ("list", list_key, of),
            lambda alias: (
                f" LEFT JOIN accounts_listentry {alias} ON {alias}.account_id = {holder} AND {alias}.list_id ="
                f" (SELECT id FROM frameworks_accountlist WHERE key = {self._parameters.add(list_key)})"
                + within.format(alias=alias)
            ),
        )
        return self._column(f"{alias}_on", lambda: f"({alias}.account_id IS NOT NULL)")

    # --- names

    def _alias(self, key: tuple[object, ...], join: Callable[[str], str]) -> str:
        if key not in self._aliases:
            self._aliases[key] = alias = f"fact_{key[0]}{len(self._aliases)}"
            self._joins.append(join(alias))
        return self._aliases[key]

    def _column(self, name: str, sql: Callable[[], str]) -> str:
        if name not in self._columns:
            self._columns[name] = sql()
        return name
