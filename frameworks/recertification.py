"""What has to be signed again on the version in force, though nothing changed: due dates and who can sign.

A requirement with `recertify_days` falls due that long after enough people signed it last. Like every standing
it is derived from the sign-offs; there is no row to forget.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from frameworks.independence import reasons_against_signing
from frameworks.models import Framework, FrameworkVersion, Requirement, Signoff
from frameworks.parts.policy import Requirement as PolicyLine
from frameworks.querysets import contributor_ids
from frameworks.signers import Person, belongs, candidates, facts_of
from frameworks.standing import decisions_up_to, signoff_policy

OPENS_BEFORE = timedelta(days=14)
"""So long before it is due it can be signed again."""


@dataclass(frozen=True)
class Recertification:
    """A requirement of the active version that is signed again at intervals, as it stands at a moment.

    `certified_at`: since when enough people have signed it, of the last time. `approved_by` and `refused` count
    since it opened for the next time; `missing` can still sign, and `refusals` says why others whom the policy means
    cannot.
    """

    requirement: Requirement
    certified_at: datetime
    due_at: datetime
    at: datetime
    needed: int
    approved_by: tuple[str, ...]
    refused: tuple[Signoff, ...]
    pool: tuple[Person, ...]
    missing: tuple[Person, ...]
    refusals: tuple[str, ...]

    @property
    def digest(self) -> str:
        return self.requirement.covered_digest

    @property
    def is_open(self) -> bool:
        return self.at >= self.due_at - OPENS_BEFORE

    @property
    def is_overdue(self) -> bool:
        return self.at >= self.due_at

    @property
    def is_disputed(self) -> bool:
        """Somebody who could sign it said No."""
        return bool(self.refusers)

    @property
    def refusers(self) -> tuple[Person, ...]:
        """Who could sign it and said No."""
        said = {given.on_behalf_of_id or given.signer_id for given in self.refused}
        return tuple(person for person in self.pool if person.pk in said)

    @property
    def answerable_by(self) -> tuple[Person, ...]:
        """Who can answer while it is open: whoever has not yet, and whoever said No and may think again."""
        return (*self.missing, *self.refusers) if self.is_open else ()

    @property
    def shortage(self) -> str:
        """Why fewer people can sign again than have to, with names; empty when enough can, or it is not yet time."""
        left = len(self.approved_by) + len(self.missing)
        if not self.is_open or self.is_disputed or left >= self.needed:
            return ""
        label, signers = self.requirement.label, self.requirement.pool_label
        short = f"{label} has too few people who can sign it again: {left} of {self.needed}."
        nobody = [] if self.pool else [f"Nobody is {signers}."]
        return " ".join([short, *(self.refusals or nobody)])


def recertifications(version: FrameworkVersion, at: datetime) -> list[Recertification]:
    """Every requirement of the active version that recurs, in the policy's order; a constant number of queries."""
    rows = list(
        Requirement.objects.filter(version=version, round=version.round, recertify_days__isnull=False)
        .select_related("version__framework")
        .order_by("position", "pk")
    )
    if not rows or version.activated_at is None or version.superseded_at is not None:
        return []
    policy = signoff_policy(version)
    lines = {line.code: line for line in policy.requirements} if policy else {}
    people = candidates(line for code, line in lines.items() if any(row.code == code for row in rows))
    wrote = contributor_ids(version)
    decisions = _newest_by_person(version, rows)
    return [
        _standing(row, lines[row.code], people, wrote, decisions.get((row.code, row.part_kind, row.part_key), []), at)
        for row in rows
        if row.code in lines
    ]


def open_recertifications(at: datetime) -> list[Recertification]:
    """What is open on every framework's active version, the earliest due first."""
    recurring = Requirement.objects.filter(recertify_days__isnull=False).values("version")
    frameworks = Framework.objects.filter(active_version__in=recurring).select_related("active_version")
    found = [
        each
        for framework in frameworks
        if framework.active_version
        for each in recertifications(framework.active_version, at)
        if each.is_open
    ]
    return sorted(found, key=lambda each: each.due_at)


def _newest_by_person(
    version: FrameworkVersion, rows: Iterable[Requirement]
) -> dict[tuple[str, str, str], list[Signoff]]:
    decisions = (
        decisions_up_to(version)
        .filter(code__in={row.code for row in rows})
        .order_by("code", "part_kind", "part_key", "principal_id", "-pk")
        .distinct("code", "part_kind", "part_key", "principal_id")
    )
    found: dict[tuple[str, str, str], list[Signoff]] = {}
    for decision in decisions:
        found.setdefault((decision.code, decision.part_kind, decision.part_key), []).append(decision)
    return found


def _standing(
    row: Requirement,
    line: PolicyLine,
    people: Iterable[Person],
    wrote: set[int],
    decisions: Iterable[Signoff],
    at: datetime,
) -> Recertification:
    against = {person: _reasons(person, row, line, wrote) for person in people if belongs(line.pool, person)}
    pool = tuple(person for person, reasons in against.items() if not reasons)
    needed = max(len(pool), 1) if line.minimum == "all" else row.minimum
    on_text = [each for each in decisions if each.covered_digest == row.covered_digest]
    approvals = sorted(each.signed_at for each in on_text if each.decision == Signoff.Decision.APPROVE)
    activated = row.version.activated_at or at
    certified = approvals[-needed] if len(approvals) >= needed else activated
    due = certified + timedelta(days=row.recertify_days or 0)
    opened = due - OPENS_BEFORE
    since = [each for each in on_text if each.signed_at >= opened]
    answered = {each.on_behalf_of_id or each.signer_id for each in since}
    return Recertification(
        requirement=row,
        certified_at=certified,
        due_at=due,
        at=at,
        needed=needed,
        approved_by=tuple(each.signed_by for each in since if each.decision == Signoff.Decision.APPROVE),
        refused=tuple(each for each in since if each.decision == Signoff.Decision.REJECT),
        pool=pool,
        missing=tuple(person for person in pool if person.pk not in answered),
        refusals=tuple(" ".join(reasons) for reasons in against.values() if reasons),
    )


def _reasons(person: Person, row: Requirement, line: PolicyLine, wrote: set[int]) -> list[str]:
    wrote_some = person.pk in wrote
    facts = facts_of(person, pool=line.pool, requirement=row, contributed=wrote_some, in_pool=True, named=person.name)
    return reasons_against_signing(facts)
