"""What live accounts say about a version's rules: how many are in a region, in a segment, known at all.

The accounts are evaluated as if for the first time: by the rules alone, without overrides and without what they
were before. Every question is a criteria document; all of them are answered in one pass over the accounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DataError, connection, transaction

from accounts.evaluation.engine import unreadable_accounts
from accounts.evaluation.facts import RANGE
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan, compile_definition
from accounts.models import Account
from accounts.models.account import LISTED
from frameworks.definition import Definition

QUESTIONS = "live_questions"
_RULES_PER_SEGMENT = 50
_LISTED_SQL = (
    '"accounts_account".deleted_at IS NULL AND "accounts_account".merged_into_id IS NULL'
    ' AND "accounts_account".id <> ALL(%(unreadable)s)'
)
# No override, and nothing known of the past: the tables are there, and empty.
_IN_FRONT = (
    "WITH accounts_override AS (SELECT * FROM accounts_override WHERE false),"
    " accounts_assignment AS (SELECT * FROM accounts_assignment WHERE false),"
    " evaluated AS MATERIALIZED ({query}) "
)


@dataclass(frozen=True)
class Answer:
    """How many accounts a question is true of, and two of them (primary keys)."""

    accounts: int
    examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Moments:
    """How many values there are, their sum and the sum of their squares: all that a test of two means needs."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        left = self.squares - self.count * self.mean**2
        return max(left, 0.0) / (self.count - 1) if self.count > 1 else 0.0

    def plus(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True)
class SegmentFigures:
    """One segment's accounts, those that churned, and what is known of their outcomes.

    `arr` are the moments of ln(1 + ARR). `retention` those of ln(1 + r), where r is an account's ARR at the end of
    its newest closed period over that a year before; `opening` and `closing` are the sums that NRR is made of.
    `win_rate` are the moments of the newest closed value of that metric.
    """

    accounts: int = 0
    churned: int = 0
    arr: Moments = Moments()
    retention: Moments = Moments()
    opening: float = 0.0
    closing: float = 0.0
    win_rate: Moments = Moments()

    @property
    def nrr(self) -> float:
        return self.closing / self.opening if self.opening else 0.0

    def plus(self, other: SegmentFigures) -> SegmentFigures:
        return SegmentFigures(
            self.accounts + other.accounts,
            self.churned + other.churned,
            self.arr.plus(other.arr),
            self.retention.plus(other.retention),
            self.opening + other.opening,
            self.closing + other.closing,
            self.win_rate.plus(other.win_rate),
        )


@dataclass
class Live:
    """Figures over all listed accounts that are not excluded.

    `answers` are in the order of the questions. `figures` by dimension and segment (None: Unassigned); `reasons` by
    dimension and reason.
    """

    accounts: int = 0
    answers: list[Answer] = field(default_factory=list)
    figures: dict[str, dict[str | None, SegmentFigures]] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    names: dict[int, tuple[str, str]] = field(default_factory=dict)

    def named(self, answer: Answer) -> tuple[tuple[str, str], ...]:
        return tuple(self.names[pk] for pk in answer.examples if pk in self.names)


def ask_live(definition: Definition, questions: Sequence[Mapping[str, Any]], *, as_of: datetime) -> Live:
    """Answer the questions (root nodes over the definition's attributes and dimensions) and count segments."""
    if not Account.objects.filter(LISTED).exists():
        return Live()
    plan = compile_definition(with_questions(definition, questions))
    # By the rule's key: the plan may have ordered the made-up dimensions otherwise than they were numbered.
    columns = {
        candidate.key.partition("/")[2]: f"c{d.index}_{place}"
        for d in plan.dimensions
        if d.key.startswith(QUESTIONS)
        for place, candidate in enumerate(d.candidates, 1)
    }
    picked = [columns[f"q{n}"] for n in range(len(questions))]
    try:
        live = _asked(plan, as_of, picked, unreadable=[])
    except DataError:
        # They are left out here as a run leaves them Unassigned; all others are counted.
        live = _asked(plan, as_of, picked, unreadable=unreadable_accounts(plan=plan, as_of=as_of))
    pks = {pk for answer in live.answers for pk in answer.examples}
    live.names = {pk: (str(uuid), name) for pk, uuid, name in _names(pks)}
    return live


def _asked(plan: FrameworkPlan, as_of: datetime, picked: Sequence[str], *, unreadable: list[int]) -> Live:
    given = {**plan.parameters, "as_of": as_of, "unreadable": unreadable}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        return _counted(cursor, _in_front(plan), plan, given, picked)


def _names(pks: set[int]) -> Any:
    return Account.objects.filter(pk__in=pks).values_list("pk", "uuid", "name")


