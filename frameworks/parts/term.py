"""The `term` part: an agreed wording, with what departments say instead."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEMANTIC,
    Label,
    OptionalText,
    PartSchema,
    Piece,
    SegmentKey,
    Slug,
    Text,
    distinct,
    distinct_by,
)


class Variant(Piece):
    """How one department words the term today."""

    identity = "department"

    department: Slug
    wording: Text


class UsedBy(Piece):
    """Where the term matters: attribute keys, dimension keys and segment keys (dimension/segment)."""

    attributes: Annotated[list[Slug], AfterValidator(distinct)] = []
    dimensions: Annotated[list[Slug], AfterValidator(distinct)] = []
    segments: Annotated[list[SegmentKey], AfterValidator(distinct)] = []


class Term(PartSchema):
    """A definition. `wording` is what stakeholders say Yes or No to; variants are the evidence beside it."""

    kind: ClassVar[str] = "term"

    label: Annotated[Label, COSMETIC]
    wording: Annotated[Text, SEMANTIC]
    owner: Annotated[Label | None, OPERATIONAL] = None
    variants: Annotated[list[Variant], AfterValidator(distinct_by("department")), OPERATIONAL] = []
    used_by: Annotated[UsedBy | None, OPERATIONAL] = None
    source: Annotated[OptionalText, COSMETIC] = ""

    @model_validator(mode="after")
    def _variants_differ(self) -> Term:
        same = [variant.department for variant in self.variants if variant.wording == self.wording]
        if same:
            raise PydanticCustomError(
                "variant",
                "The variant of {who} is the agreed wording: leave it out.",
                {"who": ", ".join(same)},
            )
        return self
