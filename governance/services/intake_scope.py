"""Who takes part in an intake and what segments will be used for: written by RevOps, signed by an executive.

A scope is never changed: another wording is another scope, and has to be signed again.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import rfc8785
from django.contrib.auth.models import Permission
from django.db import transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.independence import SignerFacts, StandInFacts, reasons_against_standing_in, standing_reasons
from frameworks.models import User
from frameworks.querysets import delegations_in_force
from frameworks.roles import PEOPLE, Role, roles_of
from frameworks.services.delegation import principals_of
from frameworks.signers import refuse_unproven
from frameworks.values import RefusedValueError, text
from governance.intake_standing import IntakeStanding, ScopeState
from governance.models import IntakeForm, IntakeScope, IntakeScopeSignoff
from governance.services.intake import lock_intake, refuse_closed, refuse_unless_editor
from governance.services.requests import visible_characters

Use = IntakeScope.Use
Decision = IntakeScopeSignoff.Decision
MOST_PARTICIPANTS = 200
LONGEST_NOTE = 2000
CHANGED = "Who takes part or what for was changed since you opened this page. Nothing was signed."


def write_scope(
    *,
    intake: IntakeForm,
    participants: Sequence[tuple[UUID, str]],
    uses: Sequence[str],
    uses_note: str,
    expected_number: int,
    actor: User,
    at: datetime,
) -> IntakeScope:
    """Write who takes part, each in which role, and what segments will be used for.

    `expected_number` is that of the scope the writer had before them, 0 for none. The same words as the newest
    scope's are no new one. Raises NotAllowedError, InvalidError, ConflictError.
    """
    refuse_unless_editor(actor)
    with transaction.atomic():
        locked = lock_intake(intake)
        refuse_closed(locked)
        newest = IntakeStanding(locked, locked.due_on).scope
        if (newest.number if newest else 0) != expected_number:
            raise ConflictError(
                "Somebody wrote this while you were editing. Nothing of yours was saved over it: read theirs first."
            )
        content = _content(participants, uses, uses_note)
        digest = digest_of(locked, content)
        if newest and newest.digest == digest:
            return newest
        scope = IntakeScope(
            intake=locked, number=expected_number + 1, digest=digest, written_by=actor, written_at=at, **content
        )
        with governed("intake.scope_written", actor=actor, target=scope, at=at) as act:
            scope.save(force_insert=True)
            act.before = {"digest": newest.digest} if newest else {}
            act.after = {"digest": digest, "participants": str(len(scope.participants)), "uses": scope.uses}
    return scope


def content_of(scope: IntakeScope) -> dict[str, Any]:
    """What a signature of the scope covers, as it is stored with it."""
    return {"participants": scope.participants, "uses": scope.uses, "uses_note": scope.uses_note}


def digest_of(intake: IntakeForm, content: dict[str, Any]) -> str:
    """SHA-256 (hex) over the intake's identity and the content, in canonical JSON."""
    return hashlib.sha256(rfc8785.dumps({"intake": str(intake.uuid), **content})).hexdigest()


def _content(participants: Sequence[tuple[UUID, str]], uses: Sequence[str], uses_note: str) -> dict[str, Any]:
    problems = []
    try:
        note = text(uses_note, most=LONGEST_NOTE)
    except RefusedValueError as error:
        problems.append(f"What for: {error.detail}")
        note = ""
    if not uses:
        problems.append("Say what segments will be used for.")
    if unknown := [use for use in uses if use not in Use.values]:
        problems.append(f"{unknown[0]!r} is no use of segments that is offered.")
    if Use.OTHER in uses and not visible_characters(note):
        problems.append("Say in words what else segments will be used for.")
    people, more = _people(participants)
    if problems := [*more, *problems]:
        raise InvalidError(problems)
    return {"participants": people, "uses": [use for use in Use.values if use in uses], "uses_note": note}


def _people(participants: Sequence[tuple[UUID, str]]) -> tuple[list[dict[str, str]], list[str]]:
    """The participants as they are stored, and what is wrong with them."""
    problems = []
    if not participants:
        problems.append("Name who takes part.")
    if len(participants) > MOST_PARTICIPANTS or len({uuid for uuid, _ in participants}) != len(participants):
        problems.append(f"Each person takes part once, {MOST_PARTICIPANTS} at most.")
    if any(role not in PEOPLE for _, role in participants):
        problems.append("Choose the role of each of them from the list.")
    known = {user.uuid: user for user in takes_part().filter(uuid__in=[uuid for uuid, _ in participants])}
    if len(known) != len({uuid for uuid, _ in participants}):
        problems.append("Only people who can log in take part.")
    rows = [
        {"person": str(uuid), "name": known[uuid].name, "role": role} for uuid, role in participants if uuid in known
    ]
    return sorted(rows, key=lambda row: (row["name"].casefold(), row["person"])), problems


def takes_part() -> Any:
    """Everyone who may be named in a scope."""
    return User.objects.filter(is_active=True, is_service=False)


# --- signing


def statement_of(scope: IntakeScope, decision: str = Decision.APPROVE) -> str:
    """The words above the button; they are stored with the signature exactly as shown."""
    what = f"who takes part in the intake of {scope.intake.framework.name} and what its segments will be used for"
    return f"I agree with {what}." if decision == Decision.APPROVE else f"I do not agree with {what}."


