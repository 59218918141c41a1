"""What a criterion may look at, and how its literals are read.

Literals arrive as text ("200", "25000.00", "2026-01-31") and are read exactly once, here, with the attribute's
type and scale. Nothing in this module touches a float: a threshold is a cut between two accounts, and 24999.995
must not become 25000 on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, has_control_character, matching_key

DataType = Literal["integer", "decimal", "money", "date", "datetime", "text", "choice", "boolean", "tags"]
Grain = Literal["month", "fiscal_quarter", "fiscal_year"]
DerivedKind = Literal["ratio", "difference", "growth", "age_days"]
Scalar = int | Decimal | date | datetime | str

NUMERIC: Final[frozenset[DataType]] = frozenset({"integer", "decimal", "money"})
TEMPORAL: Final[frozenset[DataType]] = frozenset({"date", "datetime"})
DERIVED_DECIMALS: Final = 12
"""Decimals of a ratio, of a growth: further digits are cut off, so that no value is rounded up to a threshold."""

MAX_INTEGER_DIGITS: Final = 18
MAX_TEXT_LENGTH: Final = 1_000
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2999

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T" + _CLOCK + r"(Z|[+-][0-9]{2}:[0-9]{2})?\Z")
_GROUPED = re.compile(r"-?[0-9]{1,3}([,' \u00a0\u202f][0-9]{3})+(\.[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class AttributeType:
    """The meaning of one account attribute, as the framework version states it.

    `scale` counts the decimals of a decimal or money attribute; `minimum` is the least value the attribute can
    have (0 for employees). `choices` are (id, label) pairs: criteria name ids, screens print labels.
    `freshness_days` makes a value observed longer ago than that count as missing.
    """

    key: str
    label: str
    data_type: DataType
    scale: int = 0
    unit: str = ""
    currency: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    missing_tokens: tuple[str, ...] = DEFAULT_MISSING_TOKENS
    freshness_days: int | None = None
    minimum: Decimal | None = None
    derived: Derived | None = None

    @property
    def has_history(self) -> bool:
        """Whether the metric history can say what this was at the end of a closed period."""
        if self.data_type not in NUMERIC:
            return False
        return self.derived is None or self.derived.kind in {"ratio", "difference"}


@dataclass(frozen=True, slots=True)
class Derived:
    """How a value follows from stored attributes; it is missing where any of them is.

    ratio: first / second, missing where the second is 0; difference: first - second; growth: percent over
    `periods` closed periods of `grain`; age_days: days from the value's day to today.
    """

    kind: DerivedKind
    inputs: tuple[AttributeType, ...]
    grain: Grain | None = None
    periods: int | None = None


class LiteralError(ValueError):
    """A literal that does not fit its attribute; `code` is machine-readable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_literal(attribute: AttributeType, text: str) -> Scalar:
    """The typed value of `text` for `attribute`: int, Decimal, date, aware datetime, or str.

    A datetime attribute takes an instant with its offset, or a plain date meaning that local day.
    Raises LiteralError.
    """
    if attribute.data_type in NUMERIC:
        return _number(attribute, text)
    reader = _READERS.get(attribute.data_type)
    if reader is None:
        raise LiteralError("operator_not_valid", f"{attribute.label} is true or false: it takes no value.")
    return reader(attribute, text)


def canonical_literal(attribute: AttributeType, text: str) -> str:
    """`text` in the one form that is stored: "25000" becomes "25000.00" at scale 2. Raises LiteralError."""
    return format_literal(attribute, parse_literal(attribute, text))


def format_literal(attribute: AttributeType, value: Scalar) -> str:
    """The stored text of a typed value."""
    if isinstance(value, Decimal):
        return f"{value:.{attribute.scale}f}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _number(attribute: AttributeType, text: str) -> int | Decimal:
    if not _NUMBER.match(text):
        raise LiteralError("not_a_number", _number_hint(attribute, text))
    value = Decimal(text)
    if len(text.lstrip("-").partition(".")[0]) > MAX_INTEGER_DIGITS:
        raise LiteralError("too_large", f"{attribute.label} takes at most {MAX_INTEGER_DIGITS} digits.")
    scale = 0 if attribute.data_type == "integer" else attribute.scale
    # Decimal.normalize would round to the context's 28 digits; counting written decimals cannot.
    decimals = len(text.partition(".")[2].rstrip("0"))
    if decimals > scale:
        raise LiteralError("scale", f"{attribute.label} has {scale} decimals; {text} has {decimals}.")
    if attribute.minimum is not None and value < attribute.minimum:
        raise LiteralError("below_minimum", f"{attribute.label} is never below {attribute.minimum}; {text} is.")
    if attribute.data_type == "integer":
        return int(value)
    return value + 0 if value == 0 else value  # -0 is 0


def _number_hint(attribute: AttributeType, text: str) -> str:
    if _GROUPED.match(text):
        plain = re.sub(r"[^0-9.\-]", "", text)
        return f'{attribute.label} needs a plain number: write "{plain}" instead of "{text}".'
    shown = text if len(text) <= 40 else text[:40] + "…"
    return f'{attribute.label} needs a number such as "200" or "-12.5", not "{shown}".'


def _local_day(attribute: AttributeType, text: str) -> date:
    if not _DATE.match(text):
        raise LiteralError("not_a_date", f'{attribute.label} needs a date such as "2026-01-31", not "{text[:40]}".')
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise LiteralError("not_a_date", f"{text} is not a day of the calendar.") from None
    _check_year(value.year)
    return value


def _instant_or_day(attribute: AttributeType, text: str) -> date | datetime:
    if "T" not in text:
        return _local_day(attribute, text)
    if not _INSTANT.match(text):
        example = "2026-01-31T09:00:00+01:00"
        raise LiteralError("not_a_date", f'{attribute.label} needs a time such as "{example}", not "{text[:40]}".')
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise LiteralError("not_a_date", f"{text} is not a time of the calendar.") from None
    if value.tzinfo is None:
        raise LiteralError("timezone_required", f'{text} has no time zone: add "Z" or an offset such as "+01:00".')
    _check_year(value.year)
    return value


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise LiteralError("not_a_date", f"The year must be between {FIRST_YEAR} and {LAST_YEAR}, not {year}.")


def _text(attribute: AttributeType, text: str) -> str:
    if len(text) > MAX_TEXT_LENGTH:
        raise LiteralError("too_long", f"A value may have {MAX_TEXT_LENGTH:,} characters at most.")
    if has_control_character(text):
        raise LiteralError("control_character", "A value may not contain control characters.")
    if matching_key(text, missing_tokens=attribute.missing_tokens) is None:
        raise LiteralError(
            "missing_token", f'"{text}" means "no value" for {attribute.label}: use is_missing or is_present.'
        )
    return text


def _choice(attribute: AttributeType, text: str) -> str:
    known = {choice_id for choice_id, _ in attribute.choices}
    if text in known:
        return text
    by_label = [choice_id for choice_id, label in attribute.choices if matching_key(label) == matching_key(text)]
    hint = f' Its id is "{by_label[0]}".' if by_label else ""
    raise LiteralError("unknown_choice", f'{attribute.label} has no choice "{text[:80]}".{hint}')


_READERS: Final[dict[DataType, Callable[[AttributeType, str], Scalar]]] = {
    "date": _local_day,
    "datetime": _instant_or_day,
    "text": _text,
    "choice": _choice,
    "tags": lambda attribute, text: (_choice if attribute.choices else _text)(attribute, text),
}
