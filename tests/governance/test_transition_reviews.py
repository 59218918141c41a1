"""Held moves and conflicts: when a review is opened, who decides it, what follows, and what is refused."""

from collections.abc import Callable
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Assignment, Cause, PendingEvaluation, Reason, Transition
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import User
from governance.business_days import business_days_after
from governance.models import AuditEntry, TransitionReview
from governance.services.inbox import waiting_for
from governance.services.transition_reviews import decide_review, open_reviews, watch_reviews
from tests.governance.makers import AT, add_part, make_account

State = TransitionReview.State


def hold(account: Account, model: SimpleNamespace, to: Any = None) -> None:
    Assignment.objects.filter(account=account).update(
        effective=model.enterprise, computed=to or model.mid_market, is_held=True, computed_since=AT
    )


@pytest.fixture
def review(account: Account, model: SimpleNamespace) -> TransitionReview:
    hold(account, model)
    open_reviews(at=AT)
    return TransitionReview.objects.get()


def test_held_move_opens_one_review_due_in_five_business_days(account, model):
    hold(account, model)

    # AT is a Saturday.
    assert (watch_reviews(AT)["opened"], watch_reviews(AT)["opened"]) == (1, 0)

    review = TransitionReview.objects.get()
    assert (review.kind, review.from_segment, review.to_segment, review.due_on) == (
        "downgrade",
        model.enterprise,
        model.mid_market,
        date(2026, 11, 27),
    )


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [("2026-11-20", 1, "2026-11-23"), ("2026-11-21", 1, "2026-11-23"), ("2026-11-23", 5, "2026-11-30")],
)
def test_business_days_leave_out_saturday_and_sunday(day, count, expected):
    assert business_days_after(date.fromisoformat(day), count) == date.fromisoformat(expected)


def test_accepted_move_is_released_and_asked_no_more(review, people):
    decide_review(review=review, accept=True, reason="", actor=people.dana, at=AT)

    row = Assignment.objects.get()
    assert (row.released_id, PendingEvaluation.objects.get().cause) == (review.to_segment_id, Cause.REVIEW)
    assert watch_reviews(AT + timedelta(hours=1)) == {"moot": 0, "opened": 0, "escalated": 0}
    assert AuditEntry.objects.latest("seq").action == "transition.accepted"


def test_kept_move_is_asked_again_only_when_the_computed_segment_has_changed(review, account, model, people):
    decide_review(review=review, accept=False, reason="A new contract is near.", actor=people.dana, at=AT)

    assert watch_reviews(AT + timedelta(days=1))["opened"] == 0
    assert (Assignment.objects.get().released_id, PendingEvaluation.objects.count()) == (None, 0)
    later = AT + timedelta(days=2)
    Assignment.objects.update(computed=model.smb, computed_since=later)
    assert watch_reviews(later)["opened"] == 1


def test_review_of_an_account_held_no_more_becomes_moot(review, account):
    Assignment.objects.update(is_held=False)

    assert watch_reviews(AT)["moot"] == 1

    review.refresh_from_db()
    assert review.state == State.MOOT


def test_review_goes_on_and_can_be_decided_while_the_data_of_the_account_are_missing(review, people):
    Assignment.objects.update(computed=None, reason="missing_data")

    assert watch_reviews(AT) == {"moot": 0, "opened": 0, "escalated": 0}
    decide_review(review=review, accept=True, reason="", actor=people.dana, at=AT)

    assert (Assignment.objects.get().released_id, PendingEvaluation.objects.count()) == (review.to_segment_id, 1)


def test_review_past_its_day_waits_in_more_inboxes(review, people):
    assert [item.kind for item in waiting_for(people.dana, AT)] == ["review"]
    assert not [item for item in waiting_for(people.ravi, AT) if item.kind == "review"]

    assert watch_reviews(AT + timedelta(days=6))["escalated"] == 0
    assert watch_reviews(AT + timedelta(days=7))["escalated"] == 1

    (item,) = [item for item in waiting_for(people.ravi, AT) if item.kind == "review"]
    assert f"{item.due_on:%d %b %Y}" == "27 Nov 2026"


def refused(review: TransitionReview) -> bool:
    review.refresh_from_db()
    row = Assignment.objects.get()
    return (review.state, row.released_id, PendingEvaluation.objects.count()) == (State.OPEN, None, 0)


@pytest.mark.parametrize("who", ["leah", "jonas", "ravi", "sync", "ines"])
def test_person_without_the_role_decides_no_move(review, people, who):
    with pytest.raises(NotAllowedError):
        decide_review(review=review, accept=True, reason="", actor=getattr(people, who), at=AT)

    assert refused(review)


@pytest.mark.parametrize("who", ["dana", "root"])
def test_owner_who_benefits_cannot_decide_not_even_as_superuser(review, people, who):
    Account.objects.update(ae=getattr(people, who))
    review.refresh_from_db()

    with pytest.raises(NotAllowedError, match="You own this account"):
        decide_review(review=review, accept=False, reason="It stays.", actor=getattr(people, who), at=AT)

    assert refused(review)
    assert not [item for item in waiting_for(getattr(people, who), AT) if item.kind == "review"]


def test_keeping_needs_words(review, people):
    with pytest.raises(InvalidError):
        decide_review(review=review, accept=False, reason=" ", actor=people.dana, at=AT)

    assert refused(review)


