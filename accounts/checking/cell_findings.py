"""What the cell test of a dimension finds: overlaps, gaps, segments nobody reaches or only through missing data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations

from accounts.checking.cells import CellResult, CellTest
from accounts.models import Reason
from frameworks.checks.findings import Example, Finding, Severity
from frameworks.checks.regions import Box, Cell, merged

ITEMS_AT_MOST = 40
EXAMPLES_AT_MOST = 12
NAMED_IN_TEXT = 3


@dataclass(frozen=True)
class Region:
    """Where a finding holds; `example` is a cell of it. `pair` are the two segments of an overlap."""

    box: Box
    example: CellResult
    pair: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellFinding:
    """A finding with its regions, which become its examples once live accounts were counted in them."""

    finding: Finding
    regions: tuple[Region, ...] = ()


def cell_findings(test: CellTest) -> list[CellFinding]:
    """Every finding of one dimension's cell test."""
    found = [
        *_overlaps(test),
        *_gaps(test),
        *_unreachable(test),
        *_never_true(test),
        *_by_missing(test),
        *_sampled(test),
    ]
    return [replace(each, finding=_with_examples(test, each)) for each in found]


def _with_examples(test: CellTest, found: CellFinding) -> Finding:
    examples = tuple(example_of(test, region) for region in found.regions[:EXAMPLES_AT_MOST])
    return replace(found.finding, examples=examples) if examples else found.finding


def example_of(test: CellTest, region: Region) -> Example:
    """The region in words, an account that would be there, and what becomes of it."""
    labels = test.definition.labels[test.key].segments
    names = " and ".join(labels[short] for short in region.pair)
    text = test.wording.region(region.box)
    outcome = labels[region.example.segment] if region.example.segment else "Unassigned"
    said = f"{text}: {names} are both true" if names else text
    reason = Reason(region.example.reason).label.lower()
    return Example(said, test.wording.cell(region.example.cell), f"{outcome} ({reason})")


# --- overlaps and gaps


def _overlaps(test: CellTest) -> Iterator[CellFinding]:
    body = test.definition.dimensions[test.key]
    by_pair: dict[tuple[str, str], list[CellResult]] = {}
    for result in test.results:
        for pair in combinations(result.true_segments, 2):
            if not _are_related(test, *pair):
                by_pair.setdefault(pair, []).append(result)
    if not by_pair:
        return
    regions = {pair: _regions(test, results, pair) for pair, results in by_pair.items()}
    if body.hit_policy == "unique":
        for pair, found in regions.items():
            yield CellFinding(_overlap(test, {pair: found}, "error"), found)
        return
    each_first = [
        region for rank in range(EXAMPLES_AT_MOST) for found in regions.values() for region in found[rank : rank + 1]
    ]
    yield CellFinding(_overlap(test, regions, "warning"), tuple(each_first))


def _overlap(test: CellTest, regions: dict[tuple[str, str], tuple[Region, ...]], severity: Severity) -> Finding:
    body, labels = test.definition.dimensions[test.key], test.definition.labels[test.key].segments
    said = []
    for (one, other), found in list(regions.items())[:NAMED_IN_TEXT]:
        where = _where(test, found) if len(regions) == 1 else test.wording.region(found[0].box)
        said.append(f"{labels[one]} and {labels[other]} are both true for {where}")
    if len(regions) > NAMED_IN_TEXT:
        said.append(f"{len(regions) - NAMED_IN_TEXT} more pairs overlap")
    decides = {
        "unique": "Under the hit policy unique such accounts stay Unassigned.",
        "manual_review": "Such accounts wait for a person.",
    }.get(body.hit_policy, "The order of the dimension decides.")
    text = f"{body.label}: {'; '.join(said)}. {decides}"
    items = tuple(sorted(f"{one} + {other}" for one, other in regions))
    if severity == "error":
        (pair,) = regions
        items = tuple(f"{pair[0]} + {pair[1]}: {item}" for item in _items(test, regions[pair]))
        return Finding("overlap", "error", text, "dimension", test.key, items)
    return Finding("overlap", "warning", text, "dimension", test.key, items)


def _are_related(test: CellTest, one: str, other: str) -> bool:
    """One is nested in the other, however deep."""
    return one in _ancestors(test, other) or other in _ancestors(test, one)


def _ancestors(test: CellTest, short: str) -> set[str]:
    segments, found = test.definition.segments[test.key], set[str]()
    parent = getattr(segments[short], "parent", None)
    while parent and parent in segments and parent not in found:
        found.add(parent)
        parent = getattr(segments[parent], "parent", None)
    return found


def _gaps(test: CellTest) -> Iterator[CellFinding]:
    results = [result for result in test.results if result.reason == Reason.NO_MATCH]
    if not results:
        return
    found = _regions(test, results)
    text = f"{test.definition.dimensions[test.key].label}: no segment takes {_where(test, found)}."
    yield CellFinding(Finding("gap", "warning", text, "dimension", test.key, _items(test, found)), found)


