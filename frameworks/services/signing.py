"""Signing: many decisions, one authentication, one transaction. A sign-off covers a digest, never a row."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from frameworks.attested import attested_digest
from frameworks.coverage import Manifest
from frameworks.document import Document
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.governed import governed
from frameworks.independence import (
    StandInFacts,
    reasons_against_signing,
    reasons_against_standing_in,
)
from frameworks.models import FrameworkVersion, Kind, Requirement, Signoff, User
from frameworks.naming import names_of, requirement_names
from frameworks.querysets import contributor_ids, delegations_in_force
from frameworks.roles import roles_of
from frameworks.signers import facts_of, people, refuse_unproven
from frameworks.standing import Given, RequirementStanding, Standings
from frameworks.transitions import UNDER_WAY, check_transition

State = FrameworkVersion.State
Decision = Signoff.Decision
LOCK_TIMEOUT = "12s"
REASONS = 6
MEANINGS = {Kind.PLAYBOOK.value: "accepts operational responsibility"}


class Answer(NamedTuple):
    """One decision of a signer: on which requirement, on which digest, approve or reject, and why not."""

    requirement_id: int
    expected_digest: str
    decision: str
    reason: str = ""


def sign(
    *,
    version: FrameworkVersion,
    decisions: Sequence[tuple[int, str, str, str] | Answer],
    signer: User,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
    impact_digest: str | None = None,
    on_behalf_of: User | None = None,
) -> list[Signoff]:
    """Record the signer's decisions, all or none, and approve the version when the last requirement is met.

    `on_behalf_of`: the person in whose place a delegate signs. `impact_digest` is what the signer was shown;
    None, for callers without a screen, is the newest. A decision that stands already on the same digest is
    left as it is. Raises NotAllowedError with the reasons, StaleSignoffError when a digest is not today's,
    ConflictError when the opposite was signed, InvalidError.
    """
    answers = [Answer(*decision) for decision in decisions]
    refuse_malformed(answers)
    refuse_unproven(signer, authentication, authenticated_at, at)
    principal = on_behalf_of or signer
    with transaction.atomic():
        standings = lock_standings(version, at)
        chosen = _chosen(version, standings, answers)
        named = principal.name if on_behalf_of else ""
        _refuse_dependent(version, standings, [standing for standing, _ in chosen], principal, named)
        if on_behalf_of:
            _refuse_stand_in(version, [standing for standing, _ in chosen], signer, on_behalf_of, at)
        _refuse_stale(chosen)
        _refuse_other_impact(chosen, standings, impact_digest)
        new = [(standing, answer) for standing, answer in chosen if not _stands_already(standing, answer, principal)]
        if not new:
            return []
        with governed("version.signed", actor=signer, target=version, at=at) as act:
            writer = SignoffWriter(version, signer, authentication, authenticated_at, at, on_behalf_of=on_behalf_of)
            writer.impact_digest = standings.impact.digest if _asks_for_impact(chosen) else ""
            rows = Signoff.objects.bulk_create(
                writer.rows(new, labels_of([standing.requirement for standing, _ in new], standings.manifest))
            )
            act.after = {"decisions": [f"{row.decision} {row.code} {row.part_key}".strip() for row in rows]}
            act.after["signoffs"] = attested_digest(rows)
            if on_behalf_of:
                act.after["on_behalf_of"] = on_behalf_of.name
            settle_standings(standings, actor=signer, at=at)
    return rows


def withdraw_signoff(
    *,
    requirement: Requirement,
    signer: User,
    reason: str,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
) -> Signoff:
    """Take one's own Yes or No back. After activation it is recorded as an objection and changes nothing.

    Raises ConflictError when there is nothing to take back, NotAllowedError, InvalidError without a reason.
    """
    if not reason.strip():
        raise InvalidError(["Say why you take it back."])
    refuse_unproven(signer, authentication, authenticated_at, at)
    version = requirement.version
    with transaction.atomic():
        standings = lock_standings(version, at)
        standing = next((each for each in standings.all() if each.requirement.pk == requirement.pk), None)
        given = standing.newest.get(signer.pk) if standing else None
        if standing is None or given is None or given.decision not in (Decision.APPROVE, Decision.REJECT):
            raise ConflictError("There is no decision of yours to take back.")
        with governed("signoff.withdrawn", actor=signer, target=version, at=at, reason=reason.strip()) as act:
            writer = SignoffWriter(version, signer, authentication, authenticated_at, at)
            label = labels_of([standing.requirement], standings.manifest)[requirement.pk]
            row = writer.withdrawal(standing, given, label, reason.strip())
            row.save(force_insert=True)
            act.before = {"decision": given.decision}
            act.after = {"requirement": str(requirement), "signoffs": attested_digest([row])}
            settle_standings(standings, actor=signer, at=at)
    return row


def settle(*, version: FrameworkVersion, actor: User | None, at: datetime) -> None:
    """Approve the locked version when every requirement is met, or take it back into review when one no longer is.

    An emergency that is in force is ratified instead. A version that came to its end is left alone. `actor`
    None: the system itself found out.
    """
    if version.state in UNDER_WAY or version.awaits_ratification:
        settle_standings(Standings(version, at), actor=actor, at=at)


def settle_standings(standings: Standings, *, actor: User | None, at: datetime) -> None:
    """`settle` from what was read under the lock."""
    version = standings.version
    if version.state not in UNDER_WAY and not version.awaits_ratification:
        return
    is_met = all(standing.is_met for standing in standings.all())
    if version.awaits_ratification:
        if is_met:
            _ratify(version, actor=actor, at=at)
        return
    wanted = State.APPROVED if is_met else State.IN_REVIEW
    if is_met != (version.state == State.IN_REVIEW):
        return
    check_transition(version, wanted)
    action = "version.approved" if is_met else "version.approval_lost"
    with governed(action, actor=actor, target=version, at=at) as act:
        act.before, act.after = {"state": version.state}, {"state": wanted.value}
        version.state, version.scheduled_for, version.scheduled_by = wanted, None, None
        version.state_reason = "" if is_met else _lost_because(standings)
        version.save(update_fields=["state", "scheduled_for", "scheduled_by", "state_reason", "updated_at"])


def _lost_because(standings: Standings) -> str:
    """Why an approved version is in review again, from its open requirements."""
    found = []
    open_ones = [standing for standing in standings.all() if not standing.is_met]
    names = requirement_names([standing.requirement for standing in open_ones[:REASONS]])
    for standing in open_ones[:REASONS]:
        found += [f"{names[standing.requirement.pk]} is not signed any more.", *standing.lapsed]
    return " ".join(found[:REASONS])


def _ratify(version: FrameworkVersion, *, actor: User | None, at: datetime) -> None:
    with governed("version.ratified", actor=actor, target=version, at=at) as act:
        version.ratified_at = at
        version.save(update_fields=["ratified_at", "updated_at"])
        act.after = {"round": str(version.round), "manifest": version.manifest_digest}


def statement(requirement: Requirement, label: str, decision: str) -> str:
    """The words above the button; they are stored with the signature exactly as shown."""
    where = f"version {requirement.version.number} of {requirement.version.framework.name}"
    if decision == Decision.WITHDRAW:
        return f"I take back my decision on {label} in {where}."
    if decision == Decision.REJECT:
        return f"I do not agree with {label} in {where}."
    if requirement.part_kind == Kind.PLAYBOOK or requirement.kinds == [Kind.PLAYBOOK.value]:
        return f"I accept operational responsibility for {label} in {where}."
    return f"I agree with {label} in {where}."


def labels_of(requirements: Sequence[Requirement], manifest: Manifest) -> dict[int, str]:
    """What each requirement of one version is about, in words, by its id: "the definition of ARR"."""
    if not requirements:
        return {}
    parts = [(each.part_kind, each.part_key) for each in requirements if each.part_key]
    names = names_of(requirements[0].version, parts)
    return {each.pk: _label(each, names, manifest) for each in requirements}


def _label(requirement: Requirement, names: Document, manifest: Manifest) -> str:
    kind, key = requirement.part_kind, requirement.part_key
    if not key:
        count = len(manifest.covered_by(requirement))
        return f"all {count} parts of “{requirement.label}”"
    if kind == Kind.TERM:
        return f"the definition of {names.label_of(kind, key)}"
    return f"the {names.phrase_of(kind, key)}"


def lock_standings(version: FrameworkVersion, at: datetime) -> Standings:
    """Lock the version and answer what its requirements are; decisions are read later, under the lock.

    Parts, requirements and pools of a round are frozen, so they are read before the lock: many people sign at
    the same time, and each holds the others up for a few statements only. They wait longer than others may,
    because a signature lost to a timeout is a person asked twice.
    """
    before = Standings(version, at)
    seen = (version.state, version.round)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
    version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
    return before if (version.state, version.round) == seen else Standings(version, at)


def refuse_malformed(answers: Sequence[Answer]) -> None:
    if not answers:
        raise InvalidError(["Answer at least one point."])
    if len({answer.requirement_id for answer in answers}) != len(answers):
        raise InvalidError(["A point is answered twice."])
    problems = [
        f"{answer.decision!r} is no answer: approve or reject."
        for answer in answers
        if answer.decision not in (Decision.APPROVE, Decision.REJECT)
    ]
    if any(answer.decision == Decision.REJECT and not answer.reason.strip() for answer in answers):
        problems.append("Say why not: a No needs a reason.")
    if problems:
        raise InvalidError(problems)


def _chosen(
    version: FrameworkVersion, standings: Standings, answers: Sequence[Answer]
) -> list[tuple[RequirementStanding, Answer]]:
    """Each answer with its requirement of today; a page opened in an earlier round asks by the ids of that one."""
    if version.state not in UNDER_WAY and not version.awaits_ratification:
        raise ConflictError(f"Version {version.number} is {version.is_now}: it is not open for signing.")
    known = {_about(standing.requirement): standing for standing in standings.all()}
    asked = Requirement.objects.filter(version=version).in_bulk([answer.requirement_id for answer in answers])
    if any(answer.requirement_id not in asked for answer in answers):
        raise InvalidError(["That is no requirement of this version."])
    about = {pk: _about(requirement) for pk, requirement in asked.items()}
    if not known.keys() >= set(about.values()):
        raise ConflictError("What you answer is no longer part of this version. Nothing was signed.")
    return [(known[about[answer.requirement_id]], answer) for answer in answers]


def _about(requirement: Requirement) -> tuple[str, str, str]:
    return (requirement.code, requirement.part_kind, requirement.part_key)


def _refuse_dependent(
    version: FrameworkVersion, standings: Standings, chosen: Sequence[RequirementStanding], signer: User, named: str
) -> None:
    """`named`: the name of the person meant, where a delegate reads the reasons."""
    person = people([signer.pk])[0]
    contributed = signer.pk in contributor_ids(version)
    reasons: list[str] = []
    for standing in chosen:
        requirement = standing.requirement
        facts = facts_of(
            person,
            pool=standings.policy_pool(requirement),
            requirement=requirement,
            contributed=contributed,
            in_pool=signer.pk in standings.pools[requirement.code],
            named=named,
        )
        reasons += [reason for reason in reasons_against_signing(facts) if reason not in reasons]
    if reasons:
        raise NotAllowedError(*reasons)


def _refuse_stand_in(
    version: FrameworkVersion,
    chosen: Sequence[RequirementStanding],
    signer: User,
    principal: User,
    at: datetime,
) -> None:
    """A delegate inherits both people's conflicts, and one hand counts once on every point."""
    delegated = delegations_in_force(at).filter(delegator=principal, delegate=signer).exists()
    contributed = signer.pk in contributor_ids(version)
    today = people([signer.pk])[0]
    reasons: list[str] = []
    for standing in chosen:
        facts = StandInFacts(
            principal=principal.name,
            is_active=today.is_active,
            is_service=today.is_service,
            is_delegate=delegated,
            contributed=contributed,
            counts_contributors=standing.requirement.counts_contributors,
            signs_already=_signs_already(standing, signer, principal),
        )
        reasons += [reason for reason in reasons_against_standing_in(facts) if reason not in reasons]
    if reasons:
        raise NotAllowedError(*reasons)


