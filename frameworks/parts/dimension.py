"""The `dimension` part: one way to divide accounts, and how competing segments are decided."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEMANTIC,
    Basis,
    Label,
    OptionalText,
    PartSchema,
    Slug,
    distinct,
)

DEFAULT_BASIS_ORDER: list[Basis] = [
    "value",
    "behavioural",
    "needs",
    "lifecycle",
    "technographic",
    "firmographic",
    "geographic",
]
HIT_POLICIES = ("basis_precedence", "ranked", "unique")


def _known_hit_policy(value: object) -> object:
    if value not in HIT_POLICIES:
        raise PydanticCustomError(
            "hit_policy",
            "This hit policy is not available: choose {known}.",
            {"known": ", ".join(HIT_POLICIES)},
        )
    return value


def _automatic(value: object) -> object:
    if value != "auto":
        raise PydanticCustomError("move_policy", 'Accounts move by themselves: the only choice is "auto".')
    return value


AutomaticOnly = Annotated[Literal["auto"], BeforeValidator(_automatic)]


class Dimension(PartSchema):
    """A dimension. `segments` are the short keys of its segments, highest rank first.

    Under `basis_precedence` a true rule of an earlier basis in `basis_order` wins, then the higher rank.
    `fallback` takes accounts that match nothing; never those whose data is missing.
    """

    kind: ClassVar[str] = "dimension"

    label: Annotated[Label, COSMETIC]
    question: Annotated[OptionalText, OPERATIONAL] = ""
    hit_policy: Annotated[
        Literal["basis_precedence", "ranked", "unique"], BeforeValidator(_known_hit_policy), SEMANTIC
    ] = "basis_precedence"
    basis_order: Annotated[list[Basis], Field(min_length=1), AfterValidator(distinct), SEMANTIC] = DEFAULT_BASIS_ORDER
    undetermined_higher: Annotated[Literal["provisional", "unassigned"], SEMANTIC] = "provisional"
    fallback: Annotated[Slug | None, SEMANTIC] = None
    upgrade: Annotated[AutomaticOnly, SEMANTIC] = "auto"
    downgrade: Annotated[AutomaticOnly, SEMANTIC] = "auto"
    segments: Annotated[list[Slug], Field(min_length=1), AfterValidator(distinct), SEMANTIC]

    @model_validator(mode="after")
    def _fallback_is_a_segment(self) -> Dimension:
        if self.fallback is not None and self.fallback not in self.segments:
            raise PydanticCustomError(
                "fallback", "The fallback {name} is not one of the segments.", {"name": repr(self.fallback)}
            )
        return self
