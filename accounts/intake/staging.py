"""The file's rows into a temporary table, by COPY, a block at a time.

Everything is staged as text; what the texts are worth is decided set-wise afterwards (checking.py). Only what SQL
cannot do happens here: cleaning Unicode, matching keys (PostgreSQL before 18 cannot case-fold), periods.
"""

import queue
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any

from django.db.backends.utils import CursorWrapper

from accounts.intake.cells import CLEAR, CellError, clean_cell, clean_external_id, name_key, parse_period, text_key
from accounts.intake.errors import FileProblem, FileTooLargeError
from accounts.intake.plan import ImportPlan
from accounts.intake.reading import FileReader, ProblemLog, RowProblem

BLOCK_ROWS = 25_000
MAX_EXTERNAL_ID = 255
_MEMO_SIZE = 20_000
_MANGLED = re.compile(r"[0-9]([.,][0-9]+)?E\+[0-9]+")
_ID_LENGTHS = range(1, MAX_EXTERNAL_ID + 1)

RAW = "import_raw"


@dataclass
class Staged:
    """What staging counted: all rows of the file, those of other periods, those rejected (not in the table)."""

    problems: ProblemLog
    rows: int = 0
    skipped: int = 0
    has_clear: bool = False


def create_raw_table(cursor: CursorWrapper, plan: ImportPlan) -> None:
    types = {"line": "integer", "period_end": "date"}
    columns = ", ".join(f"{name} {types.get(name, 'text')}" for name in _raw_columns(plan))
    cursor.execute(f"DROP TABLE IF EXISTS {RAW}")
    cursor.execute(f"CREATE TEMPORARY TABLE {RAW} ({columns})")


def stage_blocks(
    cursor: CursorWrapper, reader: FileReader, plan: ImportPlan, *, periods: frozenset[str], max_rows: int
) -> Iterator[Staged]:
    """Fill `import_raw` with one block after the other; what was counted so far, after each and at the end.

    A thread prepares the next block while PostgreSQL works on this one. Raises FileRefusedError.
    """
    stager = _Stager(reader, plan, periods, max_rows)
    with closing(_in_background(stager.blocks())) as blocks:
        for block in blocks:
            cursor.execute(f"TRUNCATE {RAW}")
            with cursor.copy(stager.copy_sql) as copy:
                copy.write(block)
            yield stager.staged


def _in_background(blocks: Iterator[str]) -> Generator[str, None, None]:
    """The same blocks, made by a thread that is at most two ahead. Its exception is raised here."""
    ready: queue.Queue[str | BaseException | None] = queue.Queue(maxsize=2)
    stop = threading.Event()

    def put(item: str | BaseException | None) -> bool:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return True
        return False

    def work() -> None:
        try:
            if all(put(block) for block in blocks):
                put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="import-reader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _raw_columns(plan: ImportPlan) -> list[str]:
    keys = [f"k{column.number}" for column in plan.key_columns]
    period = ["period", "period_end"] if plan.period_index is not None else []
    return ["line", "external_id", *period, *(f"r{column.number}" for column in plan.columns), *keys]


