"""A framework version as one SQL query over accounts.

Every topological level of dimensions becomes three nested selects over the alias `accounts_account`:

1. each candidate rule as a boolean (true, false, null for unknown): `c0_1`, `c0_2`, …
2. per dimension one outcome code `o0`: which candidate won, and how sure that is
3. the segment ids: computed `s0` and, after exclusion and override, effective `e0`; `k0` is the key of the
   effective segment where another dimension reads it

A level reads the one below like columns of the account. `OFFSET 0` keeps PostgreSQL from flattening the selects,
which would evaluate every leaf again at each mention and grow exponentially over chained dimensions. Of the account
itself only the columns that expressions name are read: carrying the others through every level cost a single account
a third of its time and a run 6 % of it.

Outcome codes of a dimension with K candidates, in precedence order from 1:
1…K matched · K+1…2K provisional · 2K+1 fallback · 2K+2 no match · 2K+3 missing data · 2K+4 conflict · 2K+5 excluded.
Segment, rule and reason are looked up in constant arrays by that code.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Expression, Value

from accounts.evaluation.resolve import AccountResolver
from accounts.models import Account, Reason
from frameworks.criteria.ast import Node, attributes_used, dimensions_used, walk
from frameworks.criteria.compile import compile_node
from frameworks.definition import Candidate, Definition
from frameworks.models import Dimension, FrameworkVersion

# Stands in compiled SQL for the run's instant: no literal can be earlier than the year 1900.
AS_OF = datetime(1, 1, 1, tzinfo=UTC)

_ACCOUNT_COLUMNS = [field.column for field in Account._meta.concrete_fields]


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
        query = Account.objects.all().query
        sql, values = query.get_compiler(connection=connection).compile(expression.resolve_expression(query))
        pieces = sql.split("%s")
        placed = [piece + self.add(value) for piece, value in zip(pieces, values, strict=False)]
        return "".join([*placed, *pieces[len(values) :]])


@dataclass(frozen=True)
class DimensionPlan:
    """One dimension, ready to be written as SQL; `index` numbers its columns."""

    index: int
    level: int
    dimension_id: int
    key: str
    hit_policy: str
    is_provisional_allowed: bool
    segment_ids: Mapping[str, int]
    fallback: str | None
    candidates: list[Candidate]
    is_read: bool = False

    @property
    def size(self) -> int:
        return len(self.candidates)

    def code(self, outcome: str) -> int:
        """The code of an outcome that names no candidate."""
        order = (Reason.FALLBACK, Reason.NO_MATCH, Reason.MISSING_DATA, Reason.CONFLICT, Reason.EXCLUDED)
        return 2 * self.size + 1 + order.index(Reason(outcome))

    def segments_by_code(self) -> list[int]:
        """Ids for the codes that place an account; other codes lie behind the end, where SQL reads NULL."""
        ids = [self.segment_ids[candidate.segment_key] for candidate in self.candidates] * 2
        return [*ids, self.segment_ids[self.fallback]] if self.fallback else ids

    def rules_by_code(self) -> list[str]:
        keys = [candidate.key for candidate in self.candidates] * 2
        return [*keys, "", "", "", "", ""]

    def reasons_by_code(self) -> list[str]:
        unplaced = [Reason.FALLBACK, Reason.NO_MATCH, Reason.MISSING_DATA, Reason.CONFLICT, Reason.EXCLUDED]
        placed = [Reason.MATCHED] * self.size + [Reason.PROVISIONAL] * self.size
        return [str(reason.value) for reason in (*placed, *unplaced)]


@dataclass
class FrameworkPlan:
    """A version compiled: its dimensions in topological order and the query that evaluates them.

    The engine puts its own condition where `{accounts}` and `{overrides:v0}` stand in `query`. `columns` are,
    by the dimension's index, the rule, reason, missing attributes and losers of the outcome.
    """

    version_id: int
    framework_id: int
    definition: Definition
    dimensions: list[DimensionPlan]
    query: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    columns: dict[int, list[str]] = field(default_factory=dict)

    @cached_property
    def explaining(self) -> tuple[str, dict[str, Any]]:
        """The query of an explanation and its parameters, one row per account.

        Its id; then per dimension computed and effective segment id, rule, reason, missing, losers, and an array of
        node verdicts for each candidate, in the order of `walk`. Arrays, because a select has 1,664 columns at most.
        """
        writer = Writer(self.definition, _resolver(self.definition, self.dimensions))
        query = writer.all_levels(self.dimensions)
        columns = ['"accounts_account".id']
        for d in self.dimensions:
            columns += [f"s{d.index}", f"e{d.index}", *writer.outcome_columns(d)]
            for candidate in d.candidates:
                verdicts = ", ".join(writer.compiled(node) for node in walk(candidate.criteria.root))
                columns.append(f"ARRAY[{verdicts}]::boolean[]")
        text = f'SELECT {", ".join(columns)} FROM ({query}) AS "accounts_account"'
        return with_columns_read(text, text), writer.parameters.values


def compile_version(version: FrameworkVersion, definition: Definition) -> FrameworkPlan:
    """Compile a version. Its dimensions and segments must have identity rows (drafting makes them)."""
    return _compiled(version.pk, version.framework_id, definition, plan_dimensions(version, definition))


def compile_definition(definition: Definition) -> FrameworkPlan:
    """Compile parts that are no stored version, for hypothetical accounts only: its ids are made up."""
    numbers = count(1)
    identities = {
        key: (next(numbers), {short: next(numbers) for short in body.segments})
        for key, body in definition.dimensions.items()
    }
    return _compiled(0, 0, definition, ordered_dimensions(definition, identities))


def _compiled(
    version_id: int, framework_id: int, definition: Definition, dimensions: list[DimensionPlan]
) -> FrameworkPlan:
    writer = Writer(definition, _resolver(definition, dimensions))
    query = writer.all_levels(dimensions)
    columns = {d.index: writer.outcome_columns(d) for d in dimensions}
    query = with_columns_read(query, " ".join([query, *(text for texts in columns.values() for text in texts)]))
    return FrameworkPlan(version_id, framework_id, definition, dimensions, query, writer.parameters.values, columns)


def with_columns_read(query: str, text: str) -> str:
    """The query with the columns of the account's table that `text` names put where `{columns}` stands."""
    named = set(re.findall(r'"accounts_account"\."(\w+)"', text))
    read = [column for column in _ACCOUNT_COLUMNS if column in named or column == "id"]
    return query.replace("{columns}", ", ".join(f'"accounts_account"."{column}"' for column in read))


