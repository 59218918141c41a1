"""Whether each requirement of a version is met: derived from the sign-offs, at every read, in a constant number
of queries however many parts there are. There is no stored flag that could be forgotten.

A signer's newest decision for (framework, code, part) counts when it covers today's digest; so an edit voids what
it touches, and what is untouched carries over into later rounds and versions. Requirements with impact do not
carry over: the figures are signed anew each round.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Concat

from frameworks.coverage import Manifest, covered_digest, manifest_of
from frameworks.impact import TOLERANCE, impact_exceeds
from frameworks.models import FrameworkVersion, Kind, Part, Requirement, Signoff, VersionImpact
from frameworks.models.signoff import OVER_DISSENT
from frameworks.naming import names_of
from frameworks.parts import parse_body
from frameworks.parts.policy import GuardPolicy, Pool, SignoffPolicy
from frameworks.signers import Person, people, pools_by_code, still_stands

Decision = Signoff.Decision
COUNTED = (Decision.APPROVE, Decision.REJECT)
IMPACT_SENTENCES = 3
"""So many differences are named; the impact page has all of them."""


class Lapse(StrEnum):
    """Why a decision that a person gave no longer counts, though they can still sign."""

    WORDING = "wording"
    HAND = "hand"
    AGE = "age"
    ROUND = "round"
    FIGURES = "figures"


class Given(NamedTuple):
    """A signer's newest decision on a requirement, whether or not it covers today's text.

    `signer_id` is the person whose decision it is; `hand_id` who gave it, another one under a delegation.
    """

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
    impact_digest: str
    hand_id: int
    hand_is_active: bool


COLUMNS = (
    *("pk", "code", "part_kind", "part_key", "principal_id", "decision", "reason", "covered_digest", "signed_at"),
    *("name", "version_id", "round", "impact_digest", "signer_id", "signer__is_active"),
)
"""Where the fields of `Given` come from, in their order."""


@dataclass(frozen=True)
class RequirementStanding:
    """One requirement today. `needed` approvals; `missing` are the people who can still give one.

    `lapsed` has a sentence for each decision that no longer counts and each signer who can no longer sign.
    `newest` has every signer's newest decision, also those on an older wording, and `lapses` why some of them no
    longer count, by signer. `overruled_by` is the approval over dissent that covers every No of `rejections`.
    """

    requirement: Requirement
    digest: str
    needed: int
    approvals: tuple[Given, ...]
    rejections: tuple[Given, ...]
    missing: tuple[Person, ...]
    lapsed: tuple[str, ...] = ()
    newest: Mapping[int, Given] = field(default_factory=dict)
    lapses: Mapping[int, Lapse] = field(default_factory=dict)
    overruled_by: Given | None = None

    @property
    def is_met(self) -> bool:
        return self.counted >= self.needed and not self.is_disputed

    @property
    def counted(self) -> int:
        """Approvals, and answers of people whose No was approved over."""
        return len(self.approvals) + (len(self.rejections) if self.overruled_by else 0)

    @property
    def is_disputed(self) -> bool:
        """A No stands that nobody approved over."""
        return bool(self.rejections) and self.overruled_by is None

    @property
    def is_blocked(self) -> bool:
        """Somebody said No, or there are not enough people left who could sign."""
        return self.is_disputed or self.lacks_signers

    @property
    def lacks_signers(self) -> bool:
        """Whether fewer people can sign than have to, though nobody said No."""
        return not self.is_disputed and self.counted + len(self.missing) < self.needed

    def answer_of(self, signer_id: int) -> Given | None:
        """The signer's live decision on today's digest."""
        return next((given for given in (*self.approvals, *self.rejections) if given.signer_id == signer_id), None)


def requirements_standing(version: FrameworkVersion, at: datetime) -> list[RequirementStanding]:
    """Every requirement of the version's current round, in the policy's order."""
    return Standings(version, at).all()


class Signers:
    """Who is asked by these requirements, and how their decisions count; everybody and everything read once."""

    def __init__(self, version: FrameworkVersion, at: datetime, requirements: Sequence[Requirement]) -> None:
        self.version = version
        self.at = at
        self.round = self.round_of(version)
        self.requirements = requirements
        for requirement in requirements:
            requirement.version = version
        self.policy_pools = pools_by_code(signoff_policy(version))
        self.pools = self._pool_by_code()
        self.people = {person.pk: person for person in people({pk for pool in self.pools.values() for pk in pool})}
        self.eligible = {code: self._eligible(code) for code in self.pools}

    @cached_property
    def impact(self) -> "SignedImpact":
        return SignedImpact(self.version)

    def round_of(self, version: FrameworkVersion) -> int:
        """The round in which figures have to be signed to count."""
        return version.round

    def digest_of(self, requirement: Requirement) -> str:
        """What a signature under the requirement has to cover."""
        raise NotImplementedError

    def digests(self) -> Iterable[str] | QuerySet[Any]:
        """Those of every requirement of the round."""
        raise NotImplementedError

    def standings(self, requirements: Sequence[Requirement], decisions: QuerySet[Any]) -> list[RequirementStanding]:
        """How each of these stands; `decisions` are those about them, of which each person's newest counts."""
        newest, overrules = self._by_requirement(decisions), self._overrules()
        return [self._standing(requirement, newest, overrules) for requirement in requirements]

    def _overrules(self) -> dict[tuple[str, str, str], Given]:
        """The newest approval over dissent of each requirement that knows one, by somebody still in that role.

        Taking one back ends every older one.
        """
        roles = {each.code: each.dissent_role for each in self.requirements if each.dissent_role}
        if not roles:
            return {}
        rows = decisions_up_to(self.version).filter(code__in=list(roles), meaning=OVER_DISSENT).order_by("pk")
        given = [Given(*row) for row in rows.values_list(*COLUMNS)]
        today = {person.pk: person for person in people({each.signer_id for each in given})} if given else {}
        found: dict[tuple[str, str, str], Given] = {}
        for each in given:
            about = (each.code, each.part_kind, each.part_key)
            if each.decision == Decision.WITHDRAW:
                found.pop(about, None)
            elif may_overrule(today.get(each.signer_id), roles[each.code]):
                found[about] = each
        return found

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

    def decisions(self) -> QuerySet[Any]:
        """Every decision on these requirements that could count.

        Decisions carry forward, never back: what is said of a later version's wording leaves this one as signed.
        """
        decisions = decisions_not_passed_over(self.version, self.digests).exclude(meaning=OVER_DISSENT)
        return decisions.filter(code__in=list(self.pools), principal_id__in=list(self.people))

    def newest_decisions(self) -> QuerySet[Any]:
        """Each person's newest decision on each requirement."""
        about = ("code", "part_kind", "part_key", "principal_id")
        return self.decisions().order_by(*about, "-pk").distinct(*about)

    def _by_requirement(self, decisions: QuerySet[Any]) -> dict[tuple[str, str, str], dict[int, Given]]:
        found: dict[tuple[str, str, str], dict[int, Given]] = {}
        for row in decisions.values_list(*COLUMNS):
            given = Given(*row)
            found.setdefault((given.code, given.part_kind, given.part_key), {})[given.signer_id] = given
        return found

    def _standing(
        self,
        requirement: Requirement,
        newest: Mapping[tuple[str, str, str], dict[int, Given]],
        overrules: Mapping[tuple[str, str, str], Given],
    ) -> RequirementStanding:
        about = (requirement.code, requirement.part_kind, requirement.part_key)
        given = newest.get(about, {})
        digest = self.digest_of(requirement)
        eligible = self.eligible[requirement.code]
        lapses = {pk: lapse for pk, each in given.items() if (lapse := self._lapse(each, requirement, digest))}
        live = [each for pk, each in given.items() if pk in eligible and pk not in lapses and each.decision in COUNTED]
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
            lapsed=tuple(self._lapsed(requirement, given, lapses, eligible)),
            newest=given,
            lapses=lapses,
            overruled_by=_overruling(overrules.get(about), rejections, digest),
        )

    def _lapse(self, given: Given, requirement: Requirement, digest: str) -> Lapse | None:
        """Figures are signed anew each round. A No stays: only an approval is of certain figures."""
        if given.covered_digest != digest:
            return Lapse.WORDING
        if not given.hand_is_active:
            return Lapse.HAND
        if self._is_too_old(given, requirement):
            return Lapse.AGE
        if not requirement.includes_impact:
            return None
        if (given.version_id, given.round) != (self.version.pk, self.round):
            return Lapse.ROUND
        moved = given.decision == Decision.APPROVE and self.impact.differences(given.impact_digest)
        return Lapse.FIGURES if moved else None

    def _is_too_old(self, given: Given, requirement: Requirement) -> bool:
        # A No does not fade: only an approval has to be fresh.
        return given.decision == Decision.APPROVE and self.is_outdated(given.signed_at, requirement)

    def is_outdated(self, signed_at: datetime, requirement: Requirement) -> bool:
        """Whether an approval of that moment is older than the requirement takes."""
        days = requirement.freshness_days
        return days is not None and self.at - signed_at > timedelta(days=days)

    def _lapsed(
        self,
        requirement: Requirement,
        given: Mapping[int, Given],
        lapses: Mapping[int, Lapse],
        eligible: Mapping[int, Person],
    ) -> Iterable[str]:
        for pk in self.pools[requirement.code]:
            if pk not in eligible and pk in self.people:
                yield f"{self.people[pk].name} can no longer sign for {requirement.pool_label}."
        for pk, lapse in lapses.items():
            if pk in eligible and given[pk].decision in COUNTED and lapse != Lapse.WORDING:
                yield self._lapse_words(requirement, given[pk], lapse)

    def _lapse_words(self, requirement: Requirement, given: Given, lapse: Lapse) -> str:
        if lapse == Lapse.HAND:
            return f"{given.printed_name}: whoever signed can no longer log in."
        if lapse == Lapse.AGE:
            return f"{given.printed_name} signed more than {requirement.freshness_days} days ago."
        if lapse == Lapse.ROUND:
            return f"{given.printed_name} signed the impact of an earlier round."
        moved = self.impact.differences(given.impact_digest)
        return f"{given.printed_name} signed another impact: {' '.join(moved[:IMPACT_SENTENCES])}"

    def impact_stands(self, standing: RequirementStanding) -> bool:
        """Whether the impact was computed again after somebody signed it, and their sign-off stands all the same."""
        if not standing.requirement.includes_impact:
            return False
        return any(given.impact_digest != self.impact.digest for given in standing.approvals)


