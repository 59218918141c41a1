"""Sample records: made-up accounts that together are in every segment, and in every pair of segments of two dimensions.

They are put together from cells of the cell tests, so they follow from the rules alone: the same version has the same
records on the same day. Under another version they show at a glance who would move. Where rules look at closed
periods, signals, lists, derived attributes or the parent, the records have rows of those tables too (made_up.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, product

from accounts.checking.cells import BATCH, CellTest
from accounts.checking.made_up import Fragment, Maker, combined
from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.checks.findings import Sample
from frameworks.checks.inputs import Input, Value
from frameworks.checks.regions import Axis, Cell, Wording
from frameworks.definition import Definition

CELLS_PER_SEGMENT = 12
ROWS_PER_PAIR = 4
RECORDS_AT_MOST = 200
UNREACHED_AT_MOST = 40

Target = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fact:
    """What an account must have of one input: any of `values`, the first by choice. `of` names its parent's attribute.

    An ordered input may also have a value of another dimension's fact that lies among these.
    """

    input: Input
    values: tuple[Value, ...]
    of: str = ""

    @property
    def value(self) -> Value:
        return self.values[0]

    def meet(self, other: Fact) -> Fact | None:
        """Both at once; None where no value is in both."""
        shared = [value for value in self.values if other.takes(value)]
        shared += [value for value in other.values if value not in shared and self.takes(value)]
        return Fact(self.input, tuple(shared), self.of) if shared else None

    def takes(self, value: Value) -> bool:
        if value in self.values:
            return True
        if not self.input.is_ordered or value is None or None in self.values:
            return False
        known = [each for each in self.input.values if each is not None]
        low, high = min(self.values), max(self.values)  # type: ignore[type-var]
        is_above = low <= value or low == known[0]  # type: ignore[operator]
        return bool(is_above and (value <= high or high == known[-1]))  # type: ignore[operator]


Facts = dict[str, Fact]


@dataclass(frozen=True)
class _Way:
    """Facts that lead into a segment, and the segments that other dimensions must have for it."""

    facts: Mapping[str, Fact]
    needs: Mapping[str, str | None]


Ways = Mapping[str, Mapping[str, Sequence[_Way]]]


def make_samples(
    definition: Definition, tests: Mapping[str, CellTest], *, as_of: datetime, base: Definition | None = None
) -> tuple[list[Sample], list[str]]:
    """The records, with what changes against `base`, and the targets that nothing reaches, in words with the reason."""
    maker = Maker(definition, as_of)
    maker.prepare(alias for test in tests.values() for alias in test.isolated.aliases.values())
    ways = {key: _ways(test) for key, test in tests.items()}
    made = list(_made(_candidates(definition, ways), maker))
    outcomes = _outcomes(definition, [whole for _, whole in made], as_of)
    chosen, left = _cover([_reached(outcome) for outcome in outcomes], set(_targets(definition)))
    wording = next(iter(tests.values())).wording if tests else None
    before = _before(base, [made[place][1] for place in chosen], as_of)
    samples = [
        _sample(number, made[place][0], outcomes[place], before[number - 1] if before else {}, wording)
        for number, place in enumerate(chosen, 1)
    ]
    because = _Reasons(definition, ways, maker)
    return samples, [because.words(target) for target in sorted(left)][:UNREACHED_AT_MOST]


def _outcomes(
    definition: Definition, rows: Sequence[Fragment], as_of: datetime
) -> list[Mapping[str, HypotheticalOutcome]]:
    plan = compile_definition(definition)
    return [
        outcome
        for start in range(0, len(rows), BATCH)
        for outcome in evaluate_rows(
            plan=plan, rows=[fragment.row(as_of) for fragment in rows[start : start + BATCH]], as_of=as_of
        )
    ]


def _made(candidates: Iterator[tuple[Facts, Facts]], maker: Maker) -> Iterator[tuple[Facts, Fragment]]:
    """Filled up where that can be put together, else with what the target needs alone."""
    for filled, bare in candidates:
        for facts in (filled, bare):
            if whole := _whole(facts, maker):
                yield facts, whole
                break


def _whole(facts: Facts, maker: Maker) -> Fragment | None:
    """Everything an account with these facts has, in every table; None where it cannot be put together."""
    plain: dict[str, tuple[Input, Value]] = {}
    parent: dict[str, tuple[Input, Value]] = {}
    options: list[Sequence[Fragment]] = []
    derived: list[Fact] = []
    for key, fact in facts.items():
        if fact.input.alias:
            options.append(maker.ways(fact.input.alias, verdict=None if fact.value is None else bool(fact.value)))
        elif fact.of:
            attribute = maker.definition.attributes[fact.of]
            parent[fact.of] = (Input(fact.of, fact.input.label, attribute, fact.input.values), fact.value)
        elif maker.definition.attributes[key].derived:
            derived.append(fact)
        else:
            plain[key] = (fact.input, fact.value)
    for fact in derived:
        options.append(maker.derived(maker.definition.attributes[fact.input.key], fact.value, plain))
    return combined([[Fragment(plain, parent=parent)], *options])


def _sample(
    number: int,
    facts: Facts,
    outcomes: Mapping[str, HypotheticalOutcome],
    was: Mapping[str, str | None],
    wording: Wording | None,
) -> Sample:
    values = [(each.input.label, wording.value(each.input, each.value)) for each in facts.values()] if wording else []
    segments = {key: outcome.segment for key, outcome in outcomes.items()}
    reasons = {key: outcome.reason for key, outcome in outcomes.items()}
    changed = {key: was[key] for key in segments if key in was and was[key] != segments[key]}
    return Sample(number, tuple(values), segments, reasons, changed)


def _before(base: Definition | None, rows: Sequence[Fragment], as_of: datetime) -> list[dict[str, str | None]]:
    if base is None or not rows:
        return []
    # What the base version never heard of cannot decide anything there.
    found = _outcomes(base, rows, as_of)
    return [{key: outcome.segment for key, outcome in outcomes.items()} for outcomes in found]


# --- ways into segments


def _ways(test: CellTest) -> dict[str, list[_Way]]:
    """Per segment a few cells that lead there: complete ones first, spread over all there are."""
    by_segment: dict[str, list[Cell]] = {}
    for result in test.results:
        if result.segment:
            by_segment.setdefault(result.segment, []).append(result.cell)
    return {short: [_way(test, cell) for cell in _spread(test, cells)] for short, cells in by_segment.items()}


def _spread(test: CellTest, cells: Sequence[Cell]) -> list[Cell]:
    """Some with conditions that hold and some without, because another dimension may need either."""
    complete = [cell for cell in cells if test.is_complete(cell)] or list(cells)
    plain = [cell for cell in complete if not _conditions_met(test, cell)]
    return list(dict.fromkeys([*_some(plain), *_some(complete)]))


def _some(cells: Sequence[Cell]) -> list[Cell]:
    step = max(1, len(cells) // CELLS_PER_SEGMENT)
    return list(cells[::step][:CELLS_PER_SEGMENT])


def _conditions_met(test: CellTest, cell: Cell) -> int:
    pairs = zip(test.axes, cell, strict=True)
    return sum(bool(axis.input.alias) and axis.example(place) is True for axis, place in pairs)


def _way(test: CellTest, cell: Cell) -> _Way:
    facts: Facts = {}
    needs: dict[str, str | None] = {}
    for axis, place in zip(test.axes, cell, strict=True):
        value, alias = axis.example(place), axis.input.alias
        if alias and alias.kind == "segment":
            needs[str(alias.stands_for["dimension"])] = None if value is None else str(value)
            continue
        # The same condition in two dimensions is one fact, whatever each dimension calls it.
        key = f"condition {alias.kind}" if alias else axis.input.key
        facts[key] = Fact(axis.input, _values(axis, place), test.isolated.parent_attribute(axis.input.key))
    return _Way(facts, needs)


def _values(axis: Axis, place: int) -> tuple[Value, ...]:
    """The values of a class, the one that is easiest to read first."""
    first = axis.example(place)
    return (first, *(each for p in axis.classes[place] if (each := axis.input.values[p]) != first))


# --- records


def _targets(definition: Definition) -> Iterator[Target]:
    keys = list(definition.dimensions)
    for key in keys:
        yield from (((key, short),) for short in definition.segments[key])
    for one, other in combinations(keys, 2):
        for first, second in product(definition.segments[one], definition.segments[other]):
            yield ((one, first), (other, second))


def _candidates(definition: Definition, ways: Ways) -> Iterator[tuple[Facts, Facts]]:
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
            yield _filled(dict(facts), [key for key in ways if key not in dict(target)], ways, turn), facts
            if made >= ROWS_PER_PAIR:
                break


def _together(picked: Sequence[_Way], ways: Ways, depth: int = 0) -> Facts | None:
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


def _join(facts: Facts, more: Mapping[str, Fact]) -> bool:
    """Add facts; False, and nothing added, where they contradict what is there."""
    met = {key: facts[key].meet(fact) if key in facts else fact for key, fact in more.items()}
    if any(fact is None for fact in met.values()):
        return False
    facts.update({key: fact for key, fact in met.items() if fact})
    return True


def _filled(facts: Facts, keys: Sequence[str], ways: Ways, turn: int) -> Facts:
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


class _Reasons:
    """Why no record is in a segment, or in a pair of segments."""

    def __init__(self, definition: Definition, ways: Ways, maker: Maker) -> None:
        self.definition, self.ways, self.maker = definition, ways, maker

    def words(self, target: Target) -> str:
        labels = self.definition.labels
        said = " with ".join(f"{labels[key].label} {labels[key].segments[short]}" for key, short in target)
        return f"{said}: {self._why(target)}"

    def _why(self, target: Target) -> str:
        options = [self.ways.get(key, {}).get(short, ()) for key, short in target]
        for (key, short), found in zip(target, options, strict=True):
            if not found:
                return f"no combination of values leads into {self.definition.labels[key].segments[short]}"
        together = [facts for picked in product(*options) if (facts := _together(picked, self.ways)) is not None]
        if not together:
            return f"they ask for different values of {self._contested(options)}"
        unmade = [label for facts in together if (label := self._unmade(facts))]
        if len(unmade) == len(together):
            return f"nothing was found for which this holds: {unmade[0]}"
        if all(_whole(facts, self.maker) is None for facts in together):
            return "their conditions contradict each other in closed periods or at the parent"
        return "every record that was tried falls into another segment"

    def _contested(self, options: Sequence[Sequence[_Way]]) -> str:
        """The inputs of which the ways ask different values; the most contested first."""
        counts: dict[str, int] = {}
        for one, other in combinations(options, 2):
            for first, second in product(one, other):
                for key in first.facts.keys() & second.facts.keys():
                    if first.facts[key].meet(second.facts[key]) is None:
                        label = first.facts[key].input.label
                        counts[label] = counts.get(label, 0) + 1
        named = sorted(counts, key=lambda label: (-counts[label], label))
        return " and ".join(named[:2]) or "what other dimensions need"

    def _unmade(self, facts: Facts) -> str:
        for fact in facts.values():
            alias = fact.input.alias
            if alias and not self.maker.ways(alias, verdict=None if fact.value is None else bool(fact.value)):
                return alias.label
        return ""
