"""What time does to a version: schedules, emergencies until they are ratified, what recurs, and the way back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import Error, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.models import Framework, FrameworkVersion, Signoff, User
from frameworks.recertification import Recertification, open_recertifications, recertifications
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.helping import shortages_of
from frameworks.services.recertification import recertify
from frameworks.services.rollback import draft_rollback
from frameworks.services.scheduling import schedule_activation, unschedule_activation
from frameworks.services.signing import Answer
from frameworks.standing import requirements_standing
from governance.models import AuditEntry, Notification
from governance.services.activation import request_activation
from governance.services.inbox import waiting_for
from governance.services.mailing import deliver_next
from governance.services.reminding import watch_notices
from governance.services.versions import activate_emergency, watch_versions
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import AT, Company, person, requirement
from tests.frameworks.pages import text, url

MONDAY = AT + timedelta(days=2)
REASON = "The renewal team routes the wrong accounts since this morning."
PASSWORD = "correct horse"


@pytest.fixture
def company(db: None) -> Company:
    company = Company()
    policy = company.body("policy", "signoff")
    line = requirement("quarter", kinds=["term"], pool={"role": "executive"}, recertify_days=92)
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], line]})
    return company


@pytest.fixture
def approved(company: Company) -> Company:
    company.submit()
    company.sign_all()
    return company


@pytest.fixture
def active(approved: Company) -> Company:
    """v0 in force, and v1 as a draft with one other wording, confirmed."""
    flip_active_version(version=approved.version, actor=approved.priya, at=AT)
    approved.version = start_draft(framework=approved.version.framework, actor=approved.ravi, at=AT)
    approved.save("term", "arr", {**approved.body("term", "arr"), "wording": "Another."})
    approved.confirm()
    return approved


def in_force() -> FrameworkVersion | None:
    return Framework.objects.get().active_version


def fresh(company: Company) -> FrameworkVersion:
    return FrameworkVersion.objects.get(pk=company.version.pk)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# Schedules


def schedule(company: Company, name: str = "tomas") -> None:
    schedule_activation(version=company.version, moment=MONDAY, actor=company.people[name], at=AT)


def test_scheduled_version_is_activated_at_its_moment_and_not_before(approved: Company) -> None:
    schedule(approved)
    assert (fresh(approved).state, fresh(approved).scheduled_by) == ("scheduled", approved.tomas)

    watch_versions(MONDAY - timedelta(seconds=1))
    assert in_force() is None
    watch_versions(MONDAY)

    assert in_force() == approved.version
    assert fresh(approved).scheduled_for is None
    assert AuditEntry.objects.filter(action="version.activation_requested", actor=approved.tomas).count() == 1


def lose_role(company: Company) -> None:
    company.marcus.groups.clear()


def deactivate_scheduler(company: Company) -> None:
    User.objects.filter(pk=company.tomas.pk).update(is_active=False)


def demote_scheduler(company: Company) -> None:
    company.tomas.groups.clear()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_role, "Marcus can no longer sign for Stakeholder"),
        (deactivate_scheduler, "Tomas scheduled it and is deactivated since"),
        (demote_scheduler, "may no longer activate a version"),
    ],
)
def test_schedule_whose_gate_fails_falls_back_with_the_reason_and_people_are_told(
    approved: Company,
    spoil: Callable[[Company], None],
    said: str,
    mailoutbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    schedule(approved)
    spoil(approved)

    with django_capture_on_commit_callbacks(execute=True):
        watch_versions(MONDAY)
    while deliver_next(at=MONDAY):
        pass

    version = fresh(approved)
    assert (version.state, in_force()) == ("approved", None)
    assert said in version.state_reason
    assert {mail.to[0] for mail in mailoutbox} >= {"ravi@x.example", "priya@x.example"}
    assert said in mailoutbox[0].body
    assert said in text(browser(approved.priya).get(url(approved, "version_detail")))
    entry = AuditEntry.objects.get(action="version.unscheduled")
    assert (entry.actor_kind, said in entry.reason) == ("system", True)


def test_signature_taken_back_ends_the_schedule(approved: Company) -> None:
    schedule(approved)

    asked = approved.requirement("terms", "arr")
    browser(approved.nadia).post(
        url(approved, "signing_withdraw", requirement=asked.pk), {"reason": "Look again.", "password": PASSWORD}
    )

    assert (fresh(approved).state, fresh(approved).scheduled_for) == ("in_review", None)


def test_schedule_is_made_and_taken_back_on_the_page(approved: Company) -> None:
    client = browser(approved.priya)
    soon = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")

    assert client.post(url(approved, "version_schedule"), {"moment": soon}).status_code == 302
    assert fresh(approved).state == "scheduled"
    assert "as Priya asked" in text(client.get(url(approved, "version_detail")))
    assert client.post(url(approved, "version_unschedule"), {"reason": "Not yet."}).status_code == 302
    assert (fresh(approved).state, fresh(approved).state_reason) == ("approved", "Not yet.")


@pytest.mark.parametrize(
    ("name", "moment", "error"),
    [
        ("marcus", MONDAY, NotAllowedError),
        ("tomas", AT, InvalidError),
        ("tomas", AT + timedelta(days=400), InvalidError),
    ],
)
def test_schedule_by_others_or_for_the_past_is_refused(
    approved: Company, name: str, moment: datetime, error: type[Exception]
) -> None:
    with pytest.raises(error):
        schedule_activation(version=approved.version, moment=moment, actor=approved.people[name], at=AT)

    assert fresh(approved).state == "approved"


def test_unsigned_version_is_not_scheduled_also_not_by_sql(company: Company) -> None:
    company.submit()

    with pytest.raises(ConflictError):
        schedule(company)
    with pytest.raises(Error), transaction.atomic():
        FrameworkVersion.objects.filter(pk=company.version.pk).update(state="scheduled")

    assert fresh(company).state == "in_review"
    with pytest.raises(ConflictError):
        unschedule_activation(version=company.version, reason="x", actor=company.tomas, at=AT)


# Emergencies


def emergency(company: Company, at: datetime = AT) -> None:
    activate_emergency(version=company.version, reason=REASON, actor=company.priya, at=at)


def test_emergency_passes_a_version_in_review_and_every_page_says_so(active: Company) -> None:
    other = start_draft(framework=active.version.framework, actor=active.ravi, at=AT)
    hurried, active.version = active.version, other
    active.save("term", "account", {**active.body("term", "account"), "wording": "Also another."})
    active.submit()
    active.version = hurried

    emergency(active)

    version = fresh(active)
    assert (in_force(), version.state, version.ratify_by) == (version, "activated", AT + timedelta(hours=72))
    for address in ("/", "/accounts/", "/requests/", "/help/", "/sign-off/"):
        page = text(browser(active.leah).get(address))
        assert "is in force without its signatures" in page
        assert REASON in page
    other.refresh_from_db()
    assert other.state == "in_review"
    with pytest.raises(ConflictError, match="rebase it"):
        request_activation(version=other, actor=active.priya, at=AT)


def test_emergency_is_ratified_by_the_normal_quorum(active: Company) -> None:
    emergency(active)

    for name in ("priya", "marcus", "nadia"):
        assert fresh(active).ratified_at is None
        active.version = fresh(active)
        active.sign(name)
    watch_versions(AT + timedelta(days=30))

    assert (fresh(active).ratified_at, in_force()) == (AT, active.version)
    assert AuditEntry.objects.filter(action="version.signed", after__joined=["version.ratified"]).count() == 1


def test_emergency_that_nobody_ratifies_is_reverted_by_the_system(active: Company) -> None:
    before = in_force()
    assert before
    emergency(active)

    watch_versions(AT + timedelta(hours=71))
    assert in_force() == active.version
    watch_versions(AT + timedelta(hours=72))
    watch_versions(AT + timedelta(hours=73))

    back = in_force()
    assert back
    assert (back.number, back.rollback_of, back.base_version) == (2, before, active.version)
    assert set(back.parts.values_list("key", "body_id")) == set(before.parts.values_list("key", "body_id"))
    assert back.manifest_digest == before.manifest_digest
    assert not back.awaits_ratification
    assert FrameworkVersion.objects.count() == 3
    assert "without its signatures" not in text(browser(active.leah).get("/"))
    assert AuditEntry.objects.filter(action="version.reverted", actor_kind="system").count() == 1


@pytest.mark.parametrize(
    ("name", "reason", "error"),
    [
        ("ravi", REASON, NotAllowedError),
        ("marcus", REASON, NotAllowedError),
        ("priya", "now", InvalidError),
        ("priya", " . . . . . . . . . . . . ", InvalidError),
    ],
)
def test_emergency_needs_its_own_permission_and_a_reason(
    active: Company, name: str, reason: str, error: type[Exception]
) -> None:
    before, acts = in_force(), AuditEntry.objects.count()

    with pytest.raises(error):
        activate_emergency(version=active.version, reason=reason, actor=active.people[name], at=AT)

    assert (in_force(), fresh(active).state, AuditEntry.objects.count()) == (before, "draft", acts)


def test_first_version_has_nothing_to_fall_back_to(company: Company) -> None:
    company.confirm()

    with pytest.raises(InvalidError, match="nothing to fall back to"):
        emergency(company)

    assert fresh(company).state == "draft"


def test_emergency_on_the_page_needs_the_password(active: Company) -> None:
    client = browser(active.priya)
    place = reverse("governance:activate_in_emergency", args=["main", active.version.number])
    before = in_force()

    assert "Activate as an emergency" in text(client.get(url(active, "version_detail")))
    assert client.post(place, {"reason": REASON, "password": "wrong"}).status_code == 403
    assert in_force() == before
    assert client.post(place, {"reason": REASON, "password": PASSWORD}).status_code == 302

    assert in_force() == active.version
    assert "Emergency" in text(client.get(url(active, "version_detail")))
    assert "Ratify v1" in text(client.get("/"))


def test_contributor_does_not_ratify(active: Company) -> None:
    active.save("term", "arr", {**active.body("term", "arr"), "wording": "Third."}, actor=active.ravi)
    active.confirm()
    emergency(active)
    asked = active.requirement("terms", "arr")

    form = {f"digest-{asked.pk}": asked.covered_digest, f"answer-{asked.pk}": "yes", "password": PASSWORD}
    response = browser(active.ravi).post(url(active, "signing"), form)

    assert response.status_code == 403
    assert not Signoff.objects.filter(version=active.version).exists()


# The way back


def test_rollback_carries_the_sign_offs_of_then(active: Company) -> None:
    first = in_force()
    assert first
    active.submit()
    for name in ("marcus", "nadia", "priya"):
        active.sign(name)
    flip_active_version(version=active.version, actor=active.priya, at=AT)

    with pytest.raises(InvalidError):
        draft_rollback(version=first, reason=" ", actor=active.ravi, at=AT)
    response = browser(active.ravi).post(
        reverse("frameworks:version_rollback", args=["main", first.number]), {"reason": "It worked better."}
    )
    active.version = FrameworkVersion.objects.get(number=2)
    active.submit()

    assert response.status_code == 302
    assert (active.version.state, active.version.rollback_of) == ("approved", first)
    flip_active_version(version=active.version, actor=active.priya, at=AT)
    assert in_force() == active.version


def test_version_after_a_way_back_carries_what_the_way_back_carried(active: Company) -> None:
    """What was signed of the text between does not outdo it, though it is newer."""
    first, other = in_force(), {"label": "ARR", "wording": "Yearly value of signed contracts.", "owner": "Finance"}
    assert first
    active.save("term", "arr", other)
    active.submit()
    active.sign_all()
    flip_active_version(version=active.version, actor=active.priya, at=AT)
    active.version = draft_rollback(version=first, reason="It worked better.", actor=active.ravi, at=AT)
    active.submit()
    flip_active_version(version=active.version, actor=active.priya, at=AT)

    active.version = start_draft(framework=active.version.framework, actor=active.ravi, at=AT)
    active.save("term", "nrr", {"label": "NRR", "wording": "Net retention.", "owner": "Finance"})
    active.submit()

    standings = requirements_standing(active.version, AT)
    unmet = {(each.requirement.code, each.requirement.part_key) for each in standings if not each.is_met}
    assert ("terms", "arr") not in unmet
    assert ("terms", "nrr") in unmet


def test_rollback_to_what_was_never_in_force_or_is_conflicts(active: Company) -> None:
    first = in_force()
    assert first

    for version in (first, active.version):
        with pytest.raises(ConflictError):
            draft_rollback(version=version, reason="Back.", actor=active.ravi, at=AT)

    assert FrameworkVersion.objects.count() == 2


# What recurs


def due(company: Company, at: datetime) -> Recertification:
    version = in_force()
    assert version
    (found,) = recertifications(version, at)
    return found


def sign_again(company: Company, at: datetime, decision: str = "approve", **changes: Any) -> None:
    found = due(company, at)
    answer = Answer(found.requirement.pk, found.digest, decision, "Not any more." if decision == "reject" else "")
    version = in_force()
    assert version
    given: dict[str, Any] = {"version": version, "decisions": [answer], "signer": company.priya}
    given |= {"authentication": "password", "authenticated_at": at, "at": at} | changes
    recertify(**given)


QUARTER = AT + timedelta(days=92)
AGAIN = ("version_detail", "version_recertify")


def test_active_version_falls_due_again_though_nothing_changed(active: Company) -> None:
    assert due(active, AT).due_at == QUARTER
    assert not due(active, QUARTER - timedelta(days=15)).is_open
    assert due(active, QUARTER - timedelta(days=14)).is_open
    assert due(active, QUARTER).is_overdue

    sign_again(active, QUARTER + timedelta(days=3))

    assert due(active, QUARTER + timedelta(days=3)).due_at == QUARTER + timedelta(days=95)
    assert open_recertifications(QUARTER + timedelta(days=3)) == []
    row = Signoff.objects.order_by("-pk")[0]
    assert (row.meaning, row.printed_name) == ("recertified", "Priya")
    assert "still agree" in row.statement
    assert in_force() == row.version


def test_no_leaves_the_version_serving_and_the_requirement_open(active: Company) -> None:
    before = in_force()

    sign_again(active, QUARTER, "reject")

    found = due(active, QUARTER + timedelta(days=1))
    assert found.is_overdue
    assert [row.reason for row in found.refused] == ["Not any more."]
    assert in_force() == before
    sign_again(active, QUARTER + timedelta(days=2))
    assert not due(active, QUARTER + timedelta(days=2)).is_overdue


def test_new_executive_signs_again_and_the_old_one_no_longer(active: Company) -> None:
    active.people["erin"] = person("erin", "executive")
    active.priya.groups.clear()

    with pytest.raises(NotAllowedError, match="is signed by Executive"):
        sign_again(active, QUARTER)
    sign_again(active, QUARTER, signer=active.erin)

    assert not due(active, QUARTER).is_overdue


@pytest.mark.parametrize(
    ("at", "changes", "error"),
    [
        (AT, {}, ConflictError),
        (QUARTER, {"authentication": "token"}, NotAllowedError),
        (QUARTER, {"authenticated_at": AT}, NotAllowedError),
    ],
)
def test_recertification_without_need_or_proof_is_refused(
    active: Company, at: datetime, changes: dict[str, Any], error: type[Exception]
) -> None:
    count = Signoff.objects.count()

    with pytest.raises(error):
        sign_again(active, at, **changes)

    assert Signoff.objects.count() == count


def test_recertification_of_another_digest_conflicts(active: Company) -> None:
    found, version = due(active, QUARTER), in_force()
    assert version

    with pytest.raises(StaleSignoffError):
        recertify(
            version=version,
            decisions=[Answer(found.requirement.pk, "0" * 64, "approve")],
            signer=active.priya,
            authentication="password",
            authenticated_at=QUARTER,
            at=QUARTER,
        )

    assert not Signoff.objects.filter(meaning="recertified").exists()


@time_machine.travel(QUARTER + timedelta(days=1), tick=False)
def test_recertification_shows_in_inbox_page_and_api(active: Company) -> None:
    version = in_force()
    assert version
    client = browser(active.priya)
    place = reverse("frameworks:version_recertify", args=["main", version.number])

    assert any("again" in item.title for item in waiting_for(active.priya, timezone.now()))
    assert "had to be signed again" in text(
        client.get(reverse("frameworks:version_detail", args=["main", version.number]))
    )
    token = make_token(make_service(), "frameworks:read")
    (row,) = Api(token, Client()).get(f"/api/v1/framework-versions/{version.uuid}").json()["recertifications"]
    assert (row["code"], row["is_overdue"], row["needed"], row["approved"]) == ("quarter", True, 1, 0)

    found = due(active, timezone.now())
    form = {f"digest-{found.requirement.pk}": found.digest, f"answer-{found.requirement.pk}": "yes"}
    assert client.post(place, {**form, "password": "wrong"}).status_code == 422
    signed = client.post(place, {**form, "password": PASSWORD}, follow=True)
    assert open_recertifications(timezone.now()) == []
    assert signed.redirect_chain == [(place, 302)]
    assert "Signed again: Quarter. Next due on 25 May 2027." in text(signed)
    assert "25 May 2027 22 Feb 2027 not due yet" in text(signed)


@time_machine.travel(QUARTER, tick=False)
def test_no_to_a_recertification_is_answered_where_it_was_given(active: Company) -> None:
    found = due(active, timezone.now())
    place = reverse("frameworks:version_recertify", args=["main", 0])
    pk = found.requirement.pk
    form = {f"digest-{pk}": found.digest, f"answer-{pk}": "no", f"reason-{pk}": "Not any more.", "password": PASSWORD}

    answer = browser(active.priya).post(place, form, follow=True)

    assert answer.redirect_chain == [(place, 302)]
    said = text(answer)
    assert "Your No to Quarter is kept. The version keeps serving." in said
    assert "Nothing here waits for you" not in said
    assert "You said No on 21 Feb 2027: “Not any more.” It stands until you answer otherwise." in said
    assert "No Priya, 21 Feb 2027: “Not any more.”" in text(browser(active.marcus).get(place))
    yes = browser(active.priya).post(place, {**form, f"answer-{pk}": "yes"}, follow=True)
    assert "Signed again: Quarter." in text(yes)
    assert open_recertifications(timezone.now()) == []


@time_machine.travel(QUARTER + timedelta(days=1), tick=False)
def test_recertification_that_nobody_can_sign_offers_to_ask_for_help(active: Company) -> None:
    version = in_force()
    assert version
    pages = [reverse(f"frameworks:{name}", args=["main", version.number]) for name in AGAIN]
    place = reverse("frameworks:version_help", args=["main", version.number, "quarter"])
    assert place not in "".join(browser(active.marcus).get(page).content.decode() for page in pages)
    User.objects.filter(pk=active.priya.pk).update(is_active=False)

    reader, csm = browser(active.marcus), browser(active.leah)

    for page in pages:
        assert place in reader.get(page).content.decode()
        assert place not in csm.get(page).content.decode()
    said = text(reader.get(place))
    short = "Quarter has too few people who can sign it again: 0 of 1. The login of Priya is deactivated."
    assert short in said
    assert "That takes a next version" in said
    assert reader.post(f"{place}ask/", {"message": "Who signs in her place?"}).status_code == 302
    items = waiting_for(User.objects.get(pk=active.ravi.pk), timezone.now())
    assert [(item.url, short in item.detail) for item in items if item.kind == "help"] == [(place, True)]
    User.objects.filter(pk=active.priya.pk).update(is_active=True)
    assert shortages_of(version, timezone.now()) == []


def test_recertification_is_short_while_it_is_open_and_nobody_who_could_sign_said_no(active: Company) -> None:
    version = in_force()
    assert version
    sign_again(active, QUARTER, "reject")
    assert shortages_of(version, QUARTER) == []

    active.priya.groups.clear()

    assert shortages_of(version, AT) == []
    assert [each.reason for each in shortages_of(version, QUARTER)] == [
        "Quarter has too few people who can sign it again: 0 of 1. Nobody is Executive."
    ]


def test_long_overdue_recertification_that_nobody_can_sign_is_told(active: Company) -> None:
    active.priya.groups.clear()

    watch_notices(QUARTER + timedelta(days=30))

    told = Notification.objects.filter(kind="escalation", person=active.ravi)
    assert [row.text for row in told] == ["It was due on 21 Feb 2027. Still waiting for somebody who can sign it."]


def test_no_to_a_recertification_is_told_to_author_and_revops_and_escalated(active: Company) -> None:
    sign_again(active, QUARTER, "reject")

    for days in (0, 1, 30):
        watch_notices(QUARTER + timedelta(days=days))

    told = Notification.objects.filter(kind="version", subject__startswith="Priya no longer agrees with Quarter of v0")
    assert {row.person for row in told} == {active.ravi, active.tomas}
    assert {row.text.partition("”")[0] for row in told} == {"“Not any more."}
    late = Notification.objects.filter(kind="escalation", person=active.ravi)
    assert [row.text for row in late] == ["It was due on 21 Feb 2027. Still waiting for Priya, who said No."]


def test_recertification_that_nobody_can_sign_is_told_as_soon_as_it_opens_until_somebody_can(active: Company) -> None:
    executives = list(active.priya.groups.all())
    active.priya.groups.clear()

    watch_notices(QUARTER - timedelta(days=10))
    watch_notices(QUARTER - timedelta(days=9))

    told = Notification.objects.filter(kind="help", subject__startswith="Too few people can sign Quarter of v0")
    assert {row.person for row in told} == {active.ravi, active.tomas}
    assert told.count() == 2
    assert told[0].text.startswith(
        "It is due on 21 Feb 2027. Quarter has too few people who can sign it again: 0 of 1."
    )
    active.priya.groups.set(executives)
    watch_notices(QUARTER - timedelta(days=8))
    assert not told.unread().exists()


def test_recertification_that_nobody_can_sign_any_more_when_it_is_overdue_says_when_it_was_due(active: Company) -> None:
    active.priya.groups.clear()

    watch_notices(QUARTER + timedelta(days=2))

    told = Notification.objects.get(kind="help", person=active.ravi)
    assert told.text.startswith("It was due on 21 Feb 2027. Quarter has too few people who can sign it again")


@time_machine.travel(QUARTER + timedelta(days=1), tick=False)
def test_sign_off_page_with_something_overdue_does_not_say_that_nothing_waits(active: Company) -> None:
    place = reverse("frameworks:my_signing")

    said = text(browser(active.priya).get(place))

    assert "is overdue since 21 Feb 2027" in said
    assert "No version under review waits for you" in said
    assert "Nothing waits for you" not in said
    assert "Nothing waits for you" in text(browser(active.leah).get(place))
