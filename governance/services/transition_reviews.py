"""Reviews of held moves and of conflicts: opened where one is owed, decided by somebody without interest, escalated.

The held assignment is the work owed: what is missing is found by a query, so a lost message loses no review.
"""

from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import Assignment, Reason
from accounts.services.holding import release_held
from frameworks.definition import definition_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Framework, FrameworkVersion, User
from frameworks.roles import roles_of
from governance import approval
from governance.business_days import business_days_after
from governance.models import TransitionReview
from governance.services.eligibility import overrides_policy, person_facts
from governance.services.move_policies import manual_dimensions

BATCH = 500
DUE_DAYS = 5
State = TransitionReview.State


def watch_reviews(at: datetime) -> dict[str, int]:
    """Close reviews that nobody needs any more, open those that are owed, escalate those that are overdue."""
    return {"moot": close_moot_reviews(at=at), "opened": open_reviews(at=at), "escalated": escalate_reviews(at=at)}


# --- opening


def open_reviews(*, at: datetime) -> int:
    """Open a review for each held move and each conflict to be solved by a person that has none; returns how many.

    Two workers at once open one: the database keeps the second out.
    """
    rows = [*_held_without_review()[:BATCH], *_conflicts_without_review()[:BATCH]]
    due = {row.dimension.framework_id: _due_on(row.dimension.framework, at) for row in rows}
    reviews = [_review_of(row, due[row.dimension.framework_id], at) for row in rows]
    before = TransitionReview.objects.count()
    TransitionReview.objects.bulk_create(reviews, ignore_conflicts=True)
    return TransitionReview.objects.count() - before


def _held_without_review() -> QuerySet[Assignment]:
    asked = _reviews_of_row().filter(to_segment=OuterRef("computed"))
    # Where a run has not come yet, the row still names a segment of the version before.
    rows = Assignment.objects.filter(is_held=True, computed__is_live=True, effective__is_live=True)
    return _with_names(rows.filter(~Exists(asked)))


def _conflicts_without_review() -> QuerySet[Assignment]:
    """Conflicts of dimensions in which a person solves them."""
    asked = _reviews_of_row().filter(segments=OuterRef("conflict"))
    rows = Assignment.objects.filter(dimension__in=manual_dimensions(), effective=None, reason=Reason.CONFLICT)
    return _with_names(rows.filter(~Exists(asked)))


def _reviews_of_row() -> QuerySet[TransitionReview]:
    """Reviews of an assignment since its computed segment is what it is; one that became moot does not count."""
    since = Coalesce(OuterRef("computed_since"), OuterRef("effective_since"))
    asked = TransitionReview.objects.filter(account=OuterRef("account"), dimension=OuterRef("dimension"))
    found: QuerySet[TransitionReview] = asked.filter(opened_at__gte=since).exclude(state=State.MOOT)
    return found


def _with_names(rows: QuerySet[Assignment]) -> QuerySet[Assignment]:
    related = ("dimension__framework__active_version", "computed", "effective", "without_override")
    return rows.select_related(*related).order_by("account_id", "dimension_id")


def _due_on(framework: Framework, at: datetime) -> date:
    policy = overrides_policy(framework)
    days = policy.review_business_days if policy and policy.review_business_days else DUE_DAYS
    return business_days_after(_today(framework.active_version, at), days)


def _today(version: FrameworkVersion | None, at: datetime) -> date:
    return at.astimezone(definition_of(version).zone).date() if version else timezone.localdate(at)


def _review_of(row: Assignment, due_on: date, at: datetime) -> TransitionReview:
    counted = row.without_override if row.override_until else row.effective
    return TransitionReview(
        account_id=row.account_id,
        dimension_id=row.dimension_id,
        kind=_kind(row),
        from_segment=counted,
        to_segment=row.computed,
        segments=row.conflict if row.reason == Reason.CONFLICT else [],
        opened_at=at,
        due_on=due_on,
    )


def _kind(row: Assignment) -> str:
    counted = row.without_override if row.override_until else row.effective
    if row.computed is None or counted is None:
        return TransitionReview.Kind.CONFLICT
    is_lower = row.computed.rank > counted.rank
    return TransitionReview.Kind.DOWNGRADE if is_lower else TransitionReview.Kind.UPGRADE


# --- closing and escalating


