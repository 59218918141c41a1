"""The `meta` part: whose framework this is and the calendar its rules are read in. Its key is `meta`."""

from __future__ import annotations

import functools
import zoneinfo
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEMANTIC,
    Currency,
    Label,
    OptionalText,
    PartSchema,
    refused_key,
)

META_KEY = "meta"


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
    in rules, guards and playbooks is in.
    """

    kind: ClassVar[str] = "meta"

    name: Annotated[Label, COSMETIC]
    company: Annotated[Label, COSMETIC]
    purpose: Annotated[OptionalText, OPERATIONAL] = ""
    time_zone: Annotated[str, AfterValidator(_known_time_zone), SEMANTIC] = "UTC"
    fiscal_year_start_month: Annotated[int, Field(ge=1, le=12), SEMANTIC] = 1
    currency: Annotated[Currency, SEMANTIC] = "USD"

    def check_key(self, key: str) -> None:
        if key != META_KEY:
            raise refused_key(f"A framework has one meta part, and its key is {META_KEY!r}, not {key!r}.")
