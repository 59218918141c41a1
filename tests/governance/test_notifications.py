"""What people are told and when: once each, in the app and by mail, and what they mute."""

import threading
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from frameworks.errors import InvalidError
from frameworks.models import User
from frameworks.services.activation import flip_active_version
from frameworks.services.delegation import delegate_signing
from frameworks.services.discussion import add_comment
from frameworks.services.drafting import start_draft
from frameworks.services.impact import record_impact
from frameworks.services.review import request_changes
from frameworks.services.signing import sign
from governance.health import check_mail
from governance.models import Mute, Notification
from governance.services.due_dates import due_words, is_escalated, signoff_due, stage_of
from governance.services.homework import assign_resolver, give_homework, settle_homework
from governance.services.inbox import waiting_for
from governance.services.mailing import ATTEMPTS, claim_mail, deliver_next, pause_after, retry_failed
from governance.services.meetings import plan_meeting
from governance.services.notifying import News, may_mute, notify, one_line, save_mutes
from governance.services.reminding import delete_old_notices, watch_notices
from tests.frameworks.making import AT, Company, requirement
from tests.governance.makers import make_person
from tests.governance.test_meetings import plan_of

Kind = Notification.Kind
DUE = date(2026, 12, 4)
"""Ten business days after AT, a Saturday."""


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def submitted(company: Company) -> Company:
    company.submit()
    return company


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=AT.tzinfo)


def told(person: User, kind: str = "") -> list[str]:
    rows = Notification.objects.filter(person=person).order_by("pk")
    return [row.subject for row in (rows.filter(kind=kind) if kind else rows)]


def record_figures(company: Company, *, accounts: int) -> None:
    """What the version would change, as a study would record it."""
    figures = {"segments": {"tier/enterprise": {"accounts": accounts, "arr": "1000000.00"}}}
    record_impact(version=company.version, figures=figures, as_of=AT, actor=None, at=AT)


def deliver(moment: datetime) -> list[Any]:
    """Send everything that is due; the mails sent by this."""
    before = len(mail.outbox)
    while deliver_next(at=moment):
        pass
    return mail.outbox[before:]


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# Due dates


@pytest.mark.parametrize(
    ("days", "words", "stage"),
    [
        (-1, "overdue since 3 Dec 2026", "overdue"),
        (0, "due today", "today"),
        (1, "due tomorrow", "soon"),
        (3, "due in 3 days", "soon"),
        (4, "due in 4 days", ""),
    ],
)
def test_due_date_is_said_in_words(days: int, words: str, stage: str) -> None:
    today = date(2026, 12, 4)
    due_on = today + timedelta(days=days)

    assert (due_words(due_on, today), stage_of(due_on, today)) == (words, stage)


def test_escalation_counts_business_days() -> None:
    friday = date(2026, 12, 4)

    assert not is_escalated(friday, date(2026, 12, 10))
    assert is_escalated(friday, date(2026, 12, 11))


def test_signers_have_ten_business_days_unless_the_policy_says_otherwise(company: Company) -> None:
    company.submit()
    assert signoff_due(company.version) == DUE

    policy = {**company.body("policy", "signoff"), "review_days": 3}
    request_changes(version=company.version, actor=company.priya, at=AT, reason="Less time.")
    company.save("policy", "signoff", policy)
    company.submit()

    assert signoff_due(company.version) == date(2026, 11, 25)


def test_sign_offs_of_the_inbox_say_when_they_are_due(submitted: Company) -> None:
    (item,) = [each for each in waiting_for(submitted.marcus, AT) if each.kind == "signoff"]

    assert item.due_on == DUE


# The sweep


def test_signers_are_told_once_that_they_are_asked(submitted: Company) -> None:
    watch_notices(AT)
    count = Notification.objects.count()
    assert watch_notices(AT) == 0

    assert told(submitted.marcus) == ["Sign v0 of Customer segmentation"]
    assert told(submitted.carol, Kind.ASKED) == ["Sign v0 of Customer segmentation"]
    assert told(submitted.leah) == []
    assert Notification.objects.count() == count


