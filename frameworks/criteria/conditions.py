"""The leaves of a `criteria/1` document: conditions on attributes, their history, signals, lists and dimensions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StrictInt, StrictStr

from frameworks.criteria.base import (
    AttributeLeaf,
    BaseNode,
    DefaultableLeaf,
    Fault,
    HeldNode,
    MeasuredLeaf,
    TextMatchLeaf,
    WhenMissing,
)
from frameworks.criteria.text_keys import has_control_character, matching_key
from frameworks.criteria.types import (
    NUMERIC,
    TEMPORAL,
    AttributeType,
    DataType,
    Grain,
    LiteralError,
    Scalar,
    canonical_literal,
)

MAX_VALUES: Final = 1_000
MAX_SPAN: Final = 10_000
MAX_PERIODS: Final = 12
MAX_SIGNAL_DAYS: Final = 3_660
MAX_SIGNAL_COUNT: Final = 1_000
MAX_DETAILS: Final = 10
MAX_DETAIL_LENGTH: Final = 200
SLUG: Final = r"^[a-z][a-z0-9_]{0,62}$"
PERCENT: Final = AttributeType("percent", "A percentage", "decimal", scale=6)

Literals = Annotated[tuple[StrictStr, ...], Field(min_length=1, max_length=MAX_VALUES)]
Periods = Annotated[StrictInt, Field(ge=1, le=MAX_PERIODS)]
Slug = Annotated[StrictStr, Field(pattern=SLUG)]
Unit = Literal["days", "weeks", "months", "quarters"]

_EVERY_TYPE: Final[frozenset[DataType]] = NUMERIC | TEMPORAL | {"text", "choice", "boolean", "tags"}
_LISTED: Final[frozenset[DataType]] = NUMERIC | {"text", "choice"}


# --- on the value of an attribute -------------------------------------------------------------------------------


class Comparison(TextMatchLeaf):
    """One literal: equal, different, below, above."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    value: StrictStr

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _LISTED if op in {"eq", "ne"} else NUMERIC


class Membership(TextMatchLeaf):
    """One of a list, or none of it."""

    literal_fields: ClassVar[tuple[str, ...]] = ("values",)

    op: Literal["in", "not_in"]
    values: Literals

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _LISTED


class TagTest(DefaultableLeaf):
    """Tags contain any, all or none of a list. An account without tags has an empty list, which is a value."""

    literal_fields: ClassVar[tuple[str, ...]] = ("values",)

    op: Literal["has_any", "has_all", "has_none"]
    values: Literals

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return frozenset({"tags"})


class Range(MeasuredLeaf):
    """Between two literals: one lower bound (`ge` or `gt`) and one upper bound (`lt` or `le`)."""

    literal_fields: ClassVar[tuple[str, ...]] = ("ge", "gt", "lt", "le")

    op: Literal["range"]
    ge: StrictStr | None = None
    gt: StrictStr | None = None
    lt: StrictStr | None = None
    le: StrictStr | None = None

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return NUMERIC | TEMPORAL

    @property
    def lower(self) -> tuple[Literal["ge", "gt"], str]:
        return ("ge", self.ge) if self.ge is not None else ("gt", self.gt or "")

    @property
    def upper(self) -> tuple[Literal["lt", "le"], str]:
        return ("lt", self.lt) if self.lt is not None else ("le", self.le or "")

    def own_faults(self) -> Iterator[Fault]:
        yield from super().own_faults()
        sides = (self.ge is not None) + (self.gt is not None), (self.lt is not None) + (self.le is not None)
        if 0 in sides:
            yield Fault("one_sided_range", 'A range needs both sides; write one side as "ge", "gt", "lt" or "le".')
        elif sides != (1, 1):
            yield Fault("two_bounds", "A range takes one lower bound (ge or gt) and one upper bound (lt or le).")
        elif not self._ordered():
            message = f"The lower bound {self.lower[1]} must be below the upper bound {self.upper[1]}."
            yield Fault("empty_range", message, (self.lower[0],))

    def _ordered(self) -> bool:
        low, high = self.typed(self.lower[1]), self.typed(self.upper[1])
        if isinstance(low, datetime) != isinstance(high, datetime):
            # A day and an instant can only be compared in the framework's zone; the days decide well enough here.
            low, high = _day_of(low), _day_of(high)
            return bool(low <= high)
        return bool(low < high)  # type: ignore[operator]  # both have the attribute's type


def _day_of(value: Scalar) -> date:
    if isinstance(value, datetime):
        return value.date()
    assert isinstance(value, date)  # noqa: S101 - only temporal attributes mix the two
    return value


