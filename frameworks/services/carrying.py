"""What a draft already carries: the sign-offs that would count if it were submitted now."""

from collections.abc import Iterable
from datetime import datetime

from frameworks.models import FrameworkVersion, Requirement
from frameworks.parts import PartError
from frameworks.services.review import plan_requirements, planned_requirements
from frameworks.standing import RequirementStanding, Standings
from frameworks.standing_cache import Overview, overview_of


class CarriedStandings(Standings):
    """The requirements that a draft's own policy would ask for, with the people of today; nothing is stored."""

    def _read_requirements(self) -> list[Requirement]:
        try:
            plan = plan_requirements(self.version, self.manifest)
        except PartError:
            plan = []  # the gates name what cannot be read
        rows = list(planned_requirements(self.version, plan, self.manifest))
        self._pools = {row.code: [person.pk for person in pool] for row, pool in rows}
        return [row for row, _ in rows]

    def _pool_by_code(self) -> dict[str, list[int]]:
        return self._pools


def overview_with_carried(version: FrameworkVersion, at: datetime) -> Overview:
    """The standing of a version; of a draft what it would be if it were submitted now."""
    if version.state != FrameworkVersion.State.DRAFT:
        return overview_of(version, at)
    return Overview(CarriedStandings(version, at))


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
