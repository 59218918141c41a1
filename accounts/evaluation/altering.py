"""Changes to what is known of an account that nobody stores: what-if and the way up make the same rows of them.

A changed row is what the services would have stored, had a program sent the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.intake.cells import tag_keys, text_key
from frameworks.criteria.types import Grain

SUPPOSED = "supposed"
"""The source of a value that nobody stored."""


@dataclass(frozen=True)
class ValueSet:
    """One value of the account, seen at the moment of the evaluation. `stored` is as JSON keeps it; None: no value."""

    key: str
    data_type: str
    stored: Any


@dataclass(frozen=True)
class Listed:
    """The account on an account list, or taken off it."""

    list: str
    is_on: bool


@dataclass(frozen=True)
class Happened:
    """So many more signals of a kind on one day. `details` are pairs of name and text."""

    kind: str
    occurred_on: date
    details: tuple[tuple[str, str], ...] = ()
    count: int = 1


@dataclass(frozen=True)
class Measured:
    """What a metric was at the end of one closed period."""

    metric: str
    grain: Grain
    end_on: date
    value: Decimal


Alteration = ValueSet | Listed | Happened | Measured


def altered(facts: Mapping[str, Any], changes: Iterable[Alteration], at: datetime) -> dict[str, Any]:
    """The facts (a row of `evaluate_rows`) as they would be with the changes; `facts` stay as they are."""
    row = {
        **facts,
        **{name: {**facts.get(name, {})} for name in ("attributes", "attribute_keys", "provenance", "series")},
        "lists": [*facts.get("lists", ())],
        "signals": [*facts.get("signals", ())],
    }
    for change in changes:
        _APPLY[type(change)](row, change, at)
        # As after a push: an account that made a step on these facts may make the next one on new ones.
        row["version"] = facts.get("version", 1) + 1
    return row


def _set_value(row: dict[str, Any], change: ValueSet, at: datetime) -> None:
    key, is_column = change.key, change.key in CORE_ATTRIBUTES or change.key == "currency"
    matching = _matching(change)
    if is_column:
        row[key] = change.stored
        if change.data_type == "text":
            row[f"{key}_key"] = matching
    else:
        _put(row["attributes"], key, change.stored)
        _put(row["attribute_keys"], key, matching)
    if key in OBSERVED:
        row[f"{key}_observed_at"] = None if change.stored is None else at.isoformat()
    row["provenance"][key] = {"source": SUPPOSED, "at": at.isoformat()}


def _put(stored: dict[str, Any], key: str, value: Any) -> None:
    """The JSON holds no null: a missing value is a missing key."""
    if value is None:
        stored.pop(key, None)
    else:
        stored[key] = value


def _matching(change: ValueSet) -> str | list[str] | None:
    if change.stored is None:
        return None
    if change.data_type == "tags":
        return tag_keys(change.stored)
    return text_key(change.stored) if change.data_type == "text" else None


def _set_listed(row: dict[str, Any], change: Listed, at: datetime) -> None:
    others = [key for key in row["lists"] if key != change.list]
    row["lists"] = [*others, change.list] if change.is_on else others


def _add_signals(row: dict[str, Any], change: Happened, at: datetime) -> None:
    signal = {"kind": change.kind, "occurred_on": change.occurred_on.isoformat(), "details": dict(change.details)}
    row["signals"] += [signal] * change.count


def _set_period(row: dict[str, Any], change: Measured, at: datetime) -> None:
    grains = {**row["series"].get(change.metric, {})}
    grains[change.grain] = {**grains.get(change.grain, {}), change.end_on.isoformat(): str(change.value)}
    row["series"][change.metric] = grains


_APPLY: dict[type[Alteration], Any] = {
    ValueSet: _set_value,
    Listed: _set_listed,
    Happened: _add_signals,
    Measured: _set_period,
}
