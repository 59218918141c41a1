"""Comments on parts: threads, people called in, resolving, carrying over; and who may not."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.mentions import Mentionable, mentioned
from frameworks.models import Comment, Mention, User
from frameworks.querysets import ancestors, mentions_waiting_for, threads_on
from frameworks.services.activation import flip_active_version
from frameworks.services.discussion import add_comment, note_mentions, reopen_thread, resolve_thread
from frameworks.services.drafting import start_draft
from frameworks.services.review import reject
from governance.models import AuditEntry
from governance.services.inbox import waiting_for
from tests.frameworks.making import AT, LATER, Company
from tests.frameworks.pages import text, url

PEOPLE = [
    Mentionable(1, "Ines Duarte", "ines.duarte@x.example"),
    Mentionable(2, "Ines Maria Sol", "sol@x.example"),
    Mentionable(3, "Owen Blake", "owen.blake@x.example"),
]


def say(company: Company, words: str, *, by: str = "priya", thread: Comment | None = None, part: Any = None) -> Comment:
    kind, key = part or ("term", "arr")
    return add_comment(
        version=company.version,
        part_kind=kind,
        part_key=key,
        thread=thread,
        text=words,
        actor=company.people[by],
        at=AT,
    )


def trace() -> tuple[int, int, int]:
    return (Comment.objects.count(), Mention.objects.count(), AuditEntry.objects.count())


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ("@Ines Duarte, is this right?", [1]),
        ("@ines is two people", []),
        ("(@owen) and @Ines Maria Sol", [2, 3]),
        ("@owen.blake@x.example please", [3]),
        ("write to owen@x.example, or a@owen", []),
        ("@Owenburg is no person", []),
        ("@sol!", [2]),
        ("", []),
    ],
)
def test_people_are_called_by_name_first_name_or_address(words: str, called: list[int]) -> None:
    assert mentioned(words, PEOPLE) == called


def test_comment_stands_on_its_part_and_is_audited(company: Company) -> None:
    before = AuditEntry.objects.count()

    comment = say(company, " Usage is not recurring. ")

    assert (comment.text, comment.part_kind, comment.part_key, comment.printed_name) == (
        "Usage is not recurring.", "term", "arr", "Priya",
    )  # fmt: skip
    assert AuditEntry.objects.count() == before + 1
    assert AuditEntry.objects.latest("seq").action == "comment.added"


def test_mention_waits_in_the_inbox_until_it_is_answered(company: Company) -> None:
    thread = say(company, "@Marcus, do you agree?")
    assert [item.title for item in waiting_for(company.marcus, AT)] == ["Priya asks you about definition ARR"]

    say(company, "I do.", by="marcus", thread=thread)

    assert waiting_for(company.marcus, AT) == []


def test_mention_is_noted_by_the_person_alone(company: Company) -> None:
    thread = say(company, "@Marcus and @Nadia")

    assert note_mentions(thread=thread, actor=company.marcus, at=LATER) == 1

    assert not mentions_waiting_for(company.marcus).exists()
    assert mentions_waiting_for(company.nadia).count() == 1


def test_mention_in_a_resolved_thread_no_longer_waits(company: Company) -> None:
    thread = say(company, "@Marcus?")
    resolve_thread(thread=thread, actor=company.priya, at=LATER)

    assert not mentions_waiting_for(company.marcus).exists()


def test_inactive_people_and_oneself_are_not_called(company: Company) -> None:
    User.objects.filter(pk=company.nadia.pk).update(is_active=False)

    say(company, "@Nadia @Priya")

    assert not Mention.objects.exists()


@pytest.mark.parametrize("name", ["leah"])
def test_comment_by_csm_is_refused(company: Company, name: str) -> None:
    before = trace()

    with pytest.raises(NotAllowedError):
        say(company, "Me too.", by=name)

    assert trace() == before


@pytest.mark.parametrize("words", ["", "   ", "x" * 5001])
def test_comment_without_words_or_with_too_many_is_refused(company: Company, words: str) -> None:
    before = trace()
    with pytest.raises(InvalidError):
        say(company, words)
    assert trace() == before


def test_comment_on_a_part_that_is_not_there_is_refused(company: Company) -> None:
    before = trace()
    with pytest.raises(InvalidError):
        say(company, "What?", part=("term", "nothing"))
    assert trace() == before


def test_thread_is_resolved_by_its_author_or_an_editor_and_reopened_by_others(company: Company) -> None:
    thread = say(company, "Unclear.")
    with pytest.raises(NotAllowedError):
        resolve_thread(thread=thread, actor=company.marcus, at=AT)
    assert not Comment.objects.get(pk=thread.pk).is_resolved

    resolve_thread(thread=thread, actor=company.ravi, at=LATER)
    with pytest.raises(ConflictError):
        resolve_thread(thread=thread, actor=company.ravi, at=LATER)
    reopen_thread(thread=thread, actor=company.marcus, at=LATER)

    assert not Comment.objects.get(pk=thread.pk).is_resolved


def test_reply_cannot_be_resolved(company: Company) -> None:
    reply = say(company, "Yes.", thread=say(company, "Unclear."))
    with pytest.raises(ConflictError):
        resolve_thread(thread=reply, actor=company.ravi, at=AT)


def test_open_threads_are_carried_to_the_next_version_and_resolved_ones_stay(company: Company) -> None:
    is_open, settled = say(company, "Open."), say(company, "Settled.")
    resolve_thread(thread=settled, actor=company.priya, at=AT)
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    old, company.version = (
        company.version,
        start_draft(framework=company.version.framework, actor=company.ravi, at=LATER),
    )

    assert set(threads_on(old)) == {is_open, settled}
    assert list(threads_on(company.version)) == [is_open]
    reply = say(company, "Settled now.", thread=is_open, by="marcus")
    assert (reply.version, reply.part_key) == (company.version, "arr")
    resolve_thread(thread=is_open, actor=company.priya, at=timezone.now())
    assert list(threads_on(company.version)) == [is_open]


def test_thread_of_a_draft_is_not_carried_to_a_sibling_that_does_not_come_from_it(company: Company) -> None:
    on_first = say(company, "On v0.")
    company.submit()
    company.sign_all()
    first = company.version
    flip_active_version(version=first, actor=company.priya, at=AT)
    second = start_draft(framework=first.framework, actor=company.ravi, at=LATER)
    company.version = second
    on_second = say(company, "On v1.")
    third = start_draft(framework=first.framework, actor=company.ravi, at=LATER)

    assert (set(threads_on(second)), set(threads_on(third))) == ({on_first, on_second}, {on_first})
    assert (ancestors(second), ancestors(third)) == ([first.pk], [first.pk])


def test_thread_is_carried_from_the_version_before_where_nothing_was_in_force(company: Company) -> None:
    said = say(company, "On v0.")
    company.submit()
    reject(version=company.version, actor=company.priya, at=AT, reason="Begin again.")

    again = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)

    assert (again.base_version, list(threads_on(again))) == (None, [said])


@pytest.mark.parametrize("change", ["UPDATE frameworks_comment SET text = 'Other'", "DELETE FROM frameworks_comment"])
def test_words_are_kept_by_the_database(company: Company, change: str) -> None:
    comment = say(company, "As said.")

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)

    assert Comment.objects.get(pk=comment.pk).text == "As said."


# Pages


def test_comment_reply_resolve_and_reopen_by_page(company: Company, login: Any) -> None:
    page = login(company.priya)
    assert page.post(url(company, "comment_add"), {"part": "term/arr", "text": "@Marcus why?"}).status_code == 302
    thread = Comment.objects.get()
    page.post(url(company, "comment_add"), {"thread": str(thread.uuid), "text": "Still waiting."})

    said = text(page.get(url(company, "version_detail"), {"part": "term/arr"}))
    assert ("@Marcus" in said, "Still waiting." in said, "1 thread" in said) == (True, True, True)
    assert page.post(url(company, "thread_settle", thread=thread.uuid, to="resolve")).status_code == 302
    assert "Nothing is open" in text(page.get(url(company, "version_discussion")))
    assert "Still waiting." in text(page.get(url(company, "version_discussion"), {"show": "resolved"}))
    assert page.post(url(company, "thread_settle", thread=thread.uuid, to="reopen")).status_code == 302


def test_mentions_page_lists_what_waits_and_notes_it(company: Company, login: Any) -> None:
    thread = say(company, "@Marcus, look.")
    page = login(company.marcus)
    assert "Priya on definition ARR" in text(page.get("/mentions/"))

    page.post(url(company, "thread_settle", thread=thread.uuid, to="note"))

    assert "Nobody waits for you" in text(page.get("/mentions/"))


def test_comment_by_page_without_permission_is_refused(company: Company, login: Any) -> None:
    thread, before = say(company, "Unclear."), trace()
    page = login(company.leah)

    assert page.post(url(company, "comment_add"), {"part": "term/arr", "text": "Me too."}).status_code == 403
    assert page.post(url(company, "thread_settle", thread=thread.uuid, to="resolve")).status_code == 403
    assert "Reply" not in text(page.get(url(company, "version_discussion")))

    assert trace()[:2] == before[:2]
    assert not Comment.objects.get(pk=thread.pk).is_resolved


@pytest.mark.parametrize("form", [{"thread": "x"}, {"thread": "00000000-0000-4000-8000-000000000000"}])
def test_reply_in_no_thread_is_not_found(company: Company, login: Any, form: dict[str, str]) -> None:
    assert login(company.priya).post(url(company, "comment_add"), {**form, "text": "Hm."}).status_code == 404
    assert not Comment.objects.exists()


def test_answer_never_leads_to_another_site(company: Company, login: Any) -> None:
    form = {"part": "term/arr", "text": "Hm.", "next": "https://elsewhere.example/"}
    assert login(company.priya).post(url(company, "comment_add"), form)["Location"].startswith("/frameworks/main/")


def test_discussion_takes_the_same_queries_for_one_thread_and_for_three(company: Company, login: Any) -> None:
    page = login(company.leah)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page.get(url(company, "version_discussion"))
        return len(captured)

    say(company, "@Marcus", thread=say(company, "One"))
    queries()
    one = queries()
    for number in range(2):
        say(company, "@Nadia @Marcus", thread=say(company, f"More {number}"), by="marcus")

    assert queries() == one
