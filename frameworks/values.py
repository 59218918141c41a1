"""Reading typed values strictly, as they come from JSON: a wrong type is refused, never converted.

Whole numbers are JSON integers; decimals are strings, because JSON's numbers pass through binary floating point
on the way; days are `2026-11-21`, moments are RFC 3339 with a zone. JSON's own fractions, and whole numbers of
more than forty digits, arrive as `Decimal`.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from frameworks.criteria.text_keys import has_control_character

_DECIMAL: Final = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
YEARS: Final = range(1800, 2201)
NOTHING: Final = object()
"""No value at all, where None is one."""


class RefusedValueError(ValueError):
    """A value that is not accepted: why, as a stable code and in words."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(detail)


def suggestion(name: str, known: Iterable[str]) -> str:
    """ "Did you mean …?", or nothing when no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def integer(value: Any, *, low: int, high: int) -> int:
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        raise RefusedValueError("out_of_range", _range(low, high))
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedValueError("wrong_type", "Must be a whole number, such as 12; no quotes, point or exponent.")
    if not low <= value <= high:
        raise RefusedValueError("out_of_range", _range(low, high))
    return value


def _range(low: int | Decimal, high: int | Decimal) -> str:
    return f"Must be {low:,} or more." if low == 0 else f"Must be from {low:,} to {high:,}."


def decimal(value: Any, *, digits: int, scale: int, low: Decimal | None = None, high: Decimal | None = None) -> Decimal:
    """`digits` counts all of them, `scale` those after the point. Never rounded; minus zero is zero."""
    if not isinstance(value, str):
        raise RefusedValueError("wrong_type", 'Send decimals as a string, such as "1250.50".')
    match = _DECIMAL.fullmatch(value)
    if match is None:
        raise RefusedValueError("invalid_decimal", 'Only digits and one point, such as "1250.50".')
    if len(match.group(3) or "") > scale:
        raise RefusedValueError("scale", f"{scale} digits after the point at most.")
    number = Decimal(value)
    most = Decimal(10) ** (digits - scale) - 1
    if abs(number) >= most + 1 or (high is not None and number > high) or (low is not None and number < low):
        raise RefusedValueError("out_of_range", _range(-most if low is None else low, most if high is None else high))
    return abs(number) if number == 0 else number


def day(value: Any) -> date:
    if not isinstance(value, str):
        raise RefusedValueError("wrong_type", 'Send days as a string, such as "2026-11-21".')
    if not _DAY.fullmatch(value):
        raise RefusedValueError("invalid_date", 'Send days like "2026-11-21".')
    try:
        found = date.fromisoformat(value)
    except ValueError:
        raise RefusedValueError("invalid_date", "There is no such day.") from None
    if found.year not in YEARS:
        raise RefusedValueError("out_of_range", f"The year must be from {YEARS[0]} to {YEARS[-1]}.")
    return found


def moment(value: Any) -> datetime:
    """An RFC 3339 moment with its zone, in UTC."""
    if not isinstance(value, str):
        # A count of seconds has no zone in it either: everybody's epoch is a little different.
        raise RefusedValueError("timezone_required", 'Send moments as a string, such as "2026-11-21T18:30:00Z".')
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise RefusedValueError("invalid_datetime", 'Send moments like "2026-11-21T18:30:00Z".')
    if match.group(1) is None:
        raise RefusedValueError("timezone_required", 'Say the zone, as in "2026-11-21T18:30:00Z".')
    try:
        found = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedValueError("invalid_datetime", "There is no such moment.") from None
    if found.year not in YEARS:
        raise RefusedValueError("out_of_range", f"The year must be from {YEARS[0]} to {YEARS[-1]}.")
    return found


def line(value: Any, *, most: int, may_be_blank: bool = False) -> str:
    """One line of text without control characters, trimmed and composed (NFC); `most` characters."""
    if not isinstance(value, str):
        raise RefusedValueError("wrong_type", "Must be a string.")
    if has_control_character(value):
        raise RefusedValueError("control_character", "Control characters and line breaks are not accepted.")
    trimmed = unicodedata.normalize("NFC", value).strip()
    if len(trimmed) > most:
        raise RefusedValueError("too_long", f"{most} characters at most.")
    if not may_be_blank and not any(_is_visible(character) for character in trimmed):
        raise RefusedValueError("blank", "Must not be blank.")
    return trimmed


def text(value: Any, *, most: int) -> str:
    """Text of several lines, trimmed and composed (NFC); may be blank, which whoever asks for it judges."""
    if not isinstance(value, str):
        raise RefusedValueError("wrong_type", "Must be a string.")
    if any(has_control_character(line) for line in value.replace("\t", " ").splitlines()):
        raise RefusedValueError("control_character", "Control characters are not accepted.")
    trimmed = unicodedata.normalize("NFC", value).strip()
    if len(trimmed) > most:
        raise RefusedValueError("too_long", f"{most:,} characters at most.")
    return trimmed


def pointer_piece(key: str) -> str:
    """A key as a piece of a JSON pointer, of bearable length."""
    return key.replace("~", "~0").replace("/", "~1")[:255]


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in {"Cf", "Zs", "Zl", "Zp", "Mn", "Cn"}


def choice(value: Any, allowed: Iterable[str]) -> str:
    known = list(allowed)
    if not isinstance(value, str):
        raise RefusedValueError("wrong_type", "Must be a string.")
    if value not in known:
        raise RefusedValueError("invalid_choice", suggestion(value, known) or f"One of: {', '.join(known)}.")
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RefusedValueError("wrong_type", "Must be true or false, without quotes.")
    return value
