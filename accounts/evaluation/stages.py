"""A framework version as one SQL query over accounts.

Every topological level of dimensions becomes nested selects over the alias `accounts_account`:

1. each candidate rule as a boolean (true, false, null for unknown): `c0_1`, `c0_2`, … (verdicts.py)
2. per dimension one outcome code `o0`: which candidate won, and how sure that is (outcome.py)
3. where its settings ask what came before: whether the account stays or steps (prior.py)
4. the segment ids: computed `s0`; `h0` where a move waits for a person; after override and exclusion effective `e0`;
   `k0` and `j0` are the keys of the effective and computed segment where another dimension reads them (effective.py)

A level reads the one below like columns of the account. `OFFSET 0` keeps PostgreSQL from flattening the selects,
which would evaluate every leaf again at each mention and grow exponentially over chained dimensions. Of the account
itself only the columns that expressions name are read: carrying the others through every level cost a single account
a third of its time and a run 6 % of it. The stored row is joined here only for dimensions that read it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from django.db.models import DateTimeField, Value

from accounts.evaluation import effective, prior, said
from accounts.evaluation.facts import FactsRead
from accounts.evaluation.flipping import first_day_sql, instant_sql, midnights_sql
from accounts.evaluation.outcome import outcome_sql
from accounts.evaluation.parameters import AS_OF, Parameters, over
from accounts.evaluation.plan import DimensionPlan, ordered_dimensions, plan_dimensions
from accounts.evaluation.resolve import AccountResolver
from accounts.evaluation.verdicts import contributed, own_column
from accounts.models import Account
from frameworks.criteria.ast import Node
from frameworks.criteria.base import Of
from frameworks.criteria.compile import Compiler
from frameworks.criteria.flips import flip_days
from frameworks.definition import Definition
from frameworks.models import FrameworkVersion

_ACCOUNT_COLUMNS = [field.column for field in Account._meta.concrete_fields]


@dataclass
class FrameworkPlan:
    """A version compiled: its dimensions in topological order and the query that evaluates them.

    The engine puts its own condition where `{accounts}`, `{overrides:v0}`, `{prior:0}` and `{range:…}` stand in
    `query`. `columns` are, by the dimension's index, the rule, reason, missing attributes and losers of the outcome;
    `flips` when time alone may change it, for the dimensions that time can change, and `midnights` the CTE they read.
    """

    version_id: int
    framework_id: int
    definition: Definition
    dimensions: list[DimensionPlan]
    query: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    columns: dict[int, list[str]] = field(default_factory=dict)
    flips: dict[int, str] = field(default_factory=dict)
    midnights: str = ""

    @cached_property
    def explaining(self) -> tuple[str, dict[str, Any]]:
        """The query of an explanation and its parameters, one row per account.

        Its id; then per dimension computed and effective segment id, rule, reason, missing, losers, and an array of
        node verdicts for each candidate, in the order of `walk`; inside `sustained` those at the newest closed period.
        Arrays, because a select has 1,664 columns at most.
        """
        writer = Writer(self.definition, self.version_id, self.dimensions)
        query = writer.all_levels()
        columns = ['"accounts_account".id']
        for d in self.dimensions:
            columns += [f"s{d.index}", f"e{d.index}", *writer.outcome_columns(d)]
            for candidate in d.candidates:
                verdicts = writer.compiled_walk(candidate.criteria.root, d)
                columns.append(f"ARRAY[{', '.join(verdicts)}]::boolean[]")
        text = f'SELECT {", ".join(columns)} FROM ({query}) AS "accounts_account"'
        return writer.facts.placed_in(with_columns_read(text, text)), writer.parameters.values


def compile_version(version: FrameworkVersion, definition: Definition) -> FrameworkPlan:
    """Compile a version. Its dimensions and segments must have identity rows (drafting makes them)."""
    return _compiled(version.pk, version.framework_id, definition, plan_dimensions(version, definition))


def compile_definition(definition: Definition) -> FrameworkPlan:
    """Compile parts that are no stored version; its ids are made up."""
    return compile_unstored(0, definition, _made_up(definition))


def compile_explaining(definition: Definition) -> FrameworkPlan:
    """The same for hypothetical accounts alone: without the query over stored ones, which costs as much again."""
    return FrameworkPlan(0, 0, definition, ordered_dimensions(definition, _made_up(definition)))


def _made_up(definition: Definition) -> dict[str, tuple[int, dict[str, int]]]:
    numbers = count(1)
    return {
        key: (next(numbers), {short: next(numbers) for short in body.segments})
        for key, body in definition.dimensions.items()
    }


def compile_unstored(
    framework_id: int, definition: Definition, identities: Mapping[str, tuple[int, Mapping[str, int]]]
) -> FrameworkPlan:
    """Compile parts that are no stored version, to compare with what is stored; `identities` as below."""
    return _compiled(0, framework_id, definition, ordered_dimensions(definition, identities))


def _compiled(
    version_id: int, framework_id: int, definition: Definition, dimensions: list[DimensionPlan]
) -> FrameworkPlan:
    writer = Writer(definition, version_id, dimensions)
    query = writer.all_levels(flipping=True)
    columns = {d.index: writer.outcome_columns(d) for d in dimensions}
    flips = {d.index: flip for d in dimensions if (flip := writer.next_flip(d))}
    texts = [query, *(text for texts in columns.values() for text in texts), *flips.values()]
    query = writer.facts.placed_in(with_columns_read(query, " ".join(texts)))
    values = writer.parameters.values
    midnights = midnights_sql(writer.zone) if flips else ""
    return FrameworkPlan(version_id, framework_id, definition, dimensions, query, values, columns, flips, midnights)


def with_columns_read(query: str, text: str) -> str:
    """The query with the columns of the account's table that `text` names put where `{columns}` stands."""
    named = set(re.findall(r'"accounts_account"\."(\w+)"', text))
    read = [column for column in _ACCOUNT_COLUMNS if column in named or column in ("id", "version")]
    return query.replace("{columns}", ", ".join(f'"accounts_account"."{column}"' for column in read))


