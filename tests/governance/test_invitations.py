"""Links to one version: read once opened, never signed by, and nothing else is reached with them."""

import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from structlog.stdlib import ProcessorFormatter

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import FrameworkVersion, Signoff, User
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from governance.errors import GoneError
from governance.models import AuditEntry, Invitation, Notification
from governance.services.invitations import (
    READS_FOR,
    VALID_FOR,
    hash_of,
    invite_reader,
    issue_secret,
    revoke_invitation,
    use_invitation,
)
from governance.services.mailing import deliver_next
from governance.services.notifying import save_mutes
from tests.frameworks.making import AT, Company
from tests.governance.test_notifications import DeadServer

READING = ("reading", "reading_definitions", "reading_changes", "reading_impact")
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def now() -> Iterator[Any]:
    cache.clear()
    with time_machine.travel(AT, tick=False) as traveller:
        yield traveller


@pytest.fixture
def company(db: None) -> Company:
    company = Company()
    company.submit()
    return company


def invite(company: Company, name: str = "nadia", by: str = "ravi", at: datetime = AT) -> Invitation:
    return invite_reader(
        version=company.version, person=company.people[name], note="Please look.", actor=company.people[by], at=at
    )


def link(at: datetime = AT) -> str:
    """The address in the mail that is owed, once it was sent."""
    before = len(mail.outbox)
    while deliver_next(at=at):
        pass
    bodies = [str(message.body) for message in mail.outbox[before:]]
    (found,) = [match for body in bodies for match in re.findall(r"/invited/[A-Za-z0-9_-]+/", body)]
    return str(found)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that this process logs, as it is written."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each.formatter, ProcessorFormatter)]
    (handler,) = [each for each in handlers if isinstance(each, logging.StreamHandler)]
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.fixture
def path(company: Company) -> str:
    invite(company)
    return link()


def reader(path: str) -> Client:
    """A browser that used the link."""
    client = Client()
    assert client.post(path).status_code == 302
    return client


def only() -> Invitation:
    return Invitation.objects.get()


def text(answer: Any) -> str:
    return str(answer.content.decode())


# Inviting


def test_link_goes_to_the_persons_address_and_only_its_hash_is_kept(company: Company) -> None:
    invitation = invite(company)
    assert invitation.secret_hash == ""

    path = link()

    (message,) = [each for each in mail.outbox if "/invited/" in str(each.body)]
    secret = path.split("/")[2]
    assert message.to == [company.nadia.email]
    assert message.subject == "Ravi invites you to read v0 of Customer segmentation"
    assert "Please look." in str(message.body)
    assert only().secret_hash == hash_of(secret)
    assert len(secret) >= 43
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i::text || n::text FROM governance_invitation i JOIN governance_notification n ON n.id = i.mail_id"
        )
        assert secret not in cursor.fetchone()[0]
    assert secret not in str(list(AuditEntry.objects.values()))


def test_author_and_revops_invite_and_nobody_else(company: Company) -> None:
    FrameworkVersion.objects.filter(pk=company.version.pk).update(author=company.leah)
    company.version.refresh_from_db()

    for name in ("tomas", "leah"):
        assert invite(company, {"tomas": "nadia", "leah": "marcus"}[name], by=name).pk
    for name in ("priya", "carol"):
        with pytest.raises(NotAllowedError):
            invite(company, "priya", by=name)

    assert Invitation.objects.count() == 2


def test_who_cannot_log_in_is_not_invited(company: Company) -> None:
    User.objects.filter(pk=company.nadia.pk).update(is_active=False)
    company.nadia.refresh_from_db()

    with pytest.raises(InvalidError):
        invite(company)

    assert Invitation.objects.count() == Notification.objects.count() == 0


