"""What changed between two sets of parts: typed, and in words.

    >>> [change.text for change in diff_parts(old, new)]
    ['Segment Customer Tier / Enterprise: employees ≥ 1,000 → ≥ 1,500']

Two bodies differ here exactly when their digests differ, and at the level at which they differ: a signer
who is asked again always sees why.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from frameworks.parts.base import SLUG, Level, Piece, highest, level_of, write_decimal
from frameworks.parts.criteria_diff import diff_criteria
from frameworks.parts.dimension import Dimension
from frameworks.parts.errors import pointer
from frameworks.parts.moves import moves
from frameworks.parts.naming import own_label, titled, waiver_label
from frameworks.parts.registry import KINDS, parse_body
from frameworks.parts.retirements import retirement_texts
from frameworks.parts.segment import Rule, Segment
from frameworks.parts.wording import LONG, Names, humanise, names_of

PartId: TypeAlias = tuple[str, str]
Bodies: TypeAlias = Mapping[PartId, Mapping[str, Any]]
Change = Literal["added", "removed", "changed", "moved"]
Path: TypeAlias = tuple[str | int, ...]

PLACES = 6
"""So many places of a reworded text are told."""
REWRITTEN = 0.4
"""Texts that have less than this share of their words in common are told as a whole."""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class FieldChange:
    """One difference inside a body. `pointer` is into the new body, or the old one if the value is gone."""

    pointer: str
    change: Change
    level: Level
    old: Any
    new: Any
    text: str

    @property
    def words(self) -> list[tuple[str, str]]:
        """The word-level diff of two texts; empty where the values are not both text."""
        if isinstance(self.old, str) and isinstance(self.new, str):
            return word_diff(self.old, self.new)
        return []


@dataclass(frozen=True)
class PartChange:
    """A part that one side lacks, or the differences of its two bodies."""

    kind: str
    key: str
    label: str
    change: Literal["added", "removed", "changed"]
    level: Level
    fields: tuple[FieldChange, ...] = ()

    @property
    def text(self) -> str:
        if self.change != "changed":
            return f"{self.label} {self.change}"
        return f"{self.label}: " + "; ".join(change.text for change in self.fields)


def word_diff(old: str, new: str) -> list[tuple[str, str]]:
    """("equal" | "delete" | "insert", text) in reading order, by words; a replacement is deleted, then inserted."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    found: list[tuple[str, str]] = []
    for op, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(("equal", "".join(before[i1:i2])))
            continue
        found += [("delete", "".join(before[i1:i2]))] if i2 > i1 else []
        found += [("insert", "".join(after[j1:j2]))] if j2 > j1 else []
    return found


def reworded(old: str, new: str) -> str:
    """What a text says that it did not, in words: “signed” → “invoiced”; “and fees” added; “gross” removed.

    Replacements that only a space stands between are one. Where little is left of the old text, both beginnings.
    """
    if difflib.SequenceMatcher(None, _WORDS.findall(old), _WORDS.findall(new), autojunk=False).ratio() < REWRITTEN:
        return f"{_quoted(old)} → {_quoted(new)}"
    found = [_in_words(gone.strip(), come.strip()) for gone, come in _replaced(word_diff(old, new))]
    said = [each for each in found if each] or ["spaces"]
    more = [f"and {len(said) - PLACES} more"] if len(said) > PLACES else []
    return "; ".join([*said[:PLACES], *more])


