"""What a rule reads: stored attributes, metric history, lists and signals. For engines, editors and linters."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.criteria.ast import Change, InPeriod, ListTest, Node, SignalTest, Sustained, walk
from frameworks.criteria.base import AttributeLeaf, Of
from frameworks.criteria.types import AttributeType, Grain


def current_leaves(node: Node) -> Iterator[AttributeLeaf]:
    """The attribute leaves that look at today's value: none inside `sustained`, no `change`, no growth."""
    if isinstance(node, Sustained) or is_on_history(node):
        return
    if isinstance(node, AttributeLeaf):
        yield node
    for child in node.children:
        yield from current_leaves(child)


def history_nodes(node: Node) -> tuple[Node, ...]:
    """The nodes that look at closed periods, outermost only: `sustained`, `change` and leaves on a growth."""
    if isinstance(node, Sustained) or is_on_history(node):
        return (node,)
    return tuple(found for child in node.children for found in history_nodes(child))


def is_on_history(node: Node) -> bool:
    """Whether a leaf reads the metric history by itself."""
    if isinstance(node, Change):
        return True
    return isinstance(node, AttributeLeaf) and is_growth(node.type)


def is_growth(attribute: AttributeType) -> bool:
    """Whether the attribute follows from closed periods."""
    return attribute.derived is not None and attribute.derived.kind == "growth"


def current_reads(node: Node) -> frozenset[tuple[str, Of]]:
    """Attributes whose value of today any leaf looks at, each with whose: of the account or its ultimate parent."""
    return frozenset((leaf.attribute, leaf.holder) for leaf in current_leaves(node))


def stored_attributes(node: Node) -> frozenset[str]:
    """Keys of the stored attributes a change of which can change the verdict: derived ones by their inputs."""
    return frozenset(
        stored.key for each in walk(node) if isinstance(each, AttributeLeaf) for stored in inputs_of(each.type)
    )


def inputs_of(attribute: AttributeType) -> tuple[AttributeType, ...]:
    """The stored attributes behind an attribute: itself, or what it is derived from."""
    return attribute.derived.inputs if attribute.derived else (attribute,)


def metrics_used(node: Node) -> frozenset[tuple[str, Grain]]:
    """(metric, grain) of every metric history read."""
    return frozenset((metric, grain) for each in history_nodes(node) for metric, grain in _metrics_of(each))


def _metrics_of(node: Node) -> Iterator[tuple[str, Grain]]:
    if isinstance(node, Sustained):
        yield from ((metric, node.grain) for metric in stored_attributes(node.item))
    elif isinstance(node, Change):
        yield from ((metric, node.grain) for metric in stored_attributes(node))
    elif isinstance(node, AttributeLeaf) and node.type.derived and node.type.derived.grain:
        yield from ((stored.key, node.type.derived.grain) for stored in node.type.derived.inputs)


def lists_used(node: Node) -> frozenset[str]:
    """Keys of the account lists any leaf looks at."""
    return frozenset(each.list for each in walk(node) if isinstance(each, ListTest))


def signals_used(node: Node) -> frozenset[str]:
    """Kinds of the signals any leaf counts."""
    return frozenset(each.kind for each in walk(node) if isinstance(each, SignalTest))


def reads_parent(node: Node) -> bool:
    """Whether any leaf looks at the ultimate parent."""
    return any(getattr(each, "of", None) == "ultimate_parent" for each in walk(node))


def reads_periods(node: Node) -> frozenset[Grain]:
    """Grains of the fiscal periods whose end alone can change the verdict."""
    grains: set[Grain] = {grain for _, grain in metrics_used(node)}
    grains.update(each.period for each in walk(node) if isinstance(each, InPeriod))
    return frozenset(grains)
