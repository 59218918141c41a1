"""A framework as YAML: lossless up to node ids, in an order and spelling that depend on the content alone.

Criteria are written in text form with the sentence people sign above them; keys of other parts carry their labels
as comments. Comments are for readers: reading a file again ignores them.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import yaml

from frameworks.criteria.english import sentence
from frameworks.criteria.parsing import CriteriaError
from frameworks.criteria.text import print_text
from frameworks.definition import Bodies, Definition
from frameworks.exchange.format import CRITERIA_FIELDS, FORMAT, PartId, criteria_places, with_criteria
from frameworks.parts import KINDS, parse_body, to_body

WIDTH: Final = 110
_HEADER: Final = """\
# A segmentation framework as code. `manage.py framework plan` says what applying this file would change,
# `manage.py framework apply` makes a draft of it. The format is described in docs/framework-as-code.md.
"""

_WORD: Final = re.compile("-?[A-Za-z0-9_]+")

Path = tuple[str | int, ...]


def write_framework(*, slug: str, exported: str, bodies: Bodies) -> str:
    """The file of a version. `exported` is its manifest digest, by which a plan finds what the file was made from."""
    lines = [f"format: {FORMAT}", f"framework: {_scalar(slug)}", f"exported: {_scalar(exported)}", "parts:"]
    notes = _Notes(bodies)
    for kind in KINDS:
        keys = notes.ordered(kind)
        if keys:
            lines += ["", f"  {kind}:"]
        for key in keys:
            lines += [_with_comment(f"    {_scalar(key)}:", notes.of_part(kind, key))]
            lines += _Writer(notes, kind, key).mapping(notes.written(kind, key), 6, ())
    return _HEADER + "\n".join(lines) + "\n"


class _Writer:
    """Writes the body of one part."""

    def __init__(self, notes: "_Notes", kind: str, key: str) -> None:
        self.notes, self.kind, self.key = notes, kind, key

    def mapping(self, body: Mapping[str, Any], indent: int, path: Path) -> Iterator[str]:
        for name, value in body.items():
            here = (*path, name)
            yield from _commented(self.notes.above(self.kind, self.key, here), indent)
            yield from self._value(f"{' ' * indent}{_scalar(name)}:", value, indent, here)

    def _value(self, start: str, value: Any, indent: int, path: Path) -> Iterator[str]:
        if isinstance(value, Mapping) and value:
            yield start
            yield from self.mapping(value, indent + 2, path)
        elif (listed := _on_one_line(value)) and len(start) + len(listed) < WIDTH and not self._noted(path, value):
            yield f"{start} {listed}"
        elif isinstance(value, list) and value:
            yield start
            for place, item in enumerate(value):
                yield from self._item(item, indent + 2, (*path, place))
        else:
            yield from self._leaf(start, value, indent, path)

    def _noted(self, path: Path, items: list[Any]) -> bool:
        return any(self.notes.beside(self.kind, self.key, path, item) for item in items)

    def _item(self, item: Any, indent: int, path: Path) -> Iterator[str]:
        if isinstance(item, Mapping) and item:
            first, *others = self.mapping(item, indent + 2, path)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from others
        else:
            yield from self._value(f"{' ' * indent}-", item, indent, path)

    def _leaf(self, start: str, value: Any, indent: int, path: Path) -> Iterator[str]:
        block = _block(value, indent + 2) if isinstance(value, str) else None
        if block:
            style, text = block
            yield f"{start} {style}"
            yield from text
        else:
            yield _with_comment(f"{start} {_scalar(value)}", self.notes.beside(self.kind, self.key, path, value))


class _Notes:
    """What people call the keys in a framework, and what its rules say."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.definition = Definition(bodies)

    def ordered(self, kind: str) -> list[str]:
        """The keys of a kind; segments and playbooks by dimension and rank, all others by name."""
        keys = sorted(key for of, key in self.bodies if of == kind)
        return sorted(keys, key=lambda key: self._rank(key)) if kind in ("segment", "playbook") else keys

    def _rank(self, key: str) -> tuple[str, int, str]:
        dimension, _, short = key.partition("/")
        ranked = list(self.bodies.get(("dimension", dimension), {}).get("segments", ()))
        return dimension, ranked.index(short) if short in ranked else len(ranked), short

    def written(self, kind: str, key: str) -> Mapping[str, Any]:
        """The body with its criteria as text; criteria that this framework cannot read stay the document they are."""
        body: Mapping[str, Any] = _in_order(kind, self.bodies[kind, key])
        if kind == "segment":
            for path, document in criteria_places(body):
                if (kind, key, path) in self.rules:
                    body = with_criteria(body, path, self.rules[kind, key, path][0])
                elif isinstance(document, Mapping):
                    body = with_criteria(body, path, dict(document))
        return body

    @cached_property
    def rules(self) -> dict[tuple[str, str, Path], tuple[str, str]]:
        """By part and path, each rule's text and its sentence."""
        return {
            (kind, key, path): read
            for (kind, key), body in self.bodies.items()
            if kind == "segment"
            for path, document in criteria_places(body)
            for read in self._read(key, document)
        }

    def _read(self, key: str, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        try:
            root = self.definition.criteria_of(key.partition("/")[0], document).root
        except CriteriaError:
            return
        yield print_text(root), sentence(root, self.definition.attributes, self.definition.labels)

    # Comments

    def of_part(self, kind: str, key: str) -> str:
        """Beside a part's key: whose playbook it is."""
        dimension, _, _ = key.partition("/")
        names = [self._label("dimension", dimension), self._label("segment", key)]
        return " / ".join(names) if kind == "playbook" and all(names) else ""

    def above(self, kind: str, key: str, path: Path) -> str:
        """Above a rule: what it says."""
        return self.rules.get((kind, key, path), ("", ""))[1]

    def beside(self, kind: str, key: str, path: Path, value: object) -> str:
        """Beside a value that is another part's key: that part's label."""
        named = [str(step) for step in path if isinstance(step, str)]
        of = _REFERENCES.get((kind, ".".join(named)))
        if of is None or not isinstance(value, str):
            return ""
        return self._label(of, f"{key}/{value}" if of == "segment" and kind == "dimension" else value)

    def _label(self, kind: str, key: str) -> str:
        body = self.bodies.get((kind, key), {})
        return str(body.get("label", ""))


# Fields that hold keys of other parts, by kind of part: what kind those are of.
_REFERENCES: Final[Mapping[PartId, str]] = {
    ("dimension", "segments"): "segment",
    ("dimension", "fallback"): "segment",
    ("segment", "dimension"): "dimension",
    ("term", "used_by.attributes"): "data_source",
    ("term", "used_by.dimensions"): "dimension",
    ("term", "used_by.segments"): "segment",
    ("data_source", "derived.of"): "data_source",
}


def _in_order(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its fields as its schema has them, and what is named freely by name: a database keeps no order."""
    schema = parse_body(kind, body)
    plain = to_body(schema)
    free = {name for name in plain if isinstance(getattr(schema, name), dict) and name not in CRITERIA_FIELDS}
    return {name: dict(sorted(value.items())) if name in free else value for name, value in plain.items()}


def _scalar(value: Any) -> str:
    """A value on one line, quoted where it would be read as something else."""
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    dumped = str(yaml.dump(value, Dumper=yaml.SafeDumper, allow_unicode=True, width=2**31, default_style=style))
    return dumped.removesuffix("\n").removesuffix("\n...")


def _on_one_line(value: Any) -> str:
    """A list of plain words or numbers in brackets; empty for anything else."""
    if not isinstance(value, list) or not value:
        return ""
    words = [_scalar(item) for item in value if isinstance(item, int | str)]
    are_plain = len(words) == len(value) and all(_WORD.fullmatch(word) for word in words)
    return f"[{', '.join(words)}]" if are_plain else ""


def _block(text: str, indent: int) -> tuple[str, list[str]] | None:
    """A long or many-lined text as a block; None where a block could not hold it unchanged."""
    lines = text.split("\n")
    if any(line != line.strip() or not line.isprintable() for line in lines) or not lines[0] or not lines[-1]:
        return None
    margin = " " * indent
    if len(lines) > 1:
        return "|-", [f"{margin}{line}" if line else "" for line in lines]
    words = text.split(" ")
    if len(text) <= WIDTH - indent or "" in words:
        return None
    return ">-", [f"{margin}{line}" for line in _wrapped(words, WIDTH - indent)]


def _wrapped(words: Iterable[str], width: int) -> Iterator[str]:
    """Lines of whole words; joined by single spaces they are the words again."""
    line: list[str] = []
    for word in words:
        if line and sum(map(len, line)) + len(line) + len(word) > width:
            yield " ".join(line)
            line = []
        line.append(word)
    yield " ".join(line)


def _commented(text: str, indent: int) -> list[str]:
    margin = " " * indent + "# "
    return [margin + line for line in textwrap.wrap(_plain(text), max(40, WIDTH - indent))]


def _with_comment(line: str, text: str) -> str:
    return f"{line}  # {_plain(text)}" if text.strip() else line


def _plain(text: str) -> str:
    """Text that can stand in a comment: one line, nothing a YAML reader would stumble over."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