def test_whoever_has_signed_is_not_reminded(submitted: Company) -> None:
    submitted.sign("marcus")

    watch_notices(at(DUE))

    assert told(submitted.marcus) == []
    assert told(submitted.nadia, Kind.REMINDER) == ["Due today: Sign v0 of Customer segmentation"]


def test_requirement_that_is_met_asks_nobody_any_more(submitted: Company) -> None:
    submitted.sign("tomas")

    watch_notices(AT)

    assert told(submitted.tomas) == []


def test_reminders_come_three_days_before_and_on_the_day_then_overdue(submitted: Company) -> None:
    for day in range(14):
        watch_notices(at(AT.date() + timedelta(days=day)))
        watch_notices(at(AT.date() + timedelta(days=day)))

    assert told(submitted.marcus, Kind.REMINDER) == [
        "Due on 4 Dec 2026: Sign v0 of Customer segmentation",
        "Due today: Sign v0 of Customer segmentation",
    ]
    watch_notices(at(DUE + timedelta(days=1)))
    watch_notices(at(DUE + timedelta(days=2)))
    assert told(submitted.marcus, Kind.OVERDUE) == ["Overdue since 4 Dec 2026: Sign v0 of Customer segmentation"]


def test_sweep_that_comes_late_tells_the_newest_stage_only(submitted: Company) -> None:
    watch_notices(at(DUE + timedelta(days=1)))

    assert told(submitted.marcus, Kind.REMINDER) == []
    assert len(told(submitted.marcus, Kind.OVERDUE)) == 1


def test_author_and_revops_hear_of_sign_offs_long_overdue(submitted: Company) -> None:
    watch_notices(at(date(2026, 12, 10)))
    assert not Notification.objects.filter(kind=Kind.ESCALATION).exists()

    watch_notices(at(date(2026, 12, 11)))

    people = {row.person for row in Notification.objects.filter(kind=Kind.ESCALATION)}
    assert people == {submitted.ravi, submitted.tomas}
    text = Notification.objects.filter(person=submitted.ravi, kind=Kind.ESCALATION).get().text
    assert "Marcus" in text
    assert "4 Dec 2026" in text


def test_delegate_is_asked_in_the_place_of_the_other(submitted: Company) -> None:
    delegate_signing(
        actor=submitted.marcus,
        delegate=submitted.leah,
        valid_from=AT,
        valid_until=AT + timedelta(days=20),
        reason="On leave.",
        at=AT,
    )

    watch_notices(AT)

    row = Notification.objects.get(person=submitted.leah)
    assert row.subject == "Sign v0 of Customer segmentation for Marcus"
    assert f"?for={submitted.marcus.uuid}" in row.url


def test_deactivated_person_and_service_account_are_not_told(submitted: Company) -> None:
    User.objects.filter(pk=submitted.marcus.pk).update(is_active=False)
    news = News(Kind.VERSION, "x", "X", "", "/")

    assert notify([(submitted.marcus.pk, news)], at=AT) == 0
    watch_notices(AT)

    assert told(submitted.marcus) == []


def test_wording_edited_under_a_signature_is_told_to_whoever_signed_it(submitted: Company) -> None:
    """S12: while it is edited, and again when it is asked for anew; who signed something else hears nothing."""
    submitted.sign("marcus")
    submitted.sign("carol")
    request_changes(version=submitted.version, actor=submitted.priya, at=AT, reason="Clearer, please.")
    watch_notices(AT)
    assert told(submitted.marcus, Kind.VOID) == []

    submitted.save("term", "arr", {**submitted.body("term", "arr"), "wording": "Another."})
    watch_notices(AT)
    watch_notices(AT)

    assert told(submitted.marcus, Kind.VOID) == ["What you signed has changed in v0 of Customer segmentation"]
    assert "the definition of ARR" in Notification.objects.get(person=submitted.marcus, kind=Kind.VOID).text
    assert told(submitted.carol, Kind.VOID) == told(submitted.nadia, Kind.VOID) == []
    submitted.submit()
    watch_notices(AT)
    assert len(told(submitted.marcus, Kind.VOID)) == 2


