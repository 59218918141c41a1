"""The page on which a held move is accepted or declined."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from governance.forms import ReviewForm
from governance.models import TransitionReview
from governance.services.explanation import explanation_of
from governance.services.transition_reviews import decide_review, eligible_reviewers, review_refusals
from governance.visitor import visitor


@login_required
@require_safe
def review_detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _detail(request, _review(request, uuid))


def _review(request: HttpRequest, uuid: UUID) -> TransitionReview:
    found: TransitionReview = get_object_or_404(
        TransitionReview.objects.visible_to(visitor(request)).with_people(), uuid=uuid
    )
    return found


def _detail(request: HttpRequest, review: TransitionReview, *, problem: str = "", status: int = 200) -> HttpResponse:
    user, now = visitor(request), timezone.now()
    is_open = review.state == TransitionReview.State.OPEN
    keeping = review_refusals(review, user, accept=False) if is_open else []
    context = {
        "review": review,
        "problem": problem,
        "is_open": is_open,
        "is_conflict": review.kind == TransitionReview.Kind.CONFLICT,
        "is_overdue": is_open and review.escalated_at is not None,
        "refusals": keeping,
        "may_decide": is_open and not keeping,
        "reviewers": eligible_reviewers(review) if is_open else [],
        "explanation": explanation_of(review.account, review.dimension, now),
        "events": _events(review),
    }
    return render(request, "governance/review_detail.html", context, status=status)


def _events(review: TransitionReview) -> list[dict[str, Any]]:
    """The review's life, newest first."""
    events = [{"title": "Opened by the rules", "text": review.get_kind_display(), "at": review.opened_at}]
    if review.escalated_at:
        events.append({"title": "Overdue", "text": "It waits in RevOps' inbox too.", "at": review.escalated_at})
    if review.closed_at:
        who = f"{review.printed_name} ({review.role}): " if review.printed_name else ""
        title = f"{who}{review.get_state_display().lower()}"
        events.append({"title": title[:1].upper() + title[1:], "text": review.reason, "at": review.closed_at})
    return [{**event, "is_current": place == 0} for place, event in enumerate(reversed(events))]


@login_required
@require_POST
def review_decide(request: HttpRequest, uuid: UUID) -> HttpResponse:
    review, form = _review(request, uuid), ReviewForm(request.POST)
    if not form.is_valid():
        return _detail(request, review, problem="The form was incomplete. Nothing was decided.", status=422)
    accept = form.cleaned_data["verdict"] == "accept"
    try:
        decide_review(
            review=review,
            accept=accept,
            reason=form.cleaned_data["reason"],
            actor=visitor(request),
            at=timezone.now(),
        )
    except NotAllowedError as refusal:
        return _detail(request, _review(request, uuid), problem=str(refusal), status=403)
    except ConflictError as refusal:
        return _detail(request, _review(request, uuid), problem=str(refusal), status=409)
    except InvalidError as refusal:
        return _detail(request, _review(request, uuid), problem=str(refusal), status=422)
    messages.success(request, "Accepted; the assignment follows in a moment." if accept else "The account stays.")
    return redirect("governance:review_detail", review.uuid)
