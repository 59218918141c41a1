"""Where too few people can sign: it is said why, and those who can change it are asked, once a day."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import FrameworkVersion, HelpRequest, User
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.emergency import declare_emergency
from frameworks.services.helping import ask_for_help, shortages_of, waiting_for_help
from frameworks.services.review import withdraw_version
from governance.models import AuditEntry, Notification
from governance.services.inbox import waiting_for
from governance.services.reminding import watch_notices
from tests.frameworks.making import AT, LATER, STAKEHOLDERS, Company, person
from tests.frameworks.pages import text, url

Login = Callable[[User], Client]
WORDS = "Carol left. Who signs playbooks now?"
WHY = "Playbooks has too few people who can sign: 0 of 1."


@pytest.fixture
def short(company: Company) -> Company:
    """A draft that nobody can sign the playbooks of: Carol's login is deactivated. Walt is an architect."""
    company.people["walt"] = person("walt", "architect")
    User.objects.filter(pk=company.carol.pk).update(is_active=False)
    return company


def ask(
    company: Company, by: str = "priya", at: Any = AT, message: str = WORDS, code: str = "playbooks"
) -> HelpRequest:
    return ask_for_help(version=company.version, code=code, message=message, actor=company.people[by], at=at)


def trace() -> tuple[int, int, int]:
    return (HelpRequest.objects.count(), Notification.objects.count(), AuditEntry.objects.count())


def told(company: Company, name: str) -> list[str]:
    return [row.subject for row in Notification.objects.filter(person=company.people[name], kind="help")]


def test_draft_says_what_too_few_can_sign_and_why(short: Company) -> None:
    found = [(each.code, each.pool_label, each.reason) for each in shortages_of(short.version, AT)]

    assert found == [("playbooks", "carol@x.example", f"{WHY} The login of Carol is deactivated.")]


def test_version_in_review_says_what_too_few_can_sign_once_somebody_left(company: Company) -> None:
    company.submit()
    assert shortages_of(company.version, AT) == []

    User.objects.filter(pk=company.carol.pk).update(is_active=False)

    assert [each.reason for each in shortages_of(company.version, AT)] == [
        f"{WHY} Carol can no longer sign for carol@x.example."
    ]


def test_emergency_is_not_ratified_by_nobody_where_nobody_can_sign(company: Company) -> None:
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    for name in STAKEHOLDERS:
        company.people[name].groups.set(Group.objects.filter(name="executive"))
    reason = "Accounts are in the wrong tier since this morning."
    executive = User.objects.get(pk=company.priya.pk)
    declare_emergency(version=company.version, reason=reason, actor=executive, at=AT)

    flip_active_version(version=company.version, actor=executive, at=AT)

    assert company.version.awaits_ratification
    assert [each.code for each in shortages_of(company.version, AT)] == ["terms"]


def test_a_no_is_no_shortage(company: Company) -> None:
    company.submit()
    company.sign("priya", company.answers("priya", "reject", "Not so.", code="terms"))

    assert shortages_of(company.version, AT) == []


def test_who_may_change_policy_or_roles_is_told_in_the_inbox_and_by_mail(short: Company) -> None:
    before = AuditEntry.objects.count()

    row = ask(short)
    watch_notices(LATER)
    watch_notices(LATER + timedelta(minutes=2))

    title = "Priya asks for help: too few can sign Playbooks in v0 of Customer segmentation"
    assert sorted(each.name for each in row.told.all()) == ["Ravi", "Tomas", "Walt"]
    assert [told(short, name) for name in ("ravi", "tomas", "walt", "priya", "marcus")] == [[title]] * 3 + [[], []]
    items = [item for item in waiting_for(short.walt, LATER) if item.kind == "help"]
    assert [(item.title, item.url) for item in items] == [(title, "/frameworks/main/v0/help/playbooks/")]
    assert WORDS in items[0].detail
    assert Notification.objects.filter(kind="help", mail_state="pending").count() == 3
    assert AuditEntry.objects.count() == before + 1
    entry = AuditEntry.objects.latest("seq")
    assert (entry.action, entry.reason) == ("version.help_asked", WORDS)


def test_help_no_longer_waits_once_enough_people_can_sign(short: Company) -> None:
    ask(short)
    watch_notices(LATER)

    User.objects.filter(pk=short.carol.pk).update(is_active=True)
    watch_notices(LATER)

    assert waiting_for_help(LATER) == []
    assert not Notification.objects.filter(kind="help").unread().exists()


def test_help_no_longer_waits_for_a_version_that_was_withdrawn(company: Company) -> None:
    company.submit()
    User.objects.filter(pk=company.carol.pk).update(is_active=False)
    ask(company)

    withdraw_version(version=company.version, actor=company.ravi, at=LATER, reason="Another way.")

    assert waiting_for_help(LATER) == []


