"""What the nodes of a criteria document have in common: ids, and leaves that are bound to an attribute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StrictStr

from frameworks.criteria.types import (
    AttributeType,
    DataType,
    LiteralError,
    Scalar,
    canonical_literal,
    parse_literal,
)

if TYPE_CHECKING:
    from frameworks.criteria.ast import Node

NODE_ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"

NodeId = Annotated[StrictStr, Field(pattern=NODE_ID_PATTERN)]
WhenMissing = Literal["true", "false"]
Of = Literal["self", "ultimate_parent"]
# Stored only where it differs from the default: one rule, one document.
StoredOf = Annotated[Of | None, AfterValidator(lambda of: None if of == "self" else of)]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong inside a node: `at` is the path from the node, ("values", 3)."""

    code: str
    message: str
    at: tuple[str | int, ...] = ()


class BaseNode(BaseModel):
    """What every node has: an id that edits, comments, diffs and traces refer to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: NodeId

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


class HeldNode(BaseNode):
    """A condition on a fact of the account itself or of its ultimate parent."""

    of: StoredOf = None

    @property
    def holder(self) -> Of:
        """Whose fact is looked at; an account without a parent is its own ultimate parent."""
        return self.of or "self"


class AttributeLeaf(HeldNode):
    """A condition on one attribute. Unknown on a missing value, unless `missing` states true or false."""

    literal_fields: ClassVar[tuple[str, ...]] = ()

    op: str
    attribute: StrictStr
    _type: AttributeType | None = PrivateAttr(default=None)

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        """The data types `op` may be used on."""
        raise NotImplementedError

    @property
    def is_bound(self) -> bool:
        """Whether parsing found the attribute, and the operator valid for it."""
        return self._type is not None

    @property
    def type(self) -> AttributeType:
        """The attribute this leaf was bound to by parsing."""
        if self._type is None:
            raise ValueError(f"Node {self.id} was not bound to its attribute: read documents with parse_criteria.")
        return self._type

    def typed(self, text: str) -> Scalar:
        """A literal of this leaf as a value of the attribute's type."""
        return parse_literal(self.type, text)

    def bind(self, attribute: AttributeType) -> tuple[Self, list[Fault]]:
        """This leaf with canonical literals, bound to `attribute`, and what is wrong with it.

        The caller has made sure that the operator is valid for the attribute's type.
        """
        faults: list[Fault] = []
        canonical = {name: self._canonical(attribute, name, faults) for name in self.literal_fields}
        bound = self.model_copy(update=canonical)
        bound._type = attribute
        if not faults:
            faults.extend(bound.own_faults())
        return bound, faults

    def own_faults(self) -> Iterator[Fault]:
        """What only this operator can find wrong, once its literals are known to be good."""
        derived = self.type.derived
        if self.of and derived is not None and derived.kind == "growth":
            yield Fault("of_not_valid", "The metric history is read of the account itself: leave out “of”.", ("of",))

    def _canonical(self, attribute: AttributeType, name: str, faults: list[Fault]) -> Any:
        written = getattr(self, name)
        if written is None:
            return None
        texts = written if isinstance(written, tuple) else (written,)
        result = []
        for position, text in enumerate(texts):
            at = (name, position) if isinstance(written, tuple) else (name,)
            try:
                result.append(canonical_literal(attribute, text))
            except LiteralError as error:
                faults.append(Fault(error.code, str(error), at))
        if faults:
            return written
        return tuple(result) if isinstance(written, tuple) else result[0]


class DefaultableLeaf(AttributeLeaf):
    """A leaf that can be unknown, and may therefore state what a missing value means."""

    missing: WhenMissing | None = None


class MeasuredLeaf(DefaultableLeaf):
    """A leaf with literals that may name their unit or currency, which must then be the attribute's."""

    unit: Annotated[StrictStr, Field(min_length=1)] | None = None
    currency: Annotated[StrictStr, Field(min_length=1)] | None = None

    def own_faults(self) -> Iterator[Fault]:
        yield from super().own_faults()
        money = self.type.data_type == "money"
        if self.unit is not None and (money or self.unit != self.type.unit):
            own = "a currency" if money else self.type.unit or "no unit"
            yield Fault("wrong_unit", f'{self.type.label} is measured in {own}, not "{self.unit}".', ("unit",))
        if self.currency is not None and self.currency != self.type.currency:
            own = self.type.currency or "no currency"
            message = f'{self.type.label} is in {own}, not "{self.currency}".'
            yield Fault("wrong_currency", message, ("currency",))


class TextMatchLeaf(MeasuredLeaf):
    """A leaf that compares text by its matching key, unless `match` asks for the exact characters."""

    match: Literal["exact"] | None = None

    def own_faults(self) -> Iterator[Fault]:
        yield from super().own_faults()
        if self.match and self.type.data_type != "text":
            message = f'"match" is for text; {self.type.label} is {self.type.data_type}.'
            yield Fault("match_not_valid", message, ("match",))