class Standings(Signers):
    """What is known about a version's requirements, derived from its parts: for whoever decides."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.manifest: Manifest = manifest_of(version)
        super().__init__(version, at, list(requirements_of(version)))

    @property
    def parts_digest(self) -> str:
        """What the parts add up to."""
        return self.manifest.digest

    def digest_of(self, requirement: Requirement) -> str:
        return covered_digest(requirement, self.manifest)

    def digests(self) -> set[str]:
        return {self.digest_of(each) for each in self.requirements}

    def all(self) -> list[RequirementStanding]:
        return self.standings(self.requirements, self.newest_decisions())


def requirements_of(version: FrameworkVersion) -> QuerySet[Requirement]:
    """The requirements of the version's current round, in the policy's order."""
    return Requirement.objects.filter(version=version, round=version.round).order_by("position", "pk")


def may_overrule(person: Person | None, role: str) -> bool:
    """Whether this person, as they stand today, may approve over dissent where the policy names `role`."""
    return (
        person is not None and person.is_active and not person.is_service and person.may_sign and role in person.roles
    )


def _overruling(given: Given | None, rejections: tuple[Given, ...], digest: str) -> Given | None:
    """The approval over dissent, where it is of this wording, newer than every No, and not by whoever said No."""
    if given is None or given.covered_digest != digest or not rejections:
        return None
    if any(each.pk > given.pk or each.signer_id == given.signer_id for each in rejections):
        return None
    return given


class SignedImpact:
    """The newest recorded impact of a version, compared with what somebody signed; each figure read once."""

    def __init__(self, version: FrameworkVersion) -> None:
        self.version = version
        self._found: dict[str, tuple[str, ...]] = {}

    @cached_property
    def newest(self) -> VersionImpact | None:
        return self.version.impacts.order_by("-pk").first()

    @property
    def digest(self) -> str:
        """What a signature binds now; empty as long as nothing was recorded."""
        return self.newest.digest if self.newest else ""

    def differences(self, signed: str) -> tuple[str, ...]:
        """Why a signature on the impact with this digest no longer holds, one sentence each."""
        if signed not in self._found:
            self._found[signed] = self._compare(signed)
        return self._found[signed]

    def _compare(self, signed: str) -> tuple[str, ...]:
        if self.newest is None or signed == self.newest.digest:
            return ()
        then = self.version.impacts.filter(digest=signed).order_by("-pk").first()
        if then is None:
            return ("The impact was computed after that.",)
        tolerance, now = impact_tolerance(self.version), self.newest.figures
        if not impact_exceeds(then.figures, now, tolerance):
            return ()
        names = self._names({*then.figures.get("segments", {}), *now.get("segments", {})})
        return tuple(impact_exceeds(then.figures, now, tolerance, names, self._currency()))

    def _currency(self) -> str:
        parts = Part.objects.filter(version=self.version, kind=Kind.META)
        return parts.values_list("body__body__currency", flat=True).first() or "USD"

    def _names(self, segments: Iterable[str]) -> dict[str, str]:
        """What the segments of figures are called in this version; "tier/" is Unassigned of a dimension."""
        found = names_of(self.version, [(Kind.SEGMENT.value, key) for key in segments])
        return {
            key: found.label_of(Kind.SEGMENT, key)
            if not key.endswith("/")
            else f"{found.label_of(Kind.DIMENSION, key.removesuffix('/'))} / Unassigned"
            for key in segments
        }


def impact_tolerance(version: FrameworkVersion) -> Decimal:
    """How far a segment may be from its signed figures, as a share: from the version's guard policy."""
    part = Part.objects.filter(version=version, kind=Kind.POLICY, key="guard").select_related("body").first()
    policy = parse_body(Kind.POLICY, part.body.body) if part else None
    return policy.impact_tolerance if isinstance(policy, GuardPolicy) else TOLERANCE