def _resolver(definition: Definition, dimensions: list[DimensionPlan]) -> AccountResolver:
    return AccountResolver(definition.attributes, {d.key: f"k{d.index}" for d in dimensions})


def plan_dimensions(version: FrameworkVersion, definition: Definition) -> list[DimensionPlan]:
    """The dimensions in topological order, with the ids of their identity rows."""
    rows = Dimension.objects.filter(framework_id=version.framework_id).prefetch_related("segments")
    return ordered_dimensions(
        definition, {row.key: (row.pk, {segment.key: segment.pk for segment in row.segments.all()}) for row in rows}
    )


def ordered_dimensions(
    definition: Definition, identities: Mapping[str, tuple[int, Mapping[str, int]]]
) -> list[DimensionPlan]:
    """The dimensions in topological order; `identities` has each one's id and those of its segments, by key."""
    candidates = {key: definition.candidates(key) for key in definition.dimensions}
    reads = {key: _dimensions_read(found) for key, found in candidates.items()}
    levels = topological_levels(reads)
    read = {other for others in reads.values() for other in others}
    plans = []
    ordered = sorted(definition.dimensions, key=lambda key: (levels[key], identities[key][0]))
    for index, key in enumerate(ordered):
        body, (dimension_id, ids) = definition.dimensions[key], identities[key]
        plans.append(
            DimensionPlan(
                index=index,
                level=levels[key],
                dimension_id=dimension_id,
                key=key,
                hit_policy=body.hit_policy,
                is_provisional_allowed=body.undetermined_higher == "provisional",
                segment_ids={short: ids[short] for short in body.segments},
                fallback=body.fallback,
                candidates=candidates[key],
                is_read=key in read,
            )
        )
    return plans


