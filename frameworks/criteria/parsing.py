"""Reading a criteria document: everything wrong with it at once, or a `Criteria` that can be compiled.

A half-filled rule is an error, never a wider rule. Nodes are read from the leaves up, one at a time, so that each
problem carries the id of its node and a JSON pointer, and so that a hostile document is left alone at the depth
limit instead of being followed down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from frameworks.criteria.ast import (
    CLASS_BY_OPERATOR,
    MAX_DEPTH,
    MAX_NODES,
    MAX_VALUES,
    SCHEMA,
    Always,
    AtLeast,
    Criteria,
    DimensionLeaf,
    Group,
    Node,
    Not,
    SegmentTest,
    operators_for,
)
from frameworks.criteria.base import NODE_ID_PATTERN, AttributeLeaf, BaseNode, Fault
from frameworks.criteria.types import AttributeType

_CODES: Final[dict[str, str]] = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "string_type": "not_a_string",
    "too_long": "too_many_values",
    "too_short": "empty_list",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason a document is refused. `pointer` is an RFC 6901 JSON pointer into the document."""

    code: str
    message: str
    node_id: str | None
    pointer: str


class CriteriaError(ValueError):
    """A document that is not a rule; `problems` has every reason found, in document order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems))
        self.problems = problems


def parse_criteria(
    document: object,
    *,
    attributes: Mapping[str, AttributeType],
    dimensions: Mapping[str, frozenset[str]],
    own_dimension: str | None = None,
) -> Criteria:
    """Read a `criteria/1` document against the attributes and the other dimensions of a framework.

    `dimensions` maps a dimension's key to its segment keys; `own_dimension` is the one the rule belongs to, which
    it may not refer to. Raises CriteriaError with every problem.
    """
    reader = _Reader(attributes, dimensions, own_dimension)
    root = reader.read_document(document)
    if reader.problems or root is None:
        raise CriteriaError(sorted(reader.problems, key=lambda problem: reader.order.get(problem.pointer, 0)))
    return Criteria(root)


@dataclass
class _Reader:
    attributes: Mapping[str, AttributeType]
    dimensions: Mapping[str, frozenset[str]]
    own_dimension: str | None
    problems: list[Problem] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def read_document(self, document: object) -> Node | None:
        if not isinstance(document, dict):
            self._add("malformed", 'Criteria are an object with "schema" and "root".', None, "")
            return None
        if document.get("schema") != SCHEMA:
            self._add("unknown_schema", f'"schema" must be "{SCHEMA}".', None, "/schema")
        for key in document.keys() - {"schema", "root"}:
            self._add("unknown_field", f'Criteria have no field "{_short(key)}".', None, f"/{_escape(key)}")
        if "root" not in document:
            self._add("missing_field", 'Criteria need a "root".', None, "/root")
            return None
        return self._read_node(document["root"], "/root", 1)

    def _read_node(self, raw: object, pointer: str, depth: int) -> Node | None:
        self.count += 1
        self.order[pointer] = self.count
        if not self._within_limits(raw, pointer, depth):
            return None
        if not isinstance(raw, dict):
            self._add("malformed", 'A node is an object with "id" and "op".', None, pointer)
            return None
        node_id = self._read_id(raw, pointer)
        node_class = self._class_of(raw, node_id, pointer)
        if node_class is None:
            return None
        values = self._with_children(raw, node_class, node_id, pointer, depth)
        if values is None:
            return None
        return self._build(node_class, values, node_id, pointer)

    def _within_limits(self, raw: object, pointer: str, depth: int) -> bool:
        if depth > MAX_DEPTH:
            self._add("too_deep", f"Criteria may be nested {MAX_DEPTH} levels deep.", _id_of(raw), pointer)
            return False
        if self.count > MAX_NODES:
            if self.count == MAX_NODES + 1:
                self._add("too_many_nodes", f"Criteria may have {MAX_NODES} nodes.", _id_of(raw), pointer)
            return False
        return True

    def _read_id(self, raw: dict[Any, Any], pointer: str) -> str | None:
        node_id = raw.get("id")
        if not isinstance(node_id, str) or not re.match(NODE_ID_PATTERN, node_id):
            message = 'A node needs an "id" of up to 64 letters, digits, "-" or "_".'
            self._add("invalid_id" if "id" in raw else "missing_field", message, None, f"{pointer}/id")
            return None
        if node_id in self.ids:
            message = f'The id "{node_id}" is already used at {self.ids[node_id]}.'
            self._add("duplicate_id", message, node_id, f"{pointer}/id")
        self.ids.setdefault(node_id, pointer)
        return node_id

    def _class_of(self, raw: dict[Any, Any], node_id: str | None, pointer: str) -> type[BaseNode] | None:
        op = raw.get("op")
        if "op" not in raw:
            self._add("missing_field", 'A node needs an "op".', node_id, f"{pointer}/op")
            return None
        node_class = CLASS_BY_OPERATOR.get(op) if isinstance(op, str) else None
        if node_class is None:
            message = f'There is no operator "{_short(op)}".'
            self._add("unknown_operator", message, node_id, f"{pointer}/op")
        return node_class

    def _with_children(
        self, raw: dict[Any, Any], node_class: type[BaseNode], node_id: str | None, pointer: str, depth: int
    ) -> dict[str, Any] | None:
        """The node's fields with its children read; None when there are no children to speak of."""
        values = {str(key): value for key, value in raw.items()}
        if issubclass(node_class, Not) and "item" in values:
            values["item"] = self._read_node(values["item"], f"{pointer}/item", depth + 1) or _stand_in()
        if issubclass(node_class, Group):
            items = values.get("items")
            if not isinstance(items, list) or not items:
                message = f'"{values["op"]}" needs a list of at least one item; "always" matches every account.'
                self._add("empty_group", message, node_id, f"{pointer}/items")
                return None
            values["items"] = [
                self._read_node(item, f"{pointer}/items/{position}", depth + 1) or _stand_in()
                for position, item in enumerate(items[: MAX_NODES + 1])
            ]
        return values

    def _build(
        self, node_class: type[BaseNode], values: dict[str, Any], node_id: str | None, pointer: str
    ) -> Node | None:
        try:
            node = node_class.model_validate({**values, "id": node_id or "unnamed"})
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self._add(*_shape_fault(detail, node_class), node_id, pointer + _pointer(detail["loc"]))
            return None
        node, faults = self._check(node)
        for fault in faults:
            self._add(fault.code, fault.message, node_id, pointer + _pointer(fault.at))
        return node  # type: ignore[return-value]  # CLASS_BY_OPERATOR has the members of Node only

    def _check(self, node: BaseNode) -> tuple[BaseNode, list[Fault]]:
        if isinstance(node, AttributeLeaf):
            attribute = self.attributes.get(node.attribute)
            if attribute is None:
                message = f'There is no attribute "{_short(node.attribute)}" in this framework.'
                return node, [Fault("unknown_field", message, ("attribute",))]
            if attribute.data_type not in node.valid_types(node.op):
                return node, [_operator_fault(node, attribute)]
            return node.bind(attribute)
        if isinstance(node, DimensionLeaf):
            return node, list(self._dimension_faults(node))
        if isinstance(node, AtLeast) and node.k > len(node.items):
            return node, [Fault("unreachable_count", f"{node.k} of {len(node.items)} items can never be met.", ("k",))]
        return node, []

    def _dimension_faults(self, node: DimensionLeaf) -> Iterator[Fault]:
        if node.dimension == self.own_dimension:
            yield Fault("cycle", "A rule may not refer to the dimension it decides.", ("dimension",))
            return
        segments = self.dimensions.get(node.dimension)
        if segments is None:
            message = f'There is no dimension "{_short(node.dimension)}" in this framework.'
            yield Fault("unknown_dimension", message, ("dimension",))
            return
        if not isinstance(node, SegmentTest):
            return
        if (node.any_of is None) == (node.none_of is None):
            yield Fault("one_of_two", 'Give either "any_of" or "none_of".')
        name = "any_of" if node.any_of is not None else "none_of"
        for position, segment in enumerate(node.segments):
            if segment not in segments:
                message = f'There is no segment "{_short(segment)}" in the dimension "{node.dimension}".'
                yield Fault("unknown_segment", message, (name, position))

    def _add(self, code: str, message: str, node_id: str | None, pointer: str) -> None:
        self.problems.append(Problem(code, message, node_id, pointer))
        self.order.setdefault(pointer, self.count)