def test_second_link_for_one_person_waits_until_the_first_is_over(company: Company, path: str) -> None:
    with pytest.raises(ConflictError):
        invite(company)
    assert Invitation.objects.count() == 1

    invite(company, at=AT + VALID_FOR)

    assert Invitation.objects.count() == 2
    assert Client().get(path).status_code == 410


def test_mail_tried_again_carries_a_new_secret(company: Company, settings: Any) -> None:
    invite(company)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, f"{DeadServer.__module__}.DeadServer"
    deliver_next(at=AT)
    first = only().secret_hash
    settings.EMAIL_BACKEND = backend

    path = link(AT + timedelta(minutes=5))

    assert first != only().secret_hash
    assert Client().get(path).status_code == 200


def test_link_comes_by_mail_even_when_its_kind_is_muted_in_the_app(company: Company) -> None:
    save_mutes(person=company.nadia, muted=[("invitation", "app")], at=AT)
    invite(company)

    assert link()
    assert not Notification.objects.shown_to(company.nadia).filter(kind="invitation").exists()


def test_link_revoked_before_its_mail_is_never_sent(company: Company) -> None:
    revoke_invitation(invitation=invite(company), actor=company.ravi, at=AT)

    while deliver_next(at=AT):
        pass

    assert not [message for message in mail.outbox if "/invited/" in str(message.body)]
    assert Notification.objects.get(kind="invitation").mail_state == "dropped"


# Opening


def test_looking_at_the_link_consumes_nothing(company: Company, path: str) -> None:
    """S06: mail scanners fetch every link, some twice."""
    client = Client()
    for method in (client.get, client.head, client.get):
        assert method(path).status_code == 200
    assert "Open the version" in text(client.get(path))

    assert only().used_at is None
    assert client.get(reverse("governance:reading")).status_code == 302
    assert "sessionid" not in client.cookies
    assert not AuditEntry.objects.filter(action="invitation.used").exists()


def test_button_without_csrf_token_is_refused(company: Company, path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert only().used_at is None


def test_button_opens_the_version_and_is_audited(company: Company, path: str) -> None:
    client = reader(path)

    shown = text(client.get(reverse("governance:reading")))

    assert "Customer segmentation, version 0" in shown
    assert "Sent to Nadia" in shown
    assert "Yearly value of signed subscriptions." in text(client.get(reverse("governance:reading_definitions")))
    entry = AuditEntry.objects.get(action="invitation.used")
    assert (entry.actor, entry.actor_kind, entry.after["person"]) == (None, "system", "Nadia")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("name", READING)
def test_pages_of_a_link_are_shown(company: Company, path: str, name: str) -> None:
    answer = reader(path).get(reverse(f"governance:{name}"))

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]


def test_changes_are_shown_against_the_version_before(company: Company) -> None:
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Value of contracts."})
    invite(company)
    client = reader(link())

    shown = text(client.get(reverse("governance:reading_changes") + "?view=texts"))

    assert "Value of contracts." in shown
    assert "Yearly value of signed subscriptions." in shown


def test_link_used_once_is_gone_for_everybody(company: Company, path: str) -> None:
    """S07: reused, or forwarded after use."""
    client = reader(path)

    for browser in (client, Client()):
        for answer in (browser.get(path), browser.post(path)):
            assert answer.status_code == 410
            assert "It was used on" in text(answer)
    assert AuditEntry.objects.filter(action="invitation.used").count() == 1


def test_link_is_gone_after_its_days(company: Company, path: str, now: Any) -> None:
    now.move_to(AT + VALID_FOR - timedelta(seconds=1), tick=False)
    assert Client().get(path).status_code == 200
    now.move_to(AT + VALID_FOR, tick=False)

    for answer in (Client().get(path), Client().post(path)):
        assert (answer.status_code, "It was valid until" in text(answer)) == (410, True)
    assert only().used_at is None


def test_revoked_link_is_gone(company: Company, path: str) -> None:
    revoke_invitation(invitation=only(), actor=company.tomas, at=AT)

    answer = Client().post(path)

    assert (answer.status_code, "taken back" in text(answer)) == (410, True)
    assert only().used_at is None