def with_questions(definition: Definition, questions: Sequence[Mapping[str, Any]]) -> Definition:
    bodies: dict[tuple[str, str], Mapping[str, Any]] = dict(definition.bodies)
    for start in range(0, len(questions), _RULES_PER_SEGMENT):
        key = f"{QUESTIONS}_{start}"
        rules = [
            {"key": f"q{start + n}", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
            for n, root in enumerate(questions[start : start + _RULES_PER_SEGMENT])
        ]
        bodies["dimension", key] = {"label": "Questions", "hit_policy": "ranked", "segments": ["asked"]}
        bodies["segment", f"{key}/asked"] = {"label": "Asked", "dimension": key, "rules": rules}
    return Definition(bodies)


def _in_front(plan: FrameworkPlan) -> str:
    query = plan.query.replace("{accounts}", _LISTED_SQL)
    for d in plan.dimensions:
        query = query.replace(f"{{overrides:v{d.index}}}", "false").replace(f"{{prior:{d.index}}}", "true")
    query = RANGE.sub("true", query)
    return _IN_FRONT.replace("{query}", query)


def _counted(cursor: Any, query: str, plan: FrameworkPlan, given: Mapping[str, Any], picked: Sequence[str]) -> Live:
    aggregates = [
        f"count(*) FILTER (WHERE {c}), min(id) FILTER (WHERE {c}), max(id) FILTER (WHERE {c})" for c in picked
    ]
    cursor.execute(f"{query} SELECT {', '.join(['count(*)', *aggregates])} FROM evaluated WHERE NOT is_excluded", given)
    total, *rest = cursor.fetchone()
    answers = [
        Answer(rest[n], tuple(dict.fromkeys(pk for pk in rest[n + 1 : n + 3] if pk is not None)))
        for n in range(0, len(rest), 3)
    ]
    live = Live(total, answers)
    real = [d for d in plan.dimensions if not d.key.startswith(QUESTIONS)]
    cursor.execute(_figures_sql(query, plan, real), given)
    for index, segment_id, reason, *numbers in cursor.fetchall():
        _add(live, next(d for d in real if d.index == index), segment_id, reason, numbers)
    return live


# The same quarter, month or year one year earlier ends on the last day of the same month.
_YEAR_BEFORE = "(date_trunc('month', {s}.ends[1]) - interval '11 months' - interval '1 day')::date"
_GRAINS = {"q": "fiscal_quarter", "m": "month", "y": "fiscal_year"}
_JOINS = " ".join(
    f"LEFT JOIN accounts_metricseries {name}{grain} ON {name}{grain}.metric = '{metric}'"
    f" AND {name}{grain}.grain = '{of}' AND {name}{grain}.account_id = a.id"
    f" AND {name}{grain}.ends[1] > %(as_of)s::date - 366"
    for name, metric in (("arr_", "arr"), ("win_", "win_rate"))
    for grain, of in _GRAINS.items()
)
_OPENING = ", ".join(
    f"CASE WHEN arr_{grain}.account_id IS NOT NULL THEN"
    f" coalesce(arr_{grain}.values[array_position(arr_{grain}.ends, {_YEAR_BEFORE.format(s='arr_' + grain)})], 0) END"
    for grain in _GRAINS
)
_CLOSING = ", ".join(f"arr_{grain}.values[1]" for grain in _GRAINS)
_WON = ", ".join(f"win_{grain}.values[1]" for grain in _GRAINS)
# An account is read by its finest useful grain: quarters before months before years, for both ends of its year.
# A year that began without ARR says nothing of retention.
_FIGURES = f"""
{{query}}
SELECT CASE {{which}} END, CASE {{segment}} END, CASE {{reason}} END,
    count(*), count(*) FILTER (WHERE stage = 'churned'),
    count(arr), coalesce(sum(ln(1 + arr)), 0)::float8, coalesce(sum(ln(1 + arr) * ln(1 + arr)), 0)::float8,
    count(r), coalesce(sum(ln(1 + r)), 0)::float8, coalesce(sum(ln(1 + r) * ln(1 + r)), 0)::float8,
    coalesce(sum(opening) FILTER (WHERE r IS NOT NULL), 0)::float8,
    coalesce(sum(closing) FILTER (WHERE r IS NOT NULL), 0)::float8,
    count(won), coalesce(sum(won), 0)::float8, coalesce(sum(won * won), 0)::float8
FROM (
    SELECT k.*, CASE WHEN opening > 0 AND closing >= 0 THEN closing / opening END AS r FROM (
        SELECT e.*, a.stage, a.arr, coalesce({_OPENING}) AS opening, coalesce({_CLOSING}) AS closing,
            coalesce({_WON}) AS won
        FROM (SELECT id, {{columns}} FROM evaluated AS "accounts_account" WHERE NOT is_excluded) e
        JOIN accounts_account a ON a.id = e.id {_JOINS}
    ) k
) known
GROUP BY GROUPING SETS ({{sets}})
"""


def _figures_sql(query: str, plan: FrameworkPlan, dimensions: Sequence[DimensionPlan]) -> str:
    """All dimensions in one pass: a row per dimension, segment and reason."""
    numbers = [d.index for d in dimensions]

    def cases(result: str) -> str:
        return " ".join(f"WHEN grouping(s{n}) = 0 THEN {result.format(n=n)}" for n in numbers)

    pieces = {
        "{query}": query,
        "{which}": cases("{n}"),
        "{segment}": cases("s{n}"),
        "{reason}": cases("r{n}"),
        "{columns}": ", ".join(f"s{n}, {plan.columns[n][1]} AS r{n}" for n in numbers),
        "{sets}": ", ".join(f"(s{n}, r{n})" for n in numbers),
    }
    text = _FIGURES
    for place, piece in pieces.items():
        text = text.replace(place, piece)
    return text


def _add(live: Live, d: DimensionPlan, segment_id: int | None, reason: str, numbers: Sequence[Any]) -> None:
    """Segments that accounts reach for several reasons are added up."""
    key = next((short for short, pk in d.segment_ids.items() if pk == segment_id), None)
    figures, reasons = live.figures.setdefault(d.key, {}), live.reasons.setdefault(d.key, {})
    more = _figures(numbers)
    figures[key] = figures[key].plus(more) if key in figures else more
    reasons[reason] = reasons.get(reason, 0) + numbers[0]


def _figures(numbers: Sequence[Any]) -> SegmentFigures:
    accounts, churned, *rest = numbers
    opening, closing = rest[6:8]
    return SegmentFigures(
        accounts, churned, Moments(*rest[:3]), Moments(*rest[3:6]), opening, closing, Moments(*rest[8:11])
    )