def _dimensions_read(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(key for candidate in candidates for key in dimensions_used(candidate.criteria.root))


def topological_levels(reads: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Level 0 reads no other dimension, level n only lower ones. Raises ValueError naming a cycle."""
    levels: dict[str, int] = {}

    def visit(key: str, path: tuple[str, ...]) -> int:
        if key in path:
            raise ValueError(f"Dimensions read each other in a circle: {' → '.join((*path[path.index(key) :], key))}")
        if key not in levels:
            levels[key] = max((visit(other, (*path, key)) + 1 for other in reads.get(key, ())), default=0)
        return levels[key]

    for key in sorted(reads):
        visit(key, ())
    return levels


@dataclass
class Writer:
    """Writes the selects of one version, collecting their parameters. No text of a person's becomes SQL."""

    definition: Definition
    resolver: AccountResolver
    parameters: Parameters = field(default_factory=Parameters)

    def compiled(self, node: Node) -> str:
        """One node's verdict as SQL over the alias `accounts_account`."""
        as_of = Value(AS_OF, output_field=DateTimeField())
        verdict = compile_node(
            node,
            resolver=self.resolver,
            as_of=as_of,
            zone=self.definition.zone,
            start_month=self.definition.start_month,
        )
        return self.parameters.write(verdict)

    # --- the three selects of each level

    def all_levels(self, dimensions: list[DimensionPlan]) -> str:
        query = (
            "SELECT {columns}, "
            '("accounts_account".exclusion <> \'\' OR "accounts_account".deleted_at IS NOT NULL) AS is_excluded '
            'FROM "accounts_account" WHERE {accounts}'
        )
        for level in sorted({d.level for d in dimensions}):
            here = [d for d in dimensions if d.level == level]
            query = _over(query, [column for d in here for column in self._verdicts(d)])
            query = _over(query, [f"{outcome_sql(d)} AS o{d.index}" for d in here])
            query = self._with_segments(query, here)
        return query

    def _verdicts(self, d: DimensionPlan) -> list[str]:
        return [
            f"{self.compiled(candidate.criteria.root)} AS c{d.index}_{place}"
            for place, candidate in enumerate(d.candidates, 1)
        ]

    def _with_segments(self, query: str, dimensions: list[DimensionPlan]) -> str:
        columns, joins = [], ""
        for d in dimensions:
            n = d.index
            computed = f"({self.parameters.add(d.segments_by_code())}::int[])[o{n}]"
            end = f"COALESCE(v{n}.ended_at, v{n}.valid_until)"
            # An override in force counts before the rules, an exclusion before the override.
            joins += (
                f' LEFT JOIN accounts_override v{n} ON v{n}.account_id = "accounts_account".id'
                f" AND v{n}.dimension_id = {d.dimension_id} AND v{n}.valid_from <= %(as_of)s"
                f" AND %(as_of)s < {end} AND {{overrides:v{n}}}"
            )
            columns += [
                f"{computed} AS s{n}",
                f'CASE WHEN NOT "accounts_account".is_excluded THEN COALESCE(v{n}.segment_id, {computed}) END AS e{n}',
                # One that ends early, while an evaluation with an older `as_of` still counts it, ends then.
                f'CASE WHEN NOT "accounts_account".is_excluded THEN {end} END AS u{n}',
            ]
        query = _over(query, columns, joins)
        keys = [f"{self._key_of_effective(d)} AS k{d.index}" for d in dimensions if d.is_read]
        return _over(query, keys) if keys else query

    def _key_of_effective(self, d: DimensionPlan) -> str:
        cases = " ".join(f"WHEN {pk} THEN {self.parameters.add(key)}" for key, pk in d.segment_ids.items())
        # An override may still name a segment this version has retired: none of the listed, but not Unassigned.
        return f"CASE e{d.index} {cases} WHEN e{d.index} THEN '' END"

    # --- what is said about an outcome

    def outcome_columns(self, d: DimensionPlan) -> list[str]:
        """Rule key, reason, missing attributes and losing segments, in that order."""
        rules = self.parameters.text_array(d.rules_by_code())
        reasons = self.parameters.text_array(d.reasons_by_code())
        return [f"({rules})[o{d.index}]", f"({reasons})[o{d.index}]", self._missing(d), self._losers(d)]

    def _missing(self, d: DimensionPlan) -> str:
        """Attributes (and dimensions) that would decide: read by a candidate that could still win, and missing."""
        readers: dict[str, list[str]] = {}
        for place, candidate in enumerate(d.candidates, 1):
            root = candidate.criteria.root
            for key in (*attributes_used(root), *dimensions_used(root)):
                readers.setdefault(key, []).append(_could_win(d, place))
        if not readers:
            return "'{}'::text[]"
        items = ", ".join(
            f"CASE WHEN ({' OR '.join(unknown)}) AND {self._is_missing(key, d)} THEN {self.parameters.add(key)} END"
            for key, unknown in sorted(readers.items())
        )
        unsure = f"o{d.index} BETWEEN {d.size + 1} AND {2 * d.size} OR o{d.index} = {d.code(Reason.MISSING_DATA)}"
        return f"CASE WHEN {unsure} THEN array_remove(ARRAY[{items}]::text[], NULL) ELSE '{{}}'::text[] END"

    def _is_missing(self, key: str, d: DimensionPlan) -> str:
        if key not in self.definition.attributes:
            return f"{self.resolver.segment_columns[key]} IS NULL"
        leaf = {"schema": "criteria/1", "root": {"id": "m", "op": "is_missing", "attribute": key}}
        return self.compiled(self.definition.criteria_of(d.key, leaf).root)

    def _losers(self, d: DimensionPlan) -> str:
        """Segments whose rules are true as well but did not win, as a text array; built only where there is one."""
        by_segment = _verdict_by_segment(d)
        if len(by_segment) < 2:
            return "'{}'::text[]"
        checks = [f"WHEN {d.code(Reason.CONFLICT)} THEN true"]
        for place, candidate in enumerate(d.candidates, 1):
            others = " OR ".join(f"({v})" for segment, v in by_segment.items() if segment != candidate.segment_key)
            checks.append(f"WHEN {place} THEN {others} WHEN {d.size + place} THEN {others}")
        items = ", ".join(
            f"CASE WHEN ({verdict}) AND s{d.index} IS DISTINCT FROM {d.segment_ids[segment]}"
            f" THEN {self.parameters.add(segment)} END"
            for segment, verdict in by_segment.items()
        )
        exists = f"CASE o{d.index} {' '.join(checks)} END"
        return f"CASE WHEN {exists} THEN array_remove(ARRAY[{items}]::text[], NULL) ELSE '{{}}'::text[] END"


def _over(query: str, columns: Iterable[str], joins: str = "") -> str:
    selected = ", ".join(['"accounts_account".*', *columns])
    return f'SELECT {selected} FROM ({query}) AS "accounts_account"{joins} OFFSET 0'


def outcome_sql(d: DimensionPlan) -> str:
    """The outcome code of one dimension from its candidates' booleans, as one CASE."""
    unknown_others = [_unknown_rivals(d, place) for place in range(1, d.size + 1)]
    lines = [f'WHEN "accounts_account".is_excluded THEN {d.code(Reason.EXCLUDED)}']
    if d.hit_policy == "unique":
        lines += [f"WHEN {pair} THEN {d.code(Reason.CONFLICT)}" for pair in _true_pairs(d)]
    for place, rivals in enumerate(unknown_others, 1):
        unsure = d.size + place if d.is_provisional_allowed else d.code(Reason.MISSING_DATA)
        result = f"CASE WHEN {rivals} THEN {unsure} ELSE {place} END" if rivals else str(place)
        lines.append(f"WHEN c{d.index}_{place} THEN {result}")
    unknown = " OR ".join(f"c{d.index}_{place} IS NULL" for place in range(1, d.size + 1))
    if unknown:
        lines.append(f"WHEN {unknown} THEN {d.code(Reason.MISSING_DATA)}")
    otherwise = d.code(Reason.FALLBACK if d.fallback else Reason.NO_MATCH)
    return f"CASE {' '.join(lines)} ELSE {otherwise} END"


def _unknown_rivals(d: DimensionPlan, place: int) -> str:
    """Candidates of other segments that could still win over the one at `place`, as SQL; empty when none can."""
    reach = range(1, d.size + 1) if d.hit_policy == "unique" else range(1, place)
    own = d.candidates[place - 1].segment_key
    return " OR ".join(f"c{d.index}_{other} IS NULL" for other in reach if d.candidates[other - 1].segment_key != own)


def _could_win(d: DimensionPlan, place: int) -> str:
    """The candidate at `place` is unknown, and nothing that is true keeps it from winning, as SQL."""
    own, is_unique = d.candidates[place - 1].segment_key, d.hit_policy == "unique"
    places = [
        (other, candidate.segment_key != own and (is_unique or other > place))
        for other, candidate in enumerate(d.candidates, 1)
        if other != place
    ]
    while places and places[-1][1]:
        places.pop()
    if not places:
        return f"c{d.index}_{place} IS NULL"
    # The first that is true would be the winner.
    cases = " ".join(f"WHEN c{d.index}_{other} THEN {could}" for other, could in places)
    return f"(c{d.index}_{place} IS NULL AND CASE {cases} ELSE true END)"


def _true_pairs(d: DimensionPlan) -> list[str]:
    by_segment = _verdict_by_segment(d)
    segments = list(by_segment)
    return [
        f"(({by_segment[one]}) AND ({' OR '.join(by_segment[other] for other in segments[place + 1 :])}))"
        for place, one in enumerate(segments[:-1])
    ]


def _verdict_by_segment(d: DimensionPlan) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for place, candidate in enumerate(d.candidates, 1):
        found.setdefault(candidate.segment_key, []).append(f"c{d.index}_{place}")
    return {segment: " OR ".join(columns) for segment, columns in found.items()}