def test_next_version_tells_whose_definition_it_changes(submitted: Company) -> None:
    submitted.sign_all()
    flip_active_version(version=submitted.version, actor=submitted.priya, at=AT)
    submitted.version = start_draft(framework=submitted.version.framework, actor=submitted.ravi, at=AT)
    submitted.save("term", "arr", {**submitted.body("term", "arr"), "wording": "Another."})
    watch_notices(AT)
    assert not Notification.objects.filter(kind=Kind.VOID).exists()

    submitted.submit()
    watch_notices(AT)

    assert {row.person for row in Notification.objects.filter(kind=Kind.VOID)} == {
        submitted.priya,
        submitted.marcus,
        submitted.nadia,
    }


def test_what_is_signed_again_is_asked_reminded_and_escalated(company: Company) -> None:
    policy = company.body("policy", "signoff")
    line = requirement("quarter", kinds=["term"], pool={"role": "executive"}, recertify_days=92)
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], line]})
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    due_on = AT.date() + timedelta(days=92)

    for days in (-15, -14, -13, -3, 0, 1, 2, 8):
        watch_notices(AT + timedelta(days=92 + days))

    again = "Sign v0 of Customer segmentation again: Quarter"
    assert told(company.priya, Kind.ASKED) == [again]
    day = f"{due_on.day} {due_on:%b %Y}"
    assert told(company.priya, Kind.REMINDER) == [f"Due on {day}: {again}", f"Due today: {again}"]
    assert told(company.priya, Kind.OVERDUE) == [f"Overdue since {day}: {again}"]
    assert told(company.tomas, Kind.ESCALATION) == [f"Long overdue: {again}"]


def test_draft_to_be_confirmed_waits_for_who_edits_drafts(company: Company) -> None:
    (item,) = [each for each in waiting_for(company.tomas, AT) if each.kind == "confirmation"]

    assert item.due_on == DUE
    assert "ASSUMED" in item.title
    assert [each for each in waiting_for(company.marcus, AT) if each.kind == "confirmation"] == []
    company.confirm()
    assert [each for each in waiting_for(company.tomas, AT) if each.kind == "confirmation"] == []


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_write_each_row_once() -> None:
    company = Company()
    company.submit()
    failed: list[BaseException] = []

    def sweep() -> None:
        try:
            watch_notices(AT)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert told(company.marcus) == ["Sign v0 of Customer segmentation"]
    assert watch_notices(AT) == 0


def test_figures_that_moved_ask_whoever_signed_them_again(company: Company) -> None:
    policy = company.body("policy", "signoff")
    line = requirement("impact", kinds=["dimension"], pool={"role": "executive"}, include_impact=True)
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], line]})
    company.submit()
    record_figures(company, accounts=100)
    newest = company.version.impacts.latest("pk")
    sign(
        version=company.version,
        decisions=company.answers("priya"),
        signer=company.priya,
        authentication="password",
        authenticated_at=AT,
        at=AT,
        impact_digest=newest.digest,
    )
    watch_notices(AT)
    assert told(company.priya, Kind.VOID) == []

    record_figures(company, accounts=150)
    watch_notices(AT)
    watch_notices(AT)

    (subject,) = told(company.priya, Kind.VOID)
    assert "figures moved" in subject


def test_mention_is_told_with_its_place(submitted: Company) -> None:
    comment = add_comment(
        version=submitted.version,
        part_kind="term",
        part_key="arr",
        thread=None,
        text="@Marcus, is that right?",
        actor=submitted.ravi,
        at=AT,
    )

    watch_notices(AT)

    row = Notification.objects.get(person=submitted.marcus, kind=Kind.MENTION)
    assert row.url.endswith(f"#c-{comment.uuid}")
    assert "is that right?" in row.text


def test_version_sent_back_is_told_to_author_and_signers_but_not_to_who_did_it(submitted: Company) -> None:
    request_changes(version=submitted.version, actor=submitted.priya, at=AT, reason="Clearer, please.")

    assert told(submitted.ravi, Kind.VERSION) == ["v0 of Customer segmentation was sent back"]
    assert told(submitted.marcus, Kind.VERSION) == ["v0 of Customer segmentation was sent back"]
    assert told(submitted.priya, Kind.VERSION) == []


