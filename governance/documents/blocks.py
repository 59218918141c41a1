"""What documents consist of: sections of texts, facts, lists and tables. One template draws page and PDF alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from django.utils.safestring import SafeString

from frameworks.templatetags.cutline import DASH
from governance.documents.text import markdown


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
    css: str = ""


Block: TypeAlias = Prose | Written | Facts | Points | Table


@dataclass(frozen=True)
class Section:
    """A headline with what stands under it. `level` 2 is a chapter, 3 stands within one, 4 within that."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    level: int = 2


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Words]], figures: Iterable[int] = ()) -> Table:
    return Table(caption, heads, list(rows), frozenset(figures))


def missing(what: str) -> Prose:
    """What a version that is not complete lacks, in the same words everywhere."""
    return Prose(f"Missing: this version has no {what}.", "warn")
