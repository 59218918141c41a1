"""What accounts wait for: overrides and held moves that somebody decides, runs that somebody releases.

And what waits for nothing: moves that the people of an account are told of.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AssignmentRun, Cause, Transition
from frameworks.models import Segment, User
from frameworks.roles import Role, roles_of
from frameworks.templatetags.cutline import day
from governance.inbox_item import MOST, Item
from governance.models import OverrideRequest, TransitionReview
from governance.services import due_dates
from governance.services.eligibility import approvals_of, awaited_roles
from governance.services.move_policies import told_dimensions
from governance.services.retiring import RECONFIRM_WITHIN, overrides_to_look_at, overrides_to_reconfirm


def items_for(user: User, at: datetime) -> Iterator[Item]:
    """For this person by name or right: overrides to reconfirm, and moves of the accounts that are theirs."""
    yield from _to_reconfirm(user, at)
    yield from _to_look_at(user, at)
    yield from _told_moves(user, at)


def items_by_role(user: User) -> Iterator[Item]:
    """For anybody in their roles who may act."""
    yield from _decisions(user)
    yield from _reviews(user)
    yield from _held_runs(user)


# Overrides


def decidable_by(user: User) -> list[OverrideRequest]:
    """Open requests whose next approval is this person's to give, oldest first."""
    roles = set(roles_of(user))
    if user.is_service or not roles & {Role.CS_OPS, Role.DEAL_DESK}:
        return []
    rows = list(
        OverrideRequest.objects.open().without_interest_of(user).with_people().order_by("requested_at", "pk")[:MOST]
    )
    awaited = awaited_roles(rows)
    return [row for row in rows if awaited.get(row.pk) in roles and not _has_approved(row, user)]


def _has_approved(request: OverrideRequest, user: User) -> bool:
    return any(decision.decided_by_id == user.pk for decision in approvals_of(request))


def _decisions(user: User) -> Iterator[Item]:
    for row in decidable_by(user):
        arr = f"ARR {row.account.arr:,.0f} {row.account.currency}, " if row.account.arr is not None else ""
        yield Item(
            kind="decision",
            icon="git-pull-request",
            title=f"Override: {row.account} to {row.segment}",
            detail=f"From {row.computed or 'Unassigned'}, {arr}until {day(row.valid_until)}. “{row.reason}”",
            url=reverse("governance:request_detail", args=[row.uuid]),
            asked_by=row.requested_by.name,
            since=row.requested_at,
            due_on=due_dates.decision_due(row),
            ref=f"decide:{row.uuid}:{row.version}",
        )


def _to_reconfirm(user: User, at: datetime) -> Iterator[Item]:
    """Overrides that a split ended: whoever decides overrides says whether another is asked for."""
    if not user.has_perm("governance.decide_override"):
        return
    for row in overrides_to_reconfirm(at)[:MOST]:
        now = row.computed_name or "Unassigned"
        yield Item(
            kind="decision",
            icon="git-branch",
            title=f"Reconfirm: {row.account} was {row.segment.name} by override",
            detail=f"{row.segment.name} was split; the account counts as {now} by the rules. “{row.reason}”",
            url=reverse("governance:override_request", args=[row.account.uuid]),
            asked_by=row.created_by.name,
            since=row.ended_at,
            due_on=timezone.localdate(row.ended_at + RECONFIRM_WITHIN),
            ref=f"reconfirm:{row.uuid}",
        )


def _to_look_at(user: User, at: datetime) -> Iterator[Item]:
    """Overrides that go on though the rules of their segment changed, until they are revoked or two weeks are over."""
    if not user.has_perm("governance.decide_override"):
        return
    for row, version in islice(overrides_to_look_at(at), MOST):
        since = version.activated_at or at
        yield Item(
            kind="decision",
            icon="git-branch",
            title=f"Still right? {row.account} counts as {row.segment.name} by override",
            detail=f"The rules of {row.segment.name} changed with {version}. It goes on until {day(row.valid_until)}"
            f" unless it is revoked. “{row.reason}”",
            url=reverse("accounts:account_detail", args=[row.account.uuid]),
            asked_by=row.created_by.name,
            since=since,
            due_on=timezone.localdate(since + RECONFIRM_WITHIN),
            ref=f"look-again:{row.uuid}:{version.number}",
        )


# Moves and runs


def _reviews(user: User) -> Iterator[Item]:
    """Held moves and conflicts that this person may decide; overdue ones also wait for RevOps."""
    rows = TransitionReview.objects.open().without_interest_of(user).with_people()
    if not user.has_perm("governance.decide_transition"):
        rows = rows.filter(escalated_at__isnull=False) if Role.REVOPS in roles_of(user) else rows.none()
    for row in rows.order_by("opened_at", "pk")[:MOST]:
        yield Item(
            kind="review",
            icon="arrows-up-down",
            title=f"{row.get_kind_display()}: {row.account}",
            detail=f"{row.move}.",
            url=reverse("governance:review_detail", args=[row.uuid]),
            asked_by="the rules",
            since=row.opened_at,
            due_on=row.due_on,
            ref=f"review:{row.uuid}",
        )


def _told_moves(user: User, at: datetime) -> Iterator[Item]:
    """Moves of the person's own accounts within a week, in dimensions that tell of such moves."""
    told = told_dimensions()
    if not told:
        return
    book = Account.objects.filter(Q(csm=user) | Q(ae=user))
    rows = Transition.objects.filter(
        account__in=book, dimension__in=told, effective_at__gt=at - timedelta(days=7)
    ).exclude(cause=Cause.INITIAL)
    for row in rows.select_related("account", "dimension", "from_segment", "to_segment").order_by("-pk")[:MOST]:
        if (
            row.from_segment
            and row.to_segment
            and _direction(row.from_segment, row.to_segment) in told[row.dimension_id]
        ):
            yield Item(
                kind="move",
                icon="arrows-up-down",
                title=f"{row.account} is now {row.to_segment}",
                detail=f"It was {row.from_segment} in {row.dimension}: {row.get_cause_display().lower()}.",
                url=reverse("accounts:account_detail", args=[row.account.uuid]),
                asked_by="the rules",
                since=row.effective_at,
            )


def _direction(from_segment: Segment, to_segment: Segment) -> str:
    return "downgrade" if to_segment.rank > from_segment.rank else "upgrade"


def _held_runs(user: User) -> Iterator[Item]:
    if not user.has_perm("accounts.release_run"):
        return
    for run in AssignmentRun.objects.filter(state=AssignmentRun.State.HELD).exclude(requested_by=user):
        yield Item(
            kind="run",
            icon="player-pause",
            title=f"Run {run.pk} is held by the guard",
            detail=" ".join(map(str, run.held_because)),
            url=reverse("accounts:run_detail", args=[run.uuid]),
            asked_by="the change guard",
            since=run.evaluated_at or run.created_at,
            due_on=due_dates.held_run_due(run),
            ref=f"run:{run.uuid}",
        )
