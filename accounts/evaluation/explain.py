"""Why an account is where it is: every node of every rule with its verdict, the value seen, its source and age.

The verdicts come from the engine's own expressions, one boolean array per rule, so an explanation cannot disagree
with an assignment. Values are read from the account's row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.evaluation.engine import Scope, active_plans
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.seen import Seen
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account, Reason
from frameworks.criteria.ast import DimensionLeaf, ListTest, Node, Sustained
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.english import node_text
from frameworks.criteria.uses import is_on_history
from frameworks.definition import Candidate, CandidateKind, Definition


@dataclass
class VerdictNode:
    """One node as the verdict tree shows it. `verdict` is true, false or unknown."""

    id: str
    text: str
    verdict: str
    value: str = ""
    source: str = ""
    observed_at: datetime | None = None
    note: str = ""
    children: list["VerdictNode"] = field(default_factory=list)


@dataclass
class DimensionExplanation:
    """One dimension's outcome for one account, by the rules of the active version alone.

    `segment` is the computed segment's key, None when Unassigned; `rules` has one tree per candidate rule in the
    order in which they are asked; `missing` are labels of what is missing. `pulled_label` is the segment that an
    account would be in if nothing kept it.
    """

    dimension_id: int
    key: str
    label: str
    hit_policy: str
    segment: str | None
    segment_label: str
    reason: str
    rule_key: str
    missing: list[str]
    losers: list[str]
    rules: list[VerdictNode]
    pulled_label: str = ""

    @property
    def is_provisional(self) -> bool:
        return self.reason == Reason.PROVISIONAL

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if self.reason == Reason.MATCHED:
            return f"{self.segment_label}: its rule is met, and no rule asked before it is."
        if self.reason == Reason.PROVISIONAL:
            unknown = _list(self.missing)
            return f"{self.segment_label}: its rule is met. A higher segment stays open until {unknown} is known."
        if self.reason == Reason.FALLBACK:
            return f"No rule is true; {self.segment_label} takes such accounts."
        if self.reason == Reason.MISSING_DATA:
            return f"Unassigned: it cannot be decided without {_list(self.missing)}."
        if self.reason == Reason.KEPT:
            return f"{self.segment_label}: it stays where it was, although {self.pulled_label} pulls."
        if self.reason == Reason.STEPPED:
            return f"{self.segment_label}: on its way to {self.pulled_label}, a step at a time."
        return {
            Reason.INSUFFICIENT_HISTORY.value: "Unassigned: too few closed periods are known to decide it.",
            Reason.NO_MATCH.value: "Unassigned: every rule is false.",
            Reason.CONFLICT.value: "Unassigned: rules of several segments are true.",
            Reason.EXCLUDED.value: "Unassigned: the account is excluded from segmentation.",
            Reason.ERROR.value: "Unassigned: a value of this account cannot be evaluated.",
        }[self.reason]


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "more data"


def explain_account(*, account: Account, at: datetime) -> list[DimensionExplanation]:
    """Every dimension of every active version, in the framework's order. Raises DataError for unreadable values."""
    found = []
    for plan in active_plans():
        text, parameters = plan.explaining
        scope = Scope(ids=(account.pk,))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL jit = off")
            cursor.execute(scope.narrow(text, plan), {**parameters, **scope.parameters, "as_of": at})
            row = cursor.fetchone()
        if row:
            found += _read(plan, row, account, at)
    return found


def _read(plan: FrameworkPlan, row: tuple[Any, ...], account: Account, at: datetime) -> list[DimensionExplanation]:
    columns = iter(row[1:])
    raw = {}
    for d in plan.dimensions:
        outcome = [next(columns) for _ in range(6)]
        raw[d.key] = (d, outcome, [next(columns) for _ in d.candidates])
    effective = {key: _segment_key(d, outcome[1]) for key, (d, outcome, _) in raw.items()}
    seen = Seen(account, plan.definition, effective, at)
    order = list(plan.definition.dimensions)
    return [_explanation(*raw[key], plan.definition, seen) for key in order if key in raw]


def _segment_key(d: DimensionPlan, segment_id: int | None) -> str | None:
    return next((key for key, pk in d.segment_ids.items() if pk == segment_id), None)


def _explanation(
    d: DimensionPlan, outcome: list[Any], verdicts: list[list[bool | None]], definition: Definition, seen: Seen
) -> DimensionExplanation:
    computed, _, rule_key, reason, missing, losers = outcome
    segment = _segment_key(d, computed)
    labels = definition.labels[d.key].segments
    return DimensionExplanation(
        dimension_id=d.dimension_id,
        key=d.key,
        label=definition.dimensions[d.key].label,
        hit_policy=d.hit_policy,
        segment=segment,
        segment_label=labels[segment] if segment else "Unassigned",
        reason=reason,
        rule_key=rule_key,
        missing=[seen.label(key) for key in missing],
        losers=[labels[key] for key in losers],
        pulled_label=labels.get(rule_key.partition("/")[0]) or labels.get(d.fallback or "", ""),
        rules=[
            _rule(place, candidate, given, labels[candidate.segment_key], candidate.key == rule_key, definition, seen)
            for place, (candidate, given) in enumerate(zip(d.candidates, verdicts, strict=True), 1)
        ],
    )


def _rule(
    place: int,
    candidate: Candidate,
    verdicts: list[bool | None],
    label: str,
    has_won: bool,  # noqa: FBT001 - a fact to print, not a switch
    definition: Definition,
    seen: Seen,
) -> VerdictNode:
    tree = _tree(candidate.criteria.root, iter(verdicts), definition, seen)
    value = "decides" if has_won else "cannot be ruled out" if tree.verdict == "unknown" else ""
    return VerdictNode(
        id=candidate.key,
        text=f"{place} {label}",
        verdict=tree.verdict,
        value=value,
        note=_note(candidate),
        children=[tree],
    )


def _note(candidate: Candidate) -> str:
    if candidate.rule:
        return f"{candidate.basis}, rule {candidate.name}"
    return "what moves an account here" if candidate.kind == CandidateKind.MOVE else "what keeps an account here"


def _tree(
    node: Node, verdicts: Iterator[bool | None], definition: Definition, seen: Seen, period: str = ""
) -> VerdictNode:
    """The verdicts come in the order of `walk`: a node before its children.

    What looks at closed periods is not judged by the value of today: `period` says which one stands there instead.
    """
    if is_on_history(node):
        period = "closed periods"
    verdict = {True: "true", False: "false", None: "unknown"}[next(verdicts)]
    shown = VerdictNode(
        id=str(getattr(node, "id", "")),
        text=node_text(node, definition.attributes, definition.labels),
        verdict=verdict,
    )
    looking = seen.looking_at(node)
    _put_seen(shown, node, period, looking)
    inside = "the newest closed period" if isinstance(node, Sustained) else period
    shown.children = [_tree(child, verdicts, definition, looking, inside) for child in node.children]
    return shown


def _put_seen(shown: VerdictNode, node: Node, period: str, seen: Seen) -> None:
    """What a leaf looked at, beside its verdict."""
    if period:
        shown.source = period
        shown.value = seen.periods(node.attribute) if isinstance(node, AttributeLeaf) else ""
    elif isinstance(node, AttributeLeaf):
        shown.value, shown.source, shown.observed_at, shown.note = seen.attribute(node.attribute, node.holder)
    elif isinstance(node, DimensionLeaf):
        shown.value, shown.source = seen.segment(node.dimension), seen.label(node.dimension)
    elif isinstance(node, ListTest):
        shown.value = "on it" if shown.verdict == "true" else "not on it"
