"""One cell: cleaning it while the file streams by, and saying in words why the database refused it.

Verdicts are the database's (checking.py). What is here runs for the few rows that are not plain text, and for
rows already refused: the reason, with the number the person may have meant.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

from accounts.intake.mapping import NumberFormat, Period
from accounts.intake.plan import StagedColumn
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, matching_key

CLEAR: Final = "<clear>"
"""A cell that says: take the stored value away."""

_DEFAULT_TOKENS = frozenset(matching_key(token, missing_tokens=()) for token in DEFAULT_MISSING_TOKENS)
_SPACE_CONTROLS = re.compile("[\t\n\r\v\f\x85\u2028\u2029]+")
_PERIODS = {
    "fiscal_year": re.compile(r"(?:FY)?((?:19|20|21)[0-9]{2})()\Z"),
    "fiscal_quarter": re.compile(r"((?:19|20|21)[0-9]{2})-?Q([1-4])\Z"),
    "month": re.compile(r"((?:19|20|21)[0-9]{2})-(0[1-9]|1[0-2])\Z"),
}


class CellError(ValueError):
    """A cell that cannot be stored; `code` is machine-readable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def clean_cell(text: str) -> str:
    """NFC, trimmed, line ends and tabs as spaces. Raises CellError: control_character, encoding."""
    if not text.isprintable():
        text = _SPACE_CONTROLS.sub(" ", text)
        _refuse_unstorable(text)
    return unicodedata.normalize("NFC", text).strip()


def _refuse_unstorable(text: str) -> None:
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            byte = ord(character) - 0xDC00
            raise CellError("encoding", f"The cell holds the byte 0x{byte:02X}, which is not UTF-8.")
        if category == "Cc":
            name = "a NUL character" if character == "\0" else f"the control character U+{ord(character):04X}"
            raise CellError("control_character", f"The cell holds {name}.")


def clean_external_id(text: str) -> str:
    """As `clean_cell`, without invisible characters: nobody means a zero-width space in an id."""
    return "".join(c for c in clean_cell(text) if unicodedata.category(c) != "Cf").strip()


def text_key(text: str) -> str | None:
    """`matching_key`, quickly for plain ASCII, which is most of any file."""
    if not (text.isascii() and text.isprintable()):
        return matching_key(text)
    key = " ".join(text.lower().split())
    return None if not key or key in _DEFAULT_TOKENS else key


def tag_keys(tags: Iterable[str]) -> list[str]:
    """The matching keys of tags as they came: which of them says nothing ("N/A") is for the framework to know.

    It may declare a choice called "unknown", and then that tag is a value (docs/criteria.md, "Missing data").
    """
    return [key for tag in tags if (key := matching_key(tag, missing_tokens=()))]


def name_key(text: str) -> str | None:
    """A company may be called “Unknown”: names have no missing tokens."""
    if not (text.isascii() and text.isprintable()):
        key = matching_key(text, missing_tokens=())
        # Folding can make a text longer. Names are searched and sorted by their keys, never told apart by them.
        return key[:255] if key else None
    return " ".join(text.lower().split()) or None


def parse_period(text: str, period: Period) -> tuple[str, date] | None:
    """The period's name and its last day: "2021" → ("2021", 2021-12-31). None when it is no such period.

    A fiscal year is named after the calendar year it ends in; its quarters end three months apart.
    """
    match = _PERIODS[period.grain].match(text.strip().upper())
    if match is None:
        return None
    year = int(match[1])
    if period.grain == "month":
        return f"{year}-{match[2]}", _month_end(year, int(match[2]))
    month, day = (int(part) for part in period.fiscal_year_end.split("-"))
    if period.grain == "fiscal_year":
        return str(year), min(_month_end(year, month), _day_or_end(year, month, day))
    back = 3 * (4 - int(match[2]))
    end_year, end_month = divmod(year * 12 + month - 1 - back, 12)
    return f"{year}-Q{match[2]}", _month_end(end_year, end_month + 1)


def _month_end(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)


def _day_or_end(year: int, month: int, day: int) -> date:
    end = _month_end(year, month)
    return end if day > end.day else date(year, month, day)


# Why a cell was refused

