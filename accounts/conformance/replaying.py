"""Published cases through the real engine: who agrees, who differs, and where a missing value was given a meaning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.conformance.reading import Case
from accounts.conformance.translating import DIMENSION, MATCHED, looks_at_missing, translate
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.definition import Definition


@dataclass(frozen=True)
class Answer:
    """What the engine says of one case. `is_stated`: with what two-valued products say about missing values."""

    case: Case
    answer: bool
    is_stated: bool

    @property
    def agrees(self) -> bool:
        return self.answer == self.case.expected


def replay(cases: Iterable[Case]) -> list[Answer]:
    """Each case by our rules first, where a condition on a missing value is unknown and takes nobody.

    Only a case that expects otherwise and looks at a missing value is asked again with the other products' meaning
    of missing written into its conditions.
    """
    return [_replayed(case) for case in cases]


def _replayed(case: Case) -> Answer:
    strict = Answer(case, _matches(case, is_stated=False), is_stated=False)
    if strict.agrees or not looks_at_missing(case):
        return strict
    stated = Answer(case, _matches(case, is_stated=True), is_stated=True)
    return stated if stated.agrees else strict


def _matches(case: Case, *, is_stated: bool) -> bool:
    translation = translate(case, is_stated=is_stated)
    plan = compile_definition(Definition(translation.bodies))
    (found,) = evaluate_rows(plan=plan, rows=[translation.row], as_of=case.now)
    return found[DIMENSION].segment == MATCHED