class Writer:
    """Writes the selects of one version, collecting their parameters. No text of a person's becomes SQL."""

    def __init__(self, definition: Definition, version_id: int, dimensions: list[DimensionPlan]) -> None:
        self.definition = definition
        self.version_id = version_id
        self.dimensions = dimensions
        self.parameters = Parameters()
        self.zone = self.parameters.add(str(definition.zone))
        self.as_of = Value(AS_OF, output_field=DateTimeField())
        self.facts = FactsRead(self.parameters, self.as_of, definition.zone, definition.start_month)
        self.days: set[int] = set()
        self._written: dict[tuple[str, str, str], str] = {}
        self._compilers: dict[str, Compiler] = {}

    def compiled(self, node: Node, d: DimensionPlan) -> str:
        """One node's verdict in a rule of `d` as SQL over the alias `accounts_account`."""
        return self.parameters.write(self._compiler(d).node(node))

    def compiled_walk(self, node: Node, d: DimensionPlan) -> list[str]:
        """The verdicts on the node and everything under it, in the order of `walk`."""
        return [self.parameters.write(verdict) for verdict in self._compiler(d).walk(node)]

    def _compiler(self, d: DimensionPlan) -> Compiler:
        if d.key not in self._compilers:
            self._compilers[d.key] = Compiler.of(
                resolver=self._resolver(d),
                as_of=self.as_of,
                zone=self.definition.zone,
                start_month=self.definition.start_month,
                kept=self.parameters.written,
            )
        return self._compilers[d.key]

    def _resolver(self, d: DimensionPlan) -> AccountResolver:
        """Where the rules of `d` find values: it says which segment of other dimensions they read."""
        letter = "j" if d.body.basis_of == "computed" else "k"
        columns = {other.key: f"{letter}{other.index}" for other in self.dimensions}
        return AccountResolver(self.definition, columns, self.facts)

    def all_levels(self, *, flipping: bool = False) -> str:
        """The nested selects; `flipping` adds when time may change a verdict, which an explanation does not need."""
        query = self._accounts()
        for level in sorted({d.level for d in self.dimensions}):
            here = [d for d in self.dimensions if d.level == level]
            days = [column for d in here if flipping for column in self._flip_days(d)]
            query = over(query, [*(column for d in here for column in self._verdicts(d)), *days])
            query = over(query, [column for d in here if d.is_refined for column in _contributions(d)])
            query = over(query, [f"{outcome_sql(d)} AS o{d.index}" for d in here])
            query = self._after_prior(query, [d for d in here if d.reads_prior])
            query = effective.with_segments(query, here, self.parameters)
        return query

    def _accounts(self) -> str:
        """The accounts in question with what the dimensions read of their stored rows."""
        reading = [d for d in self.dimensions if d.reads_prior]
        prior_columns = [column for d in reading for column in prior.prior_columns(d, self.version_id)]
        return (
            "SELECT {columns}{facts}, "
            '("accounts_account".exclusion <> \'\' OR "accounts_account".deleted_at IS NOT NULL) AS is_excluded'
            f"{''.join(f', {column}' for column in prior_columns)}"
            f' FROM "accounts_account"{"".join(map(prior.prior_join, reading))}{{joins}} WHERE {{accounts}}'
            f"{' OFFSET 0' if reading else '{fence}'}"
        )

    def _verdicts(self, d: DimensionPlan) -> list[str]:
        return [
            f"{self.compiled(candidate.criteria.root, d)} AS {own_column(d, place)}"
            for place, candidate in enumerate(d.candidates, 1)
        ]

    def _after_prior(self, query: str, dimensions: list[DimensionPlan]) -> str:
        deciding = [d for d in dimensions if d.reads_computed]
        query = over(query, [column for d in dimensions for column in prior.pull_columns(d, self.parameters)])
        query = over(query, [f"{prior.decision_sql(d, self.zone)} AS z{d.index}" for d in deciding])
        query = over(query, [f"{prior.final_rank_sql(d)} AS f{d.index}" for d in deciding])
        reviewed = [d for d in dimensions if d.is_reviewed]
        return over(query, [f"{prior.held_sql(d, self.parameters)} AS held{d.index}" for d in reviewed])

    # --- what is said about an outcome

    def outcome_columns(self, d: DimensionPlan) -> list[str]:
        """Rule key, reason, missing attributes and losing segments, in that order."""
        lacking = said.lacking_of(d, self)
        return [
            said.rule_sql(d, self.parameters),
            said.reason_sql(d, self.parameters, lacking),
            said.missing_sql(d, self.parameters, lacking),
            said.losers_sql(d, self.parameters),
        ]

    def next_flip(self, d: DimensionPlan) -> str:
        """The first instant at which time alone may change the outcome, as SQL; empty where none can."""
        days = [f"day{d.index}"] if d.index in self.days else []
        if d.body.min_dwell_days is not None:
            days.append(prior.dwell_end_day_sql(d, self.zone))
        return instant_sql(f"LEAST({', '.join(days)})", self.zone) if days else ""

    def _flip_days(self, d: DimensionPlan) -> list[str]:
        """The column of the first day to come at which time may change what a candidate says; none where it cannot."""
        resolver = self._resolver(d)
        days = self.parameters.write_distinct(
            day
            for candidate in d.candidates
            for day in flip_days(
                candidate.criteria.root, resolver=resolver, as_of=self.as_of, zone=self.definition.zone
            )
        )
        if not days:
            return []
        self.days.add(d.index)
        return [f"{first_day_sql(days, self.zone)} AS day{d.index}"]

    def is_missing(self, key: str, of: Of, d: DimensionPlan) -> str:
        """Whether an attribute that rules of `d` read has no value, as SQL: the same text each time."""
        if (key, of, d.key) not in self._written:
            self._written[key, of, d.key] = self._is_missing(key, of, d)
        return self._written[key, of, d.key]

    def _is_missing(self, key: str, of: Of, d: DimensionPlan) -> str:
        leaf = {"id": "m", "op": "is_missing", "attribute": key, **({"of": of} if of != "self" else {})}
        return self.compiled(self.definition.criteria_of(d.key, {"schema": "criteria/1", "root": leaf}).root, d)

    def is_unassigned(self, key: str, d: DimensionPlan) -> str:
        """Whether the account has no segment in another dimension that rules of `d` read, as SQL."""
        return f"{self._resolver(d).segment_columns[key]} IS NULL"


def _contributions(d: DimensionPlan) -> list[str]:
    return [f"{contributed(d, place)} AS c{d.index}_{place}" for place in range(1, d.size + 1)]
