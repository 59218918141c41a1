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
class SegmentFigures:
    """One segment's accounts, those that churned, and over those with ARR the sums of ln(1 + ARR) and its square."""

    accounts: int = 0
    churned: int = 0
    with_arr: int = 0
    arr_sum: float = 0.0
    arr_squares: float = 0.0

    @property
    def mean_arr(self) -> float:
        return self.arr_sum / self.with_arr if self.with_arr else 0.0

    @property
    def variance_arr(self) -> float:
        left = self.arr_squares - self.with_arr * self.mean_arr**2
        return max(left, 0.0) / (self.with_arr - 1) if self.with_arr > 1 else 0.0

    def plus(self, other: SegmentFigures) -> SegmentFigures:
        return SegmentFigures(
            self.accounts + other.accounts,
            self.churned + other.churned,
            self.with_arr + other.with_arr,
            self.arr_sum + other.arr_sum,
            self.arr_squares + other.arr_squares,
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
    plan = compile_definition(_with_questions(definition, questions))
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


def _with_questions(definition: Definition, questions: Sequence[Mapping[str, Any]]) -> Definition:
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


_FIGURES = """
{query}
SELECT CASE {which} END, CASE {segment} END, CASE {reason} END, count(*), count(*) FILTER (WHERE a.stage = 'churned'),
    count(a.arr), coalesce(sum(ln(1 + a.arr)), 0)::float8, coalesce(sum(ln(1 + a.arr) * ln(1 + a.arr)), 0)::float8
FROM (SELECT id, {columns} FROM evaluated AS "accounts_account" WHERE NOT is_excluded) e
JOIN accounts_account a ON a.id = e.id
GROUP BY GROUPING SETS ({sets})
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
    accounts, churned, known, amount, squares = numbers
    return SegmentFigures(accounts, churned, known, float(amount), float(squares))