def decisions_up_to(version: FrameworkVersion) -> QuerySet[Any]:
    """Decisions on this version and those before, with `principal_id` (whose they are) and a printed `name`."""
    return Signoff.objects.filter(framework_id=version.framework_id, version__number__lte=version.number).annotate(
        principal_id=Coalesce("on_behalf_of_id", "signer_id"),
        name=Case(
            When(on_behalf_of__isnull=True, then=F("printed_name")),
            default=Concat("printed_name", Value(" for "), "on_behalf_of_name"),
        ),
    )


def decisions_not_passed_over(
    version: FrameworkVersion, digests: Callable[[], Iterable[str] | QuerySet[Any]]
) -> QuerySet[Any]:
    """Those of `decisions_up_to` but what was said of other texts than these between a way back and where it went.

    What brings an old text back, and what follows it, is not outdone by what was said of the texts between. Ways back
    are this version's and those before it that came into force; `digests` is asked only where there is one.
    """
    back = version.framework.versions.filter(rollback_of__isnull=False, number__lte=version.number)
    counted = back.filter(Q(activated_at__isnull=False) | Q(pk=version.pk))
    between = Q()
    for low, high in counted.values_list("rollback_of__number", "number"):
        between |= Q(version__number__gt=low, version__number__lt=high)
    decisions = decisions_up_to(version)
    return decisions.exclude(between & ~Q(covered_digest__in=digests())) if between else decisions


def signoff_policy(version: FrameworkVersion) -> SignoffPolicy | None:
    """The sign-off policy of a version; None when it has none. Raises PartError when it is not valid."""
    part = Part.objects.filter(version=version, kind=Kind.POLICY, key="signoff").select_related("body").first()
    if part is None:
        return None
    policy = parse_body(Kind.POLICY, part.body.body)
    return policy if isinstance(policy, SignoffPolicy) else None
