"""The `data_source` part: what an attribute means, where it comes from, how fresh it must be.

Its key is the attribute's. How the attribute is stored is no business of the framework.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEMANTIC,
    Currency,
    Label,
    Number,
    OptionalText,
    PartSchema,
    Piece,
    distinct,
    distinct_by,
)

DataType = Literal["integer", "decimal", "money", "date", "datetime", "text", "choice", "boolean"]
# What an attribute of these types has, and no other.
_DETAILS = {"scale": ("decimal", "money"), "currency": ("money",), "choices": ("choice",)}


class Choice(Piece):
    """One value of a picklist: rules refer to the id, people read the label."""

    identity = "id"

    id: Annotated[str, Field(min_length=1, max_length=120)]
    label: Annotated[Label, COSMETIC]


Token = Annotated[str, Field(min_length=1, max_length=120)]


class DataSource(PartSchema):
    """An attribute's meaning.

    `scale` is the number of decimals (decimal, money); `minimum` is the least value that can occur (0 for
    employees); `missing_tokens` are texts that mean "no value"; a value observed more than `freshness_days`
    ago counts as missing.
    """

    kind: ClassVar[str] = "data_source"

    label: Annotated[Label, COSMETIC]
    data_type: Annotated[DataType, SEMANTIC]
    unit: Annotated[OptionalText, SEMANTIC] = ""
    scale: Annotated[int | None, Field(ge=0, le=9), SEMANTIC] = None
    currency: Annotated[Currency | None, SEMANTIC] = None
    choices: Annotated[list[Choice], AfterValidator(distinct_by("id")), SEMANTIC] = []
    minimum: Annotated[Number | None, SEMANTIC] = None
    missing_tokens: Annotated[list[Token], AfterValidator(distinct), SEMANTIC] = []
    freshness_days: Annotated[int | None, Field(ge=1, le=3660), SEMANTIC] = None
    system: Annotated[OptionalText, OPERATIONAL] = ""
    owner: Annotated[Label | None, OPERATIONAL] = None
    refresh: Annotated[OptionalText, OPERATIONAL] = ""

    @model_validator(mode="after")
    def _fits_its_type(self) -> DataSource:
        given = {
            "scale": self.scale is not None,
            "currency": self.currency is not None,
            "choices": bool(self.choices),
        }
        for name, types in _DETAILS.items():
            if given[name] != (self.data_type in types):
                need = "has no" if given[name] else "needs"
                raise PydanticCustomError(
                    "type_detail",
                    "An attribute of type {kind} {need} {name}.",
                    {"kind": self.data_type, "need": need, "name": name},
                )
        return self
