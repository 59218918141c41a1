"""Moves that wait for a person: the account stays where it counts until somebody lets it go."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.evaluation.engine import take_locks
from accounts.evaluation.statement import Scope
from accounts.models import Account, Assignment, Cause
from accounts.services.marking import mark_accounts
from frameworks.errors import ConflictError
from frameworks.governed import governed
from frameworks.models import Dimension, Segment, User


def release_held(
    *, account: Account, dimension: Dimension, to: Segment, actor: User | None, at: datetime
) -> Assignment:
    """Let a held account go to `to`, its computed segment or, while data are missing, the last one it had.

    The evaluation that is owed moves it.

    Raises ConflictError when the account is not held on its way to `to` any more.
    """
    with governed("transition.released", actor=actor, target=account, at=at) as act, transaction.atomic():
        # An evaluation that began before must not put back what it read.
        take_locks(Scope(ids=(account.pk,)))
        goes_there = Q(computed=to) | Q(computed=None)
        row = Assignment.objects.filter(goes_there, account=account, dimension=dimension, is_held=True).first()
        if row is None:
            raise ConflictError(f"{account.name} is not held on its way to {to.name} any more.")
        row.released = to
        Assignment.objects.filter(account=account, dimension=dimension).update(released=to)
        act.after = {"dimension": dimension.key, "to": to.key}
        mark_accounts(account_ids=[account.pk], cause=Cause.REVIEW, at=at)
    return row
