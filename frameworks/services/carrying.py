"""What a draft already carries: the sign-offs that would count if it were submitted now."""

from collections.abc import Collection, Iterable
from datetime import datetime

from frameworks.coverage import manifest_of
from frameworks.models import FrameworkVersion, Requirement
from frameworks.parts import PartError
from frameworks.services.review import plan_requirements, planned_requirements
from frameworks.standing import RequirementStanding
from frameworks.standing_cache import Line
from frameworks.standing_tally import FrozenStandings, Row, Tally, tally_of


class CarriedStandings(FrozenStandings):
    """The requirements that a draft's own policy would ask for, with the people of today; nothing is stored.

    The place of each among `requirements` is its id.
    """

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        manifest = manifest_of(version)
        try:
            plan = plan_requirements(version, manifest)
        except PartError:
            plan = []  # the gates name what cannot be read
        rows = list(planned_requirements(version, plan, manifest))
        self._pools = {row.code: [person.pk for person in pool] for row, pool in rows}
        super().__init__(version, at, [row for row, _ in rows])

    def round_of(self, version: FrameworkVersion) -> int:
        """The one that submitting begins: figures signed before it are asked anew."""
        return version.round + 1

    def digests(self) -> set[str]:
        return {each.covered_digest for each in self.requirements}

    def _pool_by_code(self) -> dict[str, list[int]]:
        return self._pools

    def _with_ids(self, ids: Collection[int]) -> list[Requirement]:
        return [self.requirements[place] for place in ids]


class CarriedTally(Tally):
    """How the requirements of a draft would stand if it were submitted now, counted."""

    def _read(self, version: FrameworkVersion, at: datetime) -> tuple[FrozenStandings, list[Row]]:
        known = CarriedStandings(version, at)
        return known, [
            (place, each.code, each.part_kind, each.part_key, each.covered_digest)
            for place, each in enumerate(known.requirements)
        ]


def carried_lines(version: FrameworkVersion, at: datetime) -> list[Line]:
    """One line a code of what a draft would ask for, every requirement derived by itself: for documents."""
    known = CarriedStandings(version, at)
    found: dict[str, Line] = {}
    for standing in known.of(range(len(known.requirements))):
        asked = standing.requirement
        found.setdefault(asked.code, Line(asked.code, asked.label)).add(standing)
    return list(found.values())


def tally_with_carried(version: FrameworkVersion, at: datetime) -> Tally:
    """The tally of a version; of a draft what it would be if it were submitted now."""
    is_draft = version.state == FrameworkVersion.State.DRAFT
    return CarriedTally(version, at) if is_draft else tally_of(version, at)


def is_carried(version: FrameworkVersion, standings: Iterable[RequirementStanding]) -> bool:
    """Whether all of this is met, by nothing that was signed in the version's current round."""
    rounds = {(given.version_id, given.round) for each in standings for given in each.approvals}
    is_draft = version.state == FrameworkVersion.State.DRAFT
    return all(each.is_met for each in standings) and (is_draft or (version.pk, version.round) not in rounds)


def carried_words(version: FrameworkVersion, count: int) -> str:
    """ ", 14 carried from v2": what follows a count of things that are signed; empty where nothing is carried."""
    if not count:
        return ""
    earlier = version.round > (0 if version.state == FrameworkVersion.State.DRAFT else 1)
    source = f"v{version.base_version.number}" if version.base_version and not earlier else "what was signed before"
    return f", {count} carried from {source}"