def close_moot_reviews(*, at: datetime) -> int:
    """Close open reviews whose account is held there no more, or is in another conflict; returns how many.

    One that waits while its data are missing is asked about still.
    """
    row = Assignment.objects.filter(account=OuterRef("account"), dimension=OuterRef("dimension"))
    held = row.filter(Q(computed=OuterRef("to_segment")) | Q(computed=None), is_held=True)
    torn = row.filter(reason=Reason.CONFLICT, conflict=OuterRef("segments"))
    moot = TransitionReview.objects.open().filter(~Exists(held), ~Exists(torn))
    return _close_retired(at) + int(moot.update(state=State.MOOT, closed_at=at))


def _close_retired(at: datetime) -> int:
    """Reviews that name a segment of the version before: of a move still held, one with today's names is opened."""
    gone = Q(from_segment__is_live=False) | Q(to_segment__is_live=False)
    reason = "A segment of this move was retired; what took its place is looked at anew."
    return int(TransitionReview.objects.open().filter(gone).update(state=State.MOOT, closed_at=at, reason=reason))


def escalate_reviews(*, at: datetime) -> int:
    """Mark open reviews whose day is over: they wait in more people's inboxes from now on; returns how many."""
    waiting = TransitionReview.objects.open().filter(escalated_at__isnull=True, due_on__lte=timezone.localdate(at))
    versions = {row.dimension.framework_id: row.dimension.framework.active_version for row in _frameworks(waiting)}
    late = [row.pk for row in _frameworks(waiting) if row.due_on < _today(versions[row.dimension.framework_id], at)]
    return int(TransitionReview.objects.open().filter(pk__in=late).update(escalated_at=at))


def _frameworks(reviews: QuerySet[TransitionReview]) -> Iterable[TransitionReview]:
    return reviews.select_related("dimension__framework__active_version")


# --- deciding


def decide_review(
    *, review: TransitionReview, accept: bool, reason: str, actor: User, at: datetime
) -> TransitionReview:
    """Let the account go, or keep it where it is until the rules say something else again.

    Raises ConflictError when the review is closed or the account held no more, NotAllowedError with the reasons,
    InvalidError for keeping without words.
    """
    action = "transition.accepted" if accept else "transition.kept"
    with governed(action, actor=actor, target=review, at=at, reason=reason.strip()) as act:
        locked: TransitionReview = (
            TransitionReview.objects.select_for_update(of=("self",)).with_people().get(pk=review.pk)
        )
        if locked.state != State.OPEN:
            raise ConflictError(f"This review is closed: {locked.get_state_display().lower()}.")
        refusals = review_refusals(locked, actor, accept=accept)
        if refusals:
            raise NotAllowedError(" ".join(refusals))
        if not accept and not reason.strip():
            raise InvalidError(["Say why the account stays."])
        if accept and locked.to_segment:
            account, dimension = locked.account, locked.dimension
            release_held(account=account, dimension=dimension, to=locked.to_segment, actor=actor, at=at)
        _close(locked, State.ACCEPTED if accept else State.KEPT, reason.strip(), actor, at)
        act.after = {"state": locked.state, "move": locked.move}
    return locked


def _close(review: TransitionReview, state: str, reason: str, actor: User, at: datetime) -> None:
    review.state, review.reason, review.closed_at, review.decided_by = state, reason, at, actor
    review.printed_name, review.role = actor.name, ", ".join(role.label for role in roles_of(actor))
    review.save(update_fields=["state", "reason", "closed_at", "decided_by", "printed_name", "role"])


def review_refusals(review: TransitionReview, user: User, *, accept: bool) -> list[str]:
    """Why the person cannot decide the review this way, in words; empty: can."""
    person = person_facts(user, "governance.decide_transition")
    reasons = approval.conflicts_of_interest(
        person, requested_by=None, owners=(review.account.csm_id, review.account.ae_id)
    )
    if not person.has_permission:
        reasons.append("Your role may not decide about held moves.")
    if accept and review.kind == TransitionReview.Kind.CONFLICT:
        reasons.append("Nothing is held here: ask for an override, or change the rules.")
    return reasons


def eligible_reviewers(review: TransitionReview) -> list[User]:
    """Who could decide the review, by name."""
    people = User.objects.filter(
        is_active=True, is_service=False, groups__permissions__codename="decide_transition"
    ).distinct()
    return [person for person in people.order_by("name") if not review_refusals(review, person, accept=False)]