def test_act_that_fails_tells_nobody(submitted: Company) -> None:
    with transaction.atomic():
        request_changes(version=submitted.version, actor=submitted.priya, at=AT, reason="Clearer, please.")
        transaction.set_rollback(True)

    assert Notification.objects.count() == 0


def test_approval_and_activation_are_told(submitted: Company) -> None:
    submitted.sign_all()
    watch_notices(AT)
    assert told(submitted.ravi, Kind.VERSION) == ["v0 of Customer segmentation is approved"]

    flip_active_version(version=submitted.version, actor=submitted.priya, at=AT)

    assert told(submitted.ravi, Kind.VERSION)[1:] == ["v0 of Customer segmentation is in force"]
    assert told(submitted.marcus, Kind.VERSION) == ["v0 of Customer segmentation is in force"]


def test_decision_that_waits_too_long_is_remembered_and_escalated(people: Any, request_by_leah: Any) -> None:
    asked = request_by_leah.requested_at.date()
    due_on = next(item.due_on for item in waiting_for(people.dana, AT) if item.kind == "decision")
    assert due_on == date(2026, 11, 27)
    assert asked == date(2026, 11, 21)

    watch_notices(at(date(2026, 11, 28)))
    assert told(people.dana, Kind.OVERDUE) == ["Overdue since 27 Nov 2026: Override: Castellan Freight to Mid_Market"]
    watch_notices(at(date(2026, 12, 4)))

    assert told(people.ravi, Kind.ESCALATION) == ["Long overdue: Override: Castellan Freight to Mid_Market"]
    assert told(people.leah) == []


# By mail


def test_mail_names_the_exact_place_and_how_to_mute(submitted: Company, settings: Any) -> None:
    settings.SITE_URL = "https://cutline.example"
    watch_notices(AT)

    sent = [message for message in deliver(AT) if message.to == [submitted.marcus.email]]

    (message,) = sent
    assert message.subject == "Sign v0 of Customer segmentation"
    assert "https://cutline.example/frameworks/main/v0/sign/" in message.body
    assert "https://cutline.example/notifications/settings/" in message.body
    assert message.alternatives[0].mimetype == "text/html"
    assert "/frameworks/main/v0/sign/" in message.alternatives[0].content
    assert deliver(AT) == []
    assert Notification.objects.get(person=submitted.marcus).mailed_at == AT


def test_reminders_of_an_hour_are_one_mail(company: Company) -> None:
    for number in range(3):
        notify([(company.leah.pk, News(Kind.REMINDER, f"r{number}", f"Due {number}", "", "/"))], at=AT)

    (message,) = deliver(AT)
    assert message.subject == "3 things wait for you"
    assert all(f"Due {number}" in message.body for number in range(3))
    notify([(company.leah.pk, News(Kind.OVERDUE, "o", "Overdue", "", "/"))], at=AT)
    assert deliver(AT + timedelta(minutes=30)) == []
    assert len(deliver(AT + timedelta(minutes=60))) == 1


def test_long_digest_names_thirty_and_leads_to_the_rest(company: Company) -> None:
    late = [(company.leah.pk, News(Kind.OVERDUE, f"r{number}", f"Late {number}", "", "/")) for number in range(33)]
    notify(late, at=AT)

    (message,) = deliver(AT)

    assert message.body.count("Late ") == 30
    assert "And 3 more" in message.body


def test_reminders_of_others_do_not_wait_for_mine(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.REMINDER, "a", "A", "", "/"))], at=AT)
    deliver(AT)
    notify([(company.carol.pk, News(Kind.REMINDER, "a", "A", "", "/"))], at=AT)

    assert [message.to for message in deliver(AT)] == [[company.carol.email]]


@pytest.mark.parametrize("evil", ["Sign\r\nBcc: all@x.example", "Sign\nthis\u2028now", "Sign\x0b\x85this"])
def test_subject_stays_one_header_line(company: Company, evil: str) -> None:
    """R34."""
    notify([(company.leah.pk, News(Kind.VERSION, "x", evil, evil, "/"))], at=AT)

    (message,) = deliver(AT)
    assert one_line(evil).startswith("Sign ")
    head = message.message().as_bytes().split(b"\n\n")[0]
    assert b"\nBcc:" not in head
    assert message.recipients() == [company.leah.email]