def _signs_already(standing: RequirementStanding, signer: User, principal: User) -> bool:
    live = (*standing.approvals, *standing.rejections)
    asked_themselves = any(person.pk == signer.pk for person in standing.missing)
    return asked_themselves or any(each.hand_id == signer.pk and each.signer_id != principal.pk for each in live)


def _asks_for_impact(chosen: Sequence[tuple[RequirementStanding, Answer]]) -> bool:
    return any(standing.requirement.includes_impact for standing, _ in chosen)


def _refuse_other_impact(
    chosen: Sequence[tuple[RequirementStanding, Answer]], standings: Standings, shown: str | None
) -> None:
    """The figures are part of what is signed, so they must be the ones that were on the screen."""
    if shown is None or not _asks_for_impact(chosen) or shown == standings.impact.digest:
        return
    asked = [standing.requirement for standing, _ in chosen if standing.requirement.includes_impact]
    raise StaleSignoffError(requirement_ids=[each.pk for each in asked], labels=["the impact of this version"])


def _refuse_stale(chosen: Sequence[tuple[RequirementStanding, Answer]]) -> None:
    stale = [standing.requirement for standing, answer in chosen if answer.expected_digest != standing.digest]
    if stale:
        names = requirement_names(stale)
        raise StaleSignoffError(requirement_ids=list(names), labels=list(names.values()))


