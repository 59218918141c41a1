"""Letting somebody sign in one's place for a while."""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Delegation, User
from frameworks.querysets import delegations_in_force
from frameworks.signers import people

LONGEST = timedelta(days=92)


def delegate_signing(
    *, actor: User, delegate: User, valid_from: datetime, valid_until: datetime, reason: str, at: datetime
) -> Delegation:
    """The actor's own signatures may be given by `delegate` from `valid_from` up to but not including `valid_until`.

    Nobody delegates for somebody else, and a delegate passes nothing on. Raises NotAllowedError for people who
    sign nothing themselves, InvalidError, ConflictError when somebody stands in for that time already.
    """
    (today,) = people([actor.pk])
    if today.is_service or not (today.is_active and today.may_sign):
        raise NotAllowedError("You sign nothing, so there is nothing to delegate.")
    delegation = Delegation(
        delegator=actor,
        delegate=delegate,
        valid_from=valid_from,
        valid_until=valid_until,
        reason=reason.strip(),
        created_at=at,
    )
    if problems := _problems(delegation, at):
        raise InvalidError(problems)
    with transaction.atomic():
        # The person's row first: two delegations made at the same moment meet here, and later at the constraint.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        given = actor.delegations_given.filter(ended_at=None).select_related("delegate")
        if other := given.filter(valid_from__lt=valid_until, valid_until__gt=valid_from).first():
            raise ConflictError(f"{other.delegate} stands in for you in that time already: end that first.")
        with governed("delegation.given", actor=actor, target=delegation, at=at, reason=delegation.reason) as act:
            delegation.save(force_insert=True)
            act.after = {
                "delegate": delegate.name,
                "from": valid_from.isoformat(),
                "until": valid_until.isoformat(),
            }
    return delegation


def _problems(delegation: Delegation, at: datetime) -> list[str]:
    problems = []
    if not delegation.reason:
        problems.append("Say why: it is kept with every signature given in your place.")
    if delegation.delegate.is_service or not delegation.delegate.is_active:
        problems.append("Choose a person who can log in.")
    if delegation.valid_until <= at:
        problems.append("The end lies in the past.")
    if delegation.valid_until - delegation.valid_from > LONGEST:
        problems.append(f"At most {LONGEST.days} days at a time.")
    try:
        delegation.clean_fields()
        delegation.validate_constraints()
    except ValidationError as error:
        problems += error.messages
    return problems


def end_delegation(*, delegation: Delegation, actor: User, at: datetime) -> Delegation:
    """End it before its time. The delegator, the delegate, and whoever administers people may.

    Signatures given until now stay. Raises NotAllowedError, ConflictError when it is over already.
    """
    involved = actor.pk in (delegation.delegator_id, delegation.delegate_id)
    if not actor.is_active or not (involved or actor.has_perm("frameworks.change_user")):
        raise NotAllowedError("Only the two people concerned, or an administrator, end a delegation.")
    with transaction.atomic():
        delegation.refresh_from_db(from_queryset=Delegation.objects.select_for_update(of=("self",)))
        if delegation.ended_at or delegation.valid_until <= at:
            raise ConflictError("It is over already.")
        with governed("delegation.ended", actor=actor, target=delegation, at=at):
            delegation.ended_at, delegation.ended_by = at, actor
            delegation.save(update_fields=["ended_at", "ended_by"])
    return delegation


def principals_of(delegate: User, at: datetime) -> list[User]:
    """The people in whose place this person may sign now."""
    held = delegations_in_force(at).filter(delegate=delegate).select_related("delegator").order_by("delegator__name")
    return [each.delegator for each in held]