def test_decided_review_is_not_decided_again(review, people):
    decide_review(review=review, accept=False, reason="It stays.", actor=people.dana, at=AT)

    with pytest.raises(ConflictError):
        decide_review(review=review, accept=True, reason="", actor=people.owen, at=AT)

    assert Assignment.objects.get().released_id is None


def test_move_that_changed_meanwhile_is_not_accepted(review, model, people):
    Assignment.objects.update(computed=model.smb)

    with pytest.raises(ConflictError, match="not held"):
        decide_review(review=review, accept=True, reason="", actor=people.dana, at=AT)

    assert refused(review)


# --- conflicts and notices


@pytest.fixture
def set_policy(model: SimpleNamespace) -> Callable[..., None]:
    """Another version in force, whose dimension says this."""
    from frameworks.models import FrameworkVersion
    from tests.frameworks.making import put_in_force

    def put(**settings: Any) -> None:
        version = FrameworkVersion.objects.create(framework=model.framework, number=2, author=model.version.author)
        keys = ["strategic", "enterprise", "mid_market", "smb"]
        add_part(version, "dimension", "tier", {"label": "Tier", "segments": keys, **settings})
        put_in_force(version, AT)
        model.framework.active_version = version
        model.framework.save()

    return put


def test_conflict_under_manual_review_is_opened_and_can_only_be_left(set_policy, account, people):
    set_policy(hit_policy="manual_review")
    torn = {"computed": None, "effective": None, "reason": Reason.CONFLICT, "conflict": ["enterprise", "smb"]}
    Assignment.objects.update(**torn, computed_since=AT)

    assert (watch_reviews(AT)["opened"], watch_reviews(AT)["opened"]) == (1, 0)
    review = TransitionReview.objects.get()
    with pytest.raises(NotAllowedError, match="Nothing is held"):
        decide_review(review=review, accept=True, reason="", actor=people.dana, at=AT)
    decide_review(review=review, accept=False, reason="Data is being mended.", actor=people.dana, at=AT)
    assert watch_reviews(AT)["opened"] == 0
    Assignment.objects.update(conflict=["enterprise", "mid_market"])
    assert watch_reviews(AT)["opened"] == 1


def test_conflict_under_unique_opens_no_review(set_policy, account):
    set_policy(hit_policy="unique")
    Assignment.objects.update(effective=None, computed=None, reason=Reason.CONFLICT, conflict=["enterprise", "smb"])

    assert watch_reviews(AT)["opened"] == 0


def test_owner_is_told_of_a_move_for_a_week(set_policy, account, model, people):
    set_policy(downgrade="notify")
    Transition.objects.create(
        account=account,
        dimension=model.tier,
        from_segment=model.enterprise,
        to_segment=model.smb,
        reason=Reason.MATCHED,
        cause=Cause.DATA,
        framework_version=model.version,
        version=2,
        effective_at=AT,
        epoch=1,
    )

    (item,) = waiting_for(people.leah, AT + timedelta(days=6))
    assert (item.kind, item.title) == ("move", "Castellan Freight is now Smb")
    assert waiting_for(people.leah, AT + timedelta(days=8)) == []
    assert waiting_for(people.jonas, AT) == []


# --- the page


@pytest.fixture
def as_person(client: Client) -> Any:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    with time_machine.travel(AT, tick=False):
        yield sign_in


def decide(client: Client, review: TransitionReview, **fields: str) -> Any:
    return client.post(reverse("governance:review_decide", args=[review.uuid]), fields)


def test_page_shows_the_move_and_offers_the_decision_to_whoever_may(review, people, as_person):
    answer = as_person(people.dana).get(reverse("governance:review_detail", args=[review.uuid]))

    assert answer.status_code == 200
    text = answer.content.decode()
    assert "Castellan Freight: Enterprise → Mid_Market" in text
    assert "Accept this move?" in text


def test_page_tells_the_owner_why_not_and_refuses_the_post(review, people, as_person):
    client = as_person(people.leah)

    text = client.get(reverse("governance:review_detail", args=[review.uuid])).content.decode()

    assert "You own this account" in text
    assert "Accept this move?" not in text
    assert decide(client, review, verdict="accept").status_code == 403
    assert refused(review)


def test_page_answers_each_refusal_with_its_status(review, people, as_person):
    client = as_person(people.dana)

    assert decide(client, review, verdict="keep", reason="").status_code == 422
    assert decide(client, review, verdict="maybe").status_code == 422
    assert client.get(reverse("governance:review_decide", args=[review.uuid])).status_code == 405
    assert refused(review)
    assert decide(client, review, verdict="accept", reason="Agreed.").status_code == 302
    assert decide(client, review, verdict="accept").status_code == 409


def test_admin_lists_reviews_without_a_query_a_row(
    review, account, model, people, as_person, django_assert_max_num_queries
):
    client = as_person(people.root)
    for name in ("Bruma Retail", "Adler Works"):
        hold(make_account(model, None, name), model)
    open_reviews(at=AT)

    with django_assert_max_num_queries(25):
        answer = client.get(reverse("admin:governance_transitionreview_changelist"))

    assert answer.status_code == 200
    assert answer.content.decode().count("Enterprise → Mid_Market") == 3
