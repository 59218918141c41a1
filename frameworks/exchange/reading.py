"""A framework read from YAML: every part typed and checked, every problem with its line and its path.

Nothing here touches the database. Criteria may be text or a `criteria/1` document; nodes that stand in the version
before keep their ids by structural match.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from frameworks.content import Content, RefusedContentError, checked
from frameworks.criteria.ast import SCHEMA, Criteria
from frameworks.criteria.parsing import CriteriaError
from frameworks.criteria.text import CriteriaTextError, parse_text
from frameworks.definition import Bodies, Definition
from frameworks.errors import InvalidError
from frameworks.exchange.format import FORMAT, MAX_CHARACTERS, PartId, criteria_places, with_criteria
from frameworks.parts import KINDS, Issue, PartError, parse_part
from frameworks.parts.errors import pointer
from frameworks.rules_together import clashes
from frameworks.yaml_text import MarkedYaml, Place, read_marked_yaml

_FIELDS: Final = ("format", "framework", "exported", "parts")
_NEEDED: Final = ("format", "framework", "parts")
_STAND_IN: Final = {"schema": SCHEMA, "root": {"id": "n1", "op": "always"}}


@dataclass(frozen=True, order=True)
class FileProblem:
    """One reason a file is refused; `path` is a JSON pointer into the document."""

    line: int
    column: int
    path: str
    code: str
    message: str

    def __str__(self) -> str:
        path = self.path.replace("~1", "/").replace("~0", "~")
        return f"line {self.line}, {path or '/'}: {self.message}"


class FileError(InvalidError):
    """A file that is no framework; `found` has every problem in the file's order."""

    def __init__(self, found: list[FileProblem]) -> None:
        self.found = sorted(found)
        super().__init__(map(str, self.found))


@dataclass(frozen=True)
class FrameworkFile:
    """What a file says. `bodies` are as written: criteria may still be text.

    `exported` is the manifest digest of the version it was made from; empty in a file written by hand.
    """

    framework: str
    exported: str
    bodies: Mapping[PartId, Any]
    places: Mapping[str, Place] = field(default_factory=dict)

    def problem(self, path: str, code: str, message: str) -> FileProblem:
        """A problem at `path`, or at the nearest place above it that is written down."""
        near = path
        while near and near not in self.places:
            near = near.rpartition("/")[0]
        return FileProblem(*self.places.get(near, Place(1, 1)), path, code, message)


def read_file(text: str) -> FrameworkFile:
    """The file's outline: its header, and bodies by kind and key. Raises FileError or InvalidError."""
    marked = read_marked_yaml(text, most=MAX_CHARACTERS)
    outline = FrameworkFile("", "", {}, marked.places)
    if problems := [outline.problem(*found) for found in _header_problems(marked.value)]:
        raise FileError(problems)
    return file_of(marked)


def file_of(marked: MarkedYaml) -> FrameworkFile:
    """The parts of a document whose header is known to be good. Raises FileError."""
    value = marked.value
    outline = FrameworkFile(value.get("framework", ""), value.get("exported") or "", {}, marked.places)
    if problems := [outline.problem(*found) for found in _outline_problems(value["parts"])]:
        raise FileError(problems)
    bodies = {(kind, key): body for kind in KINDS for key, body in value["parts"].get(kind, {}).items()}
    return FrameworkFile(outline.framework, outline.exported, bodies, marked.places)


def read_contents(file: FrameworkFile, previous: Bodies) -> list[Content]:
    """The file's parts, checked. `previous` gives node ids to rules that stood there. Raises FileError."""
    reader = _PartsReader(file, previous)
    reader.check_shapes()
    return reader.contents()


def part_pointer(kind: str, key: str) -> str:
    return pointer(("parts", kind, key))


