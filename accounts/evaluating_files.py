"""A framework's answers for a file of accounts, without touching what is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from accounts.evaluation.hypothetical import HypotheticalOutcome, evaluate_rows
from accounts.evaluation.records import Record, record_of
from accounts.evaluation.stages import FrameworkPlan, compile_definition
from accounts.exporting import safe_text
from accounts.intake.errors import FileProblem, FileRefusedError
from accounts.intake.reading import FileReader, inspect_file
from frameworks.criteria.text_keys import matching_key
from frameworks.definition import Definition

MAX_BYTES = 500_000_000
_BATCH = 2_000


@dataclass
class Tally:
    """What became of the rows: per dimension, accounts by segment ("" is Unassigned); rows with unreadable values.

    `left_out` are rows that are no accounts, such as those with too few cells.
    """

    rows: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)
    segments: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, dimension: str, segment: str) -> None:
        found = self.segments.setdefault(dimension, {})
        found[segment] = found.get(segment, 0) + 1


class AccountsFile:
    """A CSV file of accounts. Columns named like an attribute (key or label) are read; the others say which account.

    Raises FileRefusedError for a file that is no CSV, that names no attribute the framework uses, or one of them twice.
    """

    def __init__(self, path: Path, definition: Definition) -> None:
        self.definition = definition
        self.reader = FileReader(path, inspect_file(path, max_bytes=MAX_BYTES))
        known = {matching_key(name): key for key, kind in definition.attributes.items() for name in (key, kind.label)}
        self.attributes = {
            place: known[key]
            for place, header in enumerate(self.reader.headers)
            if (key := matching_key(header)) in known
        }
        if not self.attributes:
            names = ", ".join(sorted(definition.attributes)) or "the framework has none"
            raise FileRefusedError(FileProblem("no_attribute", f"No column is named like an attribute: {names}."))
        self._refuse_two_of_one()
        self.others = [place for place in range(len(self.reader.headers)) if place not in self.attributes]

    def _refuse_two_of_one(self) -> None:
        """A key and its label are one attribute: which of two columns counts is nobody's guess."""
        first: dict[str, int] = {}
        for place, key in self.attributes.items():
            if first.setdefault(key, place) != place:
                one, other = (f"“{self.reader.headers[n]}”" for n in (first[key], place))
                raise FileRefusedError(
                    FileProblem("duplicate_header", f"The columns {one} and {other} are one attribute.")
                )

    def evaluated(self, *, as_of: datetime, tally: Tally) -> Iterator[list[Any]]:
        """Head and rows of the answer: the other columns, then segment, reason, rule and what is missing, by dimension.

        A row with an unreadable value gets the reason `error`; `tally.problems` says why, with its line.
        """
        plan = compile_definition(self.definition)
        order = list(self.definition.dimensions)
        columns = [f"{key}{part}" for key in order for part in ("", "_reason", "_rule", "_missing")]
        yield ["line", *(self.reader.headers[place] for place in self.others), *columns]
        rows = iter(self.reader)
        while batch := list(islice(rows, _BATCH)):
            yield from self._answers(batch, plan, order, as_of, tally)
        tally.problems += [f"line {problem.line}: {problem.message}" for problem in self.reader.problems.kept]
        tally.left_out = self.reader.problems.count

    def _answers(
        self,
        batch: Sequence[tuple[int, list[str]]],
        plan: FrameworkPlan,
        order: Sequence[str],
        as_of: datetime,
        tally: Tally,
    ) -> Iterator[list[Any]]:
        records = [self._record(cells, as_of) for _, cells in batch]
        outcomes = evaluate_rows(plan=plan, rows=[record.row for record in records], as_of=as_of)
        for (line, cells), record, outcome in zip(batch, records, outcomes, strict=True):
            tally.rows += 1
            tally.problems += [f"line {line}: {message}" for message in record.problems.values()]
            answer: list[Any] = []
            for key in order:
                told = _error() if record.problems else _told(outcome[key])
                tally.count(key, told[0])
                answer += told
            yield [line, *(safe_text(cells[place]) for place in self.others), *answer]

    def _record(self, cells: Sequence[str], as_of: datetime) -> Record:
        texts = {key: cells[place] for place, key in self.attributes.items()}
        return record_of(texts, definition=self.definition, observed_at=as_of)


def _told(outcome: HypotheticalOutcome) -> list[str]:
    return [outcome.segment or "", outcome.reason, outcome.rule_key, " ".join(outcome.missing)]


def _error() -> list[str]:
    return ["", "error", "", ""]
