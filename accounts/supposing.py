"""What a program or a form supposes of one account: read strictly, like a push, and refused whole if any is wrong.

    {"values": {"employee_count": 1250, "arr": "120000.00", "seats": null},
     "lists": {"fortune_2000": true},
     "signals": [{"kind": "funding", "occurred_on": "2026-11-20", "details": {"round": "B"}}],
     "periods": [{"metric": "arr", "grain": "fiscal_quarter", "period": "2026-Q3",
                  "period_end_on": "2026-09-30", "value": "110000.00"}]}

Values are of core attributes and of the company's own alike; null takes one away.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from accounts import pushed_facts
from accounts.evaluation.altering import Alteration, Happened, Listed, Measured, ValueSet
from accounts.evaluation.engine import active_plans
from accounts.intake.targets import Target, importable_targets
from accounts.pushed import ItemError, as_json, read_value
from accounts.pushed_facts import SIGNAL_READERS, FactItem, observation_readers
from frameworks import values
from frameworks.models import AccountList
from frameworks.values import NOTHING, RefusedValueError

CHANGES_MOST: Final = 100
UNREADABLE: Final = "A value of this account cannot be read as what the active version says it is."
FIELDS: Final = ("values", "lists", "signals", "periods")
_UNREAD: Final = frozenset({"name", "domain"})
_SIGNAL: Final = {name: SIGNAL_READERS[name] for name in ("kind", "occurred_on", "details")}
_PERIOD: Final = ("metric", "grain", "period", "period_end_on", "value")


class SupposedError(ValueError):
    """Nothing was supposed: `errors` name every place that is wrong, by pointer into the body."""

    def __init__(self, errors: list[ItemError]) -> None:
        self.errors = errors
        super().__init__("; ".join(error.detail for error in errors))


def read_changes(body: Mapping[str, Any], *, today: date) -> list[Alteration]:
    """The changes of a body (see above), at least one and CHANGES_MOST at most. Raises SupposedError."""
    return _Reading(today).read(body)


class _Reading:
    """One body on its way to changes."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.targets = {key: each for key, each in importable_targets().items() if key not in _UNREAD}
        self.errors: list[ItemError] = []

    def read(self, body: Mapping[str, Any]) -> list[Alteration]:
        self._check_size(body)
        readers: dict[str, Callable[[Any], Iterator[Alteration]]] = {
            "values": self._values,
            "lists": self._lists,
            "signals": self._signals,
            "periods": self._periods,
        }
        found: list[Alteration] = []
        for name, given in body.items():
            pointer = f"/{values.pointer_piece(name)}"
            if name not in readers:
                self._refuse(pointer, "unknown_field", values.suggestion(name, FIELDS) or "There is no such field.")
                continue
            try:
                found += readers[name](given)
            except RefusedValueError as refusal:
                self._refuse(pointer, refusal.code, refusal.detail, given)
        if self.errors:
            raise SupposedError(self.errors)
        return found

    def _refuse(self, pointer: str, code: str, detail: str, received: Any = NOTHING) -> None:
        self.errors.append(ItemError(pointer, code, detail, received))

    def _check_size(self, body: Mapping[str, Any]) -> None:
        count = sum(len(given) for name in FIELDS if isinstance(given := body.get(name), dict | list))
        if count > CHANGES_MOST:
            detail = f"{CHANGES_MOST} changes at most; these are {count:,}."
            raise SupposedError([ItemError("", "too_many_changes", detail)])
        if not count and not set(body) - set(FIELDS) and all(isinstance(each, dict | list) for each in body.values()):
            raise SupposedError([ItemError("", "no_changes", f"Suppose something, in {' or '.join(FIELDS)}.")])

    def _values(self, given: Any) -> Iterator[Alteration]:
        for key, value in _object(given).items():
            pointer = f"/values/{values.pointer_piece(key)}"
            try:
                target = self._target(key)
                stored = as_json(read_value(target, value))
                yield ValueSet(key, target.data_type, stored)
            except RefusedValueError as refusal:
                self._refuse(
                    pointer, refusal.code, refusal.detail, NOTHING if refusal.code == "unknown_attribute" else value
                )

    def _target(self, key: str) -> Target:
        if key in self.targets:
            return self.targets[key]
        if any(key in plan.definition.attributes for plan in active_plans()):
            raise RefusedValueError("unknown_attribute", "This follows from other attributes: suppose those.")
        raise RefusedValueError(
            "unknown_attribute", values.suggestion(key, self.targets) or "There is no such attribute."
        )

    def _lists(self, given: Any) -> Iterator[Alteration]:
        known = set(AccountList.objects.values_list("key", flat=True))
        for key, is_on in _object(given).items():
            pointer = f"/lists/{values.pointer_piece(key)}"
            if key not in known:
                self._refuse(pointer, "unknown_list", values.suggestion(key, known) or "There is no such list.")
                continue
            try:
                yield Listed(key, values.boolean(is_on))
            except RefusedValueError as refusal:
                self._refuse(pointer, refusal.code, refusal.detail, is_on)

    def _signals(self, given: Any) -> Iterator[Alteration]:
        for item in self._items("signals", given, _SIGNAL, ("kind", "occurred_on")):
            pushed_facts.check_signal(item, self.today)
            if not self._take_errors("signals", item):
                details = tuple(sorted(item.values.get("details", {}).items()))
                yield Happened(item.values["kind"], item.values["occurred_on"], details)

    def _periods(self, given: Any) -> Iterator[Alteration]:
        metrics = frozenset(key for key, target in self.targets.items() if target.is_number)
        known = observation_readers(metrics)
        items = self._items("periods", given, {name: known[name] for name in _PERIOD}, _PERIOD)
        for item in items:
            pushed_facts.check_observation(item, self.today)
            if not item.errors and not item.values["is_closed"]:
                item.refuse("/period_end_on", "not_ended", "Rules look at periods that have ended.")
        for item in pushed_facts.repeated(items, lambda item: tuple(item.values[name] for name in _PERIOD[:3])):
            item.refuse("", "duplicate", "Another of these says another thing of this period.")
        for item in items:
            if not self._take_errors("periods", item):
                said = item.values
                yield Measured(said["metric"], said["grain"], said["period_end_on"], said["value"])

    def _items(self, name: str, given: Any, readers: pushed_facts.Readers, needed: tuple[str, ...]) -> list[FactItem]:
        if not isinstance(given, list):
            raise RefusedValueError("wrong_type", "Must be a list.")
        return [pushed_facts.read_item(index, data, readers, needed) for index, data in enumerate(given)]

    def _take_errors(self, name: str, item: FactItem) -> bool:
        for error in item.errors:
            self._refuse(f"/{name}/{item.index}{error.pointer}", error.code, error.detail, error.received)
        return bool(item.errors)


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise RefusedValueError("wrong_type", "Must be an object.")
    return given
