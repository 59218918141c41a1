"""Sample records: made-up accounts that together are in every segment, and in every pair of segments of two dimensions.

They are put together from cells of the cell tests, so they follow from the rules alone: the same version has the same
records on the same day. Under another version they show at a glance who would move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, product

from accounts.checking.cells import BATCH, CellTest, row_of
from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.checks.findings import Sample
from frameworks.checks.inputs import Input, Value
from frameworks.checks.regions import Cell, Wording
from frameworks.definition import Definition

CELLS_PER_SEGMENT = 6
ROWS_PER_PAIR = 4
RECORDS_AT_MOST = 200
UNREACHED_AT_MOST = 40

Facts = dict[str, tuple[Input, Value]]
Target = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Way:
    """Facts that lead into a segment, and the segments that other dimensions must have for it."""

    facts: Mapping[str, tuple[Input, Value]]
    needs: Mapping[str, str | None]


def make_samples(
    definition: Definition, tests: Mapping[str, CellTest], *, as_of: datetime, base: Definition | None = None
) -> tuple[list[Sample], list[str]]:
    """The records, with what changes against `base`, and the targets that nothing reaches, in words."""
    ways = {key: _ways(test) for key, test in tests.items()}
    candidates = list(_candidates(definition, ways))
    plan = compile_definition(definition)
    outcomes = [
        outcome
        for start in range(0, len(candidates), BATCH)
        for outcome in evaluate_rows(
            plan=plan,
            rows=[row_of(list(facts.values()), as_of) for facts in candidates[start : start + BATCH]],
            as_of=as_of,
        )
    ]
    targets = set(_targets(definition))
    chosen, left = _cover([_reached(outcome) for outcome in outcomes], targets)
    wording = next(iter(tests.values())).wording if tests else None
    before = _before(base, [candidates[place] for place in chosen], as_of)
    samples = [
        _sample(number, candidates[place], outcomes[place], before[number - 1] if before else {}, wording)
        for number, place in enumerate(chosen, 1)
    ]
    return samples, [_words(definition, target) for target in sorted(left)][:UNREACHED_AT_MOST]


def _sample(
    number: int,
    facts: Facts,
    outcomes: Mapping[str, HypotheticalOutcome],
    was: Mapping[str, str | None],
    wording: Wording | None,
) -> Sample:
    values = [(given.label, wording.value(given, value)) for given, value in facts.values()] if wording else []
    segments = {key: outcome.segment for key, outcome in outcomes.items()}
    reasons = {key: outcome.reason for key, outcome in outcomes.items()}
    changed = {key: was[key] for key in segments if key in was and was[key] != segments[key]}
    return Sample(number, tuple(values), segments, reasons, changed)


def _before(base: Definition | None, rows: Sequence[Facts], as_of: datetime) -> list[dict[str, str | None]]:
    if base is None or not rows:
        return []
    plan = compile_definition(base)
    # What the base version never heard of cannot decide anything there.
    found = evaluate_rows(plan=plan, rows=[row_of(list(facts.values()), as_of) for facts in rows], as_of=as_of)
    return [{key: outcome.segment for key, outcome in outcomes.items()} for outcomes in found]


# --- ways into segments


def _ways(test: CellTest) -> dict[str, list[_Way]]:
    """Per segment a few cells that lead there: complete ones first, spread over all there are."""
    by_segment: dict[str, list[Cell]] = {}
    for result in test.results:
        if result.segment and _can_be_made(test, result.cell):
            by_segment.setdefault(result.segment, []).append(result.cell)
    return {
        short: [_way(test, cell) for cell in _spread(sorted(cells, key=lambda cell: not test.is_complete(cell)))]
        for short, cells in by_segment.items()
    }


def _spread(cells: Sequence[Cell]) -> list[Cell]:
    step = max(1, len(cells) // CELLS_PER_SEGMENT)
    return list(cells[::step][:CELLS_PER_SEGMENT])


def _can_be_made(test: CellTest, cell: Cell) -> bool:
    """No condition over history, signals or lists has to hold: a record is one row of values."""
    for axis, place in zip(test.axes, cell, strict=True):
        alias = axis.input.alias
        if alias and alias.kind != "segment" and axis.example(place) is True:
            return False
    return True


def _way(test: CellTest, cell: Cell) -> _Way:
    facts: Facts = {}
    needs: dict[str, str | None] = {}
    for axis, place in zip(test.axes, cell, strict=True):
        value, alias = axis.example(place), axis.input.alias
        if alias and alias.kind == "segment":
            needs[str(alias.stands_for["dimension"])] = None if value is None else str(value)
        elif alias is None and axis.input.key in test.definition.attributes:
            facts[axis.input.key] = (axis.input, value)
    return _Way(facts, needs)


# --- records


def _targets(definition: Definition) -> Iterator[Target]:
    keys = list(definition.dimensions)
    for key in keys:
        yield from (((key, short),) for short in definition.segments[key])
    for one, other in combinations(keys, 2):
        for first, second in product(definition.segments[one], definition.segments[other]):
            yield ((one, first), (other, second))


def _candidates(definition: Definition, ways: Mapping[str, Mapping[str, Sequence[_Way]]]) -> Iterator[Facts]:
    """Rows for every target, filled up with ways into the segments of the other dimensions in turn."""
    turn = 0
    for target in _targets(definition):
        options = [ways.get(key, {}).get(short, ()) for key, short in target]
        made = 0
        for picked in product(*options):
            facts = _together(picked, ways)
            if facts is None:
                continue
            turn, made = turn + 1, made + 1
            yield _filled(facts, [key for key in ways if key not in dict(target)], ways, turn)
            if made >= ROWS_PER_PAIR:
                break


def _together(picked: Sequence[_Way], ways: Mapping[str, Mapping[str, Sequence[_Way]]], depth: int = 0) -> Facts | None:
    """The facts of several ways at once, None where they contradict each other."""
    facts: Facts = {}
    for way in picked:
        if not _join(facts, way.facts):
            return None
    for dimension, segment in {k: v for way in picked for k, v in way.needs.items()}.items():
        if segment is None or depth > 8:
            continue
        inner = (_together([way], ways, depth + 1) for way in ways.get(dimension, {}).get(segment, ()))
        if not any(found is not None and _join(facts, found) for found in inner):
            return None
    return facts


def _join(facts: Facts, more: Mapping[str, tuple[Input, Value]]) -> bool:
    if any(key in facts and facts[key][1] != value for key, (_, value) in more.items()):
        return False
    facts.update(more)
    return True


def _filled(facts: Facts, keys: Sequence[str], ways: Mapping[str, Mapping[str, Sequence[_Way]]], turn: int) -> Facts:
    for key in keys:
        options = [way for found in ways[key].values() for way in found]
        for n in range(len(options)):
            more = _together([options[(turn * 7 + n) % len(options)]], ways)
            if more is not None and _join(facts, more):
                break
    return facts


def _reached(outcomes: Mapping[str, HypotheticalOutcome]) -> set[Target]:
    placed = [(key, outcome.segment) for key, outcome in outcomes.items() if outcome.segment]
    singles = {(one,) for one in placed}
    return singles | {pair for one, other in combinations(placed, 2) for pair in ((one, other), (other, one))}


def _cover(reached: Sequence[set[Target]], targets: set[Target]) -> tuple[list[int], set[Target]]:
    """Few rows that reach what can be reached: always the one with the most that is new, the earlier of two."""
    left, chosen = set(targets), list[int]()
    while left and len(chosen) < RECORDS_AT_MOST:
        gains = [len(found & left) for found in reached]
        if not gains or not max(gains):
            break
        place = gains.index(max(gains))
        chosen.append(place)
        left -= reached[place]
    return chosen, left


def _words(definition: Definition, target: Target) -> str:
    said = [f"{definition.labels[key].label} {definition.labels[key].segments[short]}" for key, short in target]
    return " with ".join(said)
