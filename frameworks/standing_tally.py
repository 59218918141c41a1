"""How the requirements of a version stand, counted: what pages show of ten thousand parts.

Nobody looks at seven thousand requirements, and most stand alike: signed by the same people, waiting for the same
people. So the decisions are read by few columns and grouped, and of each group one requirement is derived by the
rules of `frameworks.standing`; what is shown by itself is derived by itself. The digests are those that each
requirement keeps since its parts were frozen. Whoever decides (signing, activation) derives everything anew from the
parts.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from frameworks.coverage import Manifest, covered_digest, manifest_of
from frameworks.models import FrameworkVersion, Requirement, Signoff
from frameworks.standing import RequirementStanding, Signers, requirements_of
from frameworks.standing_cache import Line, remembered

PartId = tuple[str, str]
About = tuple[str, str, str]
Marks = tuple[tuple[Any, ...], ...]
Row = tuple[int, str, str, str, str]
"""A requirement by id, code, kind and key of its part, stored digest."""
DECISIONS = (
    *("code", "part_kind", "part_key", "covered_digest", "decision"),
    *("principal_id", "name", "signer__is_active", "is_new"),
)
"""Whether a decision is new, of the current round, says what of a version was carried."""
REFUSED = Signoff.Decision.REJECT.value
CIRCUMSTANCES = ("signed_at", "impact_digest")
"""They matter only where a signature ages, or is of certain figures; reading moments costs more than all the rest."""


@dataclass(frozen=True)
class Alike:
    """Requirements of one code that stand alike: their ids, what each is about, and how the first of them stands.

    What is signed for several parts at once is about a part without kind and key.
    """

    ids: Sequence[int]
    parts: Sequence[PartId]
    one: RequirementStanding


class FrozenStandings(Signers):
    """Some requirements of a round whose parts are frozen, by the digests that were stored at that moment."""

    @cached_property
    def manifest(self) -> Manifest:
        return manifest_of(self.version)

    @property
    def parts_digest(self) -> str:
        """What the parts add up to, remembered for the life of the process: they are frozen."""
        return _parts_digest(self.version, self.version.round, self.version.manifest_digest)

    def digest_of(self, requirement: Requirement) -> str:
        # Requirements of before the digest was stored have none.
        return requirement.covered_digest or covered_digest(requirement, self.manifest)

    def digests(self) -> QuerySet[Any] | set[str]:
        if requirements_of(self.version).filter(covered_digest="").exists():
            return {self.digest_of(each) for each in requirements_of(self.version)}
        return requirements_of(self.version).order_by().values("covered_digest")

    def of(self, ids: Collection[int]) -> list[RequirementStanding]:
        """How these requirements stand, in the policy's order; a fixed number of queries."""
        requirements = self._with_ids(ids)
        for requirement in requirements:
            requirement.version = self.version
        keys = {each.part_key for each in requirements}
        return self.standings(requirements, self.newest_decisions().filter(part_key__in=keys))

    def _with_ids(self, ids: Collection[int]) -> list[Requirement]:
        return list(requirements_of(self.version).filter(pk__in=ids))


