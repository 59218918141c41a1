"""What the rules of a dimension leave open or claim twice while somebody edits it, whether or not an account is there.

The cell test of the checks, bounded so that it answers while a hand rests. Nothing here is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import DataError

from accounts.checking.cell_findings import EXAMPLES_AT_MOST, CellFinding, cell_findings
from accounts.checking.cells import CellTest, run_cell_test
from accounts.models import Account
from accounts.services.preview import count_questions
from frameworks.checks.findings import Example, Finding, with_waivers
from frameworks.definition import Bodies, Definition
from frameworks.models import FrameworkVersion

CELLS_AT_MOST = 2_000
"""Of more cells a sample is tried: all of them are the business of the checks."""
COUNTED_AT_MOST = 12
"""Places in which accounts are counted; each is a condition more on every account."""

Ranges = Mapping[str, Sequence[tuple[float | None, float | None]]]


@dataclass(frozen=True)
class OpenPlace:
    """A gap or an overlap on the axes of the attributes that bound it (`Wording.ranges`).

    `accounts` are there now; None where nobody counted.
    """

    kind: str
    text: str
    ranges: Ranges
    accounts: int | None


def dimension_findings(definition: Definition, dimension: str, *, at: datetime) -> list[Finding]:
    """What follows from the rules alone, an example cell for each place, each warning with its waiver.

    Raises PartError or CriteriaError when the dimension, or one it reads, cannot be read.
    """
    _, found = _found(definition, dimension, at)
    return with_waivers([each.finding for each in found], definition.waivers)


def find_in_edit(
    *, version: FrameworkVersion, bodies: Bodies, dimension: str, at: datetime
) -> tuple[list[Finding], list[OpenPlace]]:
    """The findings of a dimension as `bodies` have it, with the accounts of today in each place, and where those lie.

    Raises like `dimension_findings`.
    """
    definition = Definition(bodies)
    test, found = _found(definition, dimension, at)
    counted = _counted(version, bodies, test, found, at)
    shown = [
        replace(each.finding, examples=tuple(counted.get((n, m), x) for m, x in enumerate(each.finding.examples)))
        for n, each in enumerate(found)
    ]
    places = [
        OpenPlace(finding.code, example.text, test.wording.ranges(region.box), example.accounts)
        for each, finding in zip(found, shown, strict=True)
        if finding.code in ("gap", "overlap")
        for region, example in zip(each.regions, finding.examples, strict=False)
    ]
    return with_waivers(shown, definition.waivers), places


def _found(definition: Definition, dimension: str, at: datetime) -> tuple[CellTest, list[CellFinding]]:
    test = run_cell_test(definition, dimension, as_of=at, at_most=CELLS_AT_MOST, sample_at_most=CELLS_AT_MOST)
    return test, cell_findings(test)


Place = tuple[int, int]


def _counted(
    version: FrameworkVersion, bodies: Bodies, test: CellTest, found: Sequence[CellFinding], at: datetime
) -> dict[Place, Example]:
    """By finding and region: the example with how many accounts are there, and two of them by name."""
    questions = dict(list(_questions(test, found).items())[:COUNTED_AT_MOST])
    try:
        answers = count_questions(version=version, bodies=bodies, questions=list(questions.values()), at=at)
    except DataError:
        # A stored value that cannot be read as what the draft says it is: better no count than a wrong one.
        return {}
    named = {pk for _, examples in answers for pk in examples}
    names = {pk: (str(uuid), name) for pk, uuid, name in _names(named)}
    return {
        (n, m): replace(
            found[n].finding.examples[m], accounts=accounts, named=tuple(names[pk] for pk in pks if pk in names)
        )
        for (n, m), (accounts, pks) in zip(questions, answers, strict=True)
    }


def _questions(test: CellTest, found: Sequence[CellFinding]) -> dict[Place, Mapping[str, Any]]:
    """Each region as criteria over the framework's own attributes, where it can be said there, the largest first."""
    nodes: dict[Place, Mapping[str, Any]] = {}
    for m in range(EXAMPLES_AT_MOST):
        for n, each in enumerate(found):
            if m < len(each.regions):
                node = test.isolated.restored(test.wording.document(each.regions[m].box)["root"])
                if node is not None:
                    nodes[n, m] = node
    return nodes


def _names(pks: set[int]) -> Any:
    return Account.objects.filter(pk__in=pks).values_list("pk", "uuid", "name")
