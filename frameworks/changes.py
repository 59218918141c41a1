"""Differences as pages show them: typed, with both texts for a diff by words, and rules as sentences."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from frameworks.comparison import Difference, sides
from frameworks.document import Document, PartId
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts.diff import FieldChange, PartChange, diff_parts
from frameworks.parts.wording import humanise


@dataclass
class Row:
    """One difference: as two texts, or in words."""

    label: str
    before: str = ""
    after: str = ""
    text: str = ""


@dataclass
class Changed:
    """A part that differs between the two sides."""

    change: PartChange
    url: str
    rows: list[Row] = field(default_factory=list)
    noes: list[tuple[str, str]] = field(default_factory=list)


def no_noes(part: PartId) -> list[tuple[str, str]]:
    """Where nobody is asked, nobody said No."""
    return []


def described(
    version: FrameworkVersion,
    found: Sequence[Difference],
    *,
    url: Callable[[PartId], str],
    noes: Callable[[PartId], list[tuple[str, str]]] = no_noes,
) -> list[Changed]:
    """Differences of `version` from another state, in reading order. Raises PartError for a body that is not valid."""
    before, after = sides(found, version)
    old, new = Document(before), Document(after)
    return [_changed(change, old, new, url, noes) for change in diff_parts(before, after)]


def _changed(
    change: PartChange,
    old: Document,
    new: Document,
    url: Callable[[PartId], str],
    noes: Callable[[PartId], list[tuple[str, str]]],
) -> Changed:
    part = (change.kind, change.key)
    found = Changed(change, url(part), rows=_rows(change.fields), noes=noes(part))
    if change.kind == Kind.SEGMENT:
        was, now = old.sentences(change.key), new.sentences(change.key)
        if was != now:
            found.rows.append(Row("In words", was, now))
    if change.kind == Kind.TERM and change.change != "changed":
        wording = str((new if change.change == "added" else old).bodies[part]["wording"])
        found.rows.append(Row("Wording", after=wording) if change.change == "added" else Row("Wording", wording))
    return found


def _rows(changes: Iterable[FieldChange]) -> list[Row]:
    """One row per difference; a label that repeats is not said twice."""
    rows, last = [], ""
    for change in changes:
        row = _row(change)
        row.label, last = ("" if row.label == last else row.label), row.label
        rows.append(row)
    return rows


def _row(change: FieldChange) -> Row:
    name, _, inner = change.pointer.strip("/").partition("/")
    lead, _, _ = change.text.rpartition(" › ")
    if change.words:
        return Row(lead if inner and lead else humanise(name), str(change.old), str(change.new))
    return Row(humanise(name), text=change.text)
