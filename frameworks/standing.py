"""Whether each requirement of a version is met: derived from the sign-offs, at every read, in a constant number
of queries however many parts there are. There is no stored flag that could be forgotten.

A signer's newest decision for (framework, code, part) counts when it covers today's digest; so an edit voids what
it touches, and what is untouched carries over into later rounds and versions. Requirements with impact do not
carry over: the figures are signed anew each round.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from frameworks.coverage import Manifest, covered_digest, manifest_of
from frameworks.models import FrameworkVersion, Kind, Part, Requirement, Signoff
from frameworks.parts import parse_body
from frameworks.parts.policy import Pool, SignoffPolicy
from frameworks.signers import Person, people, pools_by_code, still_stands

Decision = Signoff.Decision
COUNTED = (Decision.APPROVE, Decision.REJECT)


class Given(NamedTuple):
    """A signer's newest decision on a requirement, whether or not it covers today's text."""

    pk: int
    code: str
    part_kind: str
    part_key: str
    signer_id: int
    decision: str
    reason: str
    covered_digest: str
    signed_at: datetime
    printed_name: str
    version_id: int
    round: int


@dataclass(frozen=True)
class RequirementStanding:
    """One requirement today. `needed` approvals; `missing` are the people who can still give one.

    `lapsed` has a sentence for each decision that no longer counts and each signer who can no longer sign.
    `newest` has every signer's newest decision, also those on an older wording.
    """

    requirement: Requirement
    digest: str
    needed: int
    approvals: tuple[Given, ...]
    rejections: tuple[Given, ...]
    missing: tuple[Person, ...]
    lapsed: tuple[str, ...] = ()
    newest: Mapping[int, Given] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        return len(self.approvals) >= self.needed and not self.rejections

    @property
    def is_blocked(self) -> bool:
        """Somebody said No, or there are not enough people left who could sign."""
        return bool(self.rejections) or len(self.approvals) + len(self.missing) < self.needed

    def answer_of(self, signer_id: int) -> Given | None:
        """The signer's live decision on today's digest."""
        return next((given for given in (*self.approvals, *self.rejections) if given.signer_id == signer_id), None)


def requirements_standing(version: FrameworkVersion, at: datetime) -> list[RequirementStanding]:
    """Every requirement of the version's current round, in the policy's order."""
    return Standings(version, at).all()


class Standings:
    """What is known about a version's requirements, read once."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.version = version
        self.at = at
        self.manifest: Manifest = manifest_of(version)
        self.requirements = list(
            Requirement.objects.filter(version=version, round=version.round).order_by("position", "pk")
        )
        for requirement in self.requirements:
            requirement.version = version
        self.policy_pools = pools_by_code(signoff_policy(version))
        self.pools = self._pool_by_code()
        self.people = {person.pk: person for person in people({pk for pool in self.pools.values() for pk in pool})}
        self.eligible = {code: self._eligible(code) for code in self.pools}

    def all(self) -> list[RequirementStanding]:
        newest = self._newest_decisions()
        return [self._standing(requirement, newest) for requirement in self.requirements]

    def policy_pool(self, requirement: Requirement) -> Pool | None:
        return self.policy_pools.get(requirement.code)

    def _pool_by_code(self) -> dict[str, list[int]]:
        """Everyone in the snapshot by requirement code; all requirements of a code share one pool."""
        first = {requirement.code: requirement.pk for requirement in reversed(self.requirements)}
        codes = {pk: code for code, pk in first.items()}
        pools: dict[str, list[int]] = {code: [] for code in first}
        rows = Requirement.pool.through.objects.filter(requirement_id__in=codes)
        for requirement_id, user_id in rows.values_list("requirement_id", "user_id"):
            pools[codes[requirement_id]].append(user_id)
        return pools

    def _eligible(self, code: str) -> dict[int, Person]:
        """The people of the pool who can sign today, by name."""
        requirement = next(each for each in self.requirements if each.code == code)
        wanted, pool = set(self.pools[code]), self.policy_pools.get(code)
        return {
            pk: person
            for pk, person in self.people.items()
            if pk in wanted and still_stands(person, pool=pool, requirement=requirement)
        }

    def _newest_decisions(self) -> dict[tuple[str, str, str], dict[int, Given]]:
        """Decisions carry forward, never back: what is said of a later version's wording leaves this one as signed."""
        rows = (
            Signoff.objects.filter(
                framework_id=self.version.framework_id,
                version__number__lte=self.version.number,
                code__in=list(self.pools),
                signer__in=list(self.people),
            )
            .order_by("code", "part_kind", "part_key", "signer_id", "-pk")
            .distinct("code", "part_kind", "part_key", "signer_id")
            .values_list(*Given._fields)
        )
        found: dict[tuple[str, str, str], dict[int, Given]] = {}
        for row in rows:
            given = Given(*row)
            found.setdefault((given.code, given.part_kind, given.part_key), {})[given.signer_id] = given
        return found

    def _standing(
        self, requirement: Requirement, newest: Mapping[tuple[str, str, str], dict[int, Given]]
    ) -> RequirementStanding:
        given = newest.get((requirement.code, requirement.part_kind, requirement.part_key), {})
        digest = covered_digest(requirement, self.manifest)
        eligible = self.eligible[requirement.code]
        live = [each for each in given.values() if self._is_live(each, requirement, digest, eligible)]
        approvals = tuple(each for each in live if each.decision == Decision.APPROVE)
        rejections = tuple(each for each in live if each.decision == Decision.REJECT)
        answered = {each.signer_id for each in live}
        return RequirementStanding(
            requirement=requirement,
            digest=digest,
            needed=requirement.minimum,
            approvals=approvals,
            rejections=rejections,
            missing=tuple(person for pk, person in eligible.items() if pk not in answered),
            lapsed=tuple(self._lapsed(requirement, given, digest, eligible)),
            newest=given,
        )

    def _is_live(self, given: Given, requirement: Requirement, digest: str, eligible: Mapping[int, Person]) -> bool:
        if given.signer_id not in eligible or given.covered_digest != digest or given.decision not in COUNTED:
            return False
        if requirement.includes_impact and (given.version_id, given.round) != (self.version.pk, self.version.round):
            return False
        return not self._is_too_old(given, requirement)

    def _is_too_old(self, given: Given, requirement: Requirement) -> bool:
        # A No does not fade: only an approval has to be fresh.
        if given.decision != Decision.APPROVE or requirement.freshness_days is None:
            return False
        return self.at - given.signed_at > timedelta(days=requirement.freshness_days)

    def _lapsed(
        self, requirement: Requirement, given: Mapping[int, Given], digest: str, eligible: Mapping[int, Person]
    ) -> Iterable[str]:
        for pk in self.pools[requirement.code]:
            if pk not in eligible and pk in self.people:
                yield f"{self.people[pk].name} can no longer sign for {requirement.pool_label}."
        for each in given.values():
            current = each.signer_id in eligible and each.covered_digest == digest
            if current and self._is_too_old(each, requirement):
                yield f"{each.printed_name} signed more than {requirement.freshness_days} days ago."


def signoff_policy(version: FrameworkVersion) -> SignoffPolicy | None:
    """The sign-off policy of a version; None when it has none. Raises PartError when it is not valid."""
    part = Part.objects.filter(version=version, kind=Kind.POLICY, key="signoff").select_related("body").first()
    if part is None:
        return None
    policy = parse_body(Kind.POLICY, part.body.body)
    return policy if isinstance(policy, SignoffPolicy) else None
