"""Days on which people work: Monday to Friday. Pure."""

from datetime import date, timedelta

SATURDAY = 5


def business_days_after(day: date, count: int) -> date:
    """The day `count` business days after `day`; the first one counted is the next business day."""
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < SATURDAY
    return day
