"""The cell test: every combination of values that the rules of one dimension can tell apart, through the engine.

First each value of each input alone: values of which every condition says the same are one class, so a cell stands
for every account in it and nothing is lost. Then every combination of classes, up to CELLS_AT_MOST; beyond that
every pair of classes of two inputs, and a sample with a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import combinations, product
from math import prod
from typing import Any, TypeVar

from django.utils import timezone

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.evaluation.stages import FrameworkPlan, compile_explaining
from accounts.intake.cells import tag_keys
from frameworks.checks.inputs import Input, Moment, Value, input_of
from frameworks.checks.isolation import LEAVES, IsolatedDimension
from frameworks.checks.regions import Axis, Cell, Signature, Wording, axis_of, by_key
from frameworks.criteria.text_keys import matching_key
from frameworks.definition import Definition

CELLS_AT_MOST = 200_000
SAMPLED_CELLS = 20_000
BATCH = 5_000
_SEED = 20_260_101

# What the columns can hold, as the constraints on Account say.
LIMITS: dict[str, tuple[Decimal | None, Decimal | None]] = {
    "employee_count": (Decimal(0), None),
    "arr": (Decimal(0), None),
    "annual_revenue": (Decimal(0), None),
    "health_score": (Decimal(0), Decimal(100)),
    "weekly_active_share": (Decimal(0), Decimal(100)),
}

Progress = Callable[[int], None]
Item = TypeVar("Item")


@dataclass(frozen=True)
class CellResult:
    """What the engine says of one cell; `true_segments` are those with a true rule, in rank order."""

    cell: Cell
    segment: str | None
    reason: str
    true_segments: tuple[str, ...]


@dataclass
class CellTest:
    """The cells of one dimension and their results. `is_sampled`: there were more cells than are evaluated.

    `met_rules` are the rules ("segment/rule") that are true in some cell.
    """

    definition: Definition
    key: str
    axes: list[Axis]
    isolated: IsolatedDimension
    wording: Wording
    results: list[CellResult]
    is_sampled: bool
    possible: int
    met_rules: frozenset[str]

    @cached_property
    def lasting(self) -> Wording:
        """Regions in keys instead of labels, for waivers."""
        return Wording([by_key(axis) for axis in self.axes], self.wording.zone, self.wording.today)

    def is_complete(self, cell: Cell) -> bool:
        """No input of the cell is missing; another dimension may be Unassigned, which rules ask for by name."""
        return not any(
            axis.is_missing(place) and not (axis.input.alias and axis.input.alias.kind == "segment")
            for axis, place in zip(self.axes, cell, strict=True)
        )


def run_cell_test(
    definition: Definition,
    dimension: str,
    *,
    as_of: datetime,
    tell: Progress | None = None,
    at_most: int = CELLS_AT_MOST,
    sample_at_most: int = CELLS_AT_MOST,
) -> CellTest:
    """Evaluate the cells of one dimension. `tell` hears how many more cells are done.

    Where there are more than `at_most`, a sample of not more than `sample_at_most` is.
    """
    isolated = IsolatedDimension(definition, dimension)
    moment = Moment(timezone.localdate(as_of, definition.zone), definition.zone)
    axes = _axes(isolated, moment, as_of)
    possible = prod(axis.size for axis in axes)
    is_sampled = possible > at_most
    cells = _sampled(axes, sample_at_most) if is_sampled else list(product(*(range(axis.size) for axis in axes)))
    met: set[str] = set()
    plan = compile_explaining(isolated.definition)
    told = (_evaluated(isolated, plan, axes, batch, as_of, tell, met) for batch in _batches(cells))
    results = [result for batch in told for result in batch]
    wording = Wording(axes, definition.zone, moment.today)
    return CellTest(definition, dimension, axes, isolated, wording, results, is_sampled, possible, frozenset(met))


# --- classes


def inputs_of(isolated: IsolatedDimension, moment: Moment) -> list[Input]:
    """The inputs of a dimension in the order in which its rules mention them."""
    attributes = isolated.definition.attributes
    return [
        input_of(attributes[key], leaves, moment=moment, limits=LIMITS, alias=isolated.aliases.get(key))
        for key, leaves in isolated.leaves_by_attribute().items()
    ]


def _axes(isolated: IsolatedDimension, moment: Moment, as_of: datetime) -> list[Axis]:
    inputs = inputs_of(isolated, moment)
    places = [(given, position) for given in inputs for position in range(len(given.values))]
    rows = [row_of([(given, given.values[position])], as_of) for given, position in places]
    plan = compile_explaining(isolated.leaf_definition)
    signatures: dict[str, list[Signature]] = {given.key: [] for given in inputs}
    outcomes = (outcome for batch in _batches(rows) for outcome in evaluate_rows(plan=plan, rows=batch, as_of=as_of))
    for (given, _), outcome in zip(places, outcomes, strict=True):
        signatures[given.key].append(tuple(outcome[LEAVES].verdicts.items()))
    return [axis_of(given, signatures[given.key], isolated.conditions) for given in inputs]


# --- cells


def _sampled(axes: Sequence[Axis], at_most: int) -> list[Cell]:
    """Every pair of classes of two inputs with the rest drawn, then a sample; the same cells every time."""
    draw = random.Random(_SEED)  # noqa: S311 - a sample that must be repeatable
    found: dict[Cell, None] = {}

    def drawn(fixed: Mapping[int, int]) -> Cell:
        return tuple(fixed.get(n, draw.randrange(axis.size)) for n, axis in enumerate(axes))

    for one, other in combinations(range(len(axes)), 2):
        for pair in product(range(axes[one].size), range(axes[other].size)):
            found[drawn({one: pair[0], other: pair[1]})] = None
            if len(found) >= at_most:
                return list(found)
    target = min(len(found) + SAMPLED_CELLS, at_most)
    for _ in range(SAMPLED_CELLS * 2):
        if len(found) >= target:
            break
        found[drawn({})] = None
    return list(found)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _evaluated(
    isolated: IsolatedDimension,
    plan: FrameworkPlan,
    axes: Sequence[Axis],
    cells: Sequence[Cell],
    as_of: datetime,
    tell: Progress | None,
    met: set[str],
) -> Iterator[CellResult]:
    """The results of these cells; `met` gets the keys of the rules that are true in one."""
    examples = [[axis.example(place) for place in range(axis.size)] for axis in axes]
    rows = [
        row_of(
            [(axis.input, examples[n][place]) for n, (axis, place) in enumerate(zip(axes, cell, strict=True))], as_of
        )
        for cell in cells
    ]
    for cell, outcome in zip(cells, evaluate_rows(plan=plan, rows=rows, as_of=as_of), strict=True):
        found = outcome[isolated.key]
        met.update(key for key, verdict in found.verdicts.items() if verdict)
        yield CellResult(cell, found.segment, found.reason, true_segments(isolated.source, isolated.key, found))
    if tell:
        tell(len(cells))


def true_segments(definition: Definition, dimension: str, outcome: HypotheticalOutcome) -> tuple[str, ...]:
    """Segments of which a rule is true; one nested in another only where that one's is true as well."""
    own = {key.partition("/")[0] for key, verdict in outcome.verdicts.items() if verdict}
    segments = definition.segments[dimension]

    def holds(short: str, seen: frozenset[str]) -> bool:
        parent = getattr(segments[short], "parent", None)
        return short in own and (not parent or parent not in segments or short in seen or holds(parent, seen | {short}))

    return tuple(short for short in segments if holds(short, frozenset()))


# --- a hypothetical account


def row_of(values: Sequence[tuple[Input, Value]], as_of: datetime) -> dict[str, Any]:
    """The account's columns with these values, each observed at `as_of`; nothing else is known of it."""
    row: dict[str, Any] = {"attributes": {}, "attribute_keys": {}, "provenance": {}}
    for given, value in values:
        if value is None:
            continue
        _put(row, given, value, as_of.isoformat())
    return row


def _put(row: dict[str, Any], given: Input, value: Value, observed: str) -> None:
    key, kind = given.key, given.attribute.data_type
    if kind == "money":
        row["currency"] = given.attribute.currency
    plain = _plain(value)
    if key in CORE_ATTRIBUTES:
        row[key] = plain
        if key in OBSERVED:
            row[f"{key}_observed_at"] = observed
        if kind == "text":
            row[f"{key}_key"] = matching_key(str(value))
        return
    row["attributes"][key] = plain
    row["provenance"][key] = {"at": observed, "source": "check"}
    if kind == "text":
        row["attribute_keys"][key] = matching_key(str(value))
    elif isinstance(value, tuple):
        row["attribute_keys"][key] = tag_keys(value)


def _plain(value: Value) -> Any:
    """As JSON: numbers as text, so that they stay exact."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else str(value)
