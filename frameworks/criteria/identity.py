"""Which node of a rewritten rule is which node of the rule before.

The text form carries no ids, yet comments, diffs and traces hang on them. A node keeps its id when the same node,
children included, stood in the previous rule; else when it is recognisably the same one edited: the group that
kept some of its items, the leaf on the same attribute.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any

from frameworks.criteria.ast import without_ids

JsonNode = dict[str, Any]


def reattach_ids(root: JsonNode, previous: JsonNode | None) -> JsonNode:
    """`root` with the ids of `previous` where nodes correspond, and fresh ids ("n7") elsewhere.

    Both are canonical JSON nodes; the ids of `root` itself are ignored.
    """
    matcher = _Matcher(previous)
    matcher.claim_equal(root)
    matcher.claim_edited(root, None)
    return matcher.with_ids(root)


def _children(node: JsonNode) -> list[JsonNode]:
    return [node["item"]] if "item" in node else list(node.get("items", ()))


def _walk(node: JsonNode) -> Iterator[JsonNode]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _signature(node: JsonNode) -> str:
    return json.dumps(without_ids(node), sort_keys=True)


def _subject(node: JsonNode) -> tuple[str | None, ...]:
    return tuple(node.get(name) for name in ("attribute", "dimension", "list", "kind"))


def _form(node: JsonNode) -> object:
    """What an edit does not turn into something else: a leaf, a group, or a node around one other of its operator."""
    return node["op"] if "item" in node else "items" in node


class _Matcher:
    def __init__(self, previous: JsonNode | None) -> None:
        self.old_nodes = list(_walk(previous)) if previous else []
        self.old_parent: dict[str, str | None] = {previous["id"]: None} if previous else {}
        self.by_signature: dict[str, list[JsonNode]] = defaultdict(list)
        for node in self.old_nodes:
            self.by_signature[_signature(node)].append(node)
            self.old_parent.update((child["id"], node["id"]) for child in _children(node))
        self.claimed: set[str] = set()
        self.new_id: dict[int, str] = {}  # by identity of the new node: its own ids mean nothing

    def claim_equal(self, node: JsonNode) -> None:
        for candidate in self.by_signature.get(_signature(node), ()):
            if self.claimed.isdisjoint(each["id"] for each in _walk(candidate)):
                for new, old in zip(_walk(node), _walk(candidate), strict=True):
                    self._claim(new, old)
                return
        for child in _children(node):
            self.claim_equal(child)

    def claim_edited(self, node: JsonNode, parent: JsonNode | None) -> None:
        if id(node) not in self.new_id:
            scored = [
                (self._likeness(node, parent, old), old) for old in self.old_nodes if old["id"] not in self.claimed
            ]
            likely = [(score, old) for score, old in scored if score is not None]
            if likely:
                self._claim(node, max(likely, key=lambda pair: pair[0])[1])
        for child in _children(node):
            self.claim_edited(child, node)

    def with_ids(self, root: JsonNode) -> JsonNode:
        taken = {node["id"] for node in self.old_nodes}
        fresh = (f"n{number}" for number in count(1) if f"n{number}" not in taken)
        return self._renamed(root, fresh)

    def _renamed(self, node: JsonNode, fresh: Iterator[str]) -> JsonNode:
        renamed = {**node, "id": self.new_id.get(id(node)) or next(fresh)}
        if "item" in node:
            renamed["item"] = self._renamed(node["item"], fresh)
        if "items" in node:
            renamed["items"] = [self._renamed(child, fresh) for child in node["items"]]
        return renamed

    def _likeness(self, node: JsonNode, parent: JsonNode | None, old: JsonNode) -> tuple[int, bool, bool] | None:
        """How likely `old` is this node before an edit; None when it is not."""
        if _form(node) != _form(old) or _subject(node) != _subject(old):
            return None
        old_children = {child["id"] for child in _children(old)}
        kept = sum(self.new_id.get(id(child)) in old_children for child in _children(node))
        same_place = self.old_parent[old["id"]] == (self.new_id.get(id(parent)) if parent else None)
        same_operator = node["op"] == old["op"]
        if not (kept or same_place or any(_subject(node))):
            return None
        return kept, same_place, same_operator

    def _claim(self, new: JsonNode, old: JsonNode) -> None:
        self.new_id[id(new)] = old["id"]
        self.claimed.add(old["id"])
