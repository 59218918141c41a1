"""What documents consist of: sections of texts, facts, lists and tables. One template draws page and PDF alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from django.utils.safestring import SafeString

from frameworks.templatetags.cutline import DASH
from governance.documents.text import markdown

SHORT = 8
"""Rows of a table that is kept together."""
LINE = 104
"""Characters that a row of a table has room for on paper, the space between its columns left out."""


@dataclass(frozen=True)
class Link:
    """A text that leads to a page of the workspace; `url` "" leads nowhere."""

    text: str
    url: str


Words: TypeAlias = str | SafeString | Link


@dataclass(frozen=True)
class Prose:
    """A paragraph exactly as it is written. `tone`: "" or warn, for what somebody has to mend; quiet for asides."""

    kind: ClassVar[str] = "prose"

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Written:
    """What somebody wrote in a playbook or a note, as markdown."""

    kind: ClassVar[str] = "written"

    text: str

    @property
    def html(self) -> SafeString:
        return markdown(self.text)


@dataclass(frozen=True)
class Facts:
    """Labels with what is said under each; those with nothing to say are left out."""

    kind: ClassVar[str] = "facts"

    rows: Sequence[tuple[str, Words]]

    @property
    def said(self) -> list[tuple[str, Words]]:
        return [(label, words) for label, words in self.rows if words not in ("", DASH)]


@dataclass(frozen=True)
class Points:
    """A list; numbered where the order counts."""

    kind: ClassVar[str] = "points"

    items: Sequence[Words]
    is_ordered: bool = False


@dataclass(frozen=True)
class Table:
    """A table: `caption` says what it has, `figures` are the columns, counted from 0, that are set to the right."""

    kind: ClassVar[str] = "table"

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Words]]
    figures: frozenset[int] = frozenset()

    @property
    def shares(self) -> list[int]:
        """The width of each column on paper, percent: to measure every cell is most of the work of laying out."""
        columns = [_said([head, *(row[place] for row in self.rows)]) for place, head in enumerate(self.heads)]
        return shares([(_longest(text.split()), _longest(text.splitlines())) for text in columns])

    @property
    def is_short(self) -> bool:
        """It stays on one page."""
        return len(self.rows) <= SHORT


Block: TypeAlias = Prose | Written | Facts | Points | Table


@dataclass(frozen=True)
class Section:
    """A headline with what stands under it. `level` 2 is a chapter, 3 stands within one, 4 within that."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    level: int = 2


def shares(columns: Sequence[tuple[int, int]]) -> list[int]:
    """Percent for each column by its longest word and its longest line: each word whole, what is left by need."""
    # Heads and the first column are bold, which takes a fifth more.
    words: list[float] = [min(word * 1.2 + 2, LINE / 3) for word, _ in columns]
    wanted: list[float] = [
        max(min(line + 2, LINE), least) - least for (_, line), least in zip(columns, words, strict=True)
    ]
    spare = LINE - sum(words)
    ratio = min(spare / sum(wanted), 1.0) if spare > 0 and sum(wanted) else 0.0
    widths: list[float] = [least + ratio * more for least, more in zip(words, wanted, strict=True)]
    total = sum(widths)
    return [round(100 * width / total) for width in widths]


def _said(cells: Iterable[Words]) -> str:
    return "\n".join(cell.text if isinstance(cell, Link) else str(cell) for cell in cells)


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Words]], figures: Iterable[int] = ()) -> Table:
    """A table; a column in which nothing is said is left out, unless there is no row."""
    kept, filled = list(rows), set(figures)
    places = [place for place in range(len(heads)) if place == 0 or not kept or any(row[place] for row in kept)]
    return Table(
        caption,
        [heads[place] for place in places],
        [[row[place] for place in places] for row in kept],
        frozenset(new for new, place in enumerate(places) if place in filled),
    )


def missing(what: str) -> Prose:
    """What a version that is not complete lacks, in the same words everywhere."""
    return Prose(f"Missing: this version has no {what}.", "warn")