def _replaced(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(gone, come) of each place; an equal run of spaces inside a place does not end it."""
    found: list[tuple[str, str]] = []
    is_open = False
    for place, (op, text) in enumerate(pieces):
        if op == "equal" and (text.strip() or not is_open or place == len(pieces) - 1):
            is_open = False
            continue
        if not is_open:
            found.append(("", ""))
        gone, come = found[-1]
        found[-1] = (gone + (text if op != "insert" else ""), come + (text if op != "delete" else ""))
        is_open = True
    return found


def _in_words(gone: str, come: str) -> str:
    if gone and come:
        return f"{_quoted(gone)} → {_quoted(come)}"
    return f"{_quoted(come)} added" if come else f"{_quoted(gone)} removed" if gone else ""


def _quoted(text: str) -> str:
    plain = " ".join(text.split())
    return f"“{plain if len(plain) <= LONG else plain[: LONG - 1].rstrip() + '…'}”"


def diff_parts(old: Bodies, new: Bodies) -> list[PartChange]:
    """The parts that differ, in the order in which a framework is read. Raises PartError for a wrong body."""
    names = names_of(new, old)
    changes = []
    for kind, key in sorted({*old, *new}, key=_reading_order):
        change = _diff_part(kind, key, old.get((kind, key)), new.get((kind, key)), names)
        if change is not None:
            changes.append(change)
    return changes


def _reading_order(part: PartId) -> tuple[int, str]:
    return (KINDS.index(part[0]) if part[0] in KINDS else len(KINDS), part[1])


def _diff_part(
    kind: str, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, names: Names
) -> PartChange | None:
    label = part_label(kind, key, new if new is not None else old or {}, names)
    if old is None or new is None:
        only = parse_body(kind, new if old is None else old)
        return PartChange(kind, key, label, "added" if old is None else "removed", _level(only))
    if old == new:
        return None
    fields = diff_bodies(kind, key, old, new, names)
    if not fields:
        return None
    return PartChange(kind, key, label, "changed", highest(change.level for change in fields), fields)


def diff_bodies(
    kind: str, key: str, old: Mapping[str, Any], new: Mapping[str, Any], names: Names | None = None
) -> tuple[FieldChange, ...]:
    """The differences of two bodies of one part; none when they have the same digest."""
    before, after = parse_body(kind, old), parse_body(kind, new)
    comparison = _Comparison(key, names or names_of({(kind, key): new}))
    return tuple(comparison.pieces(before, after, (), Level.COSMETIC))


def part_label(kind: str, key: str, body: Mapping[str, Any], names: Names) -> str:
    """How a part is called in a list: "Segment Customer Tier / Enterprise"."""
    label = own_label(kind, key, str(body.get("label") or ""))
    if kind in ("segment", "playbook"):
        dimension, _, segment = key.partition("/")
        name = label if kind == "segment" else names.segment(dimension, segment)
        label = f"{names.dimension(dimension)} / {name}"
    elif kind == "waiver":
        label = _waiver_label(body, names)
    return titled(kind, label)


def _waiver_label(body: Mapping[str, Any], names: Names) -> str:
    dimension, _, segment = str(body.get("subject") or "").partition("/")
    about = f"{names.dimension(dimension)}{f' / {names.segment(dimension, segment)}' if segment else ''}"
    return waiver_label(str(body.get("code") or ""), about if dimension else "")


def _level(piece: Piece, inherited: Level = Level.COSMETIC) -> Level:
    """The highest level at which a piece has content."""
    return highest(
        _level_of_value(getattr(piece, name), level_of(field, inherited))
        for name, field in type(piece).model_fields.items()
        if getattr(piece, name) not in (None, "", [], {})
    )


def _level_of_value(value: object, level: Level) -> Level:
    if isinstance(value, Piece):
        return _level(value, level)
    if isinstance(value, list) and value and isinstance(value[0], Piece):
        return highest(_level(item, level) for item in value)
    return level


def _content(value: Any) -> Any:
    """A nested piece in which nothing is filled in is no content, as in the digest."""
    return None if isinstance(value, Piece) and not value.model_dump(mode="json") else value


def _plain(value: Any) -> Any:
    """A value as it stands in a body, for programs that read the diff."""
    if isinstance(value, Piece):
        return value.model_dump(mode="json")
    return write_decimal(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True)
class _Comparison:
    """Walks two bodies of the part `key` side by side; `prefix` says in words where it is."""

    key: str
    names: Names
    prefix: str = ""

    def pieces(self, old: Piece, new: Piece, path: Path, inherited: Level) -> Iterator[FieldChange]:
        for name, field in type(new).model_fields.items():
            before, after = _content(getattr(old, name, None)), _content(getattr(new, name))
            level, here = level_of(field, inherited), (*path, name)
            if name == "criteria" and isinstance(new, Rule):
                yield from self._criteria(before, after, here, level)
            elif name in ("move", "stay") and isinstance(new, Segment) and before and after:
                yield from self._inside(f"{humanise(name)} criteria")._criteria(before, after, here, level)
            elif name == "retired" and isinstance(new, Dimension) and isinstance(old, Dimension):
                yield from self._retired(old, new, here, level)
            elif before != after:
                yield from self._values(name, before, after, here, level)

    def _retired(self, old: Dimension, new: Dimension, path: Path, level: Level) -> Iterator[FieldChange]:
        """Merges, splits and retirements as one sentence each, the rest as changes of entries."""
        for found in retirement_texts(self.key, old, new, self.names):
            yield self._change((*path, found.index), found.change, level, found.old, found.new, found.text)

    def _values(self, name: str, old: Any, new: Any, path: Path, level: Level) -> Iterator[FieldChange]:
        if isinstance(old, Piece) and isinstance(new, Piece):
            yield from self._inside(humanise(name)).pieces(old, new, path, level)
        elif isinstance(old, list) and isinstance(new, list):
            compare = self._piece_lists if isinstance((old or new)[0], Piece) else self._lists
            yield from compare(name, old, new, path, level)
        elif isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                if old.get(key) != new.get(key):
                    label = f"{humanise(name)} of {self._entry_label(key)}"
                    yield self._single(label, name, old.get(key), new.get(key), (*path, key), level)
        else:
            yield self._single(humanise(name), name, old, new, path, level)

    def _entry_label(self, key: str) -> str:
        """What an entry of a mapping is about: a segment ("tier/smb"), or a word of its own."""
        dimension, _, segment = key.partition("/")
        if segment:
            return f"{self.names.dimension(dimension)} / {self.names.segment(dimension, segment)}"
        return humanise(key) if re.fullmatch(SLUG, key) else key

    def _inside(self, label: str) -> _Comparison:
        return _Comparison(self.key, self.names, f"{self.prefix}{label} › ")

    def _single(self, label: str, name: str, old: Any, new: Any, path: Path, level: Level) -> FieldChange:
        is_new, is_gone = old in (None, ""), new in (None, "")
        change: Change = "added" if is_new else "removed" if is_gone else "changed"
        if isinstance(old or new, Piece):
            return self._change(path, change, _level(old or new, level), old, new, f"{label} {change}")
        if max(len(str(old)), len(str(new))) > LONG:
            text = f"{label} reworded: {reworded(str(old), str(new))}" if change == "changed" else f"{label} {change}"
        else:
            text = f"{label} {self.names.shown(name, old)} → {self.names.shown(name, new)}"
        return self._change(path, change, level, old, new, text)

    def _change(self, path: Path, change: Change, level: Level, old: Any, new: Any, text: str) -> FieldChange:
        return FieldChange(pointer(path), change, level, _plain(old), _plain(new), self.prefix + text)

    def _piece_lists(
        self, name: str, old: list[Piece], new: list[Piece], path: Path, level: Level
    ) -> Iterator[FieldChange]:
        before, after = _by_identity(old), _by_identity(new)
        one, only = humanise(name.removesuffix("s")), len(before) == len(after) == 1
        labels = {key: _piece_label(piece, key) for key, piece in [*before.items(), *after.items()]}
        for index, (key, piece) in enumerate(before.items()):
            if key not in after:
                text = f"{one} {labels[key]} removed"
                yield self._change((*path, index), "removed", _level(piece, level), piece, None, text)
        for index, (key, piece) in enumerate(after.items()):
            if key not in before:
                text = f"{one} {labels[key]} added"
                yield self._change((*path, index), "added", _level(piece, level), None, piece, text)
            else:
                inside = self if only else self._inside(f"{one} {labels[key]}")
                yield from inside.pieces(before[key], piece, (*path, index), level)
        yield from self._moved(list(before), list(after), labels, path, _level_of_value(new, level))

    def _lists(self, name: str, old: list[Any], new: list[Any], path: Path, level: Level) -> Iterator[FieldChange]:
        labels = {str(item): self._item_label(name, str(item)) for item in [*old, *new]}
        for index, item in enumerate(old):
            if item not in new:
                text = f"{humanise(name)}: {labels[str(item)]} removed"
                yield self._change((*path, index), "removed", level, item, None, text)
        for index, item in enumerate(new):
            if item not in old:
                text = f"{humanise(name)}: {labels[str(item)]} added"
                yield self._change((*path, index), "added", level, None, item, text)
        yield from self._moved([str(item) for item in old], [str(item) for item in new], labels, path, level)

    def _item_label(self, name: str, item: str) -> str:
        if name == "segments" and "/" not in item and "/" not in self.key:
            return self.names.segment(self.key, item)
        return humanise(item) if re.fullmatch(SLUG, item) else item

    def _moved(
        self, old: list[str], new: list[str], labels: Mapping[str, str], path: Path, level: Level
    ) -> Iterator[FieldChange]:
        for item, side, neighbour in moves(old, new):
            text = f"{labels[item]} moved {side} {labels[neighbour]}"
            yield self._change((*path, new.index(item)), "moved", level, old.index(item), new.index(item), text)

    def _criteria(self, old: Any, new: Any, path: Path, level: Level) -> Iterator[FieldChange]:
        for found in diff_criteria(old, new, self.names):
            change: Change = "added" if found.old is None else "removed" if found.new is None else "changed"
            yield self._change(path, change, level, found.old, found.new, found.text)


def _by_identity(pieces: list[Piece]) -> dict[str, Piece]:
    return {str(getattr(piece, piece.identity)): piece for piece in pieces}


def _piece_label(piece: Piece, key: str) -> str:
    return f"“{getattr(piece, 'label', None) or getattr(piece, 'title', None) or humanise(key)}”"