class _Stager:
    """Turns rows into lines of COPY's text format: fields between bars, an empty field is NULL."""

    def __init__(self, reader: FileReader, plan: ImportPlan, periods: frozenset[str], max_rows: int) -> None:
        self.reader, self.plan, self.wanted, self.max_rows = reader, plan, periods, max_rows
        self.staged = Staged(problems=reader.problems)
        names = _raw_columns(plan)
        self.copy_sql = f"COPY {RAW} ({', '.join(names)}) FROM STDIN (FORMAT text, DELIMITER '|', NULL '')"
        self.bars = len(names) - 1
        self.pick = _picker([column.index for column in plan.columns])
        self.keys = [(column.index, _Keys(column.target.key)) for column in plan.key_columns]
        self.periods: dict[str, str | None] = {}

    def blocks(self) -> Iterator[str]:
        """COPY texts of BLOCK_ROWS lines; the last one may be empty, so that the counts are always seen complete."""
        lines = self._lines()
        while True:
            block = list(islice(lines, BLOCK_ROWS))
            if len(block) < BLOCK_ROWS:
                self.staged.rows += self.reader.malformed
            yield "".join(block)
            if len(block) < BLOCK_ROWS:
                return

    def _lines(self) -> Iterator[str]:
        """The hot loop: a plain ASCII row is joined and checked as a whole; any other row takes the careful way."""
        staged, bars, pick, keys = self.staged, self.bars, self.pick, self.keys
        external, period = self.plan.external_index, self.plan.period_index
        for line, cells in self.reader:
            staged.rows += 1
            if staged.rows + self.reader.malformed > self.max_rows:
                raise FileTooLargeError(_too_many_rows(self.max_rows))
            prefix = f"{line}|{cells[external]}"
            if period is not None:
                found = self._period(line, cells, cells[period])
                if not found:
                    continue
                prefix = f"{prefix}|{found}"
            text = "|".join([prefix, *pick(cells), *[memo[cells[index]] for index, memo in keys]])
            if not _is_plain(text, bars):
                text = self._careful(line, cells)
            if text:
                staged.has_clear = staged.has_clear or CLEAR in text
                yield text + "\n"

    def _careful(self, line: int, cells: list[str]) -> str:
        """The same line for a row with anything unusual in it, or nothing, with the problem noted."""
        plan = self.plan
        header, external_id = plan.headers[plan.external_index], ""
        try:
            external_id = clean_external_id(cells[plan.external_index])
            _check_external_id(external_id)
            cleaned = {}
            for column in plan.columns:
                header = column.header
                cleaned[column.index] = clean_cell(cells[column.index])
        except CellError as error:
            received = _visible(cells[self.plan.headers.index(header)])[:200]
            problem = RowProblem(line, error.code, str(error), external_id[:MAX_EXTERNAL_ID], header, received)
            self.staged.problems.add(problem)
            return ""
        fields = [str(line), _escaped(external_id)]
        if plan.period_index is not None:
            fields.append(self.periods[cells[plan.period_index]] or "")
        fields += [_escaped(cleaned[column.index]) for column in plan.columns]
        fields += [_escaped(memo[cleaned[index]]) for index, memo in self.keys]
        return "|".join(fields)

    def _period(self, line: int, cells: list[str], text: str) -> str | None:
        """The period's two fields as COPY text; None when the row is of another period or of none."""
        if text not in self.periods:
            parsed = parse_period(text, self.plan.mapping.period) if self.plan.mapping.period else None
            if parsed is None:
                self.staged.problems.add(self._no_period(line, cells, text))
                return None
            wanted = self.wanted
            self.periods[text] = None if wanted and parsed[0] not in wanted else f"{parsed[0]}|{parsed[1].isoformat()}"
        found = self.periods[text]
        self.staged.skipped += found is None
        return found

    def _no_period(self, line: int, cells: list[str], text: str) -> RowProblem:
        period = self.plan.mapping.period
        words = period.grain.replace("_", " ") if period else "period"
        header = period.column if period else ""
        external_id = _visible(cells[self.plan.external_index])[:MAX_EXTERNAL_ID]
        received = _visible(text)[:200]
        return RowProblem(line, "not_a_period", f"“{received[:40]}” is no {words}.", external_id, header, received)


def _is_plain(text: str, bars: int) -> bool:
    """Nothing to trim, escape, normalise or refuse: printable ASCII, no bar or backslash, an external id.

    Each test runs in C over the joined row, which costs a fraction of looking at the cells.
    """
    return (
        text.isascii()
        and text.isprintable()
        and text.count("|") == bars
        and "\\" not in text
        and "E+" not in text
        and " |" not in text
        and "| " not in text
        and not text.endswith(" ")
        and text.find("|", text.find("|") + 1) - text.find("|") - 1 in _ID_LENGTHS
    )


def _check_external_id(external_id: str) -> None:
    if _MANGLED.fullmatch(external_id):
        raise CellError("mangled_id", "A spreadsheet turned this external id into a number and lost its digits.")
    if not external_id:
        raise CellError("required", "The row does not say which account it is.")
    if len(external_id) > MAX_EXTERNAL_ID:
        raise CellError("too_long", f"An external id has at most {MAX_EXTERNAL_ID} characters.")


def _too_many_rows(limit: int) -> FileProblem:
    return FileProblem("too_many_rows", f"The file has more than {limit:,} rows, which is the limit.")


def _picker(indexes: list[int]) -> Callable[[list[str]], Any]:
    if len(indexes) == 1:
        only = indexes[0]
        return lambda cells: (cells[only],)
    return itemgetter(*indexes) if indexes else lambda cells: ()


class _Keys(dict[str, str]):
    """Text → its matching key as a COPY field, remembered: most texts of a file come again and again."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.function = name_key if key == "name" else text_key

    def __missing__(self, text: str) -> str:
        key = self.function(text) or ""
        if len(self) < _MEMO_SIZE:
            self[text] = key
        return key


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _visible(text: str) -> str:
    """For reports: what cannot be stored or would break a line is replaced."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
