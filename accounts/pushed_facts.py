"""Items of pushes beside the account push: metric observations, signals, entries of lists. Read strictly."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from accounts.intake.cells import name_key
from accounts.models import MetricObservation
from accounts.pushed import ItemError, read_external_id, read_source
from frameworks import values
from frameworks.values import NOTHING, RefusedValueError

Readers = Mapping[str, Callable[[Any], Any]]

_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PERIODS: Final = {
    "month": re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII),
    "fiscal_quarter": re.compile(r"(\d{4})-Q[1-4]", re.ASCII),
    "fiscal_year": re.compile(r"(\d{4})", re.ASCII),
}
_DETAILS_MOST: Final = 10
_DETAIL_CHARACTERS: Final = 200


@dataclass
class FactItem:
    """One item, read; `values` by field."""

    index: int
    values: dict[str, Any] = field(default_factory=dict)
    errors: list[ItemError] = field(default_factory=list)

    @property
    def account(self) -> tuple[str, str]:
        """Source and external id of the account."""
        return self.values["source"], self.values["external_id"]

    def refuse(self, pointer: str, code: str, detail: str, received: Any = NOTHING) -> None:
        self.errors.append(ItemError(pointer, code, detail, received))


def read_item(index: int, data: Any, readers: Readers, needed: tuple[str, ...]) -> FactItem:
    """Every field by its reader; what is unknown, missing or wrong becomes an error of the item."""
    item = FactItem(index)
    if not isinstance(data, dict):
        item.refuse("", "wrong_type", "Each item must be an object.")
        return item
    for name in needed:
        if name not in data:
            item.refuse(f"/{name}", "missing", "This is needed.")
    for name, value in data.items():
        pointer = f"/{values.pointer_piece(name)}"
        if name not in readers:
            item.refuse(pointer, "unknown_field", values.suggestion(name, readers) or "There is no such field.")
            continue
        try:
            item.values[name] = readers[name](value)
        except RefusedValueError as refusal:
            item.refuse(pointer, refusal.code, refusal.detail, value)
    return item


# --- observations


def observation_readers(metrics: frozenset[str]) -> Readers:
    """`metrics` are the keys of the attributes that are numbers."""
    return {
        "source": read_source,
        "external_id": read_external_id,
        "metric": lambda value: values.choice(value, sorted(metrics)),
        "grain": lambda value: values.choice(value, MetricObservation.Grain.values),
        "period": lambda value: values.line(value, most=10),
        "period_end_on": values.day,
        "value": lambda value: values.decimal(value, digits=24, scale=4),
        "is_closed": values.boolean,
    }


OBSERVATION_NEEDS: Final = ("source", "external_id", "metric", "grain", "period", "period_end_on", "value")


def check_observation(item: FactItem, today: date) -> None:
    """What fits only together: the period's name, its last day, and whether it can be closed."""
    if item.errors:
        return
    grain, period, end = item.values["grain"], item.values["period"], item.values["period_end_on"]
    match = _PERIODS[grain].fullmatch(period)
    if match is None:
        shown = {"month": "2026-03", "fiscal_quarter": "2026-Q1", "fiscal_year": "2026"}[grain]
        item.refuse("/period", "invalid_period", f'Name the period like "{shown}".', period)
        return
    if (end + timedelta(days=1)).day != 1:
        item.refuse("/period_end_on", "not_a_month_end", "A period ends with the last day of a month.", str(end))
    elif not _names_end(grain, period, int(match[1]), end):
        item.refuse("/period_end_on", "other_period", f"{period} does not end on that day.", str(end))
    item.values.setdefault("is_closed", end < today)
    if item.values["is_closed"] and end >= today:
        item.refuse("/is_closed", "not_ended", "A period that has not ended is not closed.", received=True)


def _names_end(grain: str, period: str, year: int, end: date) -> bool:
    """A fiscal year is named by the calendar year it ends in, and its quarters by the fiscal year."""
    if grain == "month":
        return period == f"{end:%Y-%m}"
    return end.year == year or (grain == "fiscal_quarter" and end.year == year - 1)


# --- signals


def _details(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise RefusedValueError("wrong_type", 'Must be an object of texts, such as {"role": "Sales Ops"}.')
    if len(value) > _DETAILS_MOST:
        raise RefusedValueError("too_many_items", f"{_DETAILS_MOST} details at most.")
    return {_slug(name): values.line(text, most=_DETAIL_CHARACTERS) for name, text in value.items()}


def _slug(value: Any) -> str:
    text = values.line(value, most=63)
    if not _SLUG.fullmatch(text):
        raise RefusedValueError("invalid_name", "Small letters, digits and underscores, beginning with a letter.")
    return text


SIGNAL_READERS: Final[Readers] = {
    "source": read_source,
    "external_id": read_external_id,
    "signal_id": read_external_id,
    "kind": _slug,
    "occurred_on": values.day,
    "details": _details,
}
SIGNAL_NEEDS: Final = ("source", "external_id", "signal_id", "kind", "occurred_on")


def check_signal(item: FactItem, today: date) -> None:
    if not item.errors and item.values["occurred_on"] > today + timedelta(days=1):
        item.refuse("/occurred_on", "in_future", "This is more than a day ahead of our clock.")


# --- list entries


def read_domain(value: Any) -> str:
    """As it is compared: small letters, without "www."."""
    return values.line(value, most=253).lower().removeprefix("www.")


def _name(value: Any) -> str:
    return name_key(values.line(value, most=255)) or ""


def _uuid(value: Any) -> UUID:
    try:
        return UUID(values.line(value, most=36))
    except ValueError as error:
        raise RefusedValueError("invalid_id", "This is no id of ours.") from error


ENTRY_READERS: Final[Readers] = {
    "id": _uuid,
    "source": read_source,
    "external_id": read_external_id,
    "domain": read_domain,
    "name": _name,
}


def check_entry(item: FactItem) -> None:
    """An account is named in one way: by our id, by source and external id, by domain, or by name."""
    if item.errors:
        return
    if set(item.values) not in ({"id"}, {"source", "external_id"}, {"domain"}, {"name"}):
        item.refuse("", "account_named", "Name the account by id, by source and external_id, by domain, or by name.")


def repeated(items: list[FactItem], key: Callable[[FactItem], Any]) -> Iterator[FactItem]:
    """Items that say of the same thing what another of the batch says: both are wrong, not the later one."""
    seen: dict[Any, list[FactItem]] = {}
    for item in items:
        if not item.errors:
            seen.setdefault(key(item), []).append(item)
    for same in seen.values():
        if len(same) > 1:
            yield from same