_PLAIN = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?\Z")
_GROUPED: dict[str, re.Pattern[str]] = {
    "1,234.56": re.compile(r"-?([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,40})(\.[0-9]{1,40})?\Z"),
    "1.234,56": re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]{1,40})(,[0-9]{1,40})?\Z"),
    "1 234,56": re.compile("-?([0-9]{1,3}([ \u00a0\u202f][0-9]{3})+|[0-9]{1,40})(,[0-9]{1,40})?\\Z"),
    "plain": _PLAIN,
}
_SUFFIXES = {"k": 1_000, "m": 1_000_000, "mn": 1_000_000, "b": 1_000_000_000, "bn": 1_000_000_000}


def explain_cell(text: str, column: StagedColumn) -> CellError:
    """Why the database did not take `text` for the column, with what it may have meant."""
    target = column.target
    if text == CLEAR:
        return CellError("required", f"{target.label} cannot be cleared.")
    if target.is_number:
        return _explain_number(text, column)
    if target.data_type in ("date", "datetime"):
        return CellError("not_a_date", f"“{_short(text)}” is no {_date_words(column)} of the calendar (1900 to 2199).")
    if target.data_type == "boolean":
        return CellError("not_a_boolean", f"“{_short(text)}” is neither true nor false.")
    if target.data_type == "currency":
        return CellError("invalid_currency", f"“{_short(text)}” is no currency code of three letters (ISO 4217).")
    if target.choices:
        return _unlisted(text, target.label.lower(), target.choices)
    return CellError("too_long", f"{target.label} takes {target.max_length:,} characters at most.")


def _date_words(column: StagedColumn) -> str:
    if column.target.data_type == "datetime":
        return "instant with its offset (2026-01-31T09:00:00Z)"
    return f"date in the form {column.rule.date_format}"


def _unlisted(text: str, what: str, known: Iterable[str]) -> CellError:
    close = difflib.get_close_matches(text.strip(), list(known), n=1)
    hint = f" Did you mean “{close[0]}”?" if close else ""
    return CellError("unknown_choice", f"“{_short(text)}” is no {what}.{hint}")


def _explain_number(text: str, column: StagedColumn) -> CellError:
    target, rule = column.target, column.rule
    written = _read_number(text, rule.number_format)
    if written is None:
        return CellError("not_a_number", f"“{_short(text)}” is no number{_form(rule.number_format)}.{_guess(text)}")
    value = written * rule.multiply
    if target.minimum is not None and value < target.minimum:
        return CellError("below_minimum", f"{target.label} is never below {target.minimum}; the file says {value:,f}.")
    if target.maximum is not None and value > target.maximum:
        return CellError("above_maximum", f"{target.label} is never above {target.maximum}; the file says {value:,f}.")
    if abs(value) >= Decimal(10) ** target.digits:
        return CellError("too_large", f"{target.label} takes at most {target.digits} digits.")
    if target.scale == 0:
        return CellError("not_whole", f"{target.label} is a whole number; {value:,f} is not, and is not rounded.")
    message = f"{target.label} has {target.scale} decimals; {value:,f} has more, and is not rounded."
    return CellError("too_many_decimals", message)


def _form(number_format: NumberFormat) -> str:
    return "" if number_format == "plain" else f" in the form {number_format}"


def _read_number(text: str, number_format: str) -> Decimal | None:
    if not _GROUPED[number_format].match(text):
        return None
    if number_format in ("plain", "1,234.56"):
        return Decimal(text.replace(",", ""))
    return Decimal(re.sub("[. \u00a0\u202f]", "", text).replace(",", "."))


def _guess(text: str) -> str:
    """What the person may have meant, never used: "1k" may be 1,000."""
    bare = unicodedata.normalize("NFKC", text).strip().lower().strip("$€£¥ ")
    if suffix := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(k|mn?|bn?)", bare):
        return f" It may mean {_plainly(Decimal(suffix[1]) * _SUFFIXES[suffix[2]])}."
    if span := re.fullmatch(r"([0-9,.]+) ?[-–] ?([0-9,.]+)", bare):
        return f" It looks like a range from {span[1]} to {span[2]}."
    readings = {value for form in _GROUPED if (value := _read_number(bare, form)) is not None}
    if not readings:
        return ""
    return f" It may mean {' or '.join(f'{value:,f}' for value in sorted(readings))}."


def _plainly(value: Decimal) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
