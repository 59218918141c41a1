"""How the requirements of a version stand, counted: what pages show of ten thousand parts.

Nobody looks at seven thousand requirements, and most stand alike: signed by the same people, waiting for the same
people. So the decisions are read by few columns and grouped, and of each group one requirement is derived by the
rules of `frameworks.standing`; what is shown by itself is derived by itself. The digests are those that each
requirement keeps since its parts were frozen. Whoever decides (signing, activation) derives everything anew from the
parts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from frameworks.coverage import Manifest, covered_digest, manifest_of
from frameworks.models import FrameworkVersion, Requirement, Signoff
from frameworks.standing import RequirementStanding, Signers, requirements_of
from frameworks.standing_cache import Line, remembered

PartId = tuple[str, str]
About = tuple[str, str, str]
Marks = tuple[tuple[Any, ...], ...]
DECISIONS = (
    *("code", "part_kind", "part_key", "signed_at", "covered_digest", "decision", "principal_id", "name"),
    *("signer__is_active", "version_id", "round", "impact_digest"),
)
IMPACT_COLUMNS = 3
"""The last ones matter only where figures are signed."""


class Row(NamedTuple):
    """A requirement of a frozen round by what tells it apart."""

    pk: int
    code: str
    part_kind: str
    part_key: str
    digest: str

    @property
    def about(self) -> About:
        return (self.code, self.part_kind, self.part_key)

    @property
    def part(self) -> PartId:
        return (self.part_kind, self.part_key)


@dataclass(frozen=True)
class Alike:
    """Requirements of one code that stand alike, in the policy's order, and how the first of them stands."""

    rows: Sequence[Row]
    one: RequirementStanding


class FrozenStandings(Signers):
    """Some requirements of a round whose parts are frozen, by the digests that were stored at that moment."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        # All requirements of a code share what counts about them: pool, minimum, freshness.
        first = requirements_of(version).order_by("code", "position", "pk").distinct("code")
        super().__init__(version, at, sorted(first, key=lambda each: (each.position, each.pk)))

    @cached_property
    def manifest(self) -> Manifest:
        return manifest_of(self.version)

    def digest_of(self, requirement: Requirement) -> str:
        # Requirements of before the digest was stored have none.
        return requirement.covered_digest or covered_digest(requirement, self.manifest)

    def digests(self) -> QuerySet[Any] | set[str]:
        if requirements_of(self.version).filter(covered_digest="").exists():
            return {self.digest_of(each) for each in requirements_of(self.version)}
        return requirements_of(self.version).order_by().values("covered_digest")

    def of(self, wanted: Q) -> list[RequirementStanding]:
        """How the requirements that fit stand; a fixed number of queries."""
        requirements = list(requirements_of(self.version).filter(wanted))
        for requirement in requirements:
            requirement.version = self.version
        keys = {each.part_key for each in requirements}
        return self.standings(requirements, self.newest_decisions().filter(part_key__in=keys))


class Tally:
    """What pages list of a version's standing."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.known = FrozenStandings(version, at)
        self.groups = self._groups()

    def _groups(self) -> list[Alike]:
        """The requirements by how they stand, in the policy's order of the first of each."""
        found: dict[tuple[str, Marks], list[Row]] = {}
        decisions = self._decisions()
        columns = ("pk", "code", "part_kind", "part_key", "covered_digest")
        for row in map(Row._make, requirements_of(self.known.version).values_list(*columns)):
            found.setdefault((row.code, _marks(row, decisions.get(row.about, ()))), []).append(row)
        first = [rows[0].pk for rows in found.values()]
        ones = {each.requirement.pk: each for each in self.known.of(Q(pk__in=first))} if first else {}
        return [Alike(rows, ones[rows[0].pk]) for rows in found.values()]

    def _decisions(self) -> dict[About, list[tuple[Any, ...]]]:
        """What counts about the newest decisions, by requirement: nothing in which any two signatures differ."""
        found: dict[About, list[tuple[Any, ...]]] = {}
        told = {each.code: each for each in self.known.requirements}
        for code, kind, key, signed_at, *mark in self.known.newest_decisions().values_list(*DECISIONS):
            figures = mark if told[code].includes_impact else mark[:-IMPACT_COLUMNS]
            is_old = self.known.is_outdated(signed_at, told[code])
            found.setdefault((code, kind, key), []).append((*figures, is_old))
        return found

    @cached_property
    def count(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    @cached_property
    def lines(self) -> list[Line]:
        """One line a code, in the policy's order; its `standings` are one of each that stand alike."""
        found = {each.code: Line(each.code, each.label) for each in self.known.requirements}
        for group in self.groups:
            found[group.one.requirement.code].add(group.one, len(group.rows))
        return list(found.values())

    @cached_property
    def by_part(self) -> Mapping[PartId, Sequence[RequirementStanding]]:
        """Each part's own requirements as those that stand alike: for counts, names of people and words.

        Not for what belongs to one signature, its moment or reason: `about` derives that. A No is never grouped.
        """
        found: dict[PartId, list[RequirementStanding]] = {}
        for group in self.groups:
            for row in group.rows:
                if row.part_key:
                    found.setdefault(row.part, []).append(group.one)
        return found

    def about(self, parts: Iterable[PartId]) -> dict[PartId, list[RequirementStanding]]:
        """The own requirements of these parts, each derived by itself, in the policy's order."""
        wanted = Q(pk__in=[])
        found: dict[PartId, list[RequirementStanding]] = {part: [] for part in parts}
        for kind in {kind for kind, _ in found}:
            wanted |= Q(part_kind=kind, part_key__in=[key for of, key in found if of == kind])
        for standing in self.known.of(wanted) if found else ():
            found[standing.requirement.part_kind, standing.requirement.part_key].append(standing)
        return found

    @cached_property
    def open_parts(self) -> frozenset[PartId]:
        """Parts with a requirement of their own that is not met."""
        return frozenset(
            row.part for group in self.groups if not group.one.is_met for row in group.rows if row.part_key
        )

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Kinds of which parts are signed one by one."""
        return frozenset(row.part_kind for group in self.groups for row in group.rows if row.part_key)

    @cached_property
    def sets(self) -> list[RequirementStanding]:
        """What is signed for several parts at once, each derived by itself."""
        return [group.one for group in self.groups for row in group.rows[:1] if not row.part_key]


def _marks(row: Row, decisions: Iterable[tuple[Any, ...]]) -> Marks:
    """What two requirements of a code have in common when they stand alike; a No, or no stored digest, is alone."""
    marks = tuple((digest == row.digest, decision, *more) for digest, decision, *more in decisions)
    is_alone = not row.digest or any(is_of_today and said == Signoff.Decision.REJECT for is_of_today, said, *_ in marks)
    return (*marks, (row.pk,)) if is_alone else marks


def tally_of(version: FrameworkVersion, at: datetime) -> Tally:
    """The tally of a version, from memory where nothing that it is derived from has changed."""
    return remembered(Tally, version, at)
