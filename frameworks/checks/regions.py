"""Neighbouring cells as few regions, and a region in words that a person can check. Pure.

A cell names one class per input; a class holds values that no condition tells apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from frameworks.checks.inputs import OTHER, Input, Value
from frameworks.criteria.ast import without_ids
from frameworks.criteria.english import value_text

Cell = tuple[int, ...]
Box = tuple[frozenset[int], ...]
Signature = tuple[tuple[str, bool | None], ...]
Answered = tuple[Mapping[str, Any], bool]


@dataclass(frozen=True)
class Axis:
    """An input with its values put into classes: positions in `input.values`, each class in ascending order.

    `answers` are, of each class, the conditions on the input (documents without ids) with what they say of it.
    """

    input: Input
    classes: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[Answered, ...], ...] = ()

    @property
    def size(self) -> int:
        return len(self.classes)

    def is_missing(self, place: int) -> bool:
        """Nothing but missing is in this class."""
        return all(self.input.values[position] is None for position in self.classes[place])

    def example(self, place: int) -> Value:
        """The value of a class that is easiest to read: the fewest digits, the day nearest to one that rules name."""
        values = [self.input.values[position] for position in self.classes[place]]
        known = [value for value in values if value is not None]
        return min(known, key=self._oddness) if known else None

    def _oddness(self, value: Value) -> int:
        if isinstance(value, date):
            day = value.date() if isinstance(value, datetime) else value
            return min((abs((day - anchor).days) for anchor in self.input.anchors), default=0)
        return _digits(value)


def _digits(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return 0
    sign, digits, exponent = Decimal(value).normalize().as_tuple()
    return len(digits) + sign + (0 if not isinstance(exponent, int) or exponent >= 0 else -exponent)


def by_key(axis: Axis) -> Axis:
    """The axis with keys for labels: a region said in them stays the same when something is only renamed."""
    given = axis.input
    attribute = replace(given.attribute, label=given.key, unit="", choices=())
    alias = given.alias
    if alias and alias.kind == "segment":
        alias = replace(alias, choices=tuple((short, short) for short, _ in alias.choices))
        label = str(alias.stands_for["dimension"])
    else:
        label = given.label if alias else given.key
    return replace(axis, input=replace(given, label=label, attribute=attribute, alias=alias))


def axis_of(given: Input, signatures: Sequence[Signature], conditions: Mapping[str, Mapping[str, Any]]) -> Axis:
    """Values with the same signature (what every one of `conditions`, by key, says of them) become one class."""
    classes: dict[Signature, list[int]] = {}
    for position, signature in enumerate(signatures):
        classes.setdefault(signature, []).append(position)
    own = {key: without_ids(dict(node)) for key, node in conditions.items() if node.get("attribute") == given.key}
    answers = (
        tuple((own[key], verdict) for key, verdict in signature if key in own and verdict is not None)
        for signature in classes
    )
    return Axis(given, tuple(tuple(positions) for positions in classes.values()), tuple(answers))


def merged(cells: Iterable[Cell], axes: Sequence[Axis]) -> list[Box]:
    """Boxes that together are exactly the cells, without overlapping; the largest first."""
    boxes: set[Box] = {tuple(frozenset((place,)) for place in cell) for cell in cells}
    changed = True
    while changed:
        changed = False
        for index in range(len(axes)):
            groups: dict[Box, set[int]] = {}
            for box in boxes:
                groups.setdefault(box[:index] + box[index + 1 :], set()).update(box[index])
            if len(groups) < len(boxes):
                changed = True
                boxes = {(*rest[:index], frozenset(places), *rest[index:]) for rest, places in groups.items()}
    return _widened(boxes, axes) if len(boxes) <= _WIDENED_AT_MOST else _by_size(boxes)


_WIDENED_AT_MOST = 100
_VOLUME_AT_MOST = 5_000


def _by_size(boxes: Iterable[Box]) -> list[Box]:
    return sorted(boxes, key=lambda box: (-_volume(box), [sorted(places) for places in box]))


def _widened(boxes: set[Box], axes: Sequence[Axis]) -> list[Box]:
    """The boxes, each as wide as the cells allow, without those that others cover: fewer and easier to say."""
    cells = {cell for box in boxes for cell in product(*box)}
    wide = {_wide(box, axes, cells) if _volume(box) <= _VOLUME_AT_MOST else box for box in boxes}
    kept: list[Box] = []
    left = set(cells)
    for box in _by_size(wide):
        inside = left.intersection(product(*box))
        if inside:
            kept.append(box)
            left -= inside
    return kept


def _wide(box: Box, axes: Sequence[Axis], cells: set[Cell]) -> Box:
    for index, axis in enumerate(axes):
        for place in set(range(axis.size)) - box[index]:
            slab = (*box[:index], frozenset((place,)), *box[index + 1 :])
            if all(cell in cells for cell in product(*slab)):
                box = (*box[:index], box[index] | {place}, *box[index + 1 :])
    return box


def _volume(box: Box) -> int:
    size = 1
    for places in box:
        size *= len(places)
    return size


# --- words


class Wording:
    """Regions in words and as criteria; `zone` is the framework's."""

    def __init__(self, axes: Sequence[Axis], zone: ZoneInfo, today: date) -> None:
        self.axes = axes
        self.zone = zone
        self.today = today

    def region(self, box: Box) -> str:
        """What all cells of the box have in common: "100 up to but not including 1,000 employees, …"."""
        said = [self._places(axis, places) for axis, places in zip(self.axes, box, strict=True)]
        return ", and ".join(words for words in said if words) or "every account"

    def cell(self, cell: Cell) -> tuple[tuple[str, str], ...]:
        """One account of the cell: label and value per input."""
        pairs = zip(self.axes, cell, strict=True)
        return tuple((axis.input.label, self.value(axis.input, axis.example(place))) for axis, place in pairs)

    def value(self, given: Input, value: Value) -> str:
        if value is None:
            return "Unassigned" if given.alias and given.alias.kind == "segment" else "missing"
        if given.alias:
            return dict(given.alias.choices).get(str(value), "met" if value else "not met")
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        if isinstance(value, str) and value.startswith(OTHER):
            return "any other"
        if isinstance(value, date) and not isinstance(value, datetime):
            return f"{value_text(given.attribute, value)} ({_ago(value, self.today)})"
        return value_text(given.attribute, value).strip("“”")

    def _places(self, axis: Axis, places: frozenset[int]) -> str:
        if len(places) == axis.size:
            return ""
        given = axis.input
        positions = sorted(position for place in places for position in axis.classes[place])
        known = [position for position in positions if given.values[position] is not None]
        has_missing = len(known) < len(positions)
        every = sum(value is not None for value in given.values)
        parts = self._known(given, known) if len(known) < every else [f"{given.label} is known"]
        if has_missing:
            parts.append(self._missing(given))
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def _missing(self, given: Input) -> str:
        if given.alias:
            return f"{given.label} is Unassigned" if given.alias.kind == "segment" else f"“{given.label}” is unknown"
        return f"{given.label} is missing"

    def _known(self, given: Input, positions: Sequence[int]) -> list[str]:
        if not positions:
            return []
        if given.is_ordered:
            return [self._run(given, run) for run in runs(positions)]
        if given.alias and given.alias.kind != "segment":
            return [f"“{given.label}” is {'met' if given.values[place] else 'not met'}" for place in positions]
        names = [self.value(given, given.values[place]) for place in positions]
        shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
        return [f"{given.label} is {' or '.join(shown)}"]

    def _run(self, given: Input, run: tuple[int, int]) -> str:
        if given.attribute.data_type in ("date", "datetime"):
            return f"{given.label} {self._days(given, run)}"
        low, high = self._bounds(given, run)
        attribute = given.attribute
        if low is not None and high is not None:
            if Decimal(str(low)) + given.step == Decimal(str(high)):
                return _measured(attribute, f"exactly {value_text(attribute, low)}")
            start, is_over = _start(given, low)
            bounds = f"{'over ' if is_over else ''}{_bare(attribute, start)} {_end(given, high)}"
            return _measured(attribute, bounds, "" if is_over else "from ")
        if low is not None:
            start, is_over = _start(given, low)
            said = value_text(attribute, start)
            return _measured(attribute, f"over {said}" if is_over else f"{said} or more", "" if is_over else "of ")
        end, is_included = _last(given, high)
        said = value_text(attribute, end)
        return _measured(attribute, f"{said} or less" if is_included else f"under {said}", "of " if is_included else "")

    def _bounds(self, given: Input, run: tuple[int, int]) -> tuple[Any, Any]:
        """First value of the run and first value after it; None where the run has no bound on that side."""
        first, last = run
        count = sum(value is not None for value in given.values)
        after = given.values[last + 1] if last + 1 < count else None
        is_floor = given.attribute.minimum is not None and given.values[0] == given.attribute.minimum
        single = (
            first == 0
            and after is not None
            and is_floor
            and Decimal(str(after)) == given.step + Decimal(str(given.values[0]))
        )
        return (None if first == 0 and not single else given.values[first]), after

    def _days(self, given: Input, run: tuple[int, int]) -> str:
        first, last = run
        count = sum(value is not None for value in given.values)
        lower = None if first == 0 else self._day(given.values[first])
        upper = None if last == count - 1 else self._day(given.values[last])
        if lower is not None and lower == upper and lower in given.anchors:
            return f"exactly {given.anchors[lower] or _day_text(lower)}"
        if lower is not None and upper is not None and lower in given.anchors and upper in given.anchors:
            return f"from {given.anchors[lower] or _day_text(lower)} to {given.anchors[upper] or _day_text(upper)}"
        said = [_lower(given.anchors, lower)] if lower is not None else []
        said += [_upper(given.anchors, upper)] if upper is not None else []
        return " and ".join(said)

    def _day(self, value: Any) -> date:
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    # --- the same region on axes

    def ranges(self, box: Box) -> dict[str, list[tuple[float | None, float | None]]]:
        """Where the region lies on the axis of each ordered attribute that it narrows: from, up to but not including.

        None is an open end; days and moments count in days since 1970. A region of nothing but missing values lies on
        no axis.
        """
        found = {}
        for axis, places in zip(self.axes, box, strict=True):
            if axis.input.is_ordered and len(places) < axis.size:
                positions = sorted(position for place in places for position in axis.classes[place])
                known = [position for position in positions if axis.input.values[position] is not None]
                if known:
                    found[axis.input.key] = [_stretch(axis.input, run) for run in runs(known)]
        return found

    # --- the same region as criteria

    def document(self, box: Box) -> dict[str, Any]:
        """The region as a criteria document over the isolated dimension's attributes."""
        items = [node for axis, places in zip(self.axes, box, strict=True) if (node := self._node(axis, places))]
        root = {"op": "all", "items": items} if items else {"op": "always"}
        return {"schema": "criteria/1", "root": _numbered(root, iter(range(1, 10_000)))}

    def _node(self, axis: Axis, places: frozenset[int]) -> dict[str, Any] | None:
        if len(places) == axis.size:
            return None
        given = axis.input
        positions = sorted(position for place in places for position in axis.classes[place])
        known = [position for position in positions if given.values[position] is not None]
        every = sum(value is not None for value in given.values)
        options: list[dict[str, Any]] = []
        if known and len(known) == every:
            options.append({"op": "is_present", "attribute": given.key})
        elif known and given.attribute.data_type in ("text", "tags"):
            # More texts and tags than those tried mean the same to the rules: said by what the rules ask.
            options += [_met(axis.answers[place]) for place in sorted(places) if not axis.is_missing(place)]
        elif known:
            options += self._options(given, known)
        if len(known) < len(positions):
            options.append({"op": "is_missing", "attribute": given.key})
        return options[0] if len(options) == 1 else {"op": "any", "items": options}

    def _options(self, given: Input, positions: Sequence[int]) -> list[dict[str, Any]]:
        kind = given.attribute.data_type
        if given.is_ordered:
            return [self._between(given, run) for run in runs(positions)]
        if kind == "boolean":
            ops = ["is_true" if given.values[place] else "is_false" for place in positions]
            return [{"op": op, "attribute": given.key} for op in ops]
        return [{"op": "in", "attribute": given.key, "values": [str(given.values[place]) for place in positions]}]

    def _between(self, given: Input, run: tuple[int, int]) -> dict[str, Any]:
        first, last = run
        count = sum(value is not None for value in given.values)
        is_time = given.attribute.data_type in ("date", "datetime")
        bounds = {
            "on_or_after" if is_time else "ge": given.values[first] if first else None,
            "before" if is_time else "lt": given.values[last + 1] if last + 1 < count else None,
        }
        nodes = [
            {"op": op, "attribute": given.key, "value": literal(given, value)}
            for op, value in bounds.items()
            if value is not None
        ]
        return nodes[0] if len(nodes) == 1 else {"op": "all", "items": nodes}


