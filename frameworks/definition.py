"""A version's parts read as one typed definition: what the engine compiles and the screens print.

Parts are bodies by (kind, key). Reading them twice gives the same definition; nothing here asks the database
but `definition_of`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from typing import Any, cast
from zoneinfo import ZoneInfo

from frameworks.criteria.ast import Criteria
from frameworks.criteria.english import DimensionLabels
from frameworks.criteria.parsing import parse_criteria
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS
from frameworks.criteria.types import AttributeType, Derived
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts import PartError, combine_digests, data_source, parse_body
from frameworks.parts.base import Basis
from frameworks.parts.data_source import DataSource
from frameworks.parts.dimension import Dimension
from frameworks.parts.errors import Issue
from frameworks.parts.meta import Meta
from frameworks.parts.playbook import Playbook
from frameworks.parts.segment import Rule, Segment
from frameworks.parts.term import Term
from frameworks.parts.waiver import Waiver

Bodies = Mapping[tuple[str, str], Mapping[str, Any]]


class CandidateKind(StrEnum):
    """What a candidate is asked of: anybody, accounts of other segments, or accounts of its own segment."""

    RULE = "rule"
    MOVE = "move"
    STAY = "stay"


@dataclass(frozen=True)
class Candidate:
    """One way into a segment, in the order in which the dimension asks them; `rule` only of a rule."""

    segment_key: str
    criteria: Criteria
    rule: Rule | None = None
    kind: CandidateKind = CandidateKind.RULE

    @property
    def name(self) -> str:
        """The rule's key, move or stay."""
        return self.rule.key if self.rule else self.kind.value

    @property
    def key(self) -> str:
        return f"{self.segment_key}/{self.name}"

    @property
    def basis(self) -> str:
        """The rule's basis; move and stay have none of their own."""
        return self.rule.basis if self.rule else ""


