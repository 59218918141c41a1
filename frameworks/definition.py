"""A version's parts read as one typed definition: what the engine compiles and the screens print.

Parts are bodies by (kind, key). Reading them twice gives the same definition; nothing here asks the database
but `definition_of`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from frameworks.criteria.ast import Criteria
from frameworks.criteria.english import DimensionLabels
from frameworks.criteria.parsing import parse_criteria
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS
from frameworks.criteria.types import AttributeType
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts import parse_body
from frameworks.parts.data_source import DataSource
from frameworks.parts.dimension import Dimension
from frameworks.parts.meta import Meta
from frameworks.parts.playbook import Playbook
from frameworks.parts.segment import Rule, Segment
from frameworks.parts.term import Term

Bodies = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Candidate:
    """One rule of one segment, in the order in which the dimension's hit policy asks them."""

    segment_key: str
    rule: Rule
    criteria: Criteria

    @property
    def key(self) -> str:
        return f"{self.segment_key}/{self.rule.key}"


class Definition:
    """A version's content by kind. Raises PartError or CriteriaError where a part is not valid."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies

    def _of_kind(self, kind: str) -> Iterator[tuple[str, Any]]:
        return ((key, parse_body(kind, dict(body))) for (of, key), body in sorted(self._bodies.items()) if of == kind)

    @cached_property
    def meta(self) -> Meta | None:
        return next((cast(Meta, body) for _, body in self._of_kind(Kind.META)), None)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.meta.time_zone if self.meta else "UTC")

    @cached_property
    def dimensions(self) -> dict[str, Dimension]:
        return dict(self._of_kind(Kind.DIMENSION))

    @cached_property
    def segments(self) -> dict[str, dict[str, Segment]]:
        """Dimension key → segment key → body, in rank order, highest first."""
        found = dict(self._of_kind(Kind.SEGMENT))
        return {
            dimension: {
                short: found[f"{dimension}/{short}"] for short in body.segments if f"{dimension}/{short}" in found
            }
            for dimension, body in self.dimensions.items()
        }

    @cached_property
    def playbooks(self) -> dict[str, Playbook]:
        return dict(self._of_kind(Kind.PLAYBOOK))

    @cached_property
    def terms(self) -> dict[str, Term]:
        return dict(self._of_kind(Kind.TERM))

    @cached_property
    def data_sources(self) -> dict[str, DataSource]:
        return dict(self._of_kind(Kind.DATA_SOURCE))

    def policy(self, name: str) -> Any:
        """The policy part of that name as its schema; None when the version has none."""
        body = self._bodies.get((Kind.POLICY, name))
        return parse_body(Kind.POLICY, dict(body)) if body is not None else None

    @cached_property
    def attributes(self) -> dict[str, AttributeType]:
        return {key: attribute_type(key, source) for key, source in self.data_sources.items()}

    @cached_property
    def segment_keys(self) -> dict[str, frozenset[str]]:
        return {key: frozenset(body.segments) for key, body in self.dimensions.items()}

    @cached_property
    def labels(self) -> dict[str, DimensionLabels]:
        return {
            key: DimensionLabels(label=body.label, segments={short: s.label for short, s in self.segments[key].items()})
            for key, body in self.dimensions.items()
        }

    def criteria_of(self, dimension: str, document: Mapping[str, Any]) -> Criteria:
        """The rule document, parsed with this version's attributes; `dimension` is the one it stands in."""
        return parse_criteria(
            document, attributes=self.attributes, dimensions=self.segment_keys, own_dimension=dimension
        )

    def candidates(self, dimension: str) -> list[Candidate]:
        """Every rule of the dimension in precedence order: by basis first under basis precedence, then by rank."""
        body = self.dimensions[dimension]
        found = [
            Candidate(short, rule, self.criteria_of(dimension, rule.criteria))
            for short, segment in self.segments[dimension].items()
            for rule in segment.rules
        ]
        if body.hit_policy == "basis_precedence":
            order = {basis: place for place, basis in enumerate(body.basis_order)}
            found.sort(key=lambda candidate: order.get(candidate.rule.basis, len(order)))
        return found


def attribute_type(key: str, source: DataSource) -> AttributeType:
    """What the criteria language needs to know of an attribute."""
    return AttributeType(
        key=key,
        label=source.label,
        data_type=source.data_type,
        scale=source.scale or 0,
        unit=source.unit,
        currency=source.currency or "",
        choices=tuple((choice.id, choice.label) for choice in source.choices),
        missing_tokens=(*DEFAULT_MISSING_TOKENS, *source.missing_tokens),
        freshness_days=source.freshness_days,
        minimum=source.minimum,
    )


def bodies_of(version: FrameworkVersion) -> dict[tuple[str, str], dict[str, Any]]:
    """The bodies of a version's parts in one query."""
    rows = version.parts.values_list("kind", "key", "body__body")
    return {(kind, key): body for kind, key, body in rows}


def definition_of(version: FrameworkVersion) -> Definition:
    """The definition of a version as it is stored now."""
    return Definition(bodies_of(version))
