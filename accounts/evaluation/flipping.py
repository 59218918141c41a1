"""When time alone may change an outcome: the first such instant after `as_of`, as SQL.

Days are cheap to compare and instants are not, so the first day is found first, and the instant at which it begins
is looked up in an array that each statement makes once: finding 400 midnights takes less than converting two.
"""

from collections.abc import Sequence

from frameworks.criteria.flips import HORIZON

DAYS_AHEAD = 400


def midnights_sql(zone: str) -> str:
    """A CTE with the beginnings of the days after today in a time zone (given as SQL), and today."""
    day = f"{_today(zone)} + ahead"
    return (
        f"midnights AS (SELECT array_agg({_beginning(day, zone)} ORDER BY ahead) AS starts"
        f" FROM generate_series(1, {DAYS_AHEAD}) AS ahead)"
    )


def first_day_sql(days: Sequence[str], zone: str) -> str:
    """The first of these days (SQL, each a date or NULL) that is still to come, else NULL."""
    ahead = [f"CASE WHEN ({day}) > {_today(zone)} AND ({day}) < '{HORIZON}' THEN {day} END" for day in days]
    return f"LEAST({', '.join(ahead)})"


def instant_sql(day: str, zone: str) -> str:
    """The beginning of a day to come."""
    ahead = f"{day} - {_today(zone)}"
    return (
        f"CASE WHEN {ahead} <= {DAYS_AHEAD} THEN (SELECT starts FROM midnights)[{ahead}]"
        f" WHEN {day} IS NOT NULL THEN {_beginning(day, zone)} END"
    )


def _today(zone: str) -> str:
    return f"(%(as_of)s::timestamptz AT TIME ZONE {zone})::date"


def _beginning(day: str, zone: str) -> str:
    """Where midnight comes twice PostgreSQL takes the second; the microsecond before it leads to the first."""
    return (
        f"LEAST(({day})::timestamp AT TIME ZONE {zone},"
        f" (({day})::timestamp - interval '1 microsecond') AT TIME ZONE {zone} + interval '1 microsecond')"
    )