def _shape_fault(detail: ErrorDetails, node_class: type[BaseNode]) -> tuple[str, str]:
    """Our code and words for one of pydantic's findings."""
    code = _CODES.get(detail["type"], "invalid_value")
    name = _short(detail["loc"][0]) if detail["loc"] else ""
    if code == "missing_field":
        return code, f'"{name}" is missing.'
    if code == "unknown_field":
        known = ", ".join(key for key in node_class.model_fields if key not in {"id", "op"})
        return code, f'This operator has no field "{name}". It has: {known or "none"}.'
    if code == "not_a_string":
        return code, f'"{name}" must be text in quotes: numbers and dates are written as "200" or "2026-01-31".'
    if code == "too_many_values":
        return code, f"A list may have {MAX_VALUES:,} values."
    if code == "empty_list":
        return code, f'"{name}" is empty: a rule needs at least one value.'
    return code, f'"{name}" is not valid: {detail["msg"]}.'


def _operator_fault(node: AttributeLeaf, attribute: AttributeType) -> Fault:
    valid = ", ".join(operators_for(attribute.data_type))
    message = f'"{node.op}" does not work on {attribute.label} ({attribute.data_type}). It takes: {valid}.'
    return Fault("operator_not_valid", message, ("op",))


def _stand_in() -> Always:
    """Takes the place of a child that was refused, so that the rest of its parent is still checked."""
    return Always(id="refused", op="always")


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{_escape(step)}" for step in path)


def _escape(step: object) -> str:
    return _short(step).replace("~", "~0").replace("/", "~1")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, str | int | float | bool) or value is None else type(value).__name__
    return text if len(text) <= 80 else text[:80] + "…"


def _id_of(raw: object) -> str | None:
    node_id = raw.get("id") if isinstance(raw, dict) else None
    return node_id if isinstance(node_id, str) and re.match(NODE_ID_PATTERN, node_id) else None
