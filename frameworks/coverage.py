"""What a sign-off covers: the digest of exactly the parts of a requirement, with what changes their meaning.

A part is taken at its requirement's materiality level. A segment's rule means something else when its
dimension, an attribute's definition or the calendar changes, so their semantic digests are covered with it.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from django.db.models import Q

from frameworks.models import FrameworkVersion, Kind, Part, PartBody, Requirement
from frameworks.parts import KINDS, combine_digests
from frameworks.parts.segment import criteria_nodes

PartId = tuple[str, str]
Level = Requirement.Level
PLACES = {kind: place for place, kind in enumerate(KINDS)}
"""Where a kind stands in reading order."""


class PartDigests(NamedTuple):
    """A part by the digests of its body. `digest` is the body's own and covers every word."""

    pk: int
    kind: str
    key: str
    digest: str
    operational: str
    semantic: str

    @property
    def id(self) -> PartId:
        return (self.kind, self.key)

    def at(self, level: str) -> str:
        """The digest at `level`. Nothing in a playbook is semantic: there a signature is on the operational text."""
        if level == Level.COSMETIC:
            return self.digest
        if level == Level.OPERATIONAL or self.kind == Kind.PLAYBOOK:
            return self.operational
        return self.semantic


class Manifest:
    """All parts of a version by their digests, and what the segments among them refer to."""

    def __init__(self, parts: Iterable[PartDigests]) -> None:
        ordered = sorted(parts, key=lambda part: (PLACES[part.kind], part.key))
        self.parts: Mapping[PartId, PartDigests] = {(part.kind, part.key): part for part in ordered}

    @cached_property
    def digest(self) -> str:
        """One digest over every word of every part."""
        return combine_digests((part.kind, part.key, part.digest) for part in self.parts.values())

    @cached_property
    def references(self) -> Mapping[str, tuple[PartId, ...]]:
        """By the body digest of a segment, the parts its rules refer to; at most one query."""
        return references_of({part.digest for part in self.parts.values() if part.kind == Kind.SEGMENT})

    def covered_by(self, requirement: Requirement) -> list[PartDigests]:
        """The parts a requirement covers, in reading order."""
        if requirement.part_key:
            part = self.parts.get((requirement.part_kind, requirement.part_key))
            return [part] if part else []
        kinds, keys = set(requirement.kinds), set(requirement.keys)
        return [part for part in self.parts.values() if part.kind in kinds and (not keys or part.key in keys)]

    def context_of(self, parts: Iterable[PartDigests]) -> list[PartDigests]:
        """The parts that change the meaning of `parts`, without repetition."""
        found: dict[PartId, PartDigests] = {}
        for part in parts:
            if part.kind != Kind.SEGMENT:
                continue
            own = (Kind.DIMENSION.value, part.key.partition("/")[0])
            for reference in (own, (Kind.META.value, "meta"), *self.references.get(part.digest, ())):
                if reference in self.parts:
                    found[reference] = self.parts[reference]
        return list(found.values())


def covered_digest(requirement: Requirement, manifest: Manifest) -> str:
    """SHA-256 (hex) of what a signature under `requirement` covers today."""
    covered = manifest.covered_by(requirement)
    rows = [(part.kind, part.key, part.at(requirement.level)) for part in covered]
    context = [(f"context {part.kind}", part.key, part.semantic) for part in manifest.context_of(covered)]
    return _combined((*rows, *context))


# A version of ten thousand parts is read again and again between two edits.
@lru_cache(maxsize=65_536)
def _combined(rows: tuple[tuple[str, str, str], ...]) -> str:
    return combine_digests(rows)


def manifest_of(version: FrameworkVersion, only: Q | None = None) -> Manifest:
    """The manifest of a version as it is stored now, in one query; `only` some of its parts."""
    parts = Part.objects.filter(version=version).filter(Q() if only is None else only)
    rows = parts.order_by().values_list(
        "pk", "kind", "key", "body_id", "body__operational_digest", "body__semantic_digest"
    )
    return Manifest(PartDigests(*row) for row in rows)


def manifest_under(version: FrameworkVersion, requirements: Iterable[Requirement]) -> Manifest:
    """The parts that these requirements cover, without what changes their meaning: for counts and names."""
    wanted, by_kind = Q(pk__in=[]), dict[str, list[str]]()
    for each in requirements:
        if each.part_key:
            by_kind.setdefault(each.part_kind, []).append(each.part_key)
        else:
            wanted |= Q(kind__in=each.kinds, key__in=each.keys) if each.keys else Q(kind__in=each.kinds)
    for kind, keys in by_kind.items():
        wanted |= Q(kind=kind, key__in=keys)
    return manifest_of(version, wanted)


def surroundings_of(version: FrameworkVersion, parts: Iterable[PartDigests]) -> list[PartDigests]:
    """What may change the meaning of these parts, as it is in the version now."""
    segments = [part for part in parts if part.kind == Kind.SEGMENT]
    if not segments:
        return []
    wanted = Q(kind=Kind.META) | Q(kind=Kind.DIMENSION, key__in={part.key.partition("/")[0] for part in segments})
    for references in references_of({part.digest for part in segments}).values():
        for kind, key in references:
            wanted |= Q(kind=kind, key=key)
    return list(manifest_of(version, wanted).parts.values())


def contents_digest(version: FrameworkVersion) -> str:
    """What `manifest_of(version).digest` is, from less: one digest over every word of every part as stored now."""
    return combine_digests(Part.objects.filter(version=version).values_list("kind", "key", "body_id"))


# A body never changes under its digest, so what it refers to is remembered for the life of the process.
_references: dict[str, tuple[PartId, ...]] = {}
_MOST_REMEMBERED = 50_000


def references_of(digests: set[str]) -> dict[str, tuple[PartId, ...]]:
    """What the rules in these segment bodies refer to: data sources and other dimensions."""
    known = {digest: _references[digest] for digest in digests if digest in _references}
    unknown = digests - known.keys()
    if unknown:
        bodies = PartBody.objects.filter(digest__in=unknown).values_list("digest", "body")
        read = {digest: tuple(sorted(_referred_in(body))) for digest, body in bodies}
        if len(_references) + len(read) > _MOST_REMEMBERED:
            _references.clear()
        _references.update(read)
        known |= read
    return known


def _referred_in(body: Mapping[str, object]) -> set[PartId]:
    rules = body.get("rules")
    documents = [rule["criteria"] for rule in rules] if isinstance(rules, list) else []
    documents += [body[name] for name in ("move", "stay") if isinstance(body.get(name), dict)]
    found: set[PartId] = set()
    for document in documents:
        for node in criteria_nodes(document):
            for name, kind in (("attribute", Kind.DATA_SOURCE), ("dimension", Kind.DIMENSION)):
                if isinstance(node.get(name), str):
                    found.add((kind.value, str(node[name])))
    return found