class Tally:
    """What pages list of a version's standing."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.known, rows = self._read(version, at)
        self.groups = self._groups(rows)

    def _read(self, version: FrameworkVersion, at: datetime) -> tuple[FrozenStandings, list[Row]]:
        columns = ("pk", "code", "part_kind", "part_key", "covered_digest")
        rows: list[Row] = list(requirements_of(version).values_list(*columns))
        # All requirements of a code share what counts about them: pool, minimum, freshness.
        first: dict[str, int] = {}
        for pk, code, *_ in rows:
            first.setdefault(code, pk)
        return FrozenStandings(version, at, list(requirements_of(version).filter(pk__in=first.values()))), rows

    def _groups(self, rows: Iterable[Row]) -> list[Alike]:
        """The requirements by how they stand, in the policy's order of the first of each."""
        ids: dict[tuple[str, Marks], list[int]] = {}
        parts: dict[tuple[str, Marks], list[PartId]] = {}
        decisions = self._decisions()
        for pk, code, kind, key, digest in rows:
            group = (code, _marks(pk, digest, decisions.get((code, kind, key), ())))
            ids.setdefault(group, []).append(pk)
            parts.setdefault(group, []).append((kind, key))
        ones = self.known.of([each[0] for each in ids.values()])
        return [Alike(ids[group], parts[group], one) for group, one in zip(ids, ones, strict=True)]

    def _decisions(self) -> dict[About, list[tuple[Any, ...]]]:
        """What counts about the newest decisions, by requirement: nothing in which any two signatures differ."""
        found: dict[About, list[tuple[Any, ...]]] = {}
        told = {each.code: each for each in self.known.requirements if each.includes_impact or each.freshness_days}
        version = self.known.version
        is_new = ExpressionWrapper(Q(version=version, round=self.known.round), output_field=BooleanField())
        newest = self.known.newest_decisions().annotate(is_new=is_new)
        for code, kind, key, *mark in newest.exclude(code__in=list(told)).values_list(*DECISIONS):
            found.setdefault((code, kind, key), []).append(tuple(mark))
        rows = newest.filter(code__in=list(told)).values_list(*DECISIONS, *CIRCUMSTANCES) if told else ()
        for code, kind, key, *mark, signed_at, figures in rows:
            signed = (figures,) if told[code].includes_impact else ()
            is_old = self.known.is_outdated(signed_at, told[code])
            found.setdefault((code, kind, key), []).append((*mark, is_old, *signed))
        return found

    @cached_property
    def count(self) -> int:
        return sum(len(group.parts) for group in self.groups)

    @cached_property
    def lines(self) -> list[Line]:
        """One line a code, in the policy's order; its `standings` are one of each that stand alike."""
        found = {each.code: Line(each.code, each.label) for each in self.known.requirements}
        for group in self.groups:
            found[group.one.requirement.code].add(group.one, len(group.parts))
        return list(found.values())

    @cached_property
    def by_part(self) -> Mapping[PartId, Sequence[RequirementStanding]]:
        """Each part's own requirements as those that stand alike: for counts, names of people and words.

        Not for what belongs to one signature, its moment or reason: `about` derives that. A No is never grouped.
        """
        found: dict[PartId, list[RequirementStanding]] = {}
        for group in self.groups:
            for part in group.parts:
                if part[1]:
                    found.setdefault(part, []).append(group.one)
        return found

    def about(self, parts: Iterable[PartId]) -> dict[PartId, list[RequirementStanding]]:
        """The own requirements of these parts, each derived by itself, in the policy's order."""
        found: dict[PartId, list[RequirementStanding]] = {part: [] for part in parts}
        ids = sorted(pk for part in found for pk in self._ids.get(part, ()))
        for standing in self.known.of(ids) if ids else ():
            found[standing.requirement.part_kind, standing.requirement.part_key].append(standing)
        return found

    @cached_property
    def _ids(self) -> Mapping[PartId, list[int]]:
        """The requirements about each part."""
        found: dict[PartId, list[int]] = {}
        for group in self.groups:
            for pk, part in zip(group.ids, group.parts, strict=True):
                found.setdefault(part, []).append(pk)
        return found

    @cached_property
    def open_parts(self) -> frozenset[PartId]:
        """Parts with a requirement of their own that is not met."""
        return frozenset(part for group in self.groups if not group.one.is_met for part in group.parts if part[1])

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Kinds of which parts are signed one by one."""
        return frozenset(kind for group in self.groups for kind, key in group.parts if key)

    @cached_property
    def sets(self) -> list[RequirementStanding]:
        """What is signed for several parts at once, each derived by itself."""
        return [group.one for group in self.groups if not group.one.requirement.part_key]


@lru_cache(maxsize=256)
def _parts_digest(version: FrameworkVersion, number: int, submitted: str) -> str:
    """Of the round with that number; `submitted` is what the parts added up to then."""
    return manifest_of(version).digest


def _marks(pk: int, digest: str, decisions: Sequence[tuple[Any, ...]]) -> Marks:
    """What two requirements of a code have in common when they stand alike; a No, or no stored digest, is alone."""
    marks = tuple([(each[0] == digest, *each[1:]) for each in decisions])
    is_alone = not digest or any(each[0] and each[1] == REFUSED for each in marks)
    return (*marks, (pk,)) if is_alone else marks


def tally_of(version: FrameworkVersion, at: datetime) -> Tally:
    """The tally of a version, from memory where nothing that it is derived from has changed."""
    return remembered(Tally, version, at)
