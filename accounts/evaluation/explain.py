"""Why an account is where it is: every node of every rule with its verdict, the value seen, its source and age.

The verdicts come from the engine's own expressions, one boolean array per rule, so an explanation cannot disagree
with an assignment. Values are read from the account's row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from accounts.evaluation.engine import active_plans
from accounts.evaluation.hypothetical import HypotheticalOutcome, read_outcomes
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.seen import Seen
from accounts.evaluation.stages import FrameworkPlan
from accounts.evaluation.statement import Scope
from accounts.models import Account, Reason
from frameworks.criteria.ast import DimensionLeaf, ListTest, Node, SignalTest, Sustained
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.english import node_text
from frameworks.criteria.uses import is_on_history
from frameworks.definition import Candidate, CandidateKind, Definition


@dataclass
class VerdictNode:
    """One node as the verdict tree shows it. `verdict` is true, false or unknown; `reads` names a leaf's attribute."""

    id: str
    text: str
    verdict: str
    value: str = ""
    source: str = ""
    observed_at: datetime | None = None
    note: str = ""
    reads: str = ""
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
            outcomes = read_outcomes(plan, row[1:])
            found += explain_outcomes(plan, outcomes, Seen(account, plan.definition, effective_of(outcomes), at))
    return found


def effective_of(outcomes: Mapping[str, HypotheticalOutcome]) -> dict[str, str | None]:
    """The segment that counts by dimension: what `Seen` needs to say what rules saw of other dimensions."""
    return {key: outcome.effective for key, outcome in outcomes.items()}


def explain_outcomes(
    plan: FrameworkPlan, outcomes: Mapping[str, HypotheticalOutcome], seen: Seen
) -> list[DimensionExplanation]:
    """The outcomes of one account, stored or supposed, by the nodes of their rules, in the framework's order."""
    by_key = {d.key: d for d in plan.dimensions}
    order = [key for key in plan.definition.dimensions if key in by_key]
    return [_explanation(by_key[key], outcomes[key], plan.definition, seen) for key in order]


def _explanation(
    d: DimensionPlan, outcome: HypotheticalOutcome, definition: Definition, seen: Seen
) -> DimensionExplanation:
    labels, rule_key = definition.labels[d.key].segments, outcome.rule_key
    return DimensionExplanation(
        dimension_id=d.dimension_id,
        key=d.key,
        label=definition.dimensions[d.key].label,
        hit_policy=d.hit_policy,
        segment=outcome.segment,
        segment_label=labels[outcome.segment] if outcome.segment else "Unassigned",
        reason=outcome.reason,
        rule_key=rule_key,
        missing=[seen.label(key) for key in outcome.missing],
        losers=[labels[key] for key in outcome.losers],
        pulled_label=labels.get(rule_key.partition("/")[0]) or labels.get(d.fallback or "", ""),
        rules=[
            _rule(place, candidate, outcome, labels[candidate.segment_key], definition, seen)
            for place, candidate in enumerate(d.candidates, 1)
        ],
    )


def _rule(
    place: int,
    candidate: Candidate,
    outcome: HypotheticalOutcome,
    label: str,
    definition: Definition,
    seen: Seen,
) -> VerdictNode:
    tree = _tree(candidate.criteria.root, iter(outcome.trace[candidate.key]), definition, seen)
    has_won = candidate.key == outcome.rule_key
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
        text=node_text(node, definition.attributes, definition.labels, seen.list_labels(node)),
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
        shown.reads = f"{node.holder} {node.attribute}"
    elif isinstance(node, DimensionLeaf):
        shown.value, shown.source = seen.segment(node.dimension), seen.label(node.dimension)
    elif isinstance(node, ListTest):
        is_on = shown.verdict == "true"
        shown.value = "on it" if is_on else "not on it"
        shown.observed_at = seen.listed_at(node.list, node.holder) if is_on else None
        shown.source = "added" if shown.observed_at else ""
    elif isinstance(node, SignalTest):
        shown.value, shown.source = seen.signals(node.kind, node.details or {})