def test_markup_in_a_name_is_text_in_the_mail(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "<script>alert(1)</script>", "<img src=x>", "/"))], at=AT)

    (message,) = deliver(AT)
    assert "<script" not in message.alternatives[0].content
    assert "<img" not in message.alternatives[0].content


class DeadServer(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("Connection refused")


def test_mail_server_that_is_down_is_tried_again_later_and_seen(company: Company, settings: Any) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    settings.EMAIL_BACKEND = "tests.governance.test_notifications.DeadServer"
    assert deliver(AT) == []

    row = Notification.objects.get()
    assert (row.mail_state, row.mail_attempts, row.mailed_at) == ("pending", 1, None)
    assert "Connection refused" in row.mail_error
    assert row.mail_after == AT + timedelta(minutes=1)
    assert (check_mail(AT).state, "Connection refused" in check_mail(AT).words) == ("warn", True)

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver(AT + timedelta(seconds=59)) == []
    assert len(deliver(AT + timedelta(seconds=61))) == 1
    assert check_mail(AT).state == "ok"


def test_reminders_that_could_not_be_sent_do_not_wait_an_hour(company: Company, settings: Any) -> None:
    notify([(company.leah.pk, News(Kind.REMINDER, "x", "X", "", "/"))], at=AT)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "tests.governance.test_notifications.DeadServer"
    deliver(AT)
    settings.EMAIL_BACKEND = backend

    assert len(deliver(AT + timedelta(minutes=2))) == 1


def test_mail_is_given_up_after_many_tries_and_owed_again_by_hand(company: Company, settings: Any) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    Notification.objects.update(mail_attempts=ATTEMPTS - 1)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "tests.governance.test_notifications.DeadServer"
    deliver(AT)
    settings.EMAIL_BACKEND = backend

    assert Notification.objects.get().mail_state == "failed"
    assert check_mail(AT).state == "bad"
    assert deliver(AT + timedelta(days=9)) == []
    assert retry_failed(at=AT) == 1
    assert len(deliver(AT)) == 1


def test_command_sends_what_is_owed_and_owes_again_what_was_given_up(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    Notification.objects.update(mail_state="failed", mail_after=None, mail_attempts=ATTEMPTS, mail_error="Refused.")
    said = StringIO()

    call_command("mail", "retry", stdout=said)
    call_command("mail", "send", stdout=said)

    assert "1 mails are owed again." in said.getvalue()
    assert [message.to for message in mail.outbox] == [[company.leah.email]]


def test_pauses_grow_to_six_hours() -> None:
    assert [pause_after(tries) for tries in (1, 2, 3)] == [timedelta(minutes=minutes) for minutes in (1, 2, 4)]
    assert pause_after(ATTEMPTS) == timedelta(hours=6)


def test_mail_owed_for_long_is_seen(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)

    assert check_mail(AT).state == "ok"
    assert check_mail(AT + timedelta(hours=1)).state == "bad"


def test_whoever_left_gets_no_mail(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    User.objects.filter(pk=company.leah.pk).update(is_active=False)

    assert deliver(AT) == []
    assert Notification.objects.get().mail_state == "dropped"


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_mail_once() -> None:
    leah = make_person("Leah Kim")
    notify([(leah.pk, News(Kind.VERSION, f"x{number}", "X", "", "/")) for number in range(4)], at=AT)
    claimed: list[Notification] = []

    def work() -> None:
        try:
            while rows := claim_mail(at=AT):
                claimed.extend(rows)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(row.occurrence for row in claimed) == ["x0", "x1", "x2", "x3"]


def test_mail_whose_worker_died_is_sent_by_another_after_its_lease(company: Company) -> None:
    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    claim_mail(at=AT)

    assert deliver(AT + timedelta(minutes=4)) == []
    assert len(deliver(AT + timedelta(minutes=6))) == 1


# Muting


def test_muted_kind_is_neither_shown_nor_mailed_and_does_not_come_back(company: Company) -> None:
    save_mutes(person=company.leah, muted=[("version", "app"), ("version", "mail")], at=AT)

    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)
    save_mutes(person=company.leah, muted=[], at=AT)

    assert deliver(AT) == []
    assert not Notification.objects.shown_to(company.leah).exists()
    assert notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT) == 0


def test_kind_muted_by_mail_is_still_shown(company: Company) -> None:
    save_mutes(person=company.leah, muted=[("version", "mail")], at=AT)

    notify([(company.leah.pk, News(Kind.VERSION, "x", "X", "", "/"))], at=AT)

    assert deliver(AT) == []
    assert Notification.objects.shown_to(company.leah).count() == 1


@pytest.mark.parametrize(("kind", "channel"), [("asked", "app"), ("escalation", "app"), ("invitation", "mail")])
def test_what_must_arrive_cannot_be_muted(company: Company, kind: str, channel: str) -> None:
    with pytest.raises(InvalidError):
        save_mutes(person=company.leah, muted=[(kind, channel)], at=AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        Mute.objects.create(person=company.leah, kind=kind, channel=channel, muted_at=AT)

    assert not may_mute(kind, channel)
    assert Mute.objects.count() == 0


def test_settings_page_keeps_what_is_unticked(company: Company) -> None:
    page, client = reverse("governance:notification_settings"), browser(company.leah)
    ticked = {f"{kind}-{channel}": "on" for kind in Kind.values for channel in ("app", "mail")}
    del ticked["mention-mail"], ticked["asked-app"]

    assert client.get(page).status_code == 200
    assert client.post(page, ticked).status_code == 302

    assert list(Mute.objects.values_list("person", "kind", "channel")) == [(company.leah.pk, "mention", "mail")]


# In the app


def news_for(user: User, count: int, moment: datetime = AT) -> None:
    notify([(user.pk, News(Kind.VERSION, f"n{n}", f"News {n}", "Text", "/help/")) for n in range(count)], at=moment)


def test_list_shows_ones_own_newest_first_and_filters(company: Company) -> None:
    news_for(company.leah, 2)
    notify([(company.carol.pk, News(Kind.VERSION, "c", "For Carol", "", "/"))], at=AT)
    client, page = browser(company.leah), reverse("governance:notification_list")

    shown = client.get(page).content.decode()

    assert "For Carol" not in shown
    assert shown.index("News 1") < shown.index("News 0")
    assert "Notifications: 2 unread" in shown
    client.post(reverse("governance:notification_read", args=[Notification.objects.get(occurrence="n0").uuid]))
    assert "News 0" not in client.get(f"{page}?show=unread").content.decode()
    assert "News 1" not in client.get(f"{page}?kind=mention").content.decode()


def test_empty_list_says_what_will_be_here(company: Company) -> None:
    assert "Nothing yet" in browser(company.leah).get(reverse("governance:notification_list")).content.decode()


def test_all_are_marked_read_at_once_by_post_only(company: Company) -> None:
    news_for(company.leah, 3)
    news_for(company.carol, 1)
    client, page = browser(company.leah), reverse("governance:notification_read_all")

    assert client.get(page).status_code == 405
    assert Notification.objects.filter(read_at=None).count() == 4
    client.post(page)

    assert [row.person for row in Notification.objects.filter(read_at=None)] == [company.carol]


def test_nobody_marks_what_is_another_persons(company: Company) -> None:
    news_for(company.carol, 1)
    row = Notification.objects.get()

    answer = browser(company.leah).post(reverse("governance:notification_read", args=[row.uuid]))

    row.refresh_from_db()
    assert (answer.status_code, row.read_at) == (404, None)


def test_marking_leads_back_to_our_own_pages_only(company: Company) -> None:
    news_for(company.leah, 1)
    url = reverse("governance:notification_read", args=[Notification.objects.get().uuid])

    answer = browser(company.leah).post(url, {"next": "https://evil.example/"})

    assert answer.headers["Location"] == reverse("governance:notification_list")


@pytest.mark.parametrize("name", ["notification_list", "notification_settings"])
def test_pages_send_strangers_to_the_log_in(client: Client, db: None, name: str) -> None:
    answer = client.get(reverse(f"governance:{name}"))

    assert (answer.status_code, answer.headers["Location"].startswith("/login/")) == (302, True)


def test_list_takes_as_many_queries_for_three_as_for_one(
    company: Company, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    client, page = browser(company.leah), reverse("governance:notification_list")
    news_for(company.leah, 1)
    client.get(page)
    with django_assert_max_num_queries(14) as one:
        client.get(page)
    news_for(company.leah, 3)

    with django_assert_num_queries(len(one.captured_queries)):
        client.get(page)


def test_inbox_marks_what_is_overdue_and_filters_by_kind(submitted: Company, time_machine: Any) -> None:
    time_machine.move_to(at(DUE + timedelta(days=1)), tick=False)
    client = browser(submitted.marcus)

    shown = client.get("/").content.decode()

    assert "1 overdue" in shown
    assert "overdue since 4 Dec 2026" in shown
    assert "overdue since" not in client.get("/?kind=mention").content.decode()


# Done is read


def late(person: User) -> list[str]:
    rows = Notification.objects.filter(person=person, occurrence__startswith="escalation:sign:").unread()
    return list(rows.values_list("subject", flat=True))


def unread(person: User) -> list[str]:
    return sorted(Notification.objects.filter(person=person).unread().values_list("kind", flat=True))


def test_what_was_asked_counts_as_read_once_it_is_done(submitted: Company) -> None:
    watch_notices(at(DUE))
    assert unread(submitted.marcus) == unread(submitted.nadia) == ["asked", "reminder"]

    submitted.sign("marcus")
    watch_notices(at(DUE) + timedelta(minutes=2))

    assert unread(submitted.marcus) == []
    assert unread(submitted.nadia) == ["asked", "reminder"]
    read = Notification.objects.filter(person=submitted.marcus).values_list("read_at", flat=True)
    assert set(read) == {at(DUE) + timedelta(minutes=2)}


def test_escalation_counts_as_read_when_the_last_one_did_it(submitted: Company) -> None:
    moment = at(DUE) + timedelta(days=7)
    watch_notices(moment)
    assert len(late(submitted.ravi)) == 1

    submitted.sign("marcus")
    watch_notices(moment + timedelta(minutes=2))
    assert len(late(submitted.ravi)) == 1
    submitted.sign_all()
    watch_notices(moment + timedelta(minutes=4))

    assert late(submitted.ravi) == []


def test_version_sent_back_asks_for_nothing_any_more(submitted: Company) -> None:
    watch_notices(AT)
    assert "asked" in unread(submitted.marcus)

    request_changes(version=submitted.version, reason="Not yet.", actor=submitted.ravi, at=AT)
    watch_notices(AT)

    assert unread(submitted.marcus) == ["version"]


def test_mention_counts_as_read_once_it_was_answered(submitted: Company) -> None:
    common: dict[str, Any] = {"version": submitted.version, "part_kind": "term", "part_key": "arr", "at": AT}
    said = add_comment(thread=None, text="@marcus please look.", actor=submitted.nadia, **common)
    watch_notices(AT)
    assert "mention" in unread(submitted.marcus)

    add_comment(thread=said, text="I did.", actor=submitted.marcus, **common)
    watch_notices(AT)

    assert "mention" not in unread(submitted.marcus)


# Old ones


def test_old_notices_are_deleted_but_for_what_is_owed_or_still_waits(submitted: Company, settings: Any) -> None:
    settings.NOTIFICATION_KEEP_DAYS = 30
    watch_notices(AT)
    later = AT + timedelta(days=31)
    news = News(Kind.VERSION, "activated:x", "v0 is in force", "", "/")
    notify([(submitted.nadia.pk, news), (submitted.leah.pk, news)], at=AT)
    notify([(submitted.leah.pk, News(Kind.VERSION, "activated:y", "v1 is in force", "", "/"))], at=later)
    Notification.objects.exclude(person=submitted.leah, occurrence="activated:x").update(mail_state="muted")

    assert delete_old_notices(later) == 1
    assert delete_old_notices(later) == 0

    assert "v0 is in force" not in told(submitted.nadia)  # mailed or muted long ago
    assert told(submitted.leah) == ["v0 is in force", "v1 is in force"]  # mail is owed; it is new
    assert told(submitted.marcus, Kind.ASKED)  # it still waits: deleted, it would be told again
    before = Notification.objects.count()
    watch_notices(AT)
    assert Notification.objects.count() == before


# Meetings


def test_whoever_owes_homework_is_reminded_the_day_before_the_meeting(company: Company) -> None:
    framework, ravi = company.version.framework, company.ravi
    first = plan_meeting(
        framework=framework,
        plan=plan_of(company, people=[company.marcus, company.nadia], starts_at=AT + timedelta(days=5)),
        actor=ravi,
        at=AT,
    )
    give_homework(meeting=first, text="Bring the ARR list.", assignee=company.marcus, due_on=DUE, actor=ravi, at=AT)
    begins = first.starts_at

    watch_notices(begins - timedelta(days=1, minutes=1))
    assert told(company.marcus, Kind.REMINDER) == []
    deliver(begins - timedelta(days=1))
    watch_notices(begins - timedelta(hours=23))
    watch_notices(begins - timedelta(hours=22))

    row = Notification.objects.get(person=company.marcus, kind=Kind.REMINDER)
    assert row.subject.startswith(f"{first} of {framework.name} begins on ")
    assert row.text == "Your homework is still open: Bring the ARR list."
    assert row.url.endswith("#homework-h")
    assert told(company.nadia, Kind.REMINDER) == []
    (mailed,) = deliver(begins - timedelta(hours=20))
    assert "Bring the ARR list." in mailed.body

    settle_homework(homework=first.homework.get(), to="done", actor=company.marcus, at=begins - timedelta(hours=2))
    watch_notices(begins - timedelta(hours=1))
    assert unread(company.marcus) == []


def test_homework_is_asked_reminded_and_escalated_to_whoever_gave_it(company: Company) -> None:
    plan = plan_of(company, people=[company.marcus], starts_at=AT + timedelta(days=60))
    meeting = plan_meeting(framework=company.version.framework, plan=plan, actor=company.ravi, at=AT)
    given = give_homework(
        meeting=meeting, text="Bring the list.", assignee=company.marcus, due_on=DUE, actor=company.ravi, at=AT
    )

    for days in (0, 10, 13, 14, 19, 20):
        watch_notices(AT + timedelta(days=days))

    title = f"Homework from {meeting} of Customer segmentation"
    late = [f"Due on 4 Dec 2026: {title}", f"Due today: {title}", f"Overdue since 4 Dec 2026: {title}"]
    assert told(company.marcus) == [title, *late]
    assert told(company.ravi, Kind.ESCALATION) == [f"Long overdue: {title}"]
    assert told(company.nadia) == []
    settle_homework(homework=given, to="done", actor=company.marcus, at=AT + timedelta(days=22))
    watch_notices(AT + timedelta(days=22))
    assert unread(company.marcus) == unread(company.ravi) == []


def test_parts_given_to_somebody_together_are_told_as_one(company: Company) -> None:
    framework = company.version.framework
    parts = sorted(company.version.parts.filter(kind="term").values_list("kind", "key"))[:3]
    assign_resolver(
        framework=framework, parts=parts, person=company.marcus, source_key="", due_on=DUE, actor=company.ravi, at=AT
    )

    watch_notices(AT)
    watch_notices(AT + timedelta(days=13))

    (asked,) = told(company.marcus, Kind.ASKED)
    assert asked.startswith("Settle ")
    assert asked.endswith(f" and {len(parts) - 1} more")
    assert told(company.marcus, Kind.REMINDER) == [f"Due today: {asked}"]


def test_meeting_left_open_reminds_whoever_planned_it(company: Company) -> None:
    plan = plan_of(company, people=[company.marcus], starts_at=AT)
    meeting = plan_meeting(
        framework=company.version.framework, plan=plan, actor=company.ravi, at=AT - timedelta(days=1)
    )

    watch_notices(AT + timedelta(hours=23))
    assert told(company.ravi) == []
    watch_notices(AT + timedelta(days=1))
    watch_notices(AT + timedelta(days=20))

    title = f"Close {meeting} of Customer segmentation"
    assert [each for each in told(company.ravi) if "Long" not in each] == [title, f"Overdue since 24 Nov 2026: {title}"]
