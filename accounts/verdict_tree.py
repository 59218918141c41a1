"""The rules of one dimension with their verdicts, as the account's page and what-if draw them."""

from collections.abc import Sequence
from dataclasses import replace

from accounts.evaluation.explain import DimensionExplanation, VerdictNode
from accounts.models import Reason

SOURCES = {"generated": "generated for the demo", "supposed": "your what-if"}


def source_words(source: str) -> str:
    """Where a value comes from, as people say it."""
    return SOURCES.get(source, source)


def rules_shown(explanation: DimensionExplanation, *, is_brief: bool) -> list[VerdictNode]:
    """The rules in the order in which they are asked, as people read them; brief with only what decides."""
    rules = [_shown(node) for node in explanation.rules]
    if is_brief:
        rules = [_deciding(rule) for rule in rules if _decides(rule, explanation)]
    else:
        rules = _up_to_winner(rules, explanation)
    return [said_once(rule) for rule in rules]


def _shown(node: VerdictNode) -> VerdictNode:
    """A rule with its outermost group as its own heading, and sources in words."""
    tree = _in_words(node.children[0])
    if not tree.children:
        return replace(node, children=[tree])
    return replace(node, note=f"{tree.text[:1].lower()}{tree.text[1:]} · {node.note}", children=tree.children)


def _in_words(node: VerdictNode) -> VerdictNode:
    """The node with sources as people say them."""
    return replace(node, source=source_words(node.source), children=[_in_words(child) for child in node.children])


def said_once(node: VerdictNode) -> VerdictNode:
    """The node with a value that several conditions in a row read shown at the first of them."""
    children: list[VerdictNode] = []
    above: VerdictNode | None = None
    for child in node.children:
        children.append(_as_above(child) if _reads_the_same(above, child) else said_once(child))
        above = child
    return replace(node, children=children)


def _reads_the_same(above: VerdictNode | None, node: VerdictNode) -> bool:
    return above is not None and bool(node.reads) and above.reads == node.reads and bool(node.value)


def _as_above(node: VerdictNode) -> VerdictNode:
    return replace(node, value="", source="as above", observed_at=None, note="")


def _up_to_winner(rules: Sequence[VerdictNode], explanation: DimensionExplanation) -> list[VerdictNode]:
    """Where the first true rule wins, those behind it are named but not gone into."""
    found: list[VerdictNode] = []
    is_over = False
    for rule in rules:
        found.append(_not_reached(rule) if is_over else rule)
        is_over = is_over or (explanation.hit_policy != "unique" and rule.id == explanation.rule_key)
    return found


def _not_reached(rule: VerdictNode) -> VerdictNode:
    text = f"{rule.text}, {rule.note}: a rule above decides"
    return replace(rule, text=text, verdict="", value="", note="", children=[])


def _decides(rule: VerdictNode, explanation: DimensionExplanation) -> bool:
    """Whether the outcome would be open without this rule's verdict."""
    if explanation.reason in (Reason.NO_MATCH, Reason.FALLBACK):
        return True
    if explanation.reason == Reason.CONFLICT:
        return rule.verdict == "true"
    return rule.id == explanation.rule_key or rule.verdict == "unknown"


def _deciding(node: VerdictNode) -> VerdictNode:
    """The node with only those checks below it that give it its verdict.

    A group's verdict comes from its children with the same one ("all of" is false by a false one); under "not",
    where no child has it, from all of them.
    """
    same = [child for child in node.children if child.verdict == node.verdict]
    return replace(node, children=[_deciding(child) for child in same or node.children])
