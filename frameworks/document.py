"""A version as people read it: terms, rules in plain English, playbooks, sources. Pure but for what it is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from frameworks.criteria.english import sentence
from frameworks.criteria.parsing import CriteriaError
from frameworks.definition import Bodies, Definition
from frameworks.models import Kind
from frameworks.parts import PartError
from frameworks.parts.naming import own_label, phrased, titled, waiver_label
from frameworks.parts.segment import Segment

PartId = tuple[str, str]
COUNTED = {
    Kind.META: ("part about the framework", "parts about the framework"),
    Kind.POLICY: ("policy", "policies"),
    Kind.DIMENSION: ("dimension", "dimensions"),
    Kind.SEGMENT: ("segment", "segments"),
    Kind.PLAYBOOK: ("playbook", "playbooks"),
    Kind.TERM: ("definition", "definitions"),
    Kind.DATA_SOURCE: ("data source", "data sources"),
    Kind.WAIVER: ("waiver", "waivers"),
}


@dataclass(frozen=True)
class RuleText:
    """One rule in words; `problem` instead of a sentence when the rule cannot be read any more."""

    key: str
    basis: str
    sentence: str
    note: str = ""
    problem: str = ""


class PartText:
    """One part as it is shown. The body is parsed, and rules put in words, when somebody looks at them."""

    def __init__(self, document: "Document", kind: str, key: str, label: str) -> None:
        self._document = document
        self.kind = kind
        self.key = key
        self.label = label

    @property
    def id(self) -> PartId:
        return (self.kind, self.key)

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.key}"

    @cached_property
    def schema(self) -> Any:
        return self._document.definition.schema(self.kind, self.key)

    @cached_property
    def rules(self) -> tuple[RuleText, ...]:
        return tuple(self._document.rules_of(self.schema)) if isinstance(self.schema, Segment) else ()


class Document:
    """Bodies by (kind, key), readable also when some of them no longer fit together."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.definition = Definition(bodies)

    @cached_property
    def parts(self) -> dict[PartId, PartText]:
        return {part: self._part(*part) for part in self.bodies}

    def of_kind(self, kind: str) -> list[PartText]:
        return [part for part in self.parts.values() if part.kind == kind]

    def part(self, kind: str, key: str) -> PartText | None:
        return self.parts.get((kind, key))

    def segments_of(self, dimension: str) -> list[PartText]:
        """The segment parts of a dimension, highest rank first."""
        keys = (f"{dimension}/{short}" for short in self.definition.segments.get(dimension, {}))
        return [self.parts[Kind.SEGMENT.value, key] for key in keys]

    def sentences(self, key: str) -> str:
        """All rules of a segment as one text, for comparing versions."""
        part = self.part(Kind.SEGMENT, key)
        return " Or: ".join(rule.sentence for rule in part.rules) if part else ""

    def label_of(self, kind: str, key: str) -> str:
        """How a part is called in a list; a segment or playbook with its dimension."""
        if kind in (Kind.SEGMENT, Kind.PLAYBOOK):
            dimension = key.partition("/")[0]
            outer = own_label(Kind.DIMENSION, dimension, self._label(Kind.DIMENSION, dimension))
            return f"{outer} / {own_label(Kind.SEGMENT, key, self._label(Kind.SEGMENT, key))}"
        if kind == Kind.WAIVER:
            return self._waiver_label(key)
        return own_label(kind, key, self._label(kind, key))

    def title_of(self, kind: str, key: str) -> str:
        """The same with its kind, at the beginning of a line: "Segment Customer Tier / SMB"."""
        return titled(kind, self.label_of(kind, key))

    def phrase_of(self, kind: str, key: str) -> str:
        """The same inside a sentence: "segment Customer Tier / SMB"."""
        return phrased(kind, self.label_of(kind, key))

    def _label(self, kind: str, key: str) -> str:
        body = self.bodies.get((kind, key))
        return str(body.get("label") or "") if isinstance(body, Mapping) else ""

    def _waiver_label(self, key: str) -> str:
        body = self.bodies.get((Kind.WAIVER.value, key), {})
        code, subject = str(body.get("code") or key.partition("__")[0]), str(body.get("subject") or "")
        of = Kind.SEGMENT if "/" in subject else Kind.DIMENSION
        return waiver_label(code, self.label_of(of, subject) if subject else "")

    def _part(self, kind: str, key: str) -> PartText:
        if kind == Kind.PLAYBOOK:
            return PartText(self, kind, key, own_label(Kind.SEGMENT, key, self._label(Kind.SEGMENT, key)))
        if kind == Kind.WAIVER:
            return PartText(self, kind, key, self._waiver_label(key))
        return PartText(self, kind, key, own_label(kind, key, self._label(kind, key)))

    def rules_of(self, segment: Segment) -> Iterator[RuleText]:
        """The rules of a segment in words."""
        for rule in segment.rules:
            try:
                root = self.definition.criteria_of(segment.dimension, rule.criteria).root
                words = sentence(root, self.definition.attributes, self.definition.labels)
                yield RuleText(rule.key, rule.basis, words, rule.note)
            except (CriteriaError, PartError) as error:
                yield RuleText(rule.key, rule.basis, "This rule cannot be read.", rule.note, str(error))


def count_words(counts: Mapping[str, int]) -> str:
    """Parts by kind, counted: "4 dimensions, 18 segments"."""
    return ", ".join(f"{count} {COUNTED[Kind(kind)][count != 1]}" for kind, count in counts.items())
