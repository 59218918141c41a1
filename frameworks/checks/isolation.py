"""One dimension taken out of its framework, so that the engine evaluates it over chosen inputs alone.

- Another dimension that it reads becomes a made-up one whose segment is whatever a made-up attribute says.
- A value of the ultimate parent, and a derived attribute, becomes an attribute of its own.
- A condition over history, signals or lists becomes a made-up yes-or-no attribute: met, not met, and unknown where
  the condition can be unknown.

What is left is a valid definition, compiled and evaluated by the same engine as every other. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from frameworks.criteria.ast import Node, leaves, without_ids
from frameworks.criteria.base import AttributeLeaf
from frameworks.definition import Definition
from frameworks.parts.registry import to_body
from frameworks.parts.segment import Segment

_GROUPS = frozenset({"all", "any", "at_least", "not", "always"})
_OTHER_DIMENSION = frozenset({"segment", "is_unassigned"})
# Conditions that the engine answers from other tables than the account's own row.
_NEVER_UNKNOWN = frozenset({"signal", "on_list"})
_BEYOND_THE_ROW = _NEVER_UNKNOWN | {"sustained", "change", "in_period"}
_RULES_PER_SEGMENT = 50
LEAVES = "isolated_leaves"


@dataclass(frozen=True)
class Alias:
    """A made-up attribute: what it stands for, in words, and which values it can have."""

    key: str
    label: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    may_be_unknown: bool = True
    stands_for: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class IsolatedDimension:
    """`key` with everything around it replaced. `aliases` are the made-up attributes by key."""

    source: Definition
    key: str
    aliases: dict[str, Alias] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    _stubs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def definition(self) -> Definition:
        """The dimension with its segments, and made-up ones for the dimensions it reads."""
        body = to_body(self.source.dimensions[self.key])
        segments = {
            f"{self.key}/{short}": self._segment(segment) for short, segment in self.source.segments[self.key].items()
        }
        return self._definition({self.key: body}, segments)

    @cached_property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """Every different condition of the rules, by the key that it has as a rule of `leaf_definition`."""
        documents: dict[str, dict[str, Any]] = {}
        for candidate in self.definition.candidates(self.key):
            for node in _leaf_documents(candidate.criteria.document()["root"]):
                documents.setdefault(json.dumps(without_ids(node), sort_keys=True), node)
        return {f"s{place // _RULES_PER_SEGMENT}/r{place}": node for place, node in enumerate(documents.values())}

    @cached_property
    def leaf_definition(self) -> Definition:
        """A dimension `leaves` in which every different condition of the rules is a rule of its own."""
        segments: dict[str, dict[str, Any]] = {}
        for key, node in self.conditions.items():
            short, _, rule = key.partition("/")
            part = segments.setdefault(f"{LEAVES}/{short}", {"label": short, "dimension": LEAVES, "rules": []})
            criteria = {"schema": "criteria/1", "root": node}
            part["rules"].append({"key": rule, "basis": "value", "criteria": criteria})
        shorts = [key.partition("/")[2] for key in segments] or ["s0"]
        body = {"label": LEAVES, "hit_policy": "ranked", "segments": shorts}
        return self._definition({LEAVES: body}, segments)

    @cached_property
    def roots(self) -> list[Node]:
        """The rules of the isolated dimension as bound trees."""
        return [candidate.criteria.root for candidate in self.definition.candidates(self.key)]

    def leaves_by_attribute(self) -> dict[str, list[AttributeLeaf]]:
        """Every attribute that a rule reads, with its conditions, in the order in which they are met."""
        found: dict[str, list[AttributeLeaf]] = {}
        for root in self.roots:
            for leaf in leaves(root):
                if isinstance(leaf, AttributeLeaf):
                    found.setdefault(leaf.attribute, []).append(leaf)
        for alias in self.aliases.values():
            found.setdefault(alias.key, [])
        return found

    def _definition(self, dimensions: dict[str, Any], segments: dict[str, Any]) -> Definition:
        bodies: dict[tuple[str, str], Mapping[str, Any]] = {}
        if self.source.meta:
            bodies["meta", "meta"] = to_body(self.source.meta)
        for key, source in self.source.data_sources.items():
            bodies["data_source", key] = {k: v for k, v in to_body(source).items() if k != "derived"}
        bodies |= {("data_source", key): body for key, body in self._sources.items()}
        bodies |= {("dimension", key): body for key, body in dimensions.items()}
        bodies |= {("segment", key): body for key, body in segments.items()}
        for key, stub in self._stubs.items():
            bodies["dimension", key] = stub["dimension"]
            bodies |= {("segment", f"{key}/{short}"): body for short, body in stub["segments"].items()}
        return Definition(bodies)

    def parent_attribute(self, key: str) -> str:
        """The framework's attribute that a made-up one is the ultimate parent's value of; empty for any other."""
        return self._parents.get(key, "")

    # --- rewriting

    def _segment(self, segment: Segment) -> dict[str, Any]:
        """The segment with its rules rewritten; what depends on where an account was before is left out."""
        body = {name: value for name, value in to_body(segment).items() if name not in ("move", "stay")}
        body["rules"] = [
            {**rule, "criteria": {**rule["criteria"], "root": self._node(rule["criteria"]["root"])}}
            for rule in body.get("rules", [])
        ]
        return body

    def _node(self, node: Mapping[str, Any]) -> dict[str, Any]:
        op = node["op"]
        if op in _GROUPS:
            new = dict(node)
            if "items" in node:
                new["items"] = [self._node(item) for item in node["items"]]
            if "item" in node:
                new["item"] = self._node(node["item"])
            return new
        if op in _OTHER_DIMENSION:
            self._stub(node["dimension"])
            return dict(node)
        if op in _BEYOND_THE_ROW:
            return self._condition(node)
        return self._attribute_leaf(node)

    def _attribute_leaf(self, node: Mapping[str, Any]) -> dict[str, Any]:
        of_whom = node.get("of", "self")
        if of_whom == "self":
            return dict(node)
        source = to_body(self.source.data_sources[node["attribute"]])
        key = self._free_key(f"parent_{node['attribute']}")
        label = f"{source['label']} of the ultimate parent"
        self._sources[key] = {name: value for name, value in source.items() if name != "derived"} | {"label": label}
        self._parents[key] = node["attribute"]
        new = {name: value for name, value in node.items() if name != "of"}
        return {**new, "attribute": key}

    def _condition(self, node: Mapping[str, Any]) -> dict[str, Any]:
        from frameworks.criteria.english import sentence

        text = json.dumps(without_ids(dict(node)), sort_keys=True)
        known = next((alias for alias in self.aliases.values() if alias.kind == text), None)
        if known is None:
            document = {"schema": "criteria/1", "root": {**node}}
            root = self.source.criteria_of(self.key, document).root
            label = sentence(root, self.source.attributes, self.source.labels)
            known = Alias(
                self._free_key(f"condition_{len(self.aliases) + 1}"),
                label,
                text,
                may_be_unknown=node["op"] not in _NEVER_UNKNOWN and node.get("missing") is None,
                stands_for=dict(node),
            )
            self.aliases[known.key] = known
            self._sources[known.key] = {"label": label[:120], "data_type": "boolean"}
        return {"id": node["id"], "op": "is_true", "attribute": known.key}

    # --- and back

    def restored(self, node: Mapping[str, Any]) -> dict[str, Any] | None:
        """A region's criteria over the framework's own attributes; None where they cannot be said there."""
        if "items" in node:
            items = [self.restored(item) for item in node["items"]]
            known = [item for item in items if item is not None]
            return {**node, "items": known} if len(known) == len(items) else None
        if "item" in node:
            inner = self.restored(node["item"])
            return {**node, "item": inner} if inner is not None else None
        key = node.get("attribute", "")
        if key in self._parents:
            return {**node, "attribute": self._parents[key], "of": "ultimate_parent"}
        alias = self.aliases.get(key)
        return _restored(alias, node) if alias else dict(node)

    def _stub(self, dimension: str) -> None:
        if dimension in self._stubs:
            return
        labels = self.source.labels[dimension]
        key = self._free_key(f"segment_of_{dimension}"[:60])
        choices = tuple((short, labels.segments.get(short, short)) for short in self.source.segments[dimension])
        self.aliases[key] = Alias(key, labels.label, "segment", choices, stands_for={"dimension": dimension})
        named = [{"id": short, "label": label} for short, label in choices]
        self._sources[key] = {"label": labels.label, "data_type": "choice", "choices": named}
        root = {"id": "n1", "op": "eq", "attribute": key}
        self._stubs[dimension] = {
            "dimension": {"label": labels.label, "hit_policy": "ranked", "segments": [short for short, _ in choices]},
            "segments": {
                short: {
                    "label": label,
                    "dimension": dimension,
                    "rules": [
                        {
                            "key": "given",
                            "basis": "value",
                            "criteria": {"schema": "criteria/1", "root": {**root, "value": short}},
                        }
                    ],
                }
                for short, label in choices
            },
        }

    def _free_key(self, wish: str) -> str:
        key = wish[:63]
        # The same leaf of another rule gets the same attribute; a real one of that name keeps it.
        while key in self.source.data_sources:
            key = f"x_{key}"[:63]
        return key


def _restored(alias: Alias, node: Mapping[str, Any]) -> dict[str, Any] | None:
    op, inner = node["op"], f"{node['id']}i"
    if alias.kind == "segment":
        if op == "in":
            return {"id": node["id"], "op": "segment", **alias.stands_for, "any_of": node["values"]}
        unassigned = {"id": inner, "op": "is_unassigned", **alias.stands_for}
        return {**unassigned, "id": node["id"]} if op == "is_missing" else _negated(node["id"], unassigned)
    # Whether a condition is known at all cannot be asked of it.
    asked = {**alias.stands_for, "id": inner}
    return {"is_true": asked, "is_false": _negated(node["id"], asked)}.get(op)


def _negated(node_id: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"id": node_id, "op": "not", "item": item}


def _leaf_documents(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if node["op"] in _GROUPS:
        for item in (*node.get("items", ()), *([node["item"]] if "item" in node else [])):
            yield from _leaf_documents(item)
    else:
        yield dict(node)
