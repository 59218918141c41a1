"""The `meta` part: whose framework this is and the calendar its rules are read in. Its key is `meta`."""

from __future__ import annotations

import functools
import zoneinfo
from decimal import Decimal
from typing import Annotated, ClassVar

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
    refused_key,
)

META_KEY = "meta"


def _above_zero(value: Decimal) -> Decimal:
    if value <= 0:
        raise PydanticCustomError("rate", "An exchange rate is above 0.")
    return value


Rate = Annotated[Number, AfterValidator(_above_zero)]


@functools.cache
def _time_zones() -> frozenset[str]:
    # Not CET, WET and the like: PostgreSQL reads them as abbreviations, which know no daylight saving.
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name) | {"UTC"}


def _known_time_zone(name: str) -> str:
    if name not in _time_zones():
        raise PydanticCustomError("time_zone", "Name a time zone as in Europe/Berlin or UTC.")
    return name


class Meta(PartSchema):
    """Name and purpose, and what every date and amount in the rules is read with.

    `fiscal_year_start_month` is 1 to 12; quarters are counted from it. `currency` is the one that money
    in rules, guards and playbooks is in. `exchange_rates` say how much of it one unit of another currency is:
    {"EUR": "1.08"}; an amount in a currency without a rate is missing.
    """

    kind: ClassVar[str] = "meta"

    name: Annotated[Label, COSMETIC]
    company: Annotated[Label, COSMETIC]
    purpose: Annotated[OptionalText, OPERATIONAL] = ""
    time_zone: Annotated[str, AfterValidator(_known_time_zone), SEMANTIC] = "UTC"
    fiscal_year_start_month: Annotated[int, Field(ge=1, le=12), SEMANTIC] = 1
    currency: Annotated[Currency, SEMANTIC] = "USD"
    exchange_rates: Annotated[dict[Currency, Rate], Field(max_length=200), SEMANTIC] = {}

    @model_validator(mode="after")
    def _rates_are_for_others(self) -> Meta:
        if self.currency in self.exchange_rates:
            raise PydanticCustomError(
                "own_currency", "{currency} needs no rate to itself.", {"currency": self.currency}
            )
        return self

    def check_key(self, key: str) -> None:
        if key != META_KEY:
            raise refused_key(f"A framework has one meta part, and its key is {META_KEY!r}, not {key!r}.")