class Definition:
    """A version's content by kind. Raises PartError or CriteriaError where a part is not valid.

    `lists` are the account lists that rules may name; None takes any, for what is stored and read only.
    """

    def __init__(self, bodies: Bodies, *, lists: Collection[str] | None = None) -> None:
        self._bodies = bodies
        self._parsed: dict[tuple[str, str], Any] = {}
        self.lists = lists

    @property
    def bodies(self) -> Bodies:
        """The bodies this definition reads."""
        return self._bodies

    def schema(self, kind: str, key: str) -> Any:
        """One part as its schema, parsed once. Raises KeyError for a part that is not there, PartError."""
        part = (str(kind), key)
        if part not in self._parsed:
            self._parsed[part] = parse_body(kind, dict(self._bodies[part]))
        return self._parsed[part]

    def _of_kind(self, kind: str) -> Iterator[tuple[str, Any]]:
        return ((key, self.schema(kind, key)) for of, key in sorted(self._bodies) if of == kind)

    @cached_property
    def meta(self) -> Meta | None:
        return next((cast(Meta, body) for _, body in self._of_kind(Kind.META)), None)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.meta.time_zone if self.meta else "UTC")

    @property
    def start_month(self) -> int:
        """The month the fiscal year begins in."""
        return self.meta.fiscal_year_start_month if self.meta else 1

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

    @cached_property
    def waivers(self) -> dict[str, Waiver]:
        return dict(self._of_kind(Kind.WAIVER))

    def policy(self, name: str) -> Any:
        """The policy part of that name as its schema; None when the version has none."""
        return self.schema(Kind.POLICY, name) if (Kind.POLICY, name) in self._bodies else None

    @cached_property
    def attributes(self) -> dict[str, AttributeType]:
        """Attribute key → what the language needs to know; without derived ones whose own attributes are not there."""
        stored = {key: attribute_type(key, each) for key, each in self.data_sources.items() if each.derived is None}
        derived = {
            key: replace(attribute_type(key, each), derived=_derived(each.derived, stored))
            for key, each in self.data_sources.items()
            if each.derived is not None and stored.keys() >= set(each.derived.of)
        }
        return {**stored, **derived}

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
            document,
            attributes=self.attributes,
            dimensions=self.segment_keys,
            own_dimension=dimension,
            lists=self.lists,
        )

    def candidates(self, dimension: str) -> list[Candidate]:
        """Every rule, move and stay of the dimension in the order in which they are asked.

        By segment rank, under basis precedence by basis first. move and stay stand behind the rules of the basis of
        their segment's first rule. Nothing of a segment is asked before everything of the segments nested in it.
        """
        body = self.dimensions[dimension]
        bases = list(body.basis_order) if body.hit_policy == "basis_precedence" else []
        found = [
            (place, candidate)
            for short, segment in self.segments[dimension].items()
            for place, candidate in self._of_segment(short, segment, bases)
        ]
        return self._nested_first(dimension, [candidate for _, candidate in sorted(found, key=itemgetter(0))])

    def _of_segment(self, short: str, segment: Segment, bases: list[Basis]) -> Iterator[tuple[int, Candidate]]:
        """The segment's candidates, each with the place of its basis."""
        places = [bases.index(rule.basis) if rule.basis in bases else len(bases) for rule in segment.rules]
        for place, rule in zip(places, segment.rules, strict=True):
            yield place, Candidate(short, self.criteria_of(segment.dimension, rule.criteria), rule)
        for kind, document in ((CandidateKind.MOVE, segment.move), (CandidateKind.STAY, segment.stay)):
            if document is not None:
                criteria = self.criteria_of(segment.dimension, document)
                yield min(places, default=len(bases)), Candidate(short, criteria, kind=kind)

    def _nested_first(self, dimension: str, candidates: list[Candidate]) -> list[Candidate]:
        ancestors = self.ancestors(dimension)
        taken: list[Candidate] = []

        def take(candidate: Candidate) -> None:
            if candidate not in taken:
                for other in candidates:
                    if candidate.segment_key in ancestors[other.segment_key]:
                        take(other)
                taken.append(candidate)

        for candidate in candidates:
            take(candidate)
        return taken

    def ancestors(self, dimension: str) -> dict[str, tuple[str, ...]]:
        """What each segment is nested in, nearest first. Raises PartError for an unknown parent or a circle."""
        segments = self.segments[dimension]
        found: dict[str, tuple[str, ...]] = {}
        for short in segments:
            chain: list[str] = []
            parent = segments[short].parent
            while parent is not None:
                if parent not in segments or parent in (short, *chain):
                    raise PartError([Issue(f"/segment/{dimension}/{short}/parent", "parent", _not_a_parent(parent))])
                chain.append(parent)
                parent = segments[parent].parent
            found[short] = tuple(chain)
        return found

    def parent_problems(self, key: str, segment: Segment) -> Iterator[str]:
        """Why `segment`, about to be stored as `key`, cannot be nested where it says, given all other parts."""
        dimension, short = segment.dimension, key.partition("/")[2]
        if segment.parent is None or dimension not in self.dimensions:
            return
        segments = {**self.segments[dimension], short: segment}
        seen = {short}
        parent: str | None = segment.parent
        while parent is not None and parent in segments and parent not in seen:
            seen.add(parent)
            parent = segments[parent].parent
        if parent is not None:
            yield _not_a_parent(parent)


def _not_a_parent(parent: str) -> str:
    return (
        f"A segment cannot be nested in {parent!r}: it is no segment of this dimension, or itself nested in this one."
    )


def _derived(piece: data_source.Derived, stored: Mapping[str, AttributeType]) -> Derived:
    return Derived(piece.kind, tuple(stored[key] for key in piece.of), piece.grain, piece.periods)


def attribute_type(key: str, source: DataSource) -> AttributeType:
    """What the criteria language needs to know of an attribute, but for what it is derived from."""
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


def definition_with_digest(version: FrameworkVersion) -> tuple[Definition, str]:
    """The same and the digest of its contents, both from one query: they belong together whoever edits meanwhile."""
    rows = list(version.parts.values_list("kind", "key", "body_id", "body__body"))
    digest = combine_digests((kind, key, body) for kind, key, body, _ in rows)
    return Definition({(kind, key): body for kind, key, _, body in rows}), digest
