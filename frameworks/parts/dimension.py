"""The `dimension` part: one way to divide accounts, and how competing segments are decided."""

from __future__ import annotations

from collections.abc import Mapping
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
    Piece,
    Slug,
    Text,
    distinct,
    distinct_by,
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
HIT_POLICIES = ("basis_precedence", "ranked", "unique", "raise_only", "manual_review")
MOVE_POLICIES = ("auto", "review", "notify")


def _known_hit_policy(value: object) -> object:
    if value not in HIT_POLICIES:
        raise PydanticCustomError(
            "hit_policy",
            "This hit policy is not available: choose {known}.",
            {"known": ", ".join(HIT_POLICIES)},
        )
    return value


def _known_move_policy(value: object) -> object:
    if value not in MOVE_POLICIES:
        raise PydanticCustomError(
            "move_policy", "Write what such a move does: {known}.", {"known": ", ".join(MOVE_POLICIES)}
        )
    return value


def _unwritten(default: object) -> BeforeValidator:
    """What a field means when it is not there is never written: it would change the digests of older bodies."""
    return BeforeValidator(lambda value: None if value == default and not isinstance(value, bool) else value)


Dwell = Annotated[int, Field(ge=1, le=3660)]
Step = Annotated[int, Field(ge=1, le=1000)]
MovePolicy = Annotated[Literal["auto", "review", "notify"], BeforeValidator(_known_move_policy)]


RECONFIRM = "reconfirm"


class Retirement(Piece):
    """A segment that an earlier version had, and the segments that have taken its place.

    One successor: renamed, merged or retired into it; several: split, and each account goes where their rules put it.
    `overrides` is the successor that overrides of the segment are carried to, or "reconfirm": they end, and whoever
    asked is told. Left out, it is the one successor; of a split, "reconfirm".

    `rules` is "taken_over" where a successor that was there before takes whom this segment took. The record itself
    places nobody: without them, the rules of the others do, or leave an account Unassigned.
    """

    identity = "segment"

    segment: Slug
    into: Annotated[list[Slug], Field(min_length=1, max_length=20), AfterValidator(distinct)]
    overrides: Slug | None = None
    rules: Literal["taken_over"] | None = None
    reason: Text

    @model_validator(mode="after")
    def _overrides_go_somewhere(self) -> Retirement:
        if self.overrides not in (None, RECONFIRM, *self.into):
            raise PydanticCustomError(
                "overrides",
                "Overrides of {segment} go to one of its successors, or are to be reconfirmed.",
                {"segment": self.segment},
            )
        return self

    @property
    def carries_to(self) -> str | None:
        """The successor that overrides are carried to; None where somebody has to say so again."""
        if self.overrides is None:
            return self.into[0] if len(self.into) == 1 else None
        return self.overrides if self.overrides in self.into else None


class Dimension(PartSchema):
    """A dimension. `segments` are the short keys of its segments, highest rank first.

    Under `basis_precedence` a true rule of an earlier basis in `basis_order` wins, then the higher rank.
    `fallback` takes accounts that match nothing; never those whose data is missing. Under `raise_only` some rule of
    `base_basis` (firmographic unless named) must be true, and the highest true segment wins.

    `upgrade` and `downgrade` say what a move up or down the rank does: auto; review, where the account stays until a
    person lets it go; notify, which moves and tells. For `min_dwell_days` after its segment changed an account stays;
    it moves at most `max_step` ranks at once. `basis_of` names which segments of other dimensions these rules read:
    those that count (effective, unless named) or those the rules give (computed).

    `retired` is the record of segments that left, and of what took their place: it stays in later versions.
    """

    kind: ClassVar[str] = "dimension"

    label: Annotated[Label, COSMETIC]
    question: Annotated[OptionalText, OPERATIONAL] = ""
    hit_policy: Annotated[
        Literal["basis_precedence", "ranked", "unique", "raise_only", "manual_review"],
        BeforeValidator(_known_hit_policy),
        SEMANTIC,
    ] = "basis_precedence"
    basis_order: Annotated[list[Basis], Field(min_length=1), AfterValidator(distinct), SEMANTIC] = DEFAULT_BASIS_ORDER
    base_basis: Annotated[Basis | None, _unwritten("firmographic"), SEMANTIC] = None
    undetermined_higher: Annotated[Literal["provisional", "unassigned"], SEMANTIC] = "provisional"
    fallback: Annotated[Slug | None, SEMANTIC] = None
    upgrade: Annotated[MovePolicy, SEMANTIC] = "auto"
    downgrade: Annotated[MovePolicy, SEMANTIC] = "review"
    min_dwell_days: Annotated[Dwell | None, _unwritten(0), SEMANTIC] = None
    max_step: Annotated[Step | None, SEMANTIC] = None
    basis_of: Annotated[Literal["computed"] | None, _unwritten("effective"), SEMANTIC] = None
    segments: Annotated[list[Slug], Field(min_length=1), AfterValidator(distinct), SEMANTIC]
    retired: Annotated[list[Retirement], Field(max_length=200), AfterValidator(distinct_by("segment")), SEMANTIC] = []

    @model_validator(mode="after")
    def _fallback_is_a_segment(self) -> Dimension:
        if self.fallback is not None and self.fallback not in self.segments:
            raise PydanticCustomError(
                "fallback", "The fallback {name} is not one of the segments.", {"name": repr(self.fallback)}
            )
        return self

    @model_validator(mode="after")
    def _retired_segments_have_successors(self) -> Dimension:
        gone = {entry.segment: entry for entry in self.retired}
        for entry in self.retired:
            if entry.segment in self.segments:
                raise PydanticCustomError(
                    "retired", "{name} is a segment of this dimension, so it is not retired.", {"name": entry.segment}
                )
            for successor in entry.into:
                if successor not in self.segments and successor not in gone:
                    raise PydanticCustomError(
                        "successor",
                        "{name} cannot take the place of {gone}: it is no segment of this dimension.",
                        {"name": successor, "gone": entry.segment},
                    )
        if any(_leads_back(name, gone) for name in gone):
            raise PydanticCustomError("successor", "Retired segments take each other's place in a circle.")
        return self

    @property
    def base(self) -> Basis:
        """The basis that decides under `raise_only`."""
        return self.base_basis or "firmographic"


def _leads_back(name: str, gone: Mapping[str, Retirement]) -> bool:
    waiting, seen = [*gone[name].into], set[str]()
    while waiting:
        successor = waiting.pop()
        if successor == name:
            return True
        if successor in gone and successor not in seen:
            seen.add(successor)
            waiting += gone[successor].into
    return False