def _met(answers: Sequence[Answered]) -> dict[str, Any]:
    items = [dict(node) if verdict else {"op": "not", "item": dict(node)} for node, verdict in answers]
    return items[0] if len(items) == 1 else {"op": "all", "items": items}


def _stretch(given: Input, run: tuple[int, int]) -> tuple[float | None, float | None]:
    first, last = run
    count = sum(value is not None for value in given.values)
    low = _on_axis(given.values[first]) if first else None
    return low, _on_axis(given.values[last + 1]) if last + 1 < count else None


def _on_axis(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp() / 86_400
    return float((value - date(1970, 1, 1)).days) if isinstance(value, date) else float(value)


def literal(given: Input, value: Any) -> str:
    """A value as rules write it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive positions as (first, last)."""
    found: list[tuple[int, int]] = []
    for position in positions:
        if found and found[-1][1] == position - 1:
            found[-1] = (found[-1][0], position)
        else:
            found.append((position, position))
    return found


def _numbered(node: Mapping[str, Any], numbers: Any) -> dict[str, Any]:
    new = {"id": f"n{next(numbers)}", **node}
    if "items" in node:
        new["items"] = [_numbered(item, numbers) for item in node["items"]]
    if "item" in node:
        new["item"] = _numbered(node["item"], numbers)
    return new


def _start(given: Input, low: Any) -> tuple[Any, bool]:
    """The lower bound in the rounder of its two spellings, and whether that one is not included: "over $100,000"."""
    below = low - (1 if isinstance(low, int) else given.step)
    return (below, True) if below in given.values and _digits(below) < _digits(low) else (low, False)


def _last(given: Input, high: Any) -> tuple[Any, bool]:
    """The upper bound in the rounder spelling, and whether it is included."""
    last = high - (1 if isinstance(high, int) else given.step)
    return (last, True) if last in given.values and _digits(last) < _digits(high) else (high, False)


def _end(given: Input, high: Any) -> str:
    end, is_included = _last(given, high)
    return f"up to {'and' if is_included else 'but not'} including {value_text(given.attribute, end)}"


def _measured(attribute: Any, phrase: str, joint: str = "") -> str:
    unit = attribute.unit.casefold()
    speaks = bool(unit) and attribute.label.casefold() in {unit, f"number of {unit}"}
    return phrase if speaks else f"{attribute.label} {joint}{phrase}"


def _bare(attribute: Any, value: Any) -> str:
    """The value without its unit, which the upper bound says."""
    said = value_text(attribute, value)
    return said.removesuffix(f" {attribute.unit}") if attribute.unit else said


def _lower(anchors: Mapping[date, str], day: date) -> str:
    """From this day on; by the anchor it lies on, or the day after."""
    before = day - timedelta(days=1)
    if day in anchors:
        said = anchors[day]
        return f"at most {said}" if said.endswith("ago") else f"{said or _day_text(day)} or later"
    said = anchors.get(before, "")
    if said.startswith("in "):
        return f"in more than {said.removeprefix('in ')}"
    return f"less than {said}" if said.endswith("ago") else f"after {said or _day_text(before)}"


def _upper(anchors: Mapping[date, str], day: date) -> str:
    after = day + timedelta(days=1)
    if day in anchors:
        said = anchors[day]
        return f"at least {said}" if said.endswith("ago") else f"{said or _day_text(day)} or earlier"
    said = anchors.get(after, "")
    if said.startswith("in "):
        return f"in less than {said.removeprefix('in ')}"
    return f"more than {said}" if said.endswith("ago") else f"before {said or _day_text(after)}"


def _day_text(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _ago(day: date, today: date) -> str:
    distance = (today - day).days
    if distance == 0:
        return "today"
    unit = "day" if abs(distance) == 1 else "days"
    return f"{distance:,} {unit} ago" if distance > 0 else f"in {-distance:,} {unit}"