def test_link_of_somebody_deactivated_is_gone(company: Company, path: str) -> None:
    User.objects.filter(pk=company.nadia.pk).update(is_active=False)

    assert Client().get(path).status_code == Client().post(path).status_code == 410
    assert only().used_at is None


def test_unknown_link_is_gone(company: Company, path: str) -> None:
    assert Client().get(reverse("governance:invited", args=["x" * 43])).status_code == 410


def test_somebody_else_who_is_logged_in_is_told_and_consumes_nothing(company: Company, path: str) -> None:
    client = Client()
    client.force_login(company.marcus)

    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 409
        assert "This link is for Nadia" in text(answer)

    assert only().used_at is None
    assert client.session["_auth_user_id"] == str(company.marcus.pk)


def test_named_person_who_is_logged_in_is_led_to_the_version_itself(company: Company, path: str) -> None:
    client = Client()
    client.force_login(company.nadia)

    answer = client.post(path)

    assert answer.headers["Location"] == reverse("frameworks:version_detail", args=["main", 0])
    assert "reading" not in client.session


def test_session_that_was_planted_is_left_behind(company: Company, path: str) -> None:
    client = Client()
    session = client.session
    session["planted"] = "x"
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    client.post(path)

    assert client.session.session_key != session.session_key
    assert "planted" not in client.session


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_uses_the_link() -> None:
    company = Company()
    company.submit()
    secret = issue_secret(invitation=invite(company))
    outcomes: list[str] = []

    def use() -> None:
        try:
            use_invitation(secret=secret, at=AT)
            outcomes.append("used")
        except GoneError:
            outcomes.append("gone")
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["gone"] * 5 + ["used"]


def test_links_opened_from_one_address_are_limited(company: Company, path: str) -> None:
    client = Client()
    statuses = [client.get(path).status_code for _ in range(31)]

    assert statuses == [200] * 30 + [429]
    assert client.post(path).status_code == 429
    assert only().used_at is None


def test_no_log_holds_the_secret_of_a_link(company: Company, path: str, log: io.StringIO) -> None:
    secret = path.split("/")[2]
    other = Client()
    other.force_login(company.ravi)
    barred = Client(enforce_csrf_checks=True)

    statuses = [
        Client().get(path + "?x=1").status_code,
        other.get(path).status_code,
        barred.post(path).status_code,
        Client().get(f"{path}more/").status_code,
        Client().post(path).status_code,
        Client().get(path).status_code,
    ]

    assert statuses == [200, 409, 403, 404, 302, 410]
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    said = {line["logger"] for line in lines if "/invited/…/" in json.dumps(line, ensure_ascii=False)}
    assert {"django.request", "django.security.csrf", "django_structlog.middlewares.request"} <= said
    assert secret not in log.getvalue()


# What is reached


def endings(patterns: list[Any], before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from endings(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern), each


def addresses(company: Company, version: FrameworkVersion) -> Iterator[tuple[str, str]]:
    """Every address of the site, filled in with what exists where that is known: name or route, and path."""
    known = {"slug": "main", "number": str(version.number), "uuid": str(uuid4()), "key": "tier", "kind": "term"}
    for route, pattern in endings(get_resolver().url_patterns):
        named = re.sub(r"\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)", r"<\1>", route)
        filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: known.get(found.group(1), "1"), named)
        yield str(pattern.name or route), "/" + filled.replace("^", "").replace("$", "").replace("\\", "")


OPEN_TO_ALL = {
    "healthz",
    "readyz",
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_confirm_email",
    "account_email_verification_sent",
    "login",
    "invited",
}
"""What any stranger may open, with or without a link. They show nothing of the company."""


