"""From what a person or a file sent to a body that can be stored: typed, checked, in its one spelling."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frameworks.criteria.parsing import CriteriaError, unknown_list
from frameworks.definition import Bodies, Definition
from frameworks.document import Document
from frameworks.errors import InvalidError
from frameworks.models import Attribute, Kind, PartBody
from frameworks.parts import Issue, PartError, PartSchema, parse_part, schema_digests, to_body
from frameworks.parts.data_source import DataSource, derived_problems
from frameworks.parts.naming import own_label
from frameworks.parts.segment import Segment

PartId = tuple[str, str]


@dataclass(frozen=True)
class Content:
    """A checked body with its digests."""

    kind: str
    key: str
    schema: PartSchema
    body: Mapping[str, Any]
    digest: str
    operational: str
    semantic: str

    @property
    def label(self) -> str:
        return str(getattr(self.schema, "label", "") or getattr(self.schema, "name", "") or self.key)

    def row(self) -> PartBody:
        """The body as a row; it may exist already, under the same digest."""
        return PartBody(
            digest=self.digest,
            kind=self.kind,
            body=dict(self.body),
            operational_digest=self.operational,
            semantic_digest=self.semantic,
        )


class RefusedContentError(InvalidError):
    """A body that cannot be stored; `issues` name every place in it."""

    def __init__(self, key: str, issues: Iterable[Issue]) -> None:
        self.issues = list(issues)
        super().__init__(f"{issue.pointer or key}: {issue.message}" for issue in self.issues)


def checked(kind: str, key: str, body: object, definition: Definition) -> Content:
    """The content of one part; rules are read with the attributes and dimensions of `definition`.

    Raises RefusedContentError with every problem, each naming the place.
    """
    try:
        schema = parse_part(kind, key, body)
    except PartError as error:
        raise RefusedContentError(key, error.issues) from error
    if isinstance(schema, Segment):
        plain = to_body(schema)
        _read_rules(key, schema, plain, definition)
        schema = parse_part(kind, key, plain)
    if isinstance(schema, DataSource):
        problems = [problem.partition(": ") for problem in derived_problems(key, schema, definition.data_sources)]
        if problems:
            raise RefusedContentError(key, [Issue(at, "derived", message) for at, _, message in problems])
    plain = to_body(schema)
    digests = schema_digests(schema)
    return Content(kind, key, schema, plain, digests["cosmetic"], digests["operational"], digests["semantic"])


def _read_rules(key: str, schema: Segment, plain: dict[str, Any], definition: Definition) -> None:
    """Put each criteria document in canonical form into `plain`."""
    issues = [Issue("/parent", "parent", problem) for problem in definition.parent_problems(key, schema)]
    issues += _unknown_lists(schema, definition.lists)
    for at, document in schema.documents():
        try:
            criteria = definition.criteria_of(schema.dimension, document)
        except CriteriaError as error:
            issues += [Issue(at + problem.pointer, problem.code, problem.message) for problem in error.problems]
        else:
            _put(plain, at, criteria.document())
    if issues:
        raise RefusedContentError(key, issues)


def _unknown_lists(schema: Segment, lists: Collection[str] | None) -> Iterator[Issue]:
    """Anti-ICP lists that there are not; rules say so themselves."""
    for position, key in enumerate(schema.anti_icp):
        if lists is not None and key not in lists:
            yield Issue(f"/anti_icp/{position}", "unknown_list", unknown_list(key, lists))


def _put(plain: Any, at: str, document: dict[str, Any]) -> None:
    *path, name = at.split("/")[1:]
    for step in path:
        plain = plain[int(step)] if isinstance(plain, list) else plain[step]
    plain[name] = document


def checked_all(bodies: Bodies) -> list[Content]:
    """The content of a whole set of parts, in the order given. Raises InvalidError naming part and place."""
    problems: list[str] = []
    found: list[Content] = []
    definition = Definition(bodies)
    for (kind, key), body in bodies.items():
        try:
            found.append(checked(kind, key, body, definition))
        except PartError as error:
            problems += [f"{Document(bodies).title_of(kind, key)}: {error}"]
        except InvalidError as error:
            problems += [f"{Document(bodies).title_of(kind, key)}: {problem}" for problem in error.problems]
    if problems:
        raise InvalidError(problems)
    return found


def storage_problems(contents: list[Content]) -> Iterator[str]:
    """Attributes that accounts store as another type than their data source says."""
    sources = {content.key: content.body for content in contents if content.kind == Kind.DATA_SOURCE}
    types = {key: body["data_type"] for key, body in sources.items()}
    labels = {key: own_label(Kind.DATA_SOURCE, key, body.get("label", "")) for key, body in sources.items()}
    for attribute in Attribute.objects.filter(key__in=types, storage=Attribute.Storage.COLUMN):
        if attribute.data_type != types[attribute.key]:
            stored = attribute.get_data_type_display().lower()
            yield f"{labels[attribute.key]}: accounts store this as {stored}, not as {types[attribute.key]}."
