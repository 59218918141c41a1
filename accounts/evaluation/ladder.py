"""In which dimensions one segment is above another. Pure.

Every dimension lists its segments, and where several are true the list may decide. That alone makes no ladder of it: an
industry, a need or a stage of life is listed too, and nobody moves "up" from Consumer to Healthcare. An order is meant
where the dimension speaks of ranks, or where its rules ask for more of one thing in each higher segment.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import cast

from accounts.evaluation.plan import DimensionPlan
from frameworks.criteria.ast import (
    Always,
    AtLeast,
    Node,
    Not,
    leaves,
    node_document,
    thresholds,
    without_ids,
)
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.conditions import SegmentTest
from frameworks.criteria.types import NUMERIC

_KINDS = frozenset({"text", "choice", "tags"})
_LOWER = frozenset({"ge", "gt", "eq"})
NOTHING = Decimal("-Infinity")
Asked = tuple[str, Decimal]
"""What a rule asks for (an attribute, conditions of a group, ranks of another dimension), and how much at least."""


def ladders(dimensions: Sequence[DimensionPlan]) -> frozenset[str]:
    """Keys of the dimensions in which "up" means something; given in topological order, as plans have them."""
    found: set[str] = set()
    by_key = {d.key: d for d in dimensions}
    for d in dimensions:
        if _speaks_of_ranks(d, found) or _asks_for_more(d, by_key, found):
            found.add(d.key)
    return frozenset(found)


def _speaks_of_ranks(d: DimensionPlan, known: set[str]) -> bool:
    """Its settings treat up and down as different.

    That moves down wait for a review is so unless somebody says otherwise: it counts only where rules tell more than
    kinds apart.
    """
    if d.body.hit_policy == "raise_only" or d.body.max_step is not None:
        return True
    return d.body.upgrade != d.body.downgrade and not all(
        _is_kind(leaf, known) for candidate in d.candidates for leaf in leaves(candidate.criteria.root)
    )


def _is_kind(leaf: Node, known: set[str]) -> bool:
    if isinstance(leaf, SegmentTest):
        return leaf.dimension not in known
    return isinstance(leaf, AttributeLeaf) and leaf.type.data_type in _KINDS


def _asks_for_more(d: DimensionPlan, by_key: Mapping[str, DimensionPlan], known: set[str]) -> bool:
    """Of something that two segments or more name, each asks for as much as the next lower one or more."""
    least: dict[str, dict[str, Decimal]] = {}
    for candidate in d.candidates:
        for what, amount in _asked(candidate.criteria.root, by_key, known):
            of_segment = least.setdefault(what, dict.fromkeys(_catching_all(d), NOTHING))
            short = candidate.segment_key
            of_segment[short] = min(amount, of_segment.get(short, amount))
    return any(_falls([amounts[short] for short in d.ranked if short in amounts]) for amounts in least.values())


def _catching_all(d: DimensionPlan) -> Iterator[str]:
    """Segments that take whoever is left."""
    yield from (each.segment_key for each in d.candidates if isinstance(each.criteria.root, Always))
    if d.body.fallback:
        yield d.body.fallback


def _falls(amounts: Sequence[Decimal]) -> bool:
    return all(high >= low for high, low in pairwise(amounts)) and len({*amounts}) > 1


def _asked(node: Node, by_key: Mapping[str, DimensionPlan], known: set[str]) -> Iterator[Asked]:
    """What it takes at least; an upper bound alone takes nothing. What is negated asks for none of it."""
    if isinstance(node, Not):
        return
    if isinstance(node, SegmentTest) and node.dimension in known and node.any_of:
        other = by_key[node.dimension]
        yield f"segment {other.key}", Decimal(-max(other.rank(short) for short in node.any_of))
    if isinstance(node, AttributeLeaf) and node.type.data_type in NUMERIC and (cuts := thresholds(cast(Node, node))):
        lower = [Decimal(str(cut.value)) for cut in cuts if {cut.field, node.op} & _LOWER]
        yield node.attribute, max(lower, default=NOTHING)
    if isinstance(node, AtLeast):
        items = json.dumps([without_ids(node_document(item)) for item in node.items], sort_keys=True)
        yield items, Decimal(node.k)
    for child in node.children:
        yield from _asked(child, by_key, known)