class TextPattern(DefaultableLeaf):
    """The beginning, the end or a part of a text. No regular expressions, on purpose."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["starts_with", "ends_with", "contains"]
    value: StrictStr
    match: Literal["exact"] | None = None

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return frozenset({"text"})


class DateComparison(DefaultableLeaf):
    """Before or after a day (or, for a datetime attribute, an instant)."""

    literal_fields: ClassVar[tuple[str, ...]] = ("value",)

    op: Literal["before", "on_or_before", "after", "on_or_after"]
    value: StrictStr

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return TEMPORAL


class RelativeDate(DefaultableLeaf):
    """Counted from the day of `as_of` in the framework's time zone, both ends included.

    within_last 90 days: 0 to 90 days ago; older_than 90 days: 91 and more; within_next 120 days: today to in 120.
    """

    op: Literal["within_last", "within_next", "older_than"]
    n: Annotated[StrictInt, Field(ge=1, le=MAX_SPAN)]
    unit: Unit

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return TEMPORAL


class InPeriod(DefaultableLeaf):
    """In the fiscal quarter or year that is `offset` periods after (or, below 0, before) that of `as_of`."""

    op: Literal["in_period"]
    period: Literal["fiscal_quarter", "fiscal_year"]
    offset: Annotated[StrictInt, Field(ge=-4, le=4)]

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return TEMPORAL


class Truth(DefaultableLeaf):
    """A boolean attribute is true, or is false."""

    op: Literal["is_true", "is_false"]

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return frozenset({"boolean"})


class Presence(AttributeLeaf):
    """The attribute has a value, or has none. Never unknown."""

    op: Literal["is_missing", "is_present"]

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return _EVERY_TYPE


# --- on the history of an attribute -----------------------------------------------------------------------------


class Change(DefaultableLeaf):
    """The newest closed period against the one `periods` earlier; in percent of the earlier one's amount.

    Unknown where either is absent, and in percent where the earlier one is 0.
    """

    op: Literal["change"]
    grain: Grain
    periods: Periods
    measure: Literal["absolute", "percent"]
    compare: Literal["gt", "ge", "lt", "le"]
    value: StrictStr

    @classmethod
    def valid_types(cls, op: str) -> frozenset[DataType]:
        return NUMERIC

    @property
    def value_type(self) -> AttributeType:
        """What `value` is read as: a change may be negative where the attribute may not."""
        return PERCENT if self.measure == "percent" else replace(self.type, minimum=None)

    def typed(self, text: str) -> Scalar:
        raise TypeError("A change has no literal of its attribute's type: read it with value_type.")

    def bind(self, attribute: AttributeType) -> tuple[Self, list[Fault]]:
        bound, faults = super().bind(attribute)
        try:
            value = canonical_literal(bound.value_type, self.value)
        except LiteralError as error:
            return bound, [*faults, Fault(error.code, str(error), ("value",))]
        if self.measure == "percent":
            value = value.rstrip("0").rstrip(".")
        canonical = bound.model_copy(update={"value": value})
        canonical._type = attribute
        return canonical, faults

    def own_faults(self) -> Iterator[Fault]:
        if self.of:
            yield Fault("of_not_valid", "The metric history is read of the account itself: leave out “of”.", ("of",))
        if not self.type.has_history:
            yield Fault("not_in_history", f"{self.type.label} has no history of its own to compare.", ("attribute",))


# --- on other facts of an account -------------------------------------------------------------------------------


class SignalTest(BaseNode):
    """At least n signals of a kind whose details have every given value, today or within the last days.

    Never unknown: an account nobody recorded a signal for has none.
    """

    op: Literal["signal"]
    kind: Slug
    details: dict[StrictStr, StrictStr] | None = None
    at_least: Annotated[StrictInt, Field(ge=1, le=MAX_SIGNAL_COUNT)]
    within_days: Annotated[StrictInt, Field(ge=1, le=MAX_SIGNAL_DAYS)]

    def own_faults(self) -> Iterator[Fault]:
        """What is wrong with the details."""
        if self.details is None:
            return
        if not self.details:
            yield Fault("empty_list", 'Leave out "details" to count every signal of the kind.', ("details",))
        if len(self.details) > MAX_DETAILS:
            yield Fault("too_many_values", f"A signal may have {MAX_DETAILS} details.", ("details",))
            return
        for name, text in self.details.items():
            fault = _detail_fault(name, text)
            if fault:
                yield fault


def _detail_fault(name: str, text: str) -> Fault | None:
    at = ("details", name)
    if name == "op":
        return Fault("unknown_field", 'A detail cannot be called "op": that is what makes an object a node.', at)
    if not _is_slug(name):
        return Fault("unknown_field", "Details are named in small letters, digits and underscores.", at)
    if has_control_character(text):
        return Fault("control_character", "A value may not contain control characters.", at)
    if len(text) > MAX_DETAIL_LENGTH:
        return Fault("too_long", f"A detail may have {MAX_DETAIL_LENGTH} characters at most.", at)
    if matching_key(text) is None:
        return Fault("missing_token", f'"{text}" means "no value": leave the detail out.', at)
    return None


def _is_slug(name: str) -> bool:
    return re.match(SLUG, name) is not None and not name.endswith("\n")


class ListTest(HeldNode):
    """The account is on a list (Fortune 2000, key logos, anti-ICP …). Never unknown."""

    op: Literal["on_list"]
    list: Slug


# --- on another dimension ---------------------------------------------------------------------------------------


class DimensionLeaf(BaseNode):
    """A condition on the segment the account has in another dimension."""

    dimension: StrictStr


class SegmentTest(DimensionLeaf):
    """The account is in any, or in none, of these segments. Unknown while it is Unassigned there."""

    op: Literal["segment"]
    any_of: Literals | None = None
    none_of: Literals | None = None
    missing: WhenMissing | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        return self.any_of or self.none_of or ()


class Unassigned(DimensionLeaf):
    """The account has no segment in the dimension. Never unknown."""

    op: Literal["is_unassigned"]
