"""The nodes of a `criteria/1` document: frozen, typed, one class per family of operators.

A node says what shape it has (pydantic, which also gives the JSON Schema), which attribute types it accepts and
which of its fields hold literals. What it means is said once in compile.py and once in english.py; its text form
is in text.py. Documents are read by `parsing.parse_criteria`, never by these models alone: only parsing binds a
leaf to its attribute, and an unbound leaf cannot be compiled. Leaves are in conditions.py; what a rule reads is
told by uses.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, TypeAdapter

from frameworks.criteria.base import AttributeLeaf, BaseNode
from frameworks.criteria.conditions import (
    MAX_VALUES,
    Change,
    Comparison,
    DateComparison,
    DimensionLeaf,
    InPeriod,
    ListTest,
    Membership,
    Periods,
    Presence,
    Range,
    RelativeDate,
    SegmentTest,
    SignalTest,
    TagTest,
    TextPattern,
    Truth,
    Unassigned,
)
from frameworks.criteria.types import DataType, Grain, Scalar

__all__ = [
    "CLASS_BY_OPERATOR",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_VALUES",
    "NODE_CLASSES",
    "SCHEMA",
    "All",
    "Always",
    "AnyOf",
    "AtLeast",
    "Change",
    "Comparison",
    "Criteria",
    "DateComparison",
    "DimensionLeaf",
    "Document",
    "Group",
    "InPeriod",
    "ListTest",
    "Membership",
    "Node",
    "Not",
    "Presence",
    "Range",
    "RelativeDate",
    "SegmentTest",
    "SignalTest",
    "Sustained",
    "TagTest",
    "TextPattern",
    "Threshold",
    "Truth",
    "Unassigned",
    "attributes_used",
    "dimensions_used",
    "json_schema",
    "leaves",
    "node_document",
    "operators_for",
    "thresholds",
    "walk",
    "without_ids",
]

SCHEMA: Final = "criteria/1"
MAX_DEPTH: Final = 8
MAX_NODES: Final = 200

MissingPeriod = Literal["unknown", "breaks", "skip"]


# --- groups -----------------------------------------------------------------------------------------------------


class Always(BaseNode):
    """Matches every account: the only node that does."""

    op: Literal["always"]


class Group(BaseNode):
    """A node made of other nodes."""

    items: Annotated[tuple[Node, ...], Field(min_length=1)]

    @property
    def children(self) -> tuple[Node, ...]:
        return self.items


class All(Group):
    """False if any item is false, else unknown if any is unknown, else true."""

    op: Literal["all"]


class AnyOf(Group):
    """True if any item is true, else unknown if any is unknown, else false."""

    op: Literal["any"]


class AtLeast(Group):
    """True once k items are true, false once k can no longer be reached, else unknown."""

    op: Literal["at_least"]
    k: Annotated[StrictInt, Field(ge=1)]


class Wrapper(BaseNode):
    """A node around one other node."""

    item: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.item,)


class Not(Wrapper):
    """True and false exchanged; unknown stays unknown."""

    op: Literal["not"]


class Sustained(Wrapper):
    """The item holds in each of the last `periods` closed periods, every attribute read at one and the same period.

    A hole in the history (an absent period with an older one observed) follows `missing_period`: `unknown` (not
    stored, its leaves are unknown), `breaks` (the node is false) or `skip` (one absent period gives its place to the
    next older one). Where the history itself is too short, the leaves of the absent periods are unknown in any case.
    """

    op: Literal["sustained"]
    periods: Periods
    grain: Grain
    missing_period: Annotated[
        MissingPeriod | None, AfterValidator(lambda given: None if given == "unknown" else given)
    ] = None


Node = Annotated[
    Comparison
    | Membership
    | TagTest
    | Range
    | TextPattern
    | DateComparison
    | RelativeDate
    | InPeriod
    | Truth
    | Presence
    | Change
    | SignalTest
    | ListTest
    | SegmentTest
    | Unassigned
    | All
    | AnyOf
    | AtLeast
    | Not
    | Sustained
    | Always,
    Field(discriminator="op"),
]

NODE_CLASSES: Final[tuple[type[BaseNode], ...]] = (
    Comparison,
    Membership,
    TagTest,
    Range,
    TextPattern,
    DateComparison,
    RelativeDate,
    InPeriod,
    Truth,
    Presence,
    Change,
    SignalTest,
    ListTest,
    SegmentTest,
    Unassigned,
    All,
    AnyOf,
    AtLeast,
    Not,
    Sustained,
    Always,
)
for _node_class in NODE_CLASSES:
    _node_class.model_rebuild()

CLASS_BY_OPERATOR: Final[dict[str, type[BaseNode]]] = {
    op: node_class
    for node_class in NODE_CLASSES
    for op in node_class.model_fields["op"].annotation.__args__  # type: ignore[union-attr]
}


# --- documents --------------------------------------------------------------------------------------------------


class Document(BaseModel):
    """A rule as it is stored and sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, title="Criteria")

    schema_: Literal["criteria/1"] = Field(default=SCHEMA, alias="schema")
    root: Node


