"""What a program may say about one account: reading an item of a push, strictly, before anything is looked up.

Fields that are absent are left alone, null clears. The same targets, bounds and scales as for imported files hold
(accounts.intake.targets); a value in the wrong JSON type is refused, never converted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from accounts.intake.targets import Target
from frameworks import values
from frameworks.values import NOTHING, RefusedValueError

READ_ONLY: Final = frozenset(
    {
        "id", "uuid", "version", "created_at", "updated_at", "deleted_at", "merged_into", "provenance", "exclusion",
        "segment", "segments", "computed", "effective", "override", "locked", "ultimate_parent", "csm", "ae",
        "external_ids",
    }
)  # fmt: skip
ABOUT_ITSELF: Final = frozenset(
    {"source", "external_id", "source_version", "source_updated_at", "observed_at", "parent"}
)
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_FUTURE: Final = timedelta(days=1)
_INTEGER_MOST: Final = 2**31 - 1
_OWN_INTEGER_MOST: Final = 10**15 - 1
_VERSION_MOST: Final = 2**63 - 1
_CHOICE_CHARACTERS: Final = 120
_TAGS_MOST: Final = 200

# These depend on what is stored, so that the same item may be taken another time.
STATE_CODES: Final = frozenset(
    {"conflict", "account_gone", "required", "unknown_account", "unknown_parent", "cycle", "ambiguous"}
)


@dataclass(frozen=True)
class ItemError:
    """Why an item is not taken: `pointer` is within the item; `received` is the value, or NOTHING."""

    pointer: str
    code: str
    detail: str
    received: Any = NOTHING


@dataclass
class Item:
    """One item, read. `values`: key of a target → Python value, None to clear; `own` likewise, as JSON keeps it."""

    index: int
    source: str = ""
    external_id: str = ""
    source_version: int | None = None
    source_updated_at: datetime | None = None
    observed_at: datetime | None = None
    parent: tuple[str, str] | None = None
    has_parent: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    errors: list[ItemError] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.external_id


class ItemReader:
    """Reads items against the targets of this installation."""

    def __init__(self, targets: Mapping[str, Target], at: datetime) -> None:
        self.at = at
        self.core = {key: target for key, target in targets.items() if target.column}
        self.own = {key: target for key, target in targets.items() if not target.column}
        self.known = frozenset({*self.core, *ABOUT_ITSELF, "attributes"})

    def read(self, index: int, data: Any) -> Item:
        item = Item(index)
        if not isinstance(data, dict):
            item.errors.append(ItemError("", "wrong_type", "Each item must be an object."))
            return item
        for key in ("source", "external_id"):
            if key not in data:
                item.errors.append(
                    ItemError(f"/{key}", "missing", "Every item names its account by source and external_id.")
                )
        for key, value in data.items():
            self._take(item, key, value)
        return item

    def _take(self, item: Item, key: str, value: Any) -> None:
        try:
            if key == "attributes":
                self._take_own(item, value)
            elif key in ABOUT_ITSELF:
                setattr(item, key, self._about_itself(key, value))
                item.has_parent = item.has_parent or key == "parent"
            elif key in self.core:
                item.values[key] = read_value(self.core[key], value)
            else:
                raise self._unknown(key)
        except RefusedValueError as refusal:
            received = NOTHING if refusal.code in ("unknown_field", "read_only") else value
            item.errors.append(ItemError(f"/{values.pointer_piece(key)}", refusal.code, refusal.detail, received))

    def _unknown(self, key: str) -> RefusedValueError:
        if key in READ_ONLY:
            return RefusedValueError("read_only", "This is decided here and cannot be pushed.")
        if key in self.own:
            return RefusedValueError("unknown_field", f'Send it within "attributes", as {{"{key}": …}}.')
        return RefusedValueError("unknown_field", values.suggestion(key, self.known) or "There is no such field.")

    def _take_own(self, item: Item, data: Any) -> None:
        if not isinstance(data, dict):
            raise RefusedValueError("wrong_type", "Must be an object.")
        for key, value in data.items():
            try:
                item.own[key] = self._own(key, value)
            except RefusedValueError as refusal:
                received = NOTHING if refusal.code == "unknown_field" else value
                pointer = f"/attributes/{values.pointer_piece(key)}"
                item.errors.append(ItemError(pointer, refusal.code, refusal.detail, received))

    def _own(self, key: str, value: Any) -> Any:
        if key in self.own:
            return as_json(read_value(self.own[key], value))
        if key in self.core:
            raise RefusedValueError("unknown_field", "Send it beside source and external_id, not within attributes.")
        raise RefusedValueError("unknown_field", values.suggestion(key, self.own) or "There is no such attribute.")

    def _about_itself(self, key: str, value: Any) -> Any:
        if key in ("source", "external_id"):
            return read_source(value) if key == "source" else read_external_id(value)
        if value is None:
            return None
        if key == "parent":
            return read_reference(value)
        if key == "source_version":
            return values.integer(value, low=0, high=_VERSION_MOST)
        moment = values.moment(value)
        if moment > self.at + _FUTURE:
            raise RefusedValueError("in_future", "This is more than a day ahead of our clock.")
        return moment


def read_source(value: Any) -> str:
    source = values.line(value, most=63)
    if not _SOURCE.fullmatch(source):
        raise RefusedValueError("invalid_source", "Small letters, digits, dot, dash and underscore.")
    return source


def read_external_id(value: Any) -> str:
    """An id as the source writes it, composed (NFC): compared character by character, so all of it must be visible."""
    external_id = values.line(value, most=255)
    if value != value.strip() or any(not character.isprintable() for character in external_id):
        raise RefusedValueError("invalid_external_id", "Without spaces around it and without invisible characters.")
    return external_id


def read_reference(value: Any) -> tuple[str, str]:
    """Another account, named by its source and external id."""
    if not isinstance(value, dict) or set(value) != {"source", "external_id"}:
        raise RefusedValueError("wrong_type", 'Name the account as {"source": "crm", "external_id": "A-1"}.')
    return read_source(value["source"]), read_external_id(value["external_id"])


def read_value(target: Target, value: Any) -> Any:
    """The value in the target's type; None clears. Raises RefusedValueError."""
    if value is None:
        if target.is_required:
            raise RefusedValueError("not_nullable", "This cannot be cleared.")
        return "" if target.key == "domain" else None
    return _READERS[target.data_type](target, value)