def test_link_reaches_the_pages_of_its_version_and_nothing_else(company: Company, path: str) -> None:
    """Every address there is, by GET and by POST: what answers with a page is one of four, or open to strangers."""
    client, stranger = reader(path), Client()
    opened: dict[str, str] = {}
    seen = 0
    for name, address in addresses(company, company.version):
        if name in ("reading_end", "invited"):
            continue
        seen += 1
        for method in ("get", "post"):
            answer, plain = getattr(client, method)(address), getattr(stranger, method)(address)
            if answer.status_code == 200 and name not in OPEN_TO_ALL:
                opened[name] = method
            if name not in READING:
                assert (name, method, answer.status_code) == (name, method, plain.status_code)

    assert seen > 150
    assert set(opened) <= {*READING, *STATIC}
    assert set(READING) <= set(opened)
    assert {opened[name] for name in READING} == {"get"}


STATIC = {"jsi18n", "part_schema", "criteria_schema", "api-schema", "api-docs"}
"""What is the same for everybody and about nobody."""


@pytest.mark.parametrize("name", READING)
def test_pages_of_a_link_only_show_its_own_version(company: Company, path: str, name: str) -> None:
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Secret wording of the draft."})
    company.save("dimension", "tier", {**company.body("dimension", "tier"), "label": "Secret dimension"})
    client = reader(path)

    for query in ("", "?version=1", "?number=1&slug=main", "?part=term/arr", "?from=0&to=1"):
        answer = client.get(reverse(f"governance:{name}") + query)
        assert "version 0" in text(answer)
        assert "Secret" not in text(answer)


def test_nobody_signs_by_a_link(company: Company, path: str) -> None:
    client = reader(path)
    page = reverse("frameworks:signing", args=["main", 0])
    form = {"password": PASSWORD}
    for each in company.answers("nadia"):
        form |= {f"answer-{each.requirement_id}": "yes", f"digest-{each.requirement_id}": each.expected_digest}

    for answer in (client.get(page), client.post(page, form)):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login/")
    assert f"/login/?next={page}" in text(client.get(reverse("governance:reading")))
    assert Signoff.objects.count() == 0


def test_definitions_take_no_more_queries_for_five_than_for_two(
    company: Company, path: str, django_assert_max_num_queries: Any
) -> None:
    client, page = reader(path), reverse("governance:reading_definitions")
    with django_assert_max_num_queries(12) as two:
        client.get(page)
    count = len(two.captured_queries)
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=AT)
    for key in ("churn", "renewal", "seat"):
        company.save("term", key, {"label": key.title(), "wording": "Words.", "owner": "Finance"})
    invite(company)
    client = reader(link())

    with django_assert_max_num_queries(count):
        assert "Churn" in text(client.get(page))


def test_page_of_a_link_is_refused_to_who_has_none(db: None) -> None:
    for name in READING:
        answer = Client().get(reverse(f"governance:{name}"))
        assert (answer.status_code, answer.headers["Location"].startswith("/login/")) == (302, True)


def test_forged_session_key_opens_nothing(company: Company, path: str) -> None:
    """An invitation that was never used opens no page, whatever a session says."""
    client = Client()
    session = client.session
    session["reading"] = str(only().uuid)
    session.save()
    client.cookies["sessionid"] = str(session.session_key)

    assert client.get(reverse("governance:reading")).status_code == 410


def revoke(company: Company, now: Any) -> None:
    revoke_invitation(invitation=only(), actor=company.ravi, at=AT)


def deactivate(company: Company, now: Any) -> None:
    User.objects.filter(pk=company.nadia.pk).update(is_active=False)


def wait(company: Company, now: Any) -> None:
    now.move_to(AT + READS_FOR, tick=False)


@pytest.mark.parametrize("end", [revoke, deactivate, wait])
def test_reading_ends_at_once(company: Company, path: str, now: Any, end: Any) -> None:
    client = reader(path)
    assert client.get(reverse("governance:reading")).status_code == 200

    end(company, now)

    for name in READING:
        assert client.get(reverse(f"governance:{name}")).status_code == 410


