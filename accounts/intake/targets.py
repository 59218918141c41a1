"""What a column of a file can be imported into, and what each value must be like."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from django.db import models

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.models import Account
from frameworks.models import Attribute

TEXT_KEYS = frozenset({"name", "industry", "country", "state", "city"})
"""Columns with a matching key beside them."""

JSON_DIGITS = 18
JSON_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Target:
    """One attribute or field of an account.

    `column` is empty for company-specific attributes, which live in the account's JSON. `digits` counts those
    before the decimal point, `scale` those after it.
    """

    key: str
    data_type: str
    column: str = ""
    is_required: bool = False
    max_length: int = 1000
    digits: int = JSON_DIGITS
    scale: int = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()
    has_key: bool = False
    is_observed: bool = False

    @property
    def label(self) -> str:
        words = self.key.removesuffix("_on").replace("_", " ")
        return {"arr": "ARR"}.get(words, words.capitalize())

    @property
    def is_number(self) -> bool:
        return self.data_type in ("integer", "decimal", "money")


_BOUNDS: dict[str, tuple[int, int | None]] = {
    "arr": (0, None),
    "employee_count": (0, None),
    "health_score": (0, 100),
    "weekly_active_share": (0, 100),
}
_REQUIRED = frozenset({"name", "stage", "currency"})


def importable_targets() -> dict[str, Target]:
    """Everything that can be pushed, by key: fields, core attributes, and this company's own attributes."""
    own = Attribute.objects.filter(storage=Attribute.Storage.JSON)
    return {**_core_targets(), **{row.key: _own_target(row) for row in own}}


def file_targets() -> dict[str, Target]:
    """What a column of a file can be: a cell holds one value, so tags come over the API only."""
    return {key: target for key, target in importable_targets().items() if target.data_type != "tags"}


@cache
def _core_targets() -> dict[str, Target]:
    types = {"name": "text", "domain": "text", "currency": "currency", **CORE_ATTRIBUTES}
    return {key: _core_target(key, data_type) for key, data_type in types.items()}


def _core_target(key: str, data_type: str) -> Target:
    field = Account._meta.get_field(key)
    low, high = _BOUNDS.get(key, (None, None))
    digits, scale = JSON_DIGITS, 0
    if isinstance(field, models.DecimalField):
        digits, scale = field.max_digits - field.decimal_places, field.decimal_places
    return Target(
        key=key,
        data_type=data_type,
        column=key,
        is_required=key in _REQUIRED,
        max_length=getattr(field, "max_length", None) or 1000,
        digits=min(digits, JSON_DIGITS),
        scale=scale,
        minimum=None if low is None else Decimal(low),
        maximum=None if high is None else Decimal(high),
        choices=tuple(Account.Stage.values) if key == "stage" else (),
        has_key=key in TEXT_KEYS,
        is_observed=key in OBSERVED,
    )


def _own_target(attribute: Attribute) -> Target:
    scales = {"money": 2, "decimal": JSON_DECIMALS}
    return Target(
        key=attribute.key,
        data_type=attribute.data_type,
        scale=scales.get(attribute.data_type, 0),
        has_key=attribute.data_type in ("text", "tags"),
    )
