"""The nodes of a `criteria/1` document: frozen, typed, one class per family of operators.

A node says what shape it has (pydantic, which also gives the JSON Schema), which attribute types it accepts and
which of its fields hold literals. What it means is said once in compile.py and once in english.py; its text form
is in text.py. Documents are read by `parsing.parse_criteria`, never by these models alone: only parsing binds a
leaf to its attribute, and an unbound leaf cannot be compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, TypeAdapter

from frameworks.criteria.base import (
    AttributeLeaf,
    BaseNode,
    DefaultableLeaf,
    Fault,
    MeasuredLeaf,
    TextMatchLeaf,
    WhenMissing,
)
from frameworks.criteria.types import NUMERIC, TEMPORAL, DataType, Scalar

SCHEMA: Final = "criteria/1"
MAX_DEPTH: Final = 8
MAX_NODES: Final = 200
MAX_VALUES: Final = 1_000
MAX_PERIODS: Final = 10_000

Literals = Annotated[tuple[StrictStr, ...], Field(min_length=1, max_length=MAX_VALUES)]
Unit = Literal["days", "weeks", "months", "quarters"]

_EVERY_TYPE: Final[frozenset[DataType]] = NUMERIC | TEMPORAL | {"text", "choice", "boolean"}
_LISTED: Final[frozenset[DataType]] = NUMERIC | {"text", "choice"}


# --- leaves on an attribute -------------------------------------------------------------------------------------


class Comparison(TextMatchLeaf):
    """One literal: equal, different, below, above."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    value: StrictStr

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _LISTED if op in {"eq", "ne"} else NUMERIC


class Membership(TextMatchLeaf):
    """One of a list, or none of it."""

    literal_fields: ClassVar[tuple[str, ...]] = ("values",)

    op: Literal["in", "not_in"]
    values: Literals

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _LISTED


class Range(MeasuredLeaf):
    """Between two literals: one lower bound (`ge` or `gt`) and one upper bound (`lt` or `le`)."""

    literal_fields: ClassVar[tuple[str, ...]] = ("ge", "gt", "lt", "le")

    op: Literal["range"]
    ge: StrictStr | None = None
    gt: StrictStr | None = None
    lt: StrictStr | None = None
    le: StrictStr | None = None

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return NUMERIC | TEMPORAL

    @property
    def lower(self) -> tuple[Literal["ge", "gt"], str]:
        return ("ge", self.ge) if self.ge is not None else ("gt", self.gt or "")

    @property
    def upper(self) -> tuple[Literal["lt", "le"], str]:
        return ("lt", self.lt) if self.lt is not None else ("le", self.le or "")

    def own_faults(self) -> Iterator[Fault]:
        yield from super().own_faults()
        sides = (self.ge is not None) + (self.gt is not None), (self.lt is not None) + (self.le is not None)
        if 0 in sides:
            yield Fault("one_sided_range", 'A range needs both sides; write one side as "ge", "gt", "lt" or "le".')
        elif sides != (1, 1):
            yield Fault("two_bounds", "A range takes one lower bound (ge or gt) and one upper bound (lt or le).")
        elif not self._ordered():
            message = f"The lower bound {self.lower[1]} must be below the upper bound {self.upper[1]}."
            yield Fault("empty_range", message, (self.lower[0],))

    def _ordered(self) -> bool:
        low, high = self.typed(self.lower[1]), self.typed(self.upper[1])
        if isinstance(low, datetime) != isinstance(high, datetime):
            # A day and an instant can only be compared in the framework's zone; the days decide well enough here.
            low, high = _day_of(low), _day_of(high)
            return bool(low <= high)
        return bool(low < high)  # type: ignore[operator]  # both have the attribute's type


def _day_of(value: Scalar) -> date:
    if isinstance(value, datetime):
        return value.date()
    assert isinstance(value, date)  # noqa: S101 - only temporal attributes mix the two
    return value