@dataclass(frozen=True, slots=True)
class Criteria:
    """A valid document, every leaf bound to its attribute."""

    root: Node

    def document(self) -> dict[str, Any]:
        """The canonical JSON document: literals in stored form, absent options left out."""
        return {"schema": SCHEMA, "root": node_document(self.root)}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One literal a leaf compares with: where it is written and its typed value."""

    node_id: str
    attribute: str
    field: str
    value: Scalar


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a criteria document, for editors and the OpenAPI file."""
    return TypeAdapter(Document).json_schema(by_alias=True)


def node_document(node: BaseNode) -> dict[str, Any]:
    """A node as JSON, `id` and `op` first."""
    plain = node.model_dump(mode="json", exclude_none=True, exclude={"items", "item"})
    ordered = {"id": plain.pop("id"), "op": plain.pop("op"), **plain}
    if isinstance(node, Group):
        ordered["items"] = [node_document(child) for child in node.items]
    elif isinstance(node, Wrapper):
        ordered["item"] = node_document(node.item)
    return ordered


def without_ids(document: Any) -> Any:
    """A document or part of one without node ids: what digests cover and what structural matching compares."""
    if isinstance(document, dict):
        # Only nodes have ids of ours: a signal's details may call something "id" too.
        return {key: without_ids(value) for key, value in document.items() if key != "id" or "op" not in document}
    if isinstance(document, list):
        return [without_ids(value) for value in document]
    return document


# --- walking ----------------------------------------------------------------------------------------------------


def walk(node: Node) -> Iterator[Node]:
    """The node and everything under it, parents first, in document order."""
    yield node
    for child in node.children:
        yield from walk(child)


def leaves(node: Node) -> Iterator[Node]:
    """The nodes that are not made of others, in document order."""
    return (each for each in walk(node) if not each.children)


def attributes_used(node: Node) -> frozenset[str]:
    """Keys of the attributes any leaf names, also those it reads in the metric history."""
    return frozenset(each.attribute for each in walk(node) if isinstance(each, AttributeLeaf))


def dimensions_used(node: Node) -> frozenset[str]:
    """Keys of the other dimensions any leaf looks at."""
    return frozenset(each.dimension for each in walk(node) if isinstance(each, DimensionLeaf))


def thresholds(node: Node) -> tuple[Threshold, ...]:
    """Every literal an attribute's value is compared with, typed, in document order; not the amounts of changes."""
    return tuple(found for each in walk(node) if isinstance(each, AttributeLeaf) for found in _literals_of(each))


def _literals_of(leaf: AttributeLeaf) -> Iterator[Threshold]:
    for name in leaf.literal_fields:
        written = getattr(leaf, name)
        if written is None:
            continue
        for text in written if isinstance(written, tuple) else (written,):
            yield Threshold(leaf.id, leaf.attribute, name, leaf.typed(text))


def operators_for(data_type: DataType) -> tuple[str, ...]:
    """The operators an attribute of this type takes, in the order editors list them."""
    return tuple(
        op
        for op, node_class in CLASS_BY_OPERATOR.items()
        if issubclass(node_class, AttributeLeaf) and data_type in node_class.valid_types(op)
    )