def _header_problems(value: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(value, dict):
        yield "", "malformed", f"A framework file names {', '.join(_NEEDED)}."
        return
    for name in value.keys() - set(_FIELDS):
        yield pointer((name,)), "unknown_field", "There is no such field."
    for name in _NEEDED:
        if name not in value:
            yield "", "missing", f"{name} is needed."
    if "format" in value and value["format"] != FORMAT:
        yield "/format", "unknown_format", f"This is not a format known here; write {FORMAT}."
    for name in ("framework", "exported"):
        if value.get(name) is not None and not isinstance(value[name], str):
            yield f"/{name}", "not_text", "Write text here."


def _outline_problems(parts: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(parts, dict):
        yield "/parts", "malformed", "Parts are kind, then key, then body."
        return
    for kind, by_key in parts.items():
        if kind not in KINDS:
            yield pointer(("parts", kind)), "kind", f"There is no kind of part {kind}: {', '.join(KINDS)}."
        elif not isinstance(by_key, dict):
            yield pointer(("parts", kind)), "malformed", "Parts are kind, then key, then body."


class _PartsReader:
    def __init__(self, file: FrameworkFile, previous: Bodies) -> None:
        self.file = file
        self.previous = previous
        self.before = Definition(previous)
        self.problems: list[FileProblem] = []

    def check_shapes(self) -> None:
        """Every body must be one of its kind before rules can be read with the attributes and dimensions in it."""
        for (kind, key), body in self.file.bodies.items():
            try:
                parse_part(kind, key, _without_texts(kind, body))
            except PartError as error:
                self._refuse(kind, key, error.issues)
        self._stop_if_refused()

    def contents(self) -> list[Content]:
        bodies = {part: _without_texts(part[0], body) for part, body in self.file.bodies.items()}
        definition = Definition(bodies)
        read = {
            (kind, key): self._with_documents(key, body, definition) if kind == "segment" else body
            for (kind, key), body in self.file.bodies.items()
        }
        self._stop_if_refused()
        found = [content for part, body in read.items() for content in self._checked(*part, body, definition)]
        self._stop_if_refused()
        for clash in clashes({(each.kind, each.key): each.body for each in found}):
            self._refuse(clash.kind, clash.key, [clash.issue])
        self._stop_if_refused()
        return found

    def _checked(self, kind: str, key: str, body: Any, definition: Definition) -> Iterator[Content]:
        try:
            yield checked(kind, key, body, definition)
        except RefusedContentError as error:
            self._refuse(kind, key, error.issues)

    def _with_documents(self, key: str, body: Mapping[str, Any], definition: Definition) -> Mapping[str, Any]:
        for path, written in criteria_places(body):
            if isinstance(written, str):
                body = with_criteria(body, path, self._document(key, path, written, definition))
        return body

    def _document(self, key: str, path: tuple[str | int, ...], text: str, definition: Definition) -> Any:
        dimension = key.partition("/")[0]
        try:
            return parse_text(
                text,
                previous=self._criteria_before(key, path),
                attributes=definition.attributes,
                dimensions=definition.segment_keys,
                own_dimension=dimension,
            ).document()
        except CriteriaTextError as error:
            issues = [
                Issue(pointer(path), problem.code, f"at character {problem.place.column}: {problem.message}")
                for problem in error.problems
            ]
            self._refuse("segment", key, issues)
            return _STAND_IN

    def _criteria_before(self, key: str, path: tuple[str | int, ...]) -> Criteria | None:
        """The rule of the same name in the version before: rules are told apart by their keys, not their places."""
        name = self._rule_name(self.file.bodies["segment", key], path)
        before = self.previous.get(("segment", key), {})
        for place, document in criteria_places(before):
            if self._rule_name(before, place) == name:
                try:
                    return self.before.criteria_of(key.partition("/")[0], document)
                except CriteriaError:
                    return None
        return None

    def _rule_name(self, body: Mapping[str, Any], path: tuple[str | int, ...]) -> object:
        return path if len(path) == 1 else body["rules"][path[1]].get("key")

    def _refuse(self, kind: str, key: str, issues: list[Issue]) -> None:
        at = part_pointer(kind, key)
        self.problems += [self.file.problem(at + issue.pointer, issue.code, issue.message) for issue in issues]

    def _stop_if_refused(self) -> None:
        if self.problems:
            raise FileError(self.problems)


def _without_texts(kind: str, body: Any) -> Any:
    """The body with stand-ins for criteria that are text, so that everything else in it can be checked."""
    if kind != "segment" or not isinstance(body, Mapping):
        return body
    for path, written in criteria_places(body):
        if isinstance(written, str):
            body = with_criteria(body, path, _STAND_IN)
    return body
