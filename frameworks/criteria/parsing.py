"""Reading a criteria document: everything wrong with it at once, or a `Criteria` that can be compiled.

A half-filled rule is an error, never a wider rule. Nodes are read from the leaves up, one at a time, so that each
problem carries the id of its node and a JSON pointer, and so that a hostile document is left alone at the depth
limit instead of being followed down.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
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
    Change,
    Comparison,
    Criteria,
    DimensionLeaf,
    Group,
    ListTest,
    Membership,
    Node,
    Not,
    Presence,
    Range,
    SegmentTest,
    SignalTest,
    Sustained,
    Wrapper,
    operators_for,
    walk,
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
    lists: Collection[str] | None = None,
) -> Criteria:
    """Read a `criteria/1` document against the attributes and the other dimensions of a framework.

    `dimensions` maps a dimension's key to its segment keys; `own_dimension` is the one the rule belongs to, which
    it may not refer to. `lists` are the keys of the account lists there are; None takes any. Raises CriteriaError
    with every problem.
    """
    reader = _Reader(attributes, dimensions, own_dimension, lists)
    root = reader.read_document(document)
    if reader.problems or root is None:
        raise CriteriaError(sorted(reader.problems, key=lambda problem: reader.order.get(problem.pointer, 0)))
    return Criteria(root)


@dataclass
class _Reader:
    attributes: Mapping[str, AttributeType]
    dimensions: Mapping[str, frozenset[str]]
    own_dimension: str | None
    lists: Collection[str] | None
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
            near = _near(op, CLASS_BY_OPERATOR) if isinstance(op, str) else ""
            message = f'There is no operator "{_short(op)}".{near}'
            self._add("unknown_operator", message, node_id, f"{pointer}/op")
        return node_class

    def _with_children(
        self, raw: dict[Any, Any], node_class: type[BaseNode], node_id: str | None, pointer: str, depth: int
    ) -> dict[str, Any] | None:
        """The node's fields with its children read; None when there are no children to speak of."""
        values = {str(key): value for key, value in raw.items()}
        if issubclass(node_class, Wrapper) and "item" in values:
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
        if isinstance(node, Sustained):
            self._check_history(node, pointer)
        node, faults = self._check(node)
        for fault in faults:
            self._add(fault.code, fault.message, node_id, pointer + _pointer(fault.at))
        return node  # type: ignore[return-value]  # CLASS_BY_OPERATOR has the members of Node only

    def _check(self, node: BaseNode) -> tuple[BaseNode, list[Fault]]:
        if isinstance(node, AttributeLeaf):
            attribute = self.attributes.get(node.attribute)
            if attribute is None:
                near = _near(node.attribute, self.attributes)
                message = f'There is no attribute "{_short(node.attribute)}" in this framework.{near}'
                return node, [Fault("unknown_field", message, ("attribute",))]
            if attribute.data_type not in node.valid_types(node.op):
                return node, [_operator_fault(node, attribute)]
            return node.bind(attribute)
        return node, list(self._faults(node))

    def _faults(self, node: BaseNode) -> Iterator[Fault]:
        """What is wrong with a node that is no attribute leaf."""
        if isinstance(node, DimensionLeaf):
            yield from self._dimension_faults(node)
        elif isinstance(node, SignalTest):
            yield from node.own_faults()
        elif isinstance(node, ListTest) and self.lists is not None and node.list not in self.lists:
            yield Fault("unknown_list", unknown_list(node.list, self.lists), ("list",))
        elif isinstance(node, AtLeast) and node.k > len(node.items):
            yield Fault("unreachable_count", f"{node.k} of {len(node.items)} items can never be met.", ("k",))

    def _check_history(self, node: Sustained, pointer: str) -> None:
        """Refuse what closed periods say nothing about, each at its own node."""
        for each in walk(node.item):
            if each.id == _STAND_IN_ID:
                continue
            fault = _history_fault(each)
            if fault:
                at = self.ids.get(each.id, pointer)
                self._add(fault.code, fault.message, each.id, at + _pointer(fault.at))

    def _dimension_faults(self, node: DimensionLeaf) -> Iterator[Fault]:
        if node.dimension == self.own_dimension:
            yield Fault("cycle", "A rule may not refer to the dimension it decides.", ("dimension",))
            return
        segments = self.dimensions.get(node.dimension)
        if segments is None:
            near = _near(node.dimension, self.dimensions)
            message = f'There is no dimension "{_short(node.dimension)}" in this framework.{near}'
            yield Fault("unknown_dimension", message, ("dimension",))
            return
        if not isinstance(node, SegmentTest):
            return
        if (node.any_of is None) == (node.none_of is None):
            yield Fault("one_of_two", 'Give either "any_of" or "none_of".')
        name = "any_of" if node.any_of is not None else "none_of"
        for position, segment in enumerate(node.segments):
            if segment not in segments:
                near = _near(segment, segments)
                message = f'There is no segment "{_short(segment)}" in the dimension "{node.dimension}".{near}'
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
    if detail["type"] == "string_pattern_mismatch":
        return code, f'"{name}" is a key: small letters, digits and underscores, starting with a letter.'
    return code, f'"{name}" is not valid: {detail["msg"]}.'


def _operator_fault(node: AttributeLeaf, attribute: AttributeType) -> Fault:
    valid = ", ".join(operators_for(attribute.data_type))
    message = f'"{node.op}" does not work on {attribute.label} ({attribute.data_type}). It takes: {valid}.'
    return Fault("operator_not_valid", message, ("op",))


def _history_fault(node: Node) -> Fault | None:
    if isinstance(node, Change | Sustained):
        return Fault("not_in_history", f'"{node.op}" cannot stand inside "sustained".', ("op",))
    if isinstance(node, Group | Not):
        return None
    if not isinstance(node, Comparison | Membership | Range | Presence):
        message = 'Inside "sustained" stand conditions on numbers and groups of them: periods say nothing else.'
        return Fault("not_in_history", message, ("op",))
    if node.of:
        return Fault("of_not_valid", "The metric history is read of the account itself: leave out “of”.", ("of",))
    bound = node.is_bound and not node.type.has_history
    if bound:
        return Fault("not_in_history", f"{node.type.label} has no history: only numbers have.", ("attribute",))
    return None


_STAND_IN_ID: Final = "refused:"


def _stand_in() -> Always:
    """Takes the place of a child that was refused, so that the rest of its parent is still checked."""
    return Always.model_construct(id=_STAND_IN_ID, op="always")


def unknown_list(key: str, lists: Collection[str]) -> str:
    """What is said of a list that there is not: which was probably meant, and how to get one."""
    return f'There is no list "{_short(key)}": make it under Lists first, it may be empty.{_near(key, lists)}'


def _near(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name[:80], list(known), n=1)
    return f' Did you mean "{found[0]}"?' if found else ""


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
