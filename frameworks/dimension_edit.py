"""A dimension as somebody is editing it: its part and those of its segments, judged together before anything is saved.

Everything that is wrong is found at once, each with its place: part, JSON pointer, node, or line and column of a text.
What is right comes back in all its forms, so that a page can show the sentence while the rule is being typed. Pure:
the stored bodies are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.content import Content, checked
from frameworks.criteria.english import DimensionLabels, sentence
from frameworks.criteria.parsing import CriteriaError
from frameworks.criteria.text import CriteriaTextError, parse_text, print_text, scope_warnings
from frameworks.definition import Bodies, Definition
from frameworks.document import Document
from frameworks.errors import InvalidError
from frameworks.models import Kind
from frameworks.parts import PartError, parse_part
from frameworks.parts.segment import Segment
from frameworks.rules_together import clashes, clashes_of_dimension, nodes_on_dimensions

PartId = tuple[str, str]
Body = dict[str, Any]
MOST_SEGMENTS = 100
# A segment's own criteria documents beside those of its rules.
STATEFUL = tuple(name for name in ("move", "stay") if name in Segment.model_fields)


@dataclass(frozen=True)
class EditedPart:
    """One part as it was sent. `digest` is the body the editor started from, empty for a new part."""

    kind: str
    key: str
    digest: str
    body: Body | None

    @property
    def id(self) -> PartId:
        return (self.kind, self.key)


@dataclass(frozen=True)
class DimensionEdit:
    """What an editor sends: the dimension, its segments in precedence order, and parts taken out.

    `texts` are rules that were typed as text, by segment and place ("rules/0", "move"): they replace the document
    that stands there.
    """

    key: str
    parts: tuple[EditedPart, ...]
    removed: tuple[EditedPart, ...] = ()
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def applied_to(self, stored: Bodies) -> dict[PartId, Mapping[str, Any]]:
        """The stored bodies with what was edited in their place."""
        gone = {part.id for part in self.removed}
        kept = {part: body for part, body in stored.items() if part not in gone}
        return {**kept, **{part.id: part.body for part in self.parts if part.body is not None}}


@dataclass(frozen=True)
class EditProblem:
    """One thing wrong, and where: `pointer` inside the part's body, `node_id` of a criteria node, or a text's place."""

    part: PartId
    pointer: str
    message: str
    node_id: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}" if self.line else self.pointer
        return f"{self.part[1]}{' ' if place else ''}{place}: {self.message}"


class EditRefusedError(InvalidError):
    """An edit that cannot be saved as it is; `found` has every problem with its place."""

    def __init__(self, found: Iterable[EditProblem]) -> None:
        self.found = list(found)
        super().__init__(str(problem) for problem in self.found)


@dataclass(frozen=True)
class RuleSaid:
    """A rule that can be read: its canonical document, its text form and its sentence.

    `unclear` says where the typed text can be read in two ways; `text` has the parentheses it was taken with.
    """

    criteria: Body
    text: str
    sentence: str
    unclear: tuple[str, ...] = ()


@dataclass
class Judgement:
    """The edit with every text read. `rules` by segment and place has those that can be read; `contents` are the
    edited parts as they would be stored, when nothing is wrong."""

    bodies: dict[PartId, Mapping[str, Any]]
    edit: DimensionEdit
    problems: list[EditProblem] = field(default_factory=list)
    rules: dict[str, dict[str, RuleSaid]] = field(default_factory=dict)
    contents: dict[PartId, Content] = field(default_factory=dict)

    @property
    def is_as_stored(self) -> bool:
        """Nothing in the edit differs from the bodies that the editor started from."""
        digests = {part.id: part.digest for part in self.edit.parts}
        return not self.edit.removed and digests == {part: content.digest for part, content in self.contents.items()}


def read_edit(dimension: str, sent: object) -> DimensionEdit:
    """The edit in a request's JSON. Raises InvalidError where it has not the shape of one."""
    if not isinstance(sent, dict):
        raise InvalidError("An edit is an object with a dimension and its segments.")
    segments = _list_of_objects(sent, "segments")
    if len(segments) > MOST_SEGMENTS:
        raise InvalidError(f"A dimension has {MOST_SEGMENTS} segments at most.")
    keys = [str(each.get("key", "")) for each in segments]
    if len({*keys}) < len(keys):
        raise InvalidError("A segment is there twice.")
    outer = sent.get("dimension")
    if not isinstance(outer, dict):
        raise InvalidError("The dimension is missing.")
    body = {**_body(outer), "segments": keys}
    parts = [EditedPart(Kind.DIMENSION.value, dimension, _digest(outer), body)]
    parts += [
        EditedPart(Kind.SEGMENT.value, f"{dimension}/{key}", _digest(each), _body(each))
        for key, each in zip(keys, segments, strict=True)
    ]
    return DimensionEdit(dimension, tuple(parts), tuple(_removed(dimension, sent)), _texts(sent))


