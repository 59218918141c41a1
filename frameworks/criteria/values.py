"""What an attribute's value is in an expression: as stored or derived, and only while it is fresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    Field,
    Func,
    IntegerField,
    TextField,
    Value,
)
from django.db.models.lookups import GreaterThanOrEqual

from frameworks.criteria.base import Of
from frameworks.criteria.expressions import (
    Infix,
    Ratio,
    ValueWhere,
    local_day,
    shifted_day,
    start_of_day,
)
from frameworks.criteria.resolver import Resolver
from frameworks.criteria.types import DERIVED_DECIMALS, AttributeType, DataType, Derived

# Wide enough for every stored number: at most 18 digits before the point and 12 after it.
_NUMERIC_DIGITS: Final = 38
NUMBER: Final[Field[Any, Any]] = DecimalField(max_digits=_NUMERIC_DIGITS, decimal_places=DERIVED_DECIMALS)


class Values:
    """Attribute values of one evaluation; `today` is the day of `as_of` in `zone`.

    With `history` every stored value is what it says of the attribute's key: the metric of one closed period. There
    nothing is too old, because a closed period says what was true then.
    """

    def __init__(
        self, resolver: Resolver, today: Expression, zone: ZoneInfo, history: Callable[[str], Expression] | None = None
    ) -> None:
        self.resolver = resolver
        self.today = today
        self.zone = zone
        self.history = history

    def value(self, attribute: AttributeType, of: Of) -> Expression:
        """The attribute's value in its type, NULL where missing."""
        derived = attribute.derived
        if derived is None:
            if self.history is not None:
                return self.history(attribute.key)
            return self.fresh(attribute, of, self.resolver.value(attribute.key, of))
        if derived.kind == "growth":
            return self._growth(derived)
        if derived.kind == "age_days":
            return Infix("-", self.today, self.day(derived.inputs[0], of))
        first, second = (self.value(each, of) for each in derived.inputs)
        return Ratio(first, second, decimals=DERIVED_DECIMALS) if derived.kind == "ratio" else Infix("-", first, second)

    def day(self, attribute: AttributeType, of: Of) -> Expression:
        """The calendar day of a date or datetime attribute."""
        value = self.value(attribute, of)
        return local_day(value, self.zone) if attribute.data_type == "datetime" else value

    def tags(self, attribute: AttributeType, of: Of) -> Expression:
        """The matching keys of a tags attribute."""
        return self.fresh(attribute, of, self.resolver.tag_keys(attribute.key, of))

    def fresh(self, attribute: AttributeType, of: Of, value: Expression) -> Expression:
        """NULL when observed before the first day of the freshness limit, or nobody knows when."""
        if attribute.freshness_days is None:
            return value
        first_day = shifted_day(self.today, -attribute.freshness_days, "days")
        observed = self.resolver.observed_at(attribute.key, of)
        is_fresh = GreaterThanOrEqual(observed, start_of_day(first_day, self.zone))
        return ValueWhere(is_fresh, value, output_field=field_of(attribute))

    def _growth(self, derived: Derived) -> Expression:
        assert derived.grain is not None  # noqa: S101 - the data source's schema asks for both
        assert derived.periods is not None  # noqa: S101
        metric = derived.inputs[0].key
        new = self.resolver.period_value(metric, derived.grain, 1)
        old = self.resolver.period_value(metric, derived.grain, 1 + derived.periods)
        percent = Infix("*", Infix("-", new, old), Value(100, output_field=IntegerField()))
        return Ratio(percent, amount_of(old), decimals=DERIVED_DECIMALS)


def amount_of(value: Expression) -> Expression:
    """The number without its sign, NULL for 0: what a percentage is taken of."""
    return Func(value, template="ABS(NULLIF(%(expressions)s, 0))", output_field=NUMBER)


def no_value() -> Expression:
    """A number nobody knows."""
    return Func(template="NULL::numeric", output_field=NUMBER)


def field_of(attribute: AttributeType) -> Field[Any, Any]:
    """The Django field of an attribute's values."""
    make = _FIELDS.get(attribute.data_type)
    return make(attribute) if make else TextField()


def _numeric_field(attribute: AttributeType) -> Field[Any, Any]:
    return DecimalField(max_digits=_NUMERIC_DIGITS, decimal_places=attribute.scale)


_FIELDS: Final[dict[DataType, Callable[[AttributeType], Field[Any, Any]]]] = {
    "integer": lambda attribute: BigIntegerField(),
    "decimal": _numeric_field,
    "money": _numeric_field,
    "date": lambda attribute: DateField(),
    "datetime": lambda attribute: DateTimeField(),
    "boolean": lambda attribute: BooleanField(),
    "tags": lambda attribute: ArrayField(TextField()),
}
