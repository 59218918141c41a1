"""Comments by API: threads on parts, replies, mentions, settling what was read; and every refusal without a trace."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frameworks.models import Comment, Mention, User
from frameworks.querysets import mentions_waiting_for
from frameworks.roles import Role
from frameworks.services.discussion import add_comment, resolve_thread
from governance.models import AuditEntry, IdempotencyKey
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import AT, LATER, Company

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def speaker(company: Company) -> Api:
    """A token whose owner may comment, and edits no draft."""
    owner = make_service("bot@example.com", Role.SALES_LEAD)
    return Api(make_token(owner, "frameworks:read", "comments:write"), Client())


@pytest.fixture
def root(company: Company) -> str:
    return f"/api/v1/framework-versions/{company.version.uuid}/comments"


def state() -> tuple[Any, ...]:
    settled = list(Comment.objects.order_by("pk").values_list("pk", "resolved_at"))
    return (settled, *(model.objects.count() for model in (Mention, AuditEntry, IdempotencyKey)))


def say(company: Company, words: str, thread: Comment | None = None, key: str = "arr") -> Comment:
    return add_comment(
        version=company.version,
        part_kind="term" if key else "",
        part_key=key,
        thread=thread,
        text=words,
        actor=company.priya,
        at=AT,
    )


def test_thread_is_opened_replied_to_and_settled(company: Company, speaker: Api, root: str) -> None:
    asked = {"text": "@Marcus, is it so?\nReally?", "part_kind": "term", "part_key": "arr"}

    made = speaker.post(root, asked)
    place = f"{root}/{made.json()['id']}"
    replied = speaker.post(f"{place}/replies", {"text": "@Nadia too."})
    resolved = speaker.post(f"{place}/resolve", {}, **{"If-Match": replied["ETag"]})
    reopened = speaker.post(f"{place}/reopen", {}, **{"If-Match": resolved["ETag"]})

    assert [each.status_code for each in (made, replied, resolved, reopened)] == [201, 201, 200, 200]
    said = made.json()
    assert (said["text"], said["author"], said["called"], said["part_key"], said["resolved_at"]) == (
        asked["text"], "CRM sync", ["Marcus"], "arr", None,
    )  # fmt: skip
    assert [(each["text"], each["called"]) for each in replied.json()["replies"]] == [("@Nadia too.", ["Nadia"])]
    assert (resolved.json()["resolved_by"], reopened.json()["resolved_by"]) == ("CRM sync", None)
    assert len({each["ETag"] for each in (made, replied, resolved)}) == 3
    assert speaker.get(place)["ETag"] == reopened["ETag"]
    assert mentions_waiting_for(company.marcus).count() == 1


def test_threads_are_listed_in_pages_and_narrowed(company: Company, speaker: Api, root: str) -> None:
    first, second, whole = say(company, "One"), say(company, "Two", key="account"), say(company, "Three", key="")
    say(company, "Reply", thread=first)
    resolve_thread(thread=second, actor=company.priya, at=LATER)

    def texts(query: str) -> list[str]:
        return [each["text"] for each in speaker.get(f"{root}?{query}").json()["data"]]

    page = speaker.get(f"{root}?limit=2").json()
    rest = speaker.get(f"{root}?limit=2&cursor={page['page']['next_cursor']}").json()
    assert [each["id"] for each in (*page["data"], *rest["data"])] == [str(e.uuid) for e in (first, second, whole)]
    assert rest["page"]["has_more"] is False
    assert texts("state=open") == ["One", "Three"]
    assert texts("state=resolved") == ["Two"]
    assert texts("part_kind=term&part_key=account") == ["Two"]
    assert [speaker.get(f"{root}?{wrong}").status_code for wrong in ("state=x", "part_kind=x", "a=b", "cursor=x")] == [
        422, 422, 422, 400,
    ]  # fmt: skip


def test_list_takes_as_many_queries_for_many_threads(company: Company, speaker: Api, root: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            speaker.get(root)
        return len(captured)

    say(company, "@Marcus", thread=say(company, "One"))
    queries()
    one = queries()
    for number in range(2):
        say(company, "@Nadia @Marcus", thread=say(company, f"More {number}"))

    assert queries() <= one


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"text": ""}, 422),
        ({"text": "x" * 5001}, 422),
        ({"text": "a\u0000b"}, 422),
        ({"text": 1}, 422),
        ({"text": "Hm.", "part_kind": "term"}, 422),
        ({"text": "Hm.", "part_key": "arr"}, 422),
        ({"text": "Hm.", "part_kind": "nothing", "part_key": "arr"}, 422),
        ({"text": "Hm.", "part_kind": "term", "part_key": "nothing"}, 422),
        ({"text": "Hm.", "author": "Priya"}, 422),
    ],
)
def test_comment_that_cannot_be_made_leaves_no_trace(
    speaker: Api, root: str, body: dict[str, Any], status: int
) -> None:
    before = state()

    assert speaker.post(root, body).status_code == status
    assert state() == before


@pytest.mark.parametrize(("etag", "status"), [(None, 428), ('"' + "0" * 64 + '"', 412), ("*", 400)])
def test_settling_what_was_not_read_changes_nothing(
    company: Company, speaker: Api, root: str, etag: str | None, status: int
) -> None:
    thread = speaker.post(root, {"text": "Unclear."}).json()["id"]
    headers = {"If-Match": etag} if etag else {}
    before = state()

    answers = [speaker.post(f"{root}/{thread}/{act}", {}, **headers) for act in ("resolve", "reopen")]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert state() == before


def test_reply_since_it_was_read_keeps_a_thread_open(company: Company, speaker: Api, root: str) -> None:
    made = speaker.post(root, {"text": "Unclear."})
    say(company, "Wait.", thread=Comment.objects.get())
    before = state()

    answer = speaker.post(f"{root}/{made.json()['id']}/resolve", {}, **{"If-Match": made["ETag"]})

    assert (answer.status_code, answer["ETag"] != made["ETag"]) == (412, True)
    assert state() == before


def test_thread_of_another_is_not_resolved_by_who_edits_no_draft(company: Company, speaker: Api, root: str) -> None:
    thread = say(company, "Unclear.")
    etag = speaker.get(f"{root}/{thread.uuid}")["ETag"]
    before = state()

    answers = [
        speaker.post(f"{root}/{thread.uuid}/resolve", {}, **{"If-Match": etag}),
        speaker.post(f"{root}/{thread.uuid}/reopen", {}, **{"If-Match": etag}),
    ]

    assert [answer.status_code for answer in answers] == [403, 409]
    assert state() == before


def test_token_without_scope_or_right_says_nothing(company: Company, root: str) -> None:
    reader = Api(make_token(make_service("reader@example.com", Role.ARCHITECT), "frameworks:read"), Client())
    owner = make_service("was@example.com", Role.ARCHITECT)
    was = Api(make_token(owner, "comments:write"), Client())
    owner.groups.clear()
    thread = say(company, "Unclear.")
    before = state()

    answers = [
        each.post(f"{root}{place}", {"text": "Me too."}, **{"If-Match": '"x"'})
        for each in (reader, was)
        for place in ("", f"/{thread.uuid}/replies", f"/{thread.uuid}/resolve", f"/{thread.uuid}/reopen")
    ]

    assert {(answer.status_code, answer.json()["errors"][0]["code"]) for answer in answers} == {
        (403, "insufficient_scope")
    }
    assert state() == before
    assert reader.get(root).status_code == 200
    assert was.get(root).status_code == 403


def test_thread_that_is_not_of_this_version_is_not_found(company: Company, speaker: Api, root: str) -> None:
    reply = say(company, "Reply", thread=say(company, "One"))
    before = state()

    for thread in (NOWHERE, reply.uuid):
        assert speaker.get(f"{root}/{thread}").status_code == 404
        assert speaker.post(f"{root}/{thread}/replies", {"text": "Hm."}).status_code == 404
        assert speaker.post(f"{root}/{thread}/resolve", {}, **{"If-Match": '"x"'}).status_code == 404
    assert speaker.get(f"/api/v1/framework-versions/{NOWHERE}/comments").status_code == 404
    assert state() == before


def test_repeated_comment_is_said_once(speaker: Api, root: str) -> None:
    first, again = (speaker.post(root, {"text": "Once."}, **{"Idempotency-Key": "a"}) for _ in range(2))

    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert Comment.objects.count() == 1
    assert User.objects.get(email="bot@example.com") == Comment.objects.get().author