def _integer(target: Target, value: Any) -> int:
    most = _INTEGER_MOST if target.column else _OWN_INTEGER_MOST
    low = -most if target.minimum is None else int(target.minimum)
    return values.integer(value, low=low, high=most if target.maximum is None else int(target.maximum))


def _decimal(target: Target, value: Any) -> Decimal:
    digits = target.digits + target.scale
    return values.decimal(value, digits=digits, scale=target.scale, low=target.minimum, high=target.maximum)


def _text(target: Target, value: Any) -> str:
    return values.line(value, most=target.max_length, may_be_blank=target.key == "domain")


def _choice(target: Target, value: Any) -> str:
    if target.choices:
        return values.choice(value, target.choices)
    return values.line(value, most=_CHOICE_CHARACTERS)


def _tags(target: Target, value: Any) -> list[str]:
    """Texts in the order sent, each once."""
    if not isinstance(value, list):
        raise RefusedValueError("wrong_type", 'Must be a list of texts, such as ["snowflake", "dbt"].')
    if len(value) > _TAGS_MOST:
        raise RefusedValueError("too_many_items", f"{_TAGS_MOST} at most.")
    return list(dict.fromkeys(values.line(tag, most=_CHOICE_CHARACTERS) for tag in value))


def _currency(target: Target, value: Any) -> str:
    if not _CURRENCY.fullmatch(values.line(value, most=255)):
        raise RefusedValueError("invalid_currency", 'Three capital letters (ISO 4217), such as "USD".')
    return str(value)


def _plain(read: Callable[[Any], Any], target: Target, value: Any) -> Any:
    return read(value)


_READERS: Final[dict[str, Callable[[Target, Any], Any]]] = {
    "integer": _integer,
    "decimal": _decimal,
    "money": _decimal,
    "date": partial(_plain, values.day),
    "datetime": partial(_plain, values.moment),
    "text": _text,
    "choice": _choice,
    "boolean": partial(_plain, values.boolean),
    "tags": _tags,
    "currency": _currency,
}


def as_json(value: Any) -> Any:
    """As the account's JSON keeps it: decimals as strings, moments in UTC with Z."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if hasattr(value, "isoformat") else value


def instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def repeated(items: list[Item]) -> Iterator[Item]:
    """Items that name an account another item of the batch names too: both are wrong, not the later one."""
    seen: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.source and item.external_id:
            seen.setdefault(item.key, []).append(item)
    for same in seen.values():
        if len(same) > 1:
            yield from same