def test_help_is_asked_once_a_day_by_whomever(short: Company) -> None:
    ask(short)
    before = trace()

    with pytest.raises(ConflictError, match="Priya asked for help with Playbooks today"):
        ask(short, by="marcus", at=LATER)

    assert trace() == before
    with pytest.raises(IntegrityError), transaction.atomic():
        HelpRequest.objects.create(
            version=short.version, code="playbooks", asked_by=short.ravi, asked_at=AT, asked_on=AT.date()
        )
    ask(short, by="marcus", at=AT + timedelta(days=1))
    assert [row.printed_name for row in waiting_for_help(AT + timedelta(days=1))] == ["Marcus"]


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"by": "leah"}, NotAllowedError, "may not ask for help"),
        ({"by": "carol"}, NotAllowedError, "may not ask for help"),
        ({"message": "  "}, InvalidError, "Say what you need"),
        ({"message": "x" * 2001}, InvalidError, "2,000 characters"),
        ({"code": "terms"}, ConflictError, "enough people can sign"),
        ({"code": "nothing"}, ConflictError, "enough people can sign"),
    ],
)
def test_help_that_cannot_be_asked_leaves_no_trace(
    short: Company, how: dict[str, str], error: type[Exception], said: str
) -> None:
    before = trace()
    short.people = {name: User.objects.get(pk=each.pk) for name, each in short.people.items()}

    with pytest.raises(error, match=said):
        ask(short, **how)

    assert trace() == before


def test_who_alone_could_help_is_told_so(short: Company) -> None:
    for name in ("tomas", "walt"):
        User.objects.filter(pk=short.people[name].pk).update(is_active=False)
    before = trace()

    with pytest.raises(ConflictError, match="Nobody else may change the sign-off policy"):
        ask(short, by="ravi")

    assert trace() == before


def test_what_was_asked_stays_as_it_was(short: Company) -> None:
    row = ask(short)

    for change in (lambda: HelpRequest.objects.filter(pk=row.pk).update(message="Never mind."), row.delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()

    assert HelpRequest.objects.get().message == WORDS


# Pages


def test_refused_submission_and_draft_offer_to_ask_for_help(short: Company, login: Login) -> None:
    short.waive()
    short.confirm()
    browser, place = login(short.ravi), url(short, "version_help", code="playbooks")

    refused = browser.post(url(short, "version_submit"))
    draft, checks = browser.get(url(short, "version_detail")), browser.get(url(short, "version_checks"))

    assert refused.status_code == 422
    for page in (refused, draft, checks):
        assert place in page.content.decode()
        assert f"{WHY} The login of Carol is deactivated." in text(page)
    assert FrameworkVersion.objects.get().state == "draft"


def test_version_in_review_offers_to_ask_for_help(company: Company, login: Login) -> None:
    company.submit()
    place = url(company, "version_help", code="playbooks")
    assert place not in login(company.priya).get(url(company, "version_detail")).content.decode()

    User.objects.filter(pk=company.carol.pk).update(is_active=False)

    assert place in login(company.priya).get(url(company, "version_detail")).content.decode()
    assert place not in login(company.leah).get(url(company, "version_detail")).content.decode()


def test_page_says_why_and_what_would_help_and_asks(short: Company, login: Login) -> None:
    place = url(short, "version_help", code="playbooks")
    User.objects.filter(pk=short.ravi.pk).update(is_staff=True)

    asked = login(short.priya).post(url(short, "help_ask", code="playbooks"), {"message": WORDS}, follow=True)

    assert "by e-mail: Ravi, Tomas, Walt." in text(asked)
    assert "Priya asked for help with Playbooks today" in text(asked)
    seen = login(User.objects.get(pk=short.ravi.pk)).get(place)
    assert WORDS in text(seen)
    for link in ("/admin/frameworks/user/", url(short, "part_edit", kind="policy", key="signoff"), "/delegations/"):
        assert link in seen.content.decode()


def test_page_offers_no_link_that_would_be_refused(short: Company, login: Login) -> None:
    seen = login(short.leah).get(url(short, "version_help", code="playbooks")).content.decode()

    assert "/admin/" not in seen
    assert "edit/policy" not in seen
    assert "help-message" not in seen


def test_page_of_what_enough_people_can_sign_is_not_found(short: Company, login: Login) -> None:
    assert login(short.priya).get(url(short, "version_help", code="terms")).status_code == 404


def test_asking_by_page_is_refused_without_trace(short: Company, login: Login) -> None:
    before, place = trace(), url(short, "help_ask", code="playbooks")

    answers = [
        login(short.leah).post(place, {"message": WORDS}).status_code,
        login(short.priya).post(place, {"message": ""}).status_code,
        login(short.priya).post(place, {"message": "a\x00b"}).status_code,
        login(short.priya).post(url(short, "help_ask", code="terms"), {"message": WORDS}).status_code,
        login(short.priya).get(place).status_code,
    ]

    assert answers == [403, 422, 422, 409, 405]
    assert trace() == before


def test_inbox_takes_as_many_queries_for_many_requests(short: Company) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            waiting_for(short.walt, AT + timedelta(days=3))
        return len(captured)

    ask(short)
    one = queries()
    for days in (1, 2):
        ask(short, at=AT + timedelta(days=days))

    assert queries() <= one


def test_request_of_long_ago_no_longer_stands_in_the_inbox(short: Company) -> None:
    ask(short)

    assert len(waiting_for_help(AT + timedelta(days=13))) == 1
    assert waiting_for_help(AT + timedelta(days=14)) == []
    assert timezone.localdate(AT) == AT.date()
