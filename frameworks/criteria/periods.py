"""Fiscal periods on the calendar: pure functions of days. A month is a calendar month.

A fiscal year is named by the calendar year it ends in and counted from its start month: with February, "2026" is
1 February 2025 to 31 January 2026 and "2026-Q1" is February to April 2025. Labels: "2026", "2026-Q3", "2026-07".
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from frameworks.criteria.types import Grain

MONTHS_OF: Final[dict[Grain, int]] = {"month": 1, "fiscal_quarter": 3, "fiscal_year": 12}

_LABELS: Final[dict[Grain, re.Pattern[str]]] = {
    "month": re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z"),
    "fiscal_quarter": re.compile(r"([0-9]{4})-Q([1-4])\Z"),
    "fiscal_year": re.compile(r"([0-9]{4})\Z"),
}


def period_of(day: date, grain: Grain, start_month: int) -> str:
    """The label of the period `day` lies in."""
    if grain == "month":
        return f"{day:%Y-%m}"
    first = period_start(day, grain, start_month)
    # The year a fiscal year ends in is that of the day eleven months after any month of its first one.
    year = _shifted(_fiscal_year_start(first, start_month), 11).year
    if grain == "fiscal_year":
        return f"{year:04d}"
    return f"{year:04d}-Q{(first.month - start_month) % 12 // 3 + 1}"


def period_start(day: date, grain: Grain, start_month: int) -> date:
    """The first day of the period `day` lies in."""
    into = (day.month - start_month) % MONTHS_OF[grain]
    return _shifted(day.replace(day=1), -into)


def period_end(label: str, grain: Grain, start_month: int) -> date:
    """The last day of the period of that label. Raises ValueError for a label of another grain."""
    found = _LABELS[grain].match(label)
    if found is None:
        raise ValueError(f'"{label}" is no {grain.replace("_", " ")}: write it like {_EXAMPLES[grain]}.')
    year = int(found[1])
    if grain == "month":
        return _shifted(date(year, int(found[2]), 1), 1) - timedelta(days=1)
    first = date(year if start_month == 1 else year - 1, start_month, 1)
    months = 12 if grain == "fiscal_year" else 3 * int(found[2])
    return _shifted(first, months) - timedelta(days=1)


_EXAMPLES: Final[dict[Grain, str]] = {"month": "2026-07", "fiscal_quarter": "2026-Q3", "fiscal_year": "2026"}


def closed_period_end(as_of_day: date, grain: Grain, start_month: int, back: int = 1) -> date:
    """The last day of the back-th newest period that was over before `as_of_day` began; 1 is the newest."""
    current = period_start(as_of_day, grain, start_month)
    return _shifted(current, -(back - 1) * MONTHS_OF[grain]) - timedelta(days=1)


def next_period_start(day: date, grain: Grain, start_month: int) -> date:
    """The first day after `day` on which another period has been closed."""
    return _shifted(period_start(day, grain, start_month), MONTHS_OF[grain])


def _fiscal_year_start(day: date, start_month: int) -> date:
    return period_start(day, "fiscal_year", start_month)


def _shifted(first: date, months: int) -> date:
    """The first day of a month, whole months later."""
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
