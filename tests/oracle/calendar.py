"""Days, months and fiscal periods, counted."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

MONTHS = {"month": 1, "fiscal_quarter": 3, "fiscal_year": 12}


def shifted(day: date, count: int, unit: str) -> date:
    """A day later or earlier; a month later is the same day of the month, or its last where there is none."""
    if unit in ("days", "weeks"):
        return day + timedelta(days=count * {"days": 1, "weeks": 7}[unit])
    year, month = divmod(day.year * 12 + day.month - 1 + count * {"months": 1, "quarters": 3}[unit], 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def number_of(day: date, grain: str, start_month: int) -> int:
    """Periods of a grain are numbered through all years; this is the number of the one `day` lies in.

    Months are those of the calendar; quarters and years are counted from the month the fiscal year begins in.
    """
    months = day.year * 12 + day.month - 1
    return (months - (start_month - 1)) // MONTHS[grain]


def last_day(number: int, grain: str, start_month: int) -> date:
    """The last day of the period of that number."""
    following = (number + 1) * MONTHS[grain] + start_month - 1
    return date(following // 12, following % 12 + 1, 1) - timedelta(days=1)


def closed_end(today: date, grain: str, start_month: int, back: int) -> date:
    """The last day of the back-th newest period that is over; the one `today` lies in is not."""
    return last_day(number_of(today, grain, start_month) - back, grain, start_month)