class TextPattern(DefaultableLeaf):
    """The beginning, the end or a part of a text. No regular expressions, on purpose."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["starts_with", "ends_with", "contains"]
    value: StrictStr
    match: Literal["exact"] | None = None

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return frozenset({"text"})


class DateComparison(DefaultableLeaf):
    """Before or after a day (or, for a datetime attribute, an instant)."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["before", "on_or_before", "after", "on_or_after"]
    value: StrictStr

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return TEMPORAL


class RelativeDate(DefaultableLeaf):
    """Counted from the day of `as_of` in the framework's time zone, both ends included.

    within_last 90 days: 0 to 90 days ago; older_than 90 days: 91 and more; within_next 120 days: today to in 120.
    """

    op: Literal["within_last", "within_next", "older_than"]
    n: Annotated[StrictInt, Field(ge=1, le=MAX_PERIODS)]
    unit: Unit

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return TEMPORAL


class Truth(DefaultableLeaf):
    """A boolean attribute is true, or is false."""

    op: Literal["is_true", "is_false"]

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return frozenset({"boolean"})


class Presence(AttributeLeaf):
    """The attribute has a value, or has none. Never unknown."""

    op: Literal["is_missing", "is_present"]

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _EVERY_TYPE


# --- leaves on another dimension --------------------------------------------------------------------------------


class DimensionLeaf(BaseNode):
    """A condition on the segment the account has in another dimension."""

    dimension: StrictStr


class SegmentTest(DimensionLeaf):
    """The account is in any, or in none, of these segments. Unknown while it is Unassigned there."""

    op: Literal["segment"]
    any_of: Literals | None = None
    none_of: Literals | None = None
    missing: WhenMissing | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        return self.any_of or self.none_of or ()


class Unassigned(DimensionLeaf):
    """The account has no segment in the dimension. Never unknown."""

    op: Literal["is_unassigned"]


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


class Not(BaseNode):
    """True and false exchanged; unknown stays unknown."""

    op: Literal["not"]
    item: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.item,)


Node = Annotated[
    Comparison
    | Membership
    | Range
    | TextPattern
    | DateComparison
    | RelativeDate
    | Truth
    | Presence
    | SegmentTest
    | Unassigned
    | All
    | AnyOf
    | AtLeast
    | Not
    | Always,
    Field(discriminator="op"),
]

NODE_CLASSES: Final[tuple[type[BaseNode], ...]] = (
    Comparison,
    Membership,
    Range,
    TextPattern,
    DateComparison,
    RelativeDate,
    Truth,
    Presence,
    SegmentTest,
    Unassigned,
    All,
    AnyOf,
    AtLeast,
    Not,
    Always,
)
for _node_class in NODE_CLASSES:
    _node_class.model_rebuild()

CLASS_BY_OPERATOR: Final[dict[str, type[BaseNode]]] = {
    op: node_class
    for node_class in NODE_CLASSES
    for op in node_class.model_fields["op"].annotation.__args__  # type: ignore[union-attr]
}


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
    elif isinstance(node, Not):
        ordered["item"] = node_document(node.item)
    return ordered


def without_ids(document: Any) -> Any:
    """A document or part of one without node ids: what digests cover and what structural matching compares."""
    if isinstance(document, dict):
        return {key: without_ids(value) for key, value in document.items() if key != "id"}
    if isinstance(document, list):
        return [without_ids(value) for value in document]
    return document


def walk(node: Node) -> Iterator[Node]:
    """The node and everything under it, parents first, in document order."""
    yield node
    for child in node.children:
        yield from walk(child)


def leaves(node: Node) -> Iterator[Node]:
    """The nodes that are not made of others, in document order."""
    return (each for each in walk(node) if not each.children)


def attributes_used(node: Node) -> frozenset[str]:
    """Keys of the attributes any leaf looks at."""
    return frozenset(each.attribute for each in walk(node) if isinstance(each, AttributeLeaf))


def dimensions_used(node: Node) -> frozenset[str]:
    """Keys of the other dimensions any leaf looks at."""
    return frozenset(each.dimension for each in walk(node) if isinstance(each, DimensionLeaf))


def thresholds(node: Node) -> tuple[Threshold, ...]:
    """Every literal of every attribute leaf, typed, in document order."""
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
