"""Approved over dissent: where the signed policy allows it, one role may approve a definition over a No that stands.

Nothing of the No is taken away: it stays live and is printed beside the approval wherever the definition is shown.
"""

from datetime import datetime

from django.db import transaction

from frameworks.attested import attested_digest
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, Requirement, Signoff, User
from frameworks.models.signoff import OVER_DISSENT
from frameworks.naming import requirement_names
from frameworks.querysets import contributor_ids
from frameworks.roles import Role
from frameworks.services.signing import SignoffWriter, labels_of, lock_standings, settle_standings
from frameworks.signers import people, refuse_unproven
from frameworks.standing import RequirementStanding, may_overrule
from frameworks.transitions import UNDER_WAY

REASON_CHARACTERS = 15


def overrule_dissent(
    *,
    requirement: Requirement,
    expected_digest: str,
    reason: str,
    signer: User,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
) -> Signoff:
    """Approve a definition over every No that stands on it, in writing, and approve the version if that was the last.

    `expected_digest` is the wording that was shown. Raises NotAllowedError with the reasons, StaleSignoffError when
    the wording is another, ConflictError when nothing is disputed, InvalidError without a reason.
    """
    reason = reason.strip()
    if sum(not character.isspace() for character in reason) < REASON_CHARACTERS:
        raise InvalidError([f"Say why the dissent is overruled, in {REASON_CHARACTERS} characters at least."])
    refuse_unproven(signer, authentication, authenticated_at, at)
    version = requirement.version
    with transaction.atomic():
        standings = lock_standings(version, at)
        standing = next((each for each in standings.all() if each.requirement.pk == requirement.pk), None)
        _refuse(version, standing, signer)
        if standing is None or not standing.is_disputed:
            raise ConflictError("Nobody disputes this wording now: there is nothing to approve over.")
        if expected_digest != standing.digest:
            names = requirement_names([requirement])
            raise StaleSignoffError(requirement_ids=list(names), labels=list(names.values()))
        with governed("version.dissent_overruled", actor=signer, target=version, at=at, reason=reason) as act:
            writer = SignoffWriter(version, signer, authentication, authenticated_at, at)
            label = labels_of([standing.requirement], standings.manifest)[requirement.pk]
            row = writer.row(
                standing.requirement,
                decision=Signoff.Decision.OVERRULE,
                reason=reason,
                meaning=OVER_DISSENT,
                statement=overruling_statement(standing, label),
                covered_digest=standing.digest,
            )
            row.save(force_insert=True)
            act.after = {
                "requirement": str(requirement),
                "signoffs": attested_digest([row]),
                "dissent": [f"{each.printed_name}: {each.reason}" for each in standing.rejections],
            }
            settle_standings(standings, actor=signer, at=at)
    return row


def withdraw_overruling(
    *,
    requirement: Requirement,
    reason: str,
    signer: User,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
) -> Signoff:
    """Take an approval over dissent back, before activation: the No counts again, and the version is in review.

    By whoever gave it, or by anybody whom the policy lets approve over dissent. Raises NotAllowedError, ConflictError
    when none stands or the version is not under review any more, InvalidError without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidError(["Say why you take it back."])
    refuse_unproven(signer, authentication, authenticated_at, at)
    version = requirement.version
    with transaction.atomic():
        standings = lock_standings(version, at)
        standing = next((each for each in standings.all() if each.requirement.pk == requirement.pk), None)
        if version.state not in UNDER_WAY:
            raise ConflictError(f"Version {version.number} is {version.is_now}: nothing is taken back now.")
        over = standing.overruled_by if standing else None
        if standing is None or over is None:
            raise ConflictError("No approval over dissent stands on this: there is nothing to take back.")
        if refusals := withdrawing_refusals(standing, signer):
            raise NotAllowedError(*refusals)
        with governed("version.overruling_withdrawn", actor=signer, target=version, at=at, reason=reason) as act:
            label = labels_of([standing.requirement], standings.manifest)[requirement.pk]
            writer = SignoffWriter(version, signer, authentication, authenticated_at, at)
            row = _withdrawal(writer, standing, label, reason)
            row.save(force_insert=True)
            act.before = {"approved_over_dissent_by": over.printed_name, "because": over.reason}
            act.after = {"requirement": str(requirement), "signoffs": attested_digest([row])}
            settle_standings(standings, actor=signer, at=at)
    return row


def _withdrawal(writer: SignoffWriter, standing: RequirementStanding, label: str, reason: str) -> Signoff:
    version = standing.requirement.version
    where = f"version {version.number} of {version.framework.name}"
    return writer.row(
        standing.requirement,
        decision=Signoff.Decision.WITHDRAW,
        reason=reason,
        meaning=OVER_DISSENT,
        statement=f"I take back the approval over dissent on {label} in {where}.",
        covered_digest=standing.digest,
    )


def withdrawing_refusals(standing: RequirementStanding, signer: User) -> list[str]:
    """Why this person cannot take the approval over dissent back, in words addressed to them; empty: they can."""
    role = standing.requirement.dissent_role
    today = next(iter(people([signer.pk])), None)
    own = standing.overruled_by is not None and standing.overruled_by.signer_id == signer.pk
    if (own and today is not None and today.is_active) or may_overrule(today, role):
        return []
    label = Role(role).label if role in Role.values else role
    return [f"Only whoever approved over the No, or the role {label}, takes it back."]


def overruling_statement(standing: RequirementStanding, label: str) -> str:
    """The words above the button; they are stored with the signature exactly as shown."""
    version = standing.requirement.version
    names = ", ".join(each.printed_name for each in standing.rejections)
    where = f"version {version.number} of {version.framework.name}"
    return f"I approve {label} in {where} over the dissent of {names}. Their No stays in every document."


def overruling_refusals(standing: RequirementStanding, signer: User, *, has_contributed: bool) -> list[str]:
    """Why this person cannot approve over the dissent, in words addressed to them; empty: they can."""
    role = standing.requirement.dissent_role
    if not role:
        return ["The sign-off policy of this version lets nobody approve over a No."]
    reasons = []
    if not may_overrule(next(iter(people([signer.pk])), None), role):
        label = Role(role).label if role in Role.values else role
        reasons.append(f"Only {label} may approve over a No.")
    if any(signer.pk in (each.signer_id, each.hand_id) for each in standing.rejections):
        reasons.append("You said No yourself: nobody approves over their own dissent.")
    if has_contributed:
        reasons.append("You wrote or changed parts of this version, so somebody else decides over the dissent.")
    return reasons


def _refuse(version: FrameworkVersion, standing: RequirementStanding | None, signer: User) -> None:
    if version.state not in UNDER_WAY:
        raise ConflictError(f"Version {version.number} is {version.is_now}: it is not open for signing.")
    if standing is None:
        raise ConflictError("This is asked no longer. Look at the version again.")
    if reasons := overruling_refusals(standing, signer, has_contributed=signer.pk in contributor_ids(version)):
        raise NotAllowedError(*reasons)
