"""One file through its stages on one connection: open, stage, check, compare, apply.

Staging and checking run outside any transaction (temporary tables of this session), so that a long file neither
holds locks nor holds the sync feed back; only applying is a transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.intake import applying, checking
from accounts.intake.applying import Effect, Stamp
from accounts.intake.checking import Checked
from accounts.intake.mapping import ImportMapping
from accounts.intake.plan import ImportPlan, make_plan
from accounts.intake.reading import FileFacts, FileReader, RowProblem, inspect_file
from accounts.intake.staging import Staged, create_raw_table, stage_blocks
from accounts.intake.targets import file_targets

MAX_LISTED = 100_000
"""Rejected cells that are kept with their reasons; more are counted only."""


def max_rows() -> int:
    return int(settings.IMPORT_MAX_ROWS)


def max_bytes() -> int:
    return int(settings.IMPORT_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is text, with a header that fits the mapping."""

    facts: FileFacts
    reader: FileReader
    plan: ImportPlan


def open_file(path: Path, mapping: ImportMapping) -> OpenFile:
    """Raises FileRefusedError or MappingError with everything that can be said from the header."""
    facts = inspect_file(path, encoding=mapping.encoding, max_bytes=max_bytes())
    reader = FileReader(path, facts, delimiter=mapping.delimiter, expected=mapping.headers)
    return OpenFile(facts, reader, make_plan(mapping, reader.headers, file_targets()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file holds and what applying it would do, or did."""

    staged: Staged
    checked: Checked
    effect: Effect


@contextmanager
def bulk_session() -> Iterator[CursorWrapper]:
    """A cursor whose statements may take their time and memory; the connection is handed back as it was.

    JIT compiles the checking statement's hundreds of CASE branches for longer than they run.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET work_mem = '128MB'; SET jit = off; SET lock_timeout = '60s'")
        # Emptying a temporary table between blocks is a commit; it need not wait for the disk. `apply` does.
        cursor.execute("SET synchronous_commit = off")
        try:
            yield cursor
        finally:
            _hand_back(cursor)


def _hand_back(cursor: CursorWrapper) -> None:
    """Nothing can be said to a connection that is closed or in a failed transaction; its end clears it."""
    if connection.connection is None or connection.needs_rollback or not connection.is_usable():
        return
    checking.drop_tables(cursor)
    applying.drop_tables(cursor)
    names = ("statement_timeout", "work_mem", "jit", "lock_timeout", "synchronous_commit")
    cursor.execute("; ".join(f"RESET {name}" for name in names))


class FileWork:
    """The stages, in this order: `stage`, `compare`, `apply`. Rows and counts are kept by the caller."""

    def __init__(self, cursor: CursorWrapper, opened: OpenFile, stamp: Stamp) -> None:
        self.cursor, self.plan, self.reader, self.stamp = cursor, opened.plan, opened.reader, stamp
        self.staged: Staged
        self.checked: Checked
        self.effect: Effect

    def stage(self, *, periods: frozenset[str], on_block: Callable[[int], None]) -> None:
        """Read the file and check its rows, block by block. Raises FileRefusedError."""
        create_raw_table(self.cursor, self.plan)
        checker = checking.Checker(self.cursor, self.plan)
        blocks = stage_blocks(self.cursor, self.reader, self.plan, periods=periods, max_rows=max_rows())
        for staged in blocks:
            self.staged = staged
            checker.check_block(has_clear=staged.has_clear)
            on_block(staged.rows)
        checker.finish()
        self.checked = checking.settle_rows(self.cursor, self.plan, checker.given)

    def compare(self) -> Outcome:
        """What applying would do now; nothing is written or locked."""
        self.effect = applying.find_changes(self.cursor, self.plan, self.stamp)
        self.checked.rejected = self.staged.problems.count + checking.count_bad(self.cursor)
        return Outcome(self.staged, self.checked, self.effect)

    def rejected(self) -> Iterator[RowProblem]:
        """Why rows were rejected, at most MAX_LISTED reasons. Complete after `compare`."""
        kept = self.staged.problems.kept[:MAX_LISTED]
        yield from kept
        yield from checking.rejected_cells(self.cursor, self.plan, limit=MAX_LISTED - len(kept))

    def apply(self) -> Outcome:
        """Write it; call after `compare`, inside the transaction that records the import as applied."""
        if not transaction.get_connection().in_atomic_block:
            raise RuntimeError("An import is applied in one transaction.")
        self.cursor.execute("SET LOCAL synchronous_commit TO DEFAULT")
        self.effect = applying.apply_changes(self.cursor, self.plan, self.stamp, self.effect)
        return Outcome(self.staged, self.checked, self.effect)