def _regions(test: CellTest, results: Sequence[CellResult], pair: tuple[str, ...] = ()) -> tuple[Region, ...]:
    by_cell = {result.cell: result for result in results}
    boxes = merged(by_cell, test.axes)
    # What can be checked against data that is complete comes first.
    found = [Region(box, by_cell[_example(test, box)], pair) for box in boxes]
    return tuple(sorted(found, key=lambda region: not test.is_complete(region.example.cell)))


def _example(test: CellTest, box: Box) -> Cell:
    """A cell of the box without missing values, where it has one."""
    return tuple(
        min(places, key=lambda place: (axis.is_missing(place), place))
        for axis, places in zip(test.axes, box, strict=True)
    )


def _where(test: CellTest, regions: Sequence[Region], at_most: int = NAMED_IN_TEXT) -> str:
    said = "; or ".join(test.wording.region(region.box) for region in regions[:at_most])
    return f"{said}; and in {len(regions) - at_most} more places" if len(regions) > at_most else said


def _items(test: CellTest, regions: Sequence[Region]) -> tuple[str, ...]:
    """The regions in lasting words, all of them: the last item stands for those that would be too many."""
    said = [test.lasting.region(region.box) for region in regions]
    short = [text if len(text) <= 380 else f"{text[:360]}… {_digest([text])}" for text in said]
    if len(short) <= ITEMS_AT_MOST:
        return tuple(dict.fromkeys(short))
    rest = short[ITEMS_AT_MOST - 1 :]
    return (*dict.fromkeys(short[: ITEMS_AT_MOST - 1]), f"{len(rest)} more regions, {_digest(sorted(rest))}")


def _digest(texts: Sequence[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


# --- segments


def _unreachable(test: CellTest) -> Iterator[CellFinding]:
    reached = {result.segment for result in test.results}
    label, labels = test.definition.dimensions[test.key].label, test.definition.labels[test.key].segments
    for short, segment in test.definition.segments[test.key].items():
        # What has no rule is found without cells.
        if short in reached or not segment.rules:
            continue
        name = f"{label} / {labels[short]}"
        if test.is_sampled:
            text = f"{name} was reached by none of {len(test.results):,} sampled cells."
        else:
            text = f"{name} can never be reached: none of {len(test.results):,} cells ends there."
        # A sample can miss what exists: it warns, and does not block.
        severity: Severity = "warning" if test.is_sampled else "error"
        yield CellFinding(Finding("unreachable", severity, text, "segment", f"{test.key}/{short}"))


def _never_true(test: CellTest) -> Iterator[CellFinding]:
    """Rules that ask for what excludes itself, of segments that other rules lead to."""
    reached = {result.segment for result in test.results}
    label, labels = test.definition.dimensions[test.key].label, test.definition.labels[test.key].segments
    for short, segment in test.definition.segments[test.key].items():
        never = [rule.key for rule in segment.rules if f"{short}/{rule.key}" not in test.met_rules]
        if short not in reached or not never or test.is_sampled:
            continue
        rules = f"the rule {never[0]} is" if len(never) == 1 else f"the rules {', '.join(never)} are"
        text = f"{label} / {labels[short]}: {rules} true in none of {len(test.results):,} cells."
        finding = Finding("unreachable", "warning", text, "segment", f"{test.key}/{short}", tuple(never))
        yield CellFinding(finding)


def _by_missing(test: CellTest) -> Iterator[CellFinding]:
    by_segment: dict[str, list[CellResult]] = {}
    complete = set()
    for result in test.results:
        if result.segment and result.reason != Reason.FALLBACK:
            by_segment.setdefault(result.segment, []).append(result)
            if test.is_complete(result.cell):
                complete.add(result.segment)
    labels = test.definition.labels[test.key]
    for short, results in by_segment.items():
        if short not in complete:
            found = _regions(test, results)
            name, where = f"{labels.label} / {labels.segments[short]}", _where(test, found)
            # Of a sample nothing more can be said: a cell that it left out may do without missing data.
            how = f"was reached, in {len(test.results):,} sampled cells," if test.is_sampled else "is reached"
            text = f"{name} {how} only where data is missing: {where}."
            finding = Finding("decided_by_missing", "warning", text, "segment", f"{test.key}/{short}")
            yield CellFinding(finding, found)


def _sampled(test: CellTest) -> Iterator[CellFinding]:
    if test.is_sampled:
        label = test.definition.dimensions[test.key].label
        text = (
            f"{label} has {test.possible:,} cells: {len(test.results):,} of them were evaluated, every pair of values"
            " of two inputs and a sample."
        )
        yield CellFinding(Finding("cells_sampled", "warning", text, "dimension", test.key))