def _list_of_objects(sent: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = sent.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidError(f'"{name}" is a list of objects.')
    return found


def _body(sent: Mapping[str, Any]) -> Body:
    body = sent.get("body")
    if not isinstance(body, dict):
        raise InvalidError("A part has a body with named fields.")
    return dict(body)


def _digest(sent: Mapping[str, Any]) -> str:
    digest = sent.get("digest", "")
    if not isinstance(digest, str):
        raise InvalidError("A digest is text.")
    return digest


def _removed(dimension: str, sent: Mapping[str, Any]) -> Iterator[EditedPart]:
    for each in _list_of_objects(sent, "removed"):
        kind, key = str(each.get("kind", "")), str(each.get("key", ""))
        if kind not in (Kind.SEGMENT, Kind.PLAYBOOK) or not key.startswith(f"{dimension}/"):
            raise InvalidError("Only segments of this dimension and their playbooks can be taken out here.")
        yield EditedPart(kind, key, _digest(each), None)


def _texts(sent: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    found = sent.get("texts", {})
    if not isinstance(found, dict) or not all(isinstance(places, dict) for places in found.values()):
        raise InvalidError('"texts" are by segment and place.')
    return {
        str(segment): {str(place): str(text) for place, text in places.items()} for segment, places in found.items()
    }


# --- judging


def judge_edit(edit: DimensionEdit, stored: Bodies, *, lists: Collection[str] | None = None) -> Judgement:
    """Read every rule and check every part of the edit against the version around it.

    `lists` are the account lists that it may name; None takes any, where nothing is about to be saved.
    """
    return _Judge(edit, stored, lists).judged()


class _Judge:
    def __init__(self, edit: DimensionEdit, stored: Bodies, lists: Collection[str] | None) -> None:
        self.edit = edit
        self.lists = lists
        self.stored = stored
        self.found = Judgement(edit.applied_to(stored), edit)
        self.labels = dict(_labels(self.found.bodies))
        self.definition = Definition(self._readable(), lists=lists)

    def judged(self) -> Judgement:
        for part in self.edit.parts:
            if part.kind == Kind.SEGMENT and part.body is not None:
                self.found.bodies[part.id] = self._read_rules(part, part.body)
        for part in self.edit.parts:
            self._check_schema(part)
        self._check_readers()
        self._check_together()
        if not self.found.problems:
            self._check_contents()
        return self.found

    def _add(self, part: PartId, pointer: str, message: str, **place: Any) -> None:
        self.found.problems.append(EditProblem(part, pointer, message, **place))

    def _readable(self) -> Bodies:
        """What rules refer to; a dimension that is wrong itself stands in with its segments."""
        kinds = (Kind.META, Kind.DATA_SOURCE, Kind.DIMENSION)
        bodies = {part: body for part, body in self.found.bodies.items() if part[0] in kinds}
        own = (Kind.DIMENSION.value, self.edit.key)
        try:
            parse_part(*own, bodies[own])
        except PartError:
            bodies[own] = {"label": self.edit.key, "segments": bodies[own]["segments"]}
        return bodies

    def _read_rules(self, part: EditedPart, body: Body) -> Body:
        """The body with its texts read and its readable documents in canonical form."""
        short = part.key.partition("/")[2]
        texts = self.edit.texts.get(short, {})
        read = {**body}
        if isinstance(body.get("rules"), list):
            read["rules"] = [
                {**rule, "criteria": self._read(part, f"rules/{at}", rule.get("criteria"), texts.get(f"rules/{at}"))}
                if isinstance(rule, dict)
                else rule
                for at, rule in enumerate(body["rules"])
            ]
        for name in STATEFUL:
            if body.get(name) or texts.get(name):
                read[name] = self._read(part, name, body.get(name), texts.get(name))
        return read

    def _read(self, part: EditedPart, place: str, document: Any, text: str | None) -> Any:
        pointer = f"/{place}/criteria" if place.startswith("rules/") else f"/{place}"
        try:
            criteria = self._parsed(document) if text is None else self._typed(document, text)
        except CriteriaError as error:
            for problem in error.problems:
                self._add(part.id, pointer + problem.pointer, problem.message, node_id=problem.node_id or "")
            return document
        except CriteriaTextError as error:
            for wrong in error.problems:
                self._add(part.id, pointer, wrong.message, line=wrong.place.line, column=wrong.place.column)
            return document
        said = RuleSaid(
            criteria.document(),
            print_text(criteria.root),
            sentence(criteria.root, self.definition.attributes, self.labels),
            tuple(dict.fromkeys(warning.message for warning in scope_warnings(text))) if text is not None else (),
        )
        self.found.rules.setdefault(part.key.partition("/")[2], {})[place] = said
        return said.criteria

    def _parsed(self, document: Any) -> Any:
        return self.definition.criteria_of(self.edit.key, document)

    def _typed(self, document: Any, text: str) -> Any:
        try:
            previous = self._parsed(document)
        except CriteriaError:
            previous = None
        return parse_text(
            text,
            previous=previous,
            attributes=self.definition.attributes,
            dimensions=self.definition.segment_keys,
            own_dimension=self.edit.key,
            lists=self.lists,
        )

    def _check_schema(self, part: EditedPart) -> None:
        try:
            parse_part(part.kind, part.key, self.found.bodies[part.id])
        except PartError as error:
            for issue in error.issues:
                self._add(part.id, issue.pointer, issue.message)

    def _check_contents(self) -> None:
        """What saving checks as well, so that nothing is refused there that was not said here."""
        definition = Definition(self.found.bodies, lists=self.lists)
        for part in self.edit.parts:
            try:
                self.found.contents[part.id] = checked(*part.id, self.found.bodies[part.id], definition)
            except InvalidError as error:
                for problem in error.problems:
                    pointer, separator, message = problem.partition(": ")
                    has_place = separator and pointer.startswith("/") and " " not in pointer
                    self._add(part.id, pointer if has_place else "", message if has_place else problem)

    def _check_readers(self) -> None:
        """A segment that rules of other dimensions ask for cannot leave."""
        now = {part.key.partition("/")[2] for part in self.edit.parts if part.kind == Kind.SEGMENT}
        was = set(self.stored.get((Kind.DIMENSION.value, self.edit.key), {}).get("segments", ()))
        for (kind, key), body in self.found.bodies.items():
            if kind != Kind.SEGMENT or key.startswith(f"{self.edit.key}/"):
                continue
            for _, node in nodes_on_dimensions(body):
                named = {*(node.get("any_of") or ()), *(node.get("none_of") or ())}
                for short in sorted(named & (was - now)) if node["dimension"] == self.edit.key else ():
                    message = self._still_asked(short, key)
                    self._add((Kind.DIMENSION.value, self.edit.key), "/segments", message)

    def _still_asked(self, short: str, by: str) -> str:
        was, now = Document(self.stored), Document(self.found.bodies)
        name = was.label_of(Kind.SEGMENT, f"{self.edit.key}/{short}")
        asking = now.label_of(Kind.SEGMENT, by)
        return f"{name} cannot be taken out: a rule of {asking} asks for it. Change that rule first."

    def _check_together(self) -> None:
        """Circles of dimensions, a second rule that takes every account, names that people cannot tell apart."""
        found = [each for each in clashes(self.found.bodies) if each.kind == Kind.SEGMENT]
        for clash in [*found, *clashes_of_dimension(self.found.bodies, self.edit.key)]:
            part = (clash.kind, clash.key)
            if any(part == edited.id for edited in self.edit.parts):
                self._add(part, clash.issue.pointer, clash.issue.message, node_id=clash.node)


def _labels(bodies: Bodies) -> Iterator[tuple[str, DimensionLabels]]:
    """What dimensions and segments are called, also where a body is not valid."""
    for (kind, key), body in bodies.items():
        if kind != Kind.DIMENSION:
            continue
        named = {
            short: str(bodies[Kind.SEGMENT.value, f"{key}/{short}"].get("label") or short)
            for short in body.get("segments", ())
            if (Kind.SEGMENT.value, f"{key}/{short}") in bodies
        }
        yield key, DimensionLabels(label=str(body.get("label") or key), segments=named)
