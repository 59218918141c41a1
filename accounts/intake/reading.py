"""Reading a CSV file as a stream: what kind of file it is, its header, and its rows with their line numbers.

The file is read twice. `inspect_file` passes over the bytes once: is it text at all, is it valid in its encoding,
how many lines. `FileReader` then yields rows; memory does not grow with the file. Python's csv module parses, in
strict mode; this module adds what it leaves out: which line a row began in, and a quote that never closes.
"""

import codecs
import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from accounts.intake.errors import FileProblem, FileRefusedError, FileTooLargeError
from frameworks.criteria.text_keys import has_control_character, matching_key

MAX_FIELD = 131_072
"""Characters of one cell. More than that is either a mistake or a quote that never closes."""
MAX_COLUMNS = 300
_CHUNK = 1 << 20
_MAX_LINE_BYTES = 32 << 20
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

_NOT_CSV = (
    (b"PK\x03\x04", "a spreadsheet (xlsx) or another zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (xls)"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"{\\rtf", "a Word document (RTF)"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table", b"<head")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

if TYPE_CHECKING:
    import _csv

csv.field_size_limit(MAX_FIELD)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one pass over the file found. `bad_lines` counts lines that are not valid in the encoding."""

    size: int
    sha256: str
    lines: int
    encoding: str
    has_mark: bool
    bad_lines: int = 0
    first_bad_byte: int | None = None

    @property
    def codec(self) -> str:
        return "utf-8-sig" if self.encoding == "utf-8" else self.encoding


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why one row is not imported. `field` is the column's header, empty for the row as a whole."""

    line: int
    code: str
    message: str
    external_id: str = ""
    field: str = ""
    received: str = ""


class ProblemLog:
    """Rejected rows: all are counted, the first `limit` problems are kept, so that memory stays bounded."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit = limit
        self.count = 0
        self.kept: list[RowProblem] = []

    def add(self, problem: RowProblem) -> None:
        self.count += 1
        if len(self.kept) < self.limit:
            self.kept.append(problem)


@dataclass
class _Scan:
    """State of the pass over the bytes."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0
    newlines: int = 0
    returns: int = 0
    without_break: int = 0
    last: bytes = b""


def inspect_file(path: Path, *, encoding: str = "utf-8", max_bytes: int) -> FileFacts:
    """One pass over the bytes. Raises FileRefusedError: empty_file, not_csv, encoding, file_too_large."""
    size = path.stat().st_size
    if size > max_bytes:
        message = f"The file has {size:,} bytes; the limit is {max_bytes:,}."
        raise FileTooLargeError(FileProblem("file_too_large", message))
    if size == 0:
        raise FileRefusedError(FileProblem("empty_file", "The file is empty."))
    with path.open("rb") as file:
        start = file.read(4096)
    mark = next((name for bytes_, name in _BYTE_ORDER_MARKS if start.startswith(bytes_)), "")
    _refuse_other_kinds(start, mark)
    _refuse_other_encoding(start, mark, encoding)
    scan = _scan(path)
    facts = FileFacts(
        size=scan.size,
        sha256=scan.digest.hexdigest(),
        lines=max(scan.newlines or scan.returns, 1) + (scan.last not in (b"\n", b"\r")),
        encoding=encoding,
        has_mark=bool(mark),
    )
    return _check_encoding(path, facts)


def _refuse_other_kinds(start: bytes, mark: str) -> None:
    """By content: the name of a file says nothing."""
    kind = next((words for magic, words in _NOT_CSV if start.startswith(magic)), "")
    text = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if not kind and text.startswith(_MARKUP):
        kind = "a web page or XML"
    if kind:
        raise FileRefusedError(FileProblem("not_csv", f"This is {kind}, not a CSV file. Save it as CSV (UTF-8)."))
    if not text and mark != "utf-16":
        raise FileRefusedError(FileProblem("empty_file", "The file holds nothing but white space."))


def _refuse_other_encoding(start: bytes, mark: str, encoding: str) -> None:
    zeros = max(start[0::2].count(0), start[1::2].count(0))
    looks_wide = mark == "utf-16" or (len(start) > 3 and zeros > len(start) // 4)
    if looks_wide and encoding != "utf-16":
        offset = 0 if mark == "utf-16" else start.index(0)
        raise FileRefusedError(_encoding_problem(offset, 1, encoding, "It looks like UTF-16."))


def _encoding_problem(offset: int, line: int, encoding: str, hint: str) -> FileProblem:
    message = (
        f"The file is not {encoding.upper()}: byte {offset:,} (line {line:,}) does not fit. {hint}"
        " Choose the file's encoding, or save it as UTF-8."
    )
    return FileProblem("encoding", message, line=line, byte_offset=offset)


def _scan(path: Path) -> _Scan:
    scan = _Scan()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            scan.digest.update(chunk)
            scan.size += len(chunk)
            scan.newlines += chunk.count(b"\n")
            scan.returns += chunk.count(b"\r")
            scan.last = chunk[-1:]
            _refuse_endless_line(scan, chunk)
    return scan


def _refuse_endless_line(scan: _Scan, chunk: bytes) -> None:
    """A line is held in memory as a whole, so it must have an end."""
    has_break = b"\n" in chunk or b"\r" in chunk
    scan.without_break = 0 if has_break else scan.without_break + len(chunk)
    if scan.without_break > _MAX_LINE_BYTES:
        line = scan.newlines + 1
        message = f"Line {line:,} is longer than {_MAX_LINE_BYTES:,} bytes: this is no CSV file."
        raise FileRefusedError(FileProblem("not_csv", message, line=line))


def _check_encoding(path: Path, facts: FileFacts) -> FileFacts:
    """Valid throughout, or valid but for a few lines, which are then rejected row by row. Never guessed."""
    decoder = codecs.getincrementaldecoder(facts.codec)()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _count_bad_lines(path, facts)
    return facts


def _count_bad_lines(path: Path, facts: FileFacts) -> FileFacts:
    """How many lines do not decode. Few lines in a file that is otherwise fine: they are rejected, one by one."""
    bad, wide, offset, first, first_line = 0, 0, 0, -1, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(facts.encoding)
                wide += not line.isascii()
            except UnicodeDecodeError as error:
                if first < 0:
                    first, first_line = offset + error.start, number
                bad += 1
            offset += len(line)
    if facts.encoding != "utf-8" or bad * 100 > facts.lines or first_line == 1:
        hint = "It looks like Latin-1 or Windows-1252." if wide == 0 else "Most of it is damaged."
        raise FileRefusedError(_encoding_problem(first, first_line, facts.encoding, hint))
    return FileFacts(
        size=facts.size,
        sha256=facts.sha256,
        lines=facts.lines,
        encoding=facts.encoding,
        has_mark=facts.has_mark,
        bad_lines=bad,
        first_bad_byte=first,
    )


def open_text(path: Path, facts: FileFacts) -> IO[str]:
    """The file as text, line ends untouched; bytes that do not decode become lone surrogates in their row."""
    errors = "surrogateescape" if facts.encoding == "utf-8" else "strict"
    return path.open("r", encoding=facts.codec, errors=errors, newline="")


def detect_delimiter(first_line: str, expected: set[str]) -> str:
    """The delimiter under which the header names most of what is expected, then under which it has most columns."""

    def merit(delimiter: str) -> tuple[int, int]:
        headers = _split(first_line, delimiter)
        return len(expected & set(headers)), len(headers)

    return max(DELIMITERS, key=merit)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def check_headers(headers: list[str]) -> None:
    """Raises FileRefusedError: blank_header, duplicate_header (also by case and spaces), too many columns."""
    if len(headers) > MAX_COLUMNS:
        message = f"The file has {len(headers):,} columns; the limit is {MAX_COLUMNS:,}."
        raise FileTooLargeError(FileProblem("too_many_columns", message, line=1))
    problems = []
    seen: dict[str, str] = {}
    for position, header in enumerate(headers, start=1):
        key = matching_key(header, missing_tokens=())
        if has_control_character(header):
            problems.append(
                FileProblem("control_character", f"The header of column {position} holds a control character.", line=1)
            )
        elif key is None:
            problems.append(FileProblem("blank_header", f"Column {position} has no header.", line=1))
        elif key in seen:
            message = f"The header “{header}” (column {position}) is there twice, as “{seen[key]}” before."
            problems.append(FileProblem("duplicate_header", message, line=1, column=header))
        else:
            seen[key] = header
    if problems:
        raise FileRefusedError(problems)


class FileReader:
    """The rows of one file: `for line, cells in reader`; what is wrong with the others is in `problems`.

    Raises FileRefusedError (unclosed_quote, and all of the header's), also while reading.
    """

    def __init__(self, path: Path, facts: FileFacts, *, delimiter: str = "", expected: set[str] | None = None) -> None:
        self.path, self.facts = path, facts
        self.problems = ProblemLog()
        self.malformed = 0
        with open_text(path, facts) as file:
            first_line = file.readline(MAX_FIELD)
        self.delimiter = delimiter or detect_delimiter(first_line, expected or set())
        self.headers = self._read_headers()
        check_headers(self.headers)

    def _read_headers(self) -> list[str]:
        with open_text(self.path, self.facts) as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            try:
                cells = next((row for row in reader if row), [])
            except csv.Error as error:
                raise self._unclosed(1, reader.line_num) from error
        return [cell.strip() for cell in cells]

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        with open_text(self.path, self.facts) as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            yield from self._data_rows(self._rows(reader))

    def _data_rows(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        next(rows, None)  # the header
        width = len(self.headers)
        for line, cells in rows:
            if len(cells) == width:
                yield line, cells
            else:
                message = f"The row has {len(cells)} cells, the header {width}."
                self._reject(RowProblem(line, "column_count", message, received=_joined(cells)))

    def _rows(self, reader: "_csv.Reader") -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank with the line they begin in, going on after a row the parser refused."""
        start = 1
        while True:
            try:
                for cells in reader:
                    if cells:
                        yield start, cells
                    start = reader.line_num + 1
                return
            except csv.Error as error:
                self._note(str(error), start, reader.line_num)
                start = reader.line_num + 1

    def _note(self, error: str, start: int, end: int) -> None:
        """A row in one line is that row's problem; one that runs on over lines has swallowed others."""
        if end > start or "end of data" in error:
            raise self._unclosed(start, end)
        if "limit" in error:
            message = f"A cell has more than {MAX_FIELD:,} characters."
            self._reject(RowProblem(start, "field_too_long", message))
        else:
            message = 'A quote stands inside a quoted cell; it must be doubled ("").'
            self._reject(RowProblem(start, "malformed_quote", message))

    def _reject(self, problem: RowProblem) -> None:
        self.malformed += 1
        self.problems.add(problem)

    def _unclosed(self, start: int, end: int) -> FileRefusedError:
        line = self._line_of_quote(start, end)
        message = f"The quote that opens in line {line:,} is not closed before the next rows begin."
        return FileRefusedError(FileProblem("unclosed_quote", message, line=line))

    def _line_of_quote(self, start: int, end: int) -> int:
        """The line in which the last quote opened, following the quotes from line `start` on."""
        opened, is_open = start, False
        with open_text(self.path, self.facts) as file:
            for number, text in enumerate(islice(file, end), start=1):
                if number < start:
                    continue
                _, *rest = text.replace('""', "").split('"')
                if is_open and rest and not rest[0].startswith((self.delimiter, "\r", "\n")):
                    break  # what closes here is the quote that opens this line's cell: the other one never did
                was_open, is_open = is_open, is_open ^ bool(len(rest) % 2)
                if is_open and (not was_open or len(rest) > 1):
                    opened = number
        return opened


def _joined(cells: list[str]) -> str:
    return " | ".join(cells[:20])[:200]
