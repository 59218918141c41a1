"""The one statement behind runs, single evaluations and previews: what the rules say now, where that differs from what
is stored, and how the difference is written or counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.evaluation.effective import uncovered
from accounts.evaluation.facts import RANGE
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.prior import today_id
from accounts.evaluation.stages import FrameworkPlan

BUCKET = 1000
"""Accounts that share an advisory lock."""


@dataclass(frozen=True)
class Scope:
    """Which accounts an evaluation reads: a key range [low, high), a list of ids, or the movers of a run in a range."""

    low: int = 0
    high: int = 0
    ids: tuple[int, ...] | None = None
    movers_of: int | None = None

    def condition(self, column: str) -> str:
        """Both sides of every join get the condition: the planner does not carry a range across a left join."""
        if self.ids is not None:
            return f"{column} = ANY(%(ids)s)"
        condition = f"{column} >= %(low)s AND {column} < %(high)s"
        if self.movers_of is not None:
            condition += (
                f" AND {column} IN (SELECT account_id FROM accounts_runmove WHERE run_id = %(movers_of)s"
                " AND account_id >= %(low)s AND account_id < %(high)s)"
            )
        return condition

    def narrow(self, query: str, plan: FrameworkPlan) -> str:
        """Put the condition where a plan's query leaves room for it."""
        query = query.replace("{accounts}", self.condition('"accounts_account".id'))
        for d in plan.dimensions:
            query = query.replace(f"{{overrides:v{d.index}}}", self.condition(f"v{d.index}.account_id"))
            query = query.replace(f"{{prior:{d.index}}}", self.condition(f"prior{d.index}.account_id"))
        return RANGE.sub(lambda found: self.condition(found[1]), query)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "ids": list(self.ids or ()), "movers_of": self.movers_of}

    @property
    def buckets(self) -> Sequence[int]:
        if self.ids is not None:
            return sorted({pk // BUCKET for pk in self.ids})
        return range(self.low // BUCKET, (self.high - 1) // BUCKET + 1)


# --- what differs


_SAID = ("rule", "reason", "missing", "losers")
_STORED = {
    "s": "computed_id",
    "e": "effective_id",
    "w": "without_override_id",
    "u": "override_until",
    "rule": "rule_key",
    "reason": "reason",
    "missing": "missing",
    "losers": "conflict",
}
# What an outcome keeps of the row before it.
_KEPT = {
    "was_s": "computed_id",
    "was_e": "effective_id",
    "was_version": "version",
    "was_since": "effective_since",
    "was_computed_since": "computed_since",
    "was_decided": "decided_with",
    "was_released": "released_id",
    "was_decided_by": "framework_version_id",
    "was_changed": "changed_at",
}


def _compared(d: DimensionPlan, plan: FrameworkPlan) -> list[str]:
    """Columns of one dimension: what the rules say now, and when time alone may say something else."""
    n = d.index
    flip = [f"{plan.flips[n]} AS flip{n}"] if n in plan.flips else []
    return [
        f"s{n}, e{n}, u{n}, CASE WHEN u{n} IS NOT NULL THEN {uncovered(d)} END AS w{n}",
        *(f"{sql} AS {name}{n}" for sql, name in zip(plan.columns[n], _SAID, strict=True)),
        *([f"held{n}"] if d.is_reviewed else []),
        *flip,
    ]


def _says_else(d: DimensionPlan) -> str:
    """Whether the outcome differs from the stored one in anything that is said of it."""
    n, stored = d.index, dict(_STORED)
    if d.is_reviewed:
        stored["held"] = "is_held"
    pairs = " OR ".join(f"t.{now}{n} IS DISTINCT FROM x{n}.{column}" for now, column in stored.items())
    return f"(x{n}.account_id IS NULL OR {pairs})"


def _differs(d: DimensionPlan, plan: FrameworkPlan) -> str:
    n = d.index
    if n not in plan.flips:
        return _says_else(d)
    return f"({_says_else(d)} OR t.flip{n} IS DISTINCT FROM x{n}.next_flip_at)"


def changed_sql(plan: FrameworkPlan, scope: Scope) -> str:
    """CTEs ending in `changed`: one row per account and dimension whose outcome differs from the stored one.

    Joined wide and unpivoted after the filter: unpivoting every account first costs twice as much. UNION ALL over
    the materialised rows, because the planner misjudges LATERAL VALUES.
    """
    query = scope.narrow(plan.query, plan)
    now = ", ".join(column for d in plan.dimensions for column in _compared(d, plan))
    joins = " ".join(
        f"LEFT JOIN accounts_assignment x{d.index} ON x{d.index}.account_id = t.id"
        f" AND x{d.index}.dimension_id = {d.dimension_id} AND {scope.condition(f'x{d.index}.account_id')}"
        for d in plan.dimensions
    )
    stored = ", ".join(column for d in plan.dimensions for column in _stored(d, plan))
    any_differs = " OR ".join(_differs(d, plan) for d in plan.dimensions)
    rows = " UNION ALL ".join(_unpivoted(d, plan) for d in plan.dimensions)
    return (
        f"WITH {f'{plan.midnights}, ' if plan.midnights else ''}"
        f'outcome AS (SELECT id, version AS facts, {now} FROM ({query}) AS "accounts_account" OFFSET 0), '
        f"differing AS MATERIALIZED (SELECT t.*, {stored} FROM outcome t {joins} WHERE {any_differs}), "
        f"changed AS MATERIALIZED ({rows})"
    )


def _stored(d: DimensionPlan, plan: FrameworkPlan) -> list[str]:
    n = d.index
    return [
        f"x{n}.account_id IS NULL AS new{n}",
        *(f"x{n}.{column} AS {name}{n}" for name, column in _KEPT.items()),
        f"{_differs(d, plan)} AS differs{n}",
        f"{_says_else(d)} AS says_else{n}",
    ]


def _unpivoted(d: DimensionPlan, plan: FrameworkPlan) -> str:
    n = d.index
    # Under another name it is the same place: since when, and on which facts, goes on being told.
    same = f"NOT new{n} AND {today_id(d, f'was_s{n}')} IS NOT DISTINCT FROM s{n}"
    return (
        f"SELECT id AS account_id, {d.dimension_id} AS dimension_id, s{n} AS computed_id, e{n} AS effective_id,"
        f" w{n} AS without_override_id, u{n} AS override_until, rule{n} AS rule_key, reason{n} AS reason,"
        f" missing{n} AS missing, losers{n} AS conflict, {f'held{n}' if d.is_reviewed else 'false'} AS is_held,"
        f" {f'flip{n}' if n in plan.flips else 'NULL::timestamptz'} AS next_flip_at,"
        f" new{n} AS is_new, says_else{n} AS says_else, was_s{n} AS was_computed, was_e{n} AS was_effective,"
        # A row that only learns when to be looked at again is no new version of what is said.
        f" COALESCE(was_version{n}, 0) + says_else{n}::int AS version,"
        f" CASE WHEN NOT says_else{n} THEN was_changed{n} END AS changed_at,"
        f" CASE WHEN NOT says_else{n} THEN was_decided_by{n} END AS decided_by,"
        f" CASE WHEN NOT new{n} AND was_e{n} IS NOT DISTINCT FROM e{n} THEN was_since{n} END AS since,"
        f" {same} AS is_computed_same, was_computed_since{n} AS computed_since, facts,"
        f" CASE WHEN {same} THEN was_decided{n} ELSE facts END AS decided_with,"
        f" CASE WHEN {same} THEN {today_id(d, f'was_released{n}')} END AS released_id"
        f" FROM differing WHERE differs{n}"
    )


# --- written


_WRITTEN = (
    *("account_id", "dimension_id", "computed_id", "effective_id", "without_override_id", "reason", "rule_key"),
    *("missing", "conflict", "is_provisional", "is_held", "override_until", "next_flip_at", "framework_version_id"),
    *("version", "effective_since", "changed_at", "computed_since", "decided_with", "released_id"),
)
_INSERT = f"""
    INSERT INTO accounts_assignment ({", ".join(_WRITTEN)})
    SELECT account_id, dimension_id, computed_id, effective_id, without_override_id, reason, rule_key, missing,
        conflict, reason = 'provisional', is_held, override_until, next_flip_at, COALESCE(decided_by, %(version_id)s),
        version, COALESCE(since, %(as_of)s), COALESCE(changed_at, %(as_of)s),
        CASE WHEN is_computed_same THEN computed_since ELSE %(as_of)s END, decided_with, released_id
    FROM changed"""
# The assignment and its transition are one statement: an account is never half-applied. What is new is inserted
# without asking whether it is there, which saves an eighth of a first run: under the bucket locks nobody else adds it.
APPLY = f"""
, marked AS (SELECT * FROM unnest(%(mark_ids)s::bigint[], %(mark_causes)s::text[]) AS m(account_id, cause)),
mapped AS (SELECT DISTINCT was, now FROM unnest(%(mapped_from)s::int[], %(mapped_to)s::int[]) AS p(was, now)),
added AS ({_INSERT} WHERE is_new),
written AS ({_INSERT} WHERE NOT is_new
    ON CONFLICT (account_id, dimension_id) DO UPDATE SET
        {", ".join(f"{column} = EXCLUDED.{column}" for column in _WRITTEN[2:])}
),
logged AS (
    INSERT INTO accounts_transition (account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key,
        framework_version_id, run_id, version, effective_at, epoch)
    SELECT c.account_id, c.dimension_id, c.was_effective, c.effective_id, c.reason,
        CASE WHEN c.is_new THEN 'initial' WHEN p.was IS NOT NULL THEN 'mapping' ELSE COALESCE(m.cause, %(cause)s) END,
        c.rule_key, %(version_id)s,
        %(run_id)s, c.version, %(as_of)s, (SELECT epoch FROM accounts_feedepoch)
    FROM changed c LEFT JOIN marked m USING (account_id)
        LEFT JOIN mapped p ON p.was = c.was_effective AND p.now = c.effective_id
    WHERE c.is_new OR c.was_effective IS DISTINCT FROM c.effective_id
)
SELECT dimension_id, was_effective, effective_id, count(*) FILTER (WHERE says_else),
    count(*) FILTER (WHERE is_new OR was_effective IS DISTINCT FROM effective_id),
    array_agg(account_id) FILTER (
        WHERE override_until IS NOT NULL AND NOT is_new AND computed_id = effective_id
          AND was_computed IS DISTINCT FROM computed_id),
    count(*)
FROM changed GROUP BY 1, 2, 3
"""
# What is written of an account whose values SQL cannot read.
SET_ASIDE = """
WITH changed AS MATERIALIZED (
    SELECT %(account_id)s::bigint AS account_id, d.id AS dimension_id, NULL::int AS computed_id,
        NULL::int AS effective_id,
        NULL::int AS without_override_id, NULL::timestamptz AS override_until, '' AS rule_key, 'error' AS reason,
        '{}'::text[] AS missing, '{}'::text[] AS conflict, false AS is_held, NULL::timestamptz AS next_flip_at,
        NULL::timestamptz AS changed_at, NULL::bigint AS decided_by,
        x.account_id IS NOT NULL AND x.computed_id IS NULL AS is_computed_same, x.computed_since,
        CASE WHEN x.account_id IS NOT NULL AND x.computed_id IS NULL THEN x.decided_with END AS decided_with,
        NULL::int AS released_id,
        x.account_id IS NULL AS is_new, true AS says_else, x.computed_id AS was_computed,
        x.effective_id AS was_effective, COALESCE(x.version, 0) + 1 AS version,
        CASE WHEN x.effective_id IS NULL THEN x.effective_since END AS since
    FROM unnest(%(dimension_ids)s::int[]) AS d(id)
    LEFT JOIN accounts_assignment x ON x.account_id = %(account_id)s AND x.dimension_id = d.id
    WHERE x.reason IS DISTINCT FROM 'error')
"""


# --- only looked at


PREVIEW = """
, kept AS (
    INSERT INTO accounts_runmove (run_id, account_id, dimension_id, from_segment_id, to_segment_id, reason)
    SELECT %(run_id)s, account_id, dimension_id, was_effective, effective_id, reason FROM changed
)
SELECT dimension_id, was_effective, effective_id, count(*) FILTER (WHERE says_else),
    COALESCE(sum((SELECT arr FROM accounts_account a WHERE a.id = account_id)) FILTER (WHERE says_else), 0), count(*)
FROM changed GROUP BY 1, 2, 3
"""
# The same for what is set aside of a first assignment.
PREVIEW_ONE = """
SELECT dimension_id, was_effective, effective_id, count(*), COALESCE(sum(a.arr), 0), count(*)
FROM changed JOIN accounts_account a ON a.id = account_id GROUP BY 1, 2, 3
"""


def first_sql(plan: FrameworkPlan, scope: Scope) -> str:
    """Of accounts without any assignment: how many with how much ARR each segment would get, in PREVIEW's columns.

    Everything moves, so nothing is compared, and what is said beside the segment need not be worked out.
    """
    segments = ", ".join(f"e{d.index}" for d in plan.dimensions)
    counts = " UNION ALL ".join(
        f"SELECT {d.dimension_id}, NULL::int, e{d.index}, count(*), COALESCE(sum(arr), 0), count(*)"
        f" FROM outcome GROUP BY e{d.index}"
        for d in plan.dimensions
    )
    return (
        f"WITH {f'{plan.midnights}, ' if plan.midnights else ''}"
        f'evaluated AS (SELECT id, {segments} FROM ({scope.narrow(plan.query, plan)}) AS "accounts_account" OFFSET 0), '
        f"outcome AS MATERIALIZED (SELECT evaluated.*, a.arr FROM evaluated JOIN accounts_account a USING (id)"
        f" WHERE {scope.condition('a.id')}) {counts}"
    )