def decide_scope(
    *,
    scope: IntakeScope,
    decision: str,
    expected_digest: str,
    signer: User,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
    reason: str = "",
    on_behalf_of: User | None = None,
) -> IntakeScopeSignoff:
    """Sign the scope, or say No to it with a reason. A No asks for another scope.

    `on_behalf_of`: the executive in whose place a delegate signs, under a delegation in force. The same answer given
    twice is one. Raises NotAllowedError with the reasons, InvalidError, ConflictError when the scope is not the newest,
    is not the one on the screen, or was answered otherwise.
    """
    words = _reason(decision, reason)
    refuse_unproven(signer, authentication, authenticated_at, at)
    with transaction.atomic():
        locked = lock_intake(scope.intake)
        refuse_closed(locked)
        standing = IntakeStanding(locked, locked.due_on)
        newest = standing.scope
        if newest is None or newest.pk != scope.pk or newest.digest != expected_digest:
            raise ConflictError(CHANGED)
        if refusals := refusals_for(standing, signer, on_behalf_of, at):
            raise NotAllowedError(*refusals)
        if given := standing.signoff:
            behalf_id = on_behalf_of.pk if on_behalf_of else None
            if (given.signer_id, given.on_behalf_of_id, given.decision) == (signer.pk, behalf_id, decision):
                return given
            raise ConflictError(f"{given.signed_by} answered it already: {given.get_decision_display()}.")
        return _record(newest, decision, words, signer, on_behalf_of, authentication, authenticated_at, at)


def _reason(decision: str, reason: str) -> str:
    if decision not in Decision.values:
        raise InvalidError([f"{decision!r} is no answer: approve or reject."])
    try:
        words = text(reason, most=LONGEST_NOTE)
    except RefusedValueError as error:
        raise InvalidError([f"Reason: {error.detail}"]) from error
    if decision == Decision.REJECT and not visible_characters(words):
        raise InvalidError(["Say why not: a No needs a reason."])
    return words


def _record(
    scope: IntakeScope,
    decision: str,
    reason: str,
    signer: User,
    on_behalf_of: User | None,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
) -> IntakeScopeSignoff:
    content = content_of(scope)
    if digest_of(scope.intake, content) != scope.digest:
        raise ConflictError("What is written is not what its digest says. Nothing was signed.")
    row = IntakeScopeSignoff(
        scope=scope,
        decision=decision,
        reason=reason,
        statement=statement_of(scope, decision),
        content=content,
        covered_digest=scope.digest,
        written_by_id=scope.written_by_id,
        signer=signer,
        on_behalf_of=on_behalf_of,
        on_behalf_of_name=on_behalf_of.name if on_behalf_of else "",
        printed_name=signer.name,
        role=", ".join(role.label for role in roles_of(signer)),
        authentication=authentication,
        authenticated_at=authenticated_at,
        signed_at=at,
    )
    action = "intake.scope_signed" if decision == Decision.APPROVE else "intake.scope_declined"
    with governed(action, actor=signer, target=scope, at=at, reason=reason) as act:
        row.save(force_insert=True)
        act.after = {"digest": scope.digest, "decision": decision}
        if on_behalf_of:
            act.after["on_behalf_of"] = on_behalf_of.name
    return row


def scope_refusals(standing: IntakeStanding, user: User) -> list[str]:
    """Why this person cannot sign the newest scope, in words addressed to them; empty: they can."""
    holds = Permission.objects.filter(
        codename="sign_intake_scope", content_type__app_label="governance", group__user=user
    ).exists()
    facts = SignerFacts(
        is_active=user.is_active,
        is_service=user.is_service,
        holds_permission=holds,
        has_role=Role.EXECUTIVE in roles_of(user),
        contributed=False,
        counts_contributors=False,
        pool_label=Role.EXECUTIVE.label,
    )
    reasons = standing_reasons(facts)
    if user.pk in standing.writer_ids:
        reasons.append("You wrote who takes part and what for, so somebody else signs it.")
    return reasons


def refusals_for(standing: IntakeStanding, user: User, principal: User | None, at: datetime) -> list[str]:
    """Why this person cannot sign the newest scope, for themselves or in the place of `principal`.

    What stands against that other one counts besides: a delegate inherits both people's conflicts.
    """
    if principal is None:
        return scope_refusals(standing, user)
    facts = StandInFacts(
        principal=principal.name,
        is_active=user.is_active,
        is_service=user.is_service,
        is_delegate=delegations_in_force(at).filter(delegator=principal, delegate=user).exists(),
        contributed=False,
        counts_contributors=False,
        signs_already=not scope_refusals(standing, user),
    )
    reasons = reasons_against_standing_in(facts)
    if user.pk in standing.writer_ids:
        reasons.append("You wrote who takes part and what for, so you cannot sign it for anybody.")
    if scope_refusals(standing, principal):
        reasons.append(f"{principal.name} cannot sign it either, so nobody signs it in their place.")
    return reasons


def principals_signable(standing: IntakeStanding, user: User, at: datetime) -> list[User]:
    """The executives in whose place this person can sign the newest scope now."""
    return [each for each in principals_of(user, at) if not refusals_for(standing, user, each, at)]


def eligible_signers(standing: IntakeStanding) -> list[User]:
    """Who could sign the newest scope, by name."""
    people = User.objects.filter(is_active=True, is_service=False, groups__name=Role.EXECUTIVE.value).exclude(
        pk__in=standing.writer_ids
    )
    return list(people.distinct().order_by("name", "pk"))


def is_awaited(standing: IntakeStanding) -> bool:
    return standing.intake.is_open and standing.scope_state == ScopeState.AWAITED
