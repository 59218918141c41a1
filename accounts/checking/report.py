"""All checks of one wording of a version that need the engine: cell test, live accounts, sample records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from accounts.checking.cell_findings import EXAMPLES_AT_MOST, CellFinding, cell_findings
from accounts.checking.cells import CellTest, run_cell_test
from accounts.checking.live import Answer, Live, ask_live
from accounts.checking.live_findings import live_findings, questions
from accounts.checking.samples import make_samples
from frameworks.checks.findings import Finding, Sample
from frameworks.criteria.ast import MAX_NODES
from frameworks.definition import Definition

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Computed:
    """What the checks came to; `notes` say what could not be tested and why."""

    findings: list[Finding]
    samples: list[Sample]
    unreached: list[str]
    notes: list[str]
    cells: int
    accounts: int


# The cell tests of a wording are the same for everybody on one day.
_kept: OrderedDict[tuple[str, date], dict[str, CellTest]] = OrderedDict()
_KEPT_AT_MOST = 8


def cell_tests(
    definition: Definition, *, digest: str, as_of: datetime, tell: Tell | None = None
) -> dict[str, CellTest]:
    """The cell test of every dimension; remembered in this process by `digest`, that of the wording."""
    known = (digest, as_of.astimezone(definition.zone).date())
    if known not in _kept:
        found = {}
        for done, key in enumerate(definition.dimensions, 1):
            found[key] = run_cell_test(definition, key, as_of=as_of)
            if tell:
                tell(done, len(definition.dimensions) + 2)
        _kept[known] = found
        while len(_kept) > _KEPT_AT_MOST:
            _kept.popitem(last=False)
    return _kept[known]


def compute(
    definition: Definition,
    *,
    digest: str,
    as_of: datetime,
    base: Definition | None = None,
    tell: Tell | None = None,
) -> Computed:
    """Run every check. `base` is the version the sample records are compared with."""
    tests = cell_tests(definition, digest=digest, as_of=as_of, tell=tell)
    found = {key: cell_findings(test) for key, test in tests.items()}
    asked, regions = questions(definition), _region_nodes(tests, found)
    nodes = [*(question.node(definition, n) for n, question in enumerate(asked, 1)), *regions.values()]
    live = ask_live(definition, nodes, as_of=as_of)
    if tell:
        tell(len(tests) + 1, len(tests) + 2)
    counted = dict(zip(regions, live.answers[len(asked) :], strict=False))
    findings = [
        _with_counts(each.finding, [counted.get((key, place, n)) for n in range(EXAMPLES_AT_MOST)], live)
        for key, of_dimension in found.items()
        for place, each in enumerate(of_dimension)
    ]
    findings += live_findings(definition, live, dict(zip(asked, live.answers, strict=False)))
    samples, unreached = make_samples(definition, tests, as_of=as_of, base=base)
    cells = sum(len(test.results) for test in tests.values())
    return Computed(findings, samples, unreached, list(_notes(live)), cells, live.accounts)


Place = tuple[str, int, int]


def _region_nodes(
    tests: Mapping[str, CellTest], found: Mapping[str, Sequence[CellFinding]]
) -> dict[Place, Mapping[str, Any]]:
    """By dimension, finding and region: the region as criteria that live accounts can be asked."""
    nodes: dict[Place, Mapping[str, Any]] = {}
    for key, test in tests.items():
        for place, each in enumerate(found[key]):
            for n, region in enumerate(each.regions[:EXAMPLES_AT_MOST]):
                node = test.isolated.restored(test.wording.document(region.box)["root"])
                # What is too long to ask is shown without a count.
                if node is not None and _size(node) <= MAX_NODES:
                    nodes[key, place, n] = node
    return nodes


def _size(node: Mapping[str, Any]) -> int:
    return 1 + sum(map(_size, node.get("items", ()))) + (_size(node["item"]) if "item" in node else 0)


def _with_counts(finding: Finding, counted: Sequence[Answer | None], live: Live) -> Finding:
    """The examples with how many live accounts are there, those with most first."""
    examples = [
        replace(example, accounts=answer.accounts, named=live.named(answer)) if answer else example
        for example, answer in zip(finding.examples, counted, strict=False)
    ]
    examples.sort(key=lambda example: -(example.accounts or 0))
    return replace(finding, examples=tuple(examples))


def _notes(live: Live) -> Iterator[str]:
    if not live.accounts:
        yield "There are no accounts: sizes, coverage, ranges and outcomes were not tested."
        return
    figures = [each for by_segment in live.figures.values() for each in by_segment.values()]
    if not any(each.retention.count for each in figures):
        yield "No account has ARR for closed periods a year apart: segments were not compared by NRR."
    if not any(each.win_rate.count for each in figures):
        yield "No account has closed periods of a metric win_rate: segments were not compared by win rate."
    if not any(each.churned for each in figures):
        yield "No account has churned: churn tells no segments apart yet."
