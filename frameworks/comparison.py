"""Which parts differ between two states of a framework, found by digests in the database; bodies are read only
for the differences that somebody looks at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q

from frameworks.coverage import references_of
from frameworks.models import Contribution, FrameworkVersion, Kind, Part, PartBody, Signoff, User
from frameworks.parts import KINDS, Level
from frameworks.parts.canonical import empty_digest
from frameworks.parts.diff import PartChange, diff_parts

PartId = tuple[str, str]
Digests = Mapping[PartId, str]
Bodies = dict[PartId, dict[str, Any]]
IN_DIMENSIONS = (Kind.DIMENSION, Kind.SEGMENT, Kind.PLAYBOOK)
DIMENSIONS_NAMED = 50
"""Segments of so many dimensions lend their names to one comparison; beyond, keys stand for them."""


@dataclass(frozen=True)
class Difference:
    """A part whose body differs; `before` and `after` are digests, empty where that side has no such part."""

    kind: str
    key: str
    before: str
    after: str
    level: str

    @property
    def id(self) -> PartId:
        return (self.kind, self.key)

    @property
    def change(self) -> Literal["added", "removed", "changed"]:
        if self.before and self.after:
            return "changed"
        return "added" if self.after else "removed"


def differences(old: FrameworkVersion | None, new: FrameworkVersion) -> list[Difference]:
    """What differs between two versions, in reading order; everything where `old` is None. Three queries at most."""
    if old is None:
        return between({}, digests_of(new))
    if old.pk == new.pk:
        return []
    before, after = _only_in(old, new), _only_in(new, old)
    return between(before, after)


def segments_with_other_rules(old: FrameworkVersion | None, new: FrameworkVersion) -> set[str]:
    """Keys ("tier/smb") of segments that both versions have, and whose meaning is not the same in both."""
    found = differences(old, new) if old else []
    changed = (each for each in found if each.kind == Kind.SEGMENT and each.change == "changed")
    return {each.key for each in changed if each.level == Level.SEMANTIC}


def _only_in(one: FrameworkVersion, other: FrameworkVersion) -> dict[PartId, str]:
    # EXCEPT compares ten thousand rows by hash, and only what differs comes back.
    rows = Part.objects.filter(version=one).order_by().values_list("kind", "key", "body_id")
    found = rows.difference(Part.objects.filter(version=other).order_by().values_list("kind", "key", "body_id"))
    return {(kind, key): digest for kind, key, digest in found}


def digests_of(version: FrameworkVersion) -> dict[PartId, str]:
    """The body digest of every part of a version as it is stored now."""
    rows = Part.objects.filter(version=version).order_by().values_list("kind", "key", "body_id")
    return {(kind, key): digest for kind, key, digest in rows}


def digests_at(version: FrameworkVersion, at: datetime) -> dict[PartId, str]:
    """The body digests of a version as they were at a moment: later contributions taken back.

    A part that was not touched before that moment is the base version's.
    """
    found = digests_of(version)
    later = Contribution.objects.filter(version=version, contributed_at__gt=at)
    touched = set(later.values_list("kind", "key"))
    if not touched:
        return found
    base = digests_of(version.base_version) if version.base_version else {}
    earlier: dict[PartId, str | None] = {}
    rows = Contribution.objects.filter(version=version, contributed_at__lte=at, key__in=[key for _, key in touched])
    for kind, key, digest in rows.order_by("pk").values_list("kind", "key", "body_id"):
        earlier[kind, key] = digest
    for part in touched:
        was = earlier[part] if part in earlier else base.get(part)
        if was:
            found[part] = was
        else:
            found.pop(part, None)
    return found


def last_signed(signer: User, new: FrameworkVersion) -> Signoff | None:
    """The newest approval this person gave on the version or an earlier one of its framework."""
    given = Signoff.objects.filter(framework=new.framework_id, signer=signer, decision=Signoff.Decision.APPROVE)
    return given.filter(version__number__lte=new.number).select_related("version__base_version").order_by("-pk").first()


def since_signed(signed: Signoff, new: FrameworkVersion) -> list[Difference]:
    """What differs from the version as it was when that was signed, in reading order."""
    return between(digests_at(signed.version, signed.signed_at), digests_of(new))


def between(before: Digests, after: Digests) -> list[Difference]:
    """The differences of two sets of digests, each with its materiality; one query."""
    changed = [part for part in {*before, *after} if before.get(part) != after.get(part)]
    wanted = {side[part] for part in changed for side in (before, after) if part in side}
    rows = PartBody.objects.filter(digest__in=wanted).values_list("digest", "operational_digest", "semantic_digest")
    levels = {digest: (operational, semantic) for digest, operational, semantic in rows}
    found = [
        Difference(*part, was, now, _level(part[0], levels.get(was), levels.get(now)))
        for part in changed
        for was, now in [(before.get(part, ""), after.get(part, ""))]
    ]
    return sorted(found, key=_reading_order)


def _reading_order(found: Difference) -> tuple[int, str]:
    return (KINDS.index(found.kind) if found.kind in KINDS else len(KINDS), found.key)


def _level(kind: str, before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    """The highest level whose digest differs; a side without the part counts as one without content."""
    nothing = (empty_digest(kind), empty_digest(kind))
    was, now = before or nothing, after or nothing
    if was[1] != now[1]:
        return Level.SEMANTIC.value
    return (Level.OPERATIONAL if was[0] != now[0] else Level.COSMETIC).value


def sides(found: Iterable[Difference], new: FrameworkVersion) -> tuple[Bodies, Bodies]:
    """The bodies before and after, each with what lends its names to sentences: the same on both sides."""
    found = list(found)
    wanted = {digest for each in found for digest in (each.before, each.after) if digest}
    bodies = dict(PartBody.objects.filter(digest__in=wanted).values_list("digest", "body"))
    around = _context(new, found)
    before = {each.id: bodies[each.before] for each in found if each.before}
    after = {each.id: bodies[each.after] for each in found if each.after}
    return {**around, **before}, {**around, **after}


def typed(found: Iterable[Difference], new: FrameworkVersion) -> list[PartChange]:
    """The typed differences of these parts, in reading order. `new` gives the names that sentences need."""
    return diff_parts(*sides(found, new))


def _context(version: FrameworkVersion, found: Iterable[Difference]) -> Bodies:
    """Bodies whose labels the differences speak of: dimensions, their segments, attributes that rules look at."""
    changed = {each.id for each in found}
    segments = {digest for each in found if each.kind == Kind.SEGMENT for digest in (each.before, each.after) if digest}
    referred = {part for parts in references_of(segments).values() for part in parts}
    dimensions = {each.key.partition("/")[0] for each in found if each.kind in IN_DIMENSIONS}
    asked = dimensions | {key for kind, key in referred if kind == Kind.DIMENSION}
    sources = {key for kind, key in referred if kind == Kind.DATA_SOURCE}
    wanted = Q(kind=Kind.META) | Q(kind=Kind.DIMENSION, key__in=asked) | Q(kind=Kind.DATA_SOURCE, key__in=sources)
    for dimension in sorted(asked)[:DIMENSIONS_NAMED]:
        wanted |= Q(kind=Kind.SEGMENT, key__startswith=f"{dimension}/")
    rows = Part.objects.filter(wanted, version=version).order_by().values_list("kind", "key", "body__body")
    return {(kind, key): body for kind, key, body in rows if (kind, key) not in changed}


def bodies_of_parts(version: FrameworkVersion, parts: Iterable[PartId]) -> Bodies:
    """The bodies of these parts of a version; one query."""
    by_kind: dict[str, list[str]] = {}
    for kind, key in parts:
        by_kind.setdefault(kind, []).append(key)
    if not by_kind:
        return {}
    wanted = Q()
    for kind, keys in by_kind.items():
        wanted |= Q(kind=kind, key__in=keys)
    rows = Part.objects.filter(wanted, version=version).order_by("kind", "key").values_list("kind", "key", "body__body")
    return {(kind, key): body for kind, key, body in rows}


def bodies_to_read(version: FrameworkVersion, parts: Iterable[PartId]) -> Bodies:
    """The bodies of these parts with what is needed to put them in words: dimensions, their segments, attributes."""
    found = bodies_of_parts(version, parts)
    dimensions = {key.partition("/")[0] for kind, key in found if kind in IN_DIMENSIONS}
    digests = dict(
        Part.objects.filter(
            version=version, kind=Kind.SEGMENT, key__in=[k for kind, k in found if kind == Kind.SEGMENT]
        )
        .order_by()
        .values_list("key", "body_id")
    )
    referred = {part for parts in references_of(set(digests.values())).values() for part in parts}
    dimensions |= {key for kind, key in referred if kind == Kind.DIMENSION}
    more = {(Kind.META.value, "meta"), *referred, *((Kind.DIMENSION.value, key) for key in dimensions)}
    more |= {(Kind.SEGMENT.value, key) for kind, key in found if kind == Kind.PLAYBOOK}
    found |= bodies_of_parts(version, more - found.keys())
    shorts = {
        (Kind.SEGMENT.value, f"{key}/{short}")
        for key in dimensions
        for short in found.get((Kind.DIMENSION.value, key), {}).get("segments", ())
    }
    return found | bodies_of_parts(version, shorts - found.keys())
