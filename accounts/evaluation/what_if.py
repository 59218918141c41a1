"""What the rules would say of an account of which something else was known. Nothing is written.

The account as it is and the account as it is supposed are two rows of one statement, the engine's own: "now" and
"then" cannot be judged by different rules. Where the account stands counts, and so do overrides in force.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.evaluation.altering import Alteration, altered
from accounts.evaluation.engine import active_plans
from accounts.evaluation.explain import DimensionExplanation, effective_of, explain_outcomes
from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.evaluation.nearest import prior_of
from accounts.evaluation.past import facts_now
from accounts.evaluation.seen import Seen
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account


@dataclass(frozen=True)
class Standing:
    """What the rules say, and the segment that counts: another one where an override is in force or a move waits."""

    why: DimensionExplanation
    counted: str | None
    counted_label: str


@dataclass(frozen=True)
class Supposed:
    """One dimension, as it is and as it would be."""

    framework_id: int
    key: str
    label: str
    now: Standing
    then: Standing

    @property
    def moves(self) -> bool:
        """The rules would say another segment."""
        return self.now.why.segment != self.then.why.segment

    @property
    def counts(self) -> bool:
        """Another segment would count."""
        return self.now.counted != self.then.counted


def what_if(*, account: Account, changes: Iterable[Alteration], at: datetime) -> list[Supposed]:
    """Every dimension of every active version, in the framework's order; `at` is now.

    Raises DataError for values that cannot be read.
    """
    facts = facts_now(account.pk, at)
    then = altered(facts, changes, at)
    return [each for plan in active_plans() for each in _by_plan(plan, account, facts, then, at)]


def _by_plan(
    plan: FrameworkPlan, account: Account, facts: Mapping[str, Any], then: Mapping[str, Any], at: datetime
) -> list[Supposed]:
    prior = prior_of(account, plan)
    rows = [facts, then]
    said = evaluate_rows(plan=plan, rows=rows, as_of=at, prior=[prior, prior])
    explained = [
        explain_outcomes(
            plan, outcomes, Seen(_as_account(row), plan.definition, effective_of(outcomes), at, beside=row)
        )
        for row, outcomes in zip(rows, said, strict=True)
    ]
    return [
        Supposed(
            plan.framework_id,
            now.key,
            now.label,
            _standing(plan, now, said[0][now.key]),
            _standing(plan, would, said[1][would.key]),
        )
        for now, would in zip(*explained, strict=True)
    ]


def _standing(plan: FrameworkPlan, why: DimensionExplanation, outcome: HypotheticalOutcome) -> Standing:
    labels = plan.definition.labels[why.key].segments
    return Standing(why, outcome.effective, labels[outcome.effective] if outcome.effective else "Unassigned")


def _as_account(row: Mapping[str, Any]) -> Account:
    """The row as people are shown it; never saved."""
    fields = {str(field.column): field for field in Account._meta.concrete_fields}
    account = Account(
        **{
            field.attname: field.to_python(row[column])
            for column, field in fields.items()
            if row.get(column) is not None and not field.is_relation
        }
    )
    if row.get("parent") is not None:
        account.ultimate_parent = _as_account(row["parent"])
    return account
