"""The `data_source` part: what an attribute means, where it comes from, how fresh it must be.

Its key is the attribute's. How the attribute is stored is no business of the framework.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.criteria.types import NUMERIC, TEMPORAL, DataType, DerivedKind, Grain
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
    Slug,
    distinct,
    distinct_by,
)

# What an attribute of these types must have, and, with those of _MAY_HAVE, no other.
_DETAILS: dict[str, tuple[DataType, ...]] = {
    "scale": ("decimal", "money"),
    "currency": ("money",),
    "choices": ("choice",),
}
_MAY_HAVE: dict[str, tuple[DataType, ...]] = {"choices": ("tags",)}
# What a derived attribute of each kind is stated as, and how many attributes it is made of.
_DERIVED: dict[DerivedKind, tuple[tuple[DataType, ...], int]] = {
    "ratio": (("decimal",), 2),
    "difference": (("integer", "decimal", "money"), 2),
    "growth": (("decimal",), 1),
    "age_days": (("integer",), 1),
}


class Choice(Piece):
    """One value of a picklist: rules refer to the id, people read the label."""

    identity = "id"

    id: Annotated[str, Field(min_length=1, max_length=120)]
    label: Annotated[Label, COSMETIC]


class Derived(Piece):
    """How the attribute follows from stored ones: a ratio or difference of two, a growth or an age of one.

    `grain` and `periods` belong to growth, in percent over that many closed periods.
    """

    kind: DerivedKind
    of: Annotated[list[Slug], Field(min_length=1, max_length=2)]
    grain: Grain | None = None
    periods: Annotated[int | None, Field(ge=1, le=12)] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Derived:
        count = _DERIVED[self.kind][1]
        if len(self.of) != count:
            raise _refused(f"{self.kind} is made of {'one attribute' if count == 1 else 'two attributes'}.")
        given = (self.grain is not None, self.periods is not None)
        if given != (self.kind == "growth",) * 2:
            verb = "needs" if self.kind == "growth" else "has no"
            raise _refused(f"{self.kind} {verb} grain and periods.")
        return self


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("derived", "{message}", {"message": message})


Token = Annotated[str, Field(min_length=1, max_length=120)]


class DataSource(PartSchema):
    """An attribute's meaning.

    `scale` is the number of decimals (decimal, money); `minimum` is the least value that can occur (0 for
    employees); `missing_tokens` are texts that mean "no value"; a value observed more than `freshness_days`
    ago counts as missing. A `derived` attribute is stored nowhere: it is computed from the stored ones it names.
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
    derived: Annotated[Derived | None, SEMANTIC] = None
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
            if given[name] and self.data_type in _MAY_HAVE.get(name, ()):
                continue
            if given[name] != (self.data_type in types):
                need = "has no" if given[name] else "needs"
                raise PydanticCustomError(
                    "type_detail",
                    "An attribute of type {kind} {need} {name}.",
                    {"kind": self.data_type, "need": need, "name": name},
                )
        return self

    @model_validator(mode="after")
    def _is_derived_or_stored(self) -> DataSource:
        if self.derived is None:
            return self
        types, _ = _DERIVED[self.derived.kind]
        if self.data_type not in types:
            raise _refused(f"{self.derived.kind} is of type {' or '.join(types)}, not {self.data_type}.")
        if self.freshness_days is not None or self.missing_tokens:
            raise _refused("Freshness and missing tokens belong to the attributes this one is derived from.")
        return self


def _derived_of(key: str, sources: Mapping[str, DataSource]) -> Iterator[str]:
    """An attribute that another one is made of has to stay stored: else the two could lead to each other."""
    for other_key, other in sources.items():
        if other_key != key and other.derived is not None and key in other.derived.of:
            yield f"/derived: {other.label} is derived from this attribute, so this one has to be stored."


def derived_problems(key: str, source: DataSource, sources: Mapping[str, DataSource]) -> Iterator[str]:
    """What is wrong with the attributes that `source` is derived from, each naming its place."""
    if source.derived is None:
        return
    yield from _derived_of(key, sources)
    kind = source.derived.kind
    inputs = list(enumerate(source.derived.of))
    for place, name in inputs:
        found = sources.get(name)
        at = f"/derived/of/{place}"
        if name == key:
            yield f"{at}: An attribute cannot be derived from itself."
        elif found is None:
            yield f"{at}: There is no data source {name!r}."
        elif found.derived is not None:
            yield f"{at}: {found.label} is itself derived: name the stored attributes it comes from."
        elif found.data_type not in (TEMPORAL if kind == "age_days" else NUMERIC):
            need = "a date" if kind == "age_days" else "a number"
            yield f"{at}: {kind} needs {need}; {found.label} is {found.data_type}."
        elif kind == "difference" and (found.data_type, found.currency) != (source.data_type, source.currency):
            yield f"{at}: A difference has the type and currency of both its attributes; {found.label} has another."
