"""YAML for people: read strictly, with the place of every value; written so that it reads back the same.

Plain words mean what they look like: `true`, `false`, `null` and whole numbers are values, everything else is text.
So `no` is a country, `2026-01-31` and `12:30` stay as typed, and `0.25` is an exact quantity, never a float.
Anchors, aliases and tags are refused: a few lines of aliases can unfold to gigabytes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn

import yaml

from frameworks.errors import InvalidError
from frameworks.parts.errors import pointer

MAX_CHARACTERS: Final = 200_000
MAX_DEPTH: Final = 64

# The C parser is the same language, twenty times faster; some builds of the library come without it.
_PARSER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_WORDS: Final[Mapping[str, bool | None]] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Place(NamedTuple):
    """Where something stands in a text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class MarkedYaml:
    """A value, and where each piece of it stands, by JSON pointer: a named value at its name."""

    value: Any
    places: Mapping[str, Place]


def read_yaml(text: str) -> Any:
    """The value written in `text`. Raises InvalidError naming line and column."""
    return read_marked_yaml(text).value


def read_marked_yaml(text: str, *, most: int = MAX_CHARACTERS) -> MarkedYaml:
    """The value and its places; `most` is the length taken, in characters. Raises InvalidError."""
    if len(text) > most:
        raise InvalidError([f"The text is longer than {most:,} characters."])
    try:
        reader = _Reader(yaml.parse(text, Loader=_PARSER))
        return MarkedYaml(reader.document(), reader.places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidError([f"{place}{error.problem or error.context}."]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidError([f"This is not YAML: {error}"]) from error


@dataclass
class _Reader:
    """Builds values from the parser's events, so that nothing is ever unfolded or followed too deep."""

    events: Iterator[Any]
    places: dict[str, Place] = field(default_factory=dict)

    def document(self) -> Any:
        next(self.events)  # the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self.events), ())
        next(self.events)  # the document's end
        following = next(self.events)
        if not isinstance(following, yaml.StreamEndEvent):
            _refuse(following, "a file holds one document")
        return value

    def _value(self, event: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            _refuse(event, "anchors and aliases are not allowed")
        if event.tag:
            _refuse(event, "tags are not allowed")
        if len(path) > MAX_DEPTH:
            _refuse(event, f"nested more than {MAX_DEPTH} levels deep")
        self.places.setdefault(pointer(path), _place(event))
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(item, (*path, index)) for index, item in enumerate(self._until(yaml.SequenceEndEvent))]
        return self._mapping(path)

    def _mapping(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                _refuse(event, "a name is plain text")
            if event.value in found:
                _refuse(event, f"{event.value!r} occurs twice")
            self.places[pointer((*path, event.value))] = _place(event)
            found[event.value] = self._value(next(self.events), (*path, event.value))
        return found

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield event


def _scalar(event: Any) -> str | int | bool | None:
    """The value of a scalar: quoted and block text is text, whatever it looks like."""
    written: str = event.value
    if not event.implicit[0]:
        return written
    if written in _WORDS:
        return _WORDS[written]
    return int(written) if _INTEGER.fullmatch(written) else written


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _refuse(event: Any, problem: str) -> NoReturn:
    raise yaml.composer.ComposerError(None, None, problem, event.start_mark)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def write_yaml(body: Any) -> str:
    """A body as YAML, in its own order of fields."""
    return str(yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
