"""What every part schema is made of: materiality marks, field types and the strict base classes.

Bodies are insert-only and outlive the code that wrote them, so a schema may only grow: a new field is
optional and its empty value means "as before". Empty values are never written (see `Piece`), which is why
such a field changes no digest of an older body.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from frameworks.parts.errors import Issue, PartError

MATERIALITY = "x-materiality"


class Level(enum.StrEnum):
    """How much a change matters; ordered by `rank`, cosmetic lowest.

    cosmetic: how it reads. operational: what people do. semantic: where accounts end up, or what was agreed.
    """

    COSMETIC = "cosmetic"
    OPERATIONAL = "operational"
    SEMANTIC = "semantic"

    @property
    def rank(self) -> int:
        return _LEVELS.index(self)


_LEVELS = (Level.COSMETIC, Level.OPERATIONAL, Level.SEMANTIC)


def highest(levels: Iterable[Level]) -> Level:
    """The highest of `levels`; cosmetic when there are none."""
    return max(levels, key=lambda level: level.rank, default=Level.COSMETIC)


def _mark(level: Level) -> Any:
    # Kept in the published JSON Schema, so that other programs can compute the same level digests.
    return Field(json_schema_extra={MATERIALITY: level.value})


COSMETIC: Any = _mark(Level.COSMETIC)
OPERATIONAL: Any = _mark(Level.OPERATIONAL)
SEMANTIC: Any = _mark(Level.SEMANTIC)


def level_of(field: FieldInfo, inherited: Level) -> Level:
    """The level a field is marked with; unmarked fields of a nested piece take their container's."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and MATERIALITY in extra:
        return Level(str(extra[MATERIALITY]))
    return inherited


class Piece(BaseModel):
    """A strict, frozen piece of a body. Unknown fields are refused; empty ones are not written."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    # The field that tells the pieces of one list apart, so that a diff can follow a piece through edits.
    identity: ClassVar[str] = ""

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, "", [], {})}


class PartSchema(Piece):
    """The body of one kind of part. Fields of a body schema are each marked with a materiality level."""

    kind: ClassVar[str]

    def check_key(self, key: str) -> None:
        """Raises PartError unless `key` is one that a part with this body can have."""
        if not re.fullmatch(SLUG, key):
            raise refused_key(f"{key!r} is not a key: {SLUG_HINT}")


def refused_key(message: str) -> PartError:
    return PartError([Issue("", "key", message)])


SLUG = "[a-z][a-z0-9_]{0,62}"
SLUG_HINT = "lower-case letters, digits and underscores, starting with a letter."
SEGMENT_KEY = f"{SLUG}/{SLUG}"


def _matching(pattern: str, hint: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("pattern", "{hint}", {"hint": hint})
        return value

    return AfterValidator(check)


def _published(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def distinct(values: list[Any]) -> list[Any]:
    """Refuses a list in which a value occurs twice."""
    seen: list[Any] = []
    for value in values:
        if value in seen:
            raise PydanticCustomError("repeated", "{value} occurs twice.", {"value": repr(value)})
        seen.append(value)
    return values


def distinct_by(name: str) -> Callable[[list[Any]], list[Any]]:
    """A validator refusing lists of pieces in which two have the same value of the field `name`."""

    def check(pieces: list[Any]) -> list[Any]:
        distinct([getattr(piece, name) for piece in pieces])
        return pieces

    return check


_DECIMAL = re.compile(r"-?[0-9]{1,24}(\.[0-9]{1,12})?")


def read_decimal(value: object) -> Decimal:
    """An exact number from text such as "0.25" or "-1200"; an integer is taken as it is."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    raise PydanticCustomError("decimal", "{hint}", {"hint": _decimal_hint(value)})


def _decimal_hint(value: object) -> str:
    if isinstance(value, str) and "," in value:
        return f'Write {value!r} without separators, with a point before decimals, like "25000.50".'
    return 'Write a plain number as text, like "25000" or "0.25".'


def write_decimal(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zeros, no negative zero."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _at_least_zero(value: Decimal) -> Decimal:
    if value < 0:
        raise PydanticCustomError("negative", "Must not be negative.")
    return value


def _at_most_one(value: Decimal) -> Decimal:
    if value > 1:
        raise PydanticCustomError("share", "A share is a number from 0 to 1: write 20 % as 0.20.")
    return value


@dataclass(frozen=True)
class Shown:
    """How people write a value: a share as a percentage, a text on several lines, an amount with its currency."""

    how: Literal["share", "money", "text"]


# Quantities are exact decimals, written as text; counts and days are JSON integers.
Number = Annotated[
    Decimal,
    BeforeValidator(read_decimal),
    PlainSerializer(write_decimal, return_type=str),
    _published(_DECIMAL.pattern),
]
Money = Annotated[Number, AfterValidator(_at_least_zero), Shown("money")]
Share = Annotated[Number, AfterValidator(_at_least_zero), AfterValidator(_at_most_one), Shown("share")]

Slug = Annotated[str, _matching(SLUG, f"A key has {SLUG_HINT}"), _published(SLUG)]
SegmentKey = Annotated[
    str,
    _matching(SEGMENT_KEY, "Write dimension/segment, like customer_tier/enterprise."),
    _published(SEGMENT_KEY),
]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
# Lists of lines are sets with an order: a diff can then always say what was added, removed and moved.
Lines = Annotated[list[Line], AfterValidator(distinct)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000), Shown("text")]
OptionalText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000), Shown("text")]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254),
    _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Write an e-mail address."),
]
Currency = Annotated[
    str, _matching("[A-Z]{3}", "A currency is its three-letter code, like USD."), _published("[A-Z]{3}")
]
Days = Annotated[int, Field(ge=0, le=3660)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]

PartKind = Literal["meta", "policy", "dimension", "segment", "playbook", "term", "data_source", "waiver"]
Basis = Literal["value", "behavioural", "needs", "lifecycle", "technographic", "firmographic", "geographic"]