def _stands_already(standing: RequirementStanding, answer: Answer, principal: User) -> bool:
    given = standing.answer_of(principal.pk)
    if given is None:
        return False
    if given.decision != answer.decision:
        said = Decision(given.decision).label
        about = requirement_names([standing.requirement])[standing.requirement.pk]
        raise ConflictError(f"You said {said} to {about} already: take that back first.")
    return True


class SignoffWriter:
    """What every row of one act of signing has in common."""

    def __init__(
        self,
        version: FrameworkVersion,
        signer: User,
        authentication: str,
        authenticated_at: datetime,
        at: datetime,
        *,
        on_behalf_of: User | None = None,
    ) -> None:
        self.common = {
            "on_behalf_of": on_behalf_of,
            "on_behalf_of_name": on_behalf_of.name if on_behalf_of else "",
            "framework_id": version.framework_id,
            "version": version,
            "round": version.round,
            "manifest_digest": version.manifest_digest,
            "signer": signer,
            "printed_name": signer.name,
            "role": ", ".join(str(role.label) for role in roles_of(signer)),
            "authentication": authentication,
            "authenticated_at": authenticated_at,
            "signed_at": at,
        }
        self.impact_digest = ""
        self.ended = version.state not in UNDER_WAY and not version.awaits_ratification

    def rows(self, chosen: Sequence[tuple[RequirementStanding, Answer]], labels: dict[int, str]) -> list[Signoff]:
        return [
            self.row(
                standing.requirement,
                decision=answer.decision,
                reason=answer.reason.strip(),
                meaning="rejected" if answer.decision == Decision.REJECT else _meaning(standing.requirement),
                statement=statement(standing.requirement, labels[standing.requirement.pk], answer.decision),
                covered_digest=standing.digest,
                impact_digest=self.impact_digest if standing.requirement.includes_impact else "",
            )
            for standing, answer in chosen
        ]

    def withdrawal(self, standing: RequirementStanding, given: Given, label: str, reason: str) -> Signoff:
        return self.row(
            standing.requirement,
            decision=Decision.WITHDRAW,
            reason=reason,
            meaning="objection" if self.ended else "withdrawn",
            statement=statement(standing.requirement, label, Decision.WITHDRAW),
            covered_digest=given.covered_digest,
        )

    def row(self, requirement: Requirement, **fields: str) -> Signoff:
        return Signoff(
            requirement=requirement,
            code=requirement.code,
            part_kind=requirement.part_kind,
            part_key=requirement.part_key,
            **self.common,
            **fields,
        )


def _meaning(requirement: Requirement) -> str:
    return MEANINGS.get(requirement.part_kind, "approved")