def test_reader_closes_the_version_by_post(company: Company, path: str) -> None:
    client = reader(path)
    assert client.get(reverse("governance:reading_end")).status_code == 405
    assert client.get(reverse("governance:reading")).status_code == 200

    client.post(reverse("governance:reading_end"))

    assert client.get(reverse("governance:reading")).status_code == 302


def test_log_in_and_out_leaves_nothing_of_the_link(company: Company, path: str) -> None:
    client = reader(path)
    client.force_login(company.marcus)
    assert client.get(reverse("governance:reading")).headers["Location"] == "/"
    client.post(reverse("governance:reading_end"))
    assert client.get("/").status_code == 200

    client.logout()

    assert client.get(reverse("governance:reading")).headers["Location"].startswith("/login/")


# Taking back, and the page of it


def test_revoking_is_audited_and_refused_to_others(company: Company, path: str) -> None:
    with pytest.raises(NotAllowedError):
        revoke_invitation(invitation=only(), actor=company.marcus, at=AT)
    assert only().revoked_at is None

    revoke_invitation(invitation=only(), actor=company.tomas, at=AT)

    entry = AuditEntry.objects.get(action="invitation.revoked")
    assert (entry.actor, entry.after["person"]) == (company.tomas, "Nadia")
    with pytest.raises(ConflictError):
        revoke_invitation(invitation=only(), actor=company.tomas, at=AT)


@pytest.mark.parametrize(
    "change", ["used_at = NULL", "person_id = 1", "secret_hash = repeat('a', 64)", "expires_at = now()"]
)
def test_database_lets_no_link_live_twice(company: Company, path: str, change: str) -> None:
    reader(path)
    for statement in (f"UPDATE governance_invitation SET {change}", "DELETE FROM governance_invitation"):
        with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    assert only().used_at == AT


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_page_sends_lists_and_takes_back(company: Company) -> None:
    client, page = browser(company.ravi), reverse("governance:invitation_list", args=["main", 0])
    assert "Nobody was sent a link" in text(client.get(page))

    client.post(page, {"person": company.nadia.pk, "note": "Have a look."})
    assert "Being mailed" in text(client.get(page))
    link()
    assert "Open" in text(client.get(page))
    assert client.post(page, {"person": company.nadia.pk, "note": ""}).status_code == 409
    client.post(reverse("governance:invitation_revoke", args=[only().uuid]))

    assert "Taken back" in text(client.get(page))
    assert only().revoked_by == company.ravi


def test_page_is_refused_to_others_and_changes_nothing(company: Company) -> None:
    client, page = browser(company.marcus), reverse("governance:invitation_list", args=["main", 0])

    assert client.get(page).status_code == 403
    assert client.post(page, {"person": company.nadia.pk}).status_code == 403
    invitation = invite(company)
    assert client.post(reverse("governance:invitation_revoke", args=[invitation.uuid])).status_code == 403

    assert (only().pk, only().revoked_at) == (invitation.pk, None)


def test_version_page_leads_to_the_links_for_who_may_invite(company: Company) -> None:
    page = reverse("governance:invitation_list", args=["main", 0])
    shown = {
        name: page in text(browser(company.people[name]).get(reverse("frameworks:version_detail", args=["main", 0])))
        for name in ("ravi", "marcus")
    }

    assert shown == {"ravi": True, "marcus": False}


def test_page_takes_as_many_queries_for_three_as_for_one(
    company: Company, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    client, page = browser(company.ravi), reverse("governance:invitation_list", args=["main", 0])
    invite(company)
    client.get(page)
    with django_assert_max_num_queries(20) as one:
        client.get(page)
    invite(company, "marcus")
    invite(company, "carol")

    with django_assert_num_queries(len(one.captured_queries)):
        client.get(page)
