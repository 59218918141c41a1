"""CSV files of metric history, signals and list entries: one header line, one item a line, as the API takes them."""

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from accounts.pushed_facts import ENTRY_READERS, SIGNAL_READERS, observation_readers
from frameworks.errors import InvalidError
from frameworks.values import suggestion

BATCH: Final = 1000
_DETAIL: Final = "detail."
_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "metrics": frozenset(observation_readers(frozenset())),
    "signals": frozenset(SIGNAL_READERS) - {"details"},
    "lists": frozenset(ENTRY_READERS),
}


def read_items(path: Path, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, item) of every row of a file of `kind`: metrics, signals or lists. Empty cells are not sent.

    Numbers and days stay text, as in the API. Raises InvalidError for a file that is no such table.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, kind)
            for cells in reader:
                if len(cells) != len(header):
                    raise InvalidError(
                        [f"Line {reader.line_num} has {len(cells)} cells, and the header has {len(header)}."]
                    )
                yield reader.line_num, _item(dict(zip(header, cells, strict=True)))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidError([f"Line {reader.line_num + 1} cannot be read as CSV in UTF-8: {error}."]) from error


def batches(rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """The rows, BATCH at a time."""
    while batch := list(islice(rows, BATCH)):
        yield batch


def _check_header(header: list[str], kind: str) -> None:
    known = _COLUMNS[kind]
    problems = [
        f"There is no column “{name}”. {suggestion(name, known)}".strip()
        for name in header
        if name not in known and not (kind == "signals" and name.startswith(_DETAIL))
    ]
    problems += [f"The column “{name}” is there twice." for name in sorted({n for n in header if header.count(n) > 1})]
    if not header:
        problems.append("The file is empty.")
    if problems:
        raise InvalidError(problems)


def _item(cells: Mapping[str, str]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for name, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        if name.startswith(_DETAIL):
            item.setdefault("details", {})[name.removeprefix(_DETAIL)] = text
        else:
            item[name] = _FLAGS.get(text.lower(), text) if name == "is_closed" else text
    return item


_FLAGS: Final = {"true": True, "false": False}
