"""The pages of governance: who sees what, what is refused with which status, and how many queries it takes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, Override
from frameworks.models import FrameworkVersion, User
from governance import navigation
from governance.first_page import first_steps, waits_of
from governance.models import AuditEntry, Decision, OverrideRequest
from governance.services.account_inbox import decidable_by
from governance.services.inbox import waiting_for
from governance.services.requests import decide_override
from tests.governance.makers import AT, REASON, ask, make_account

State = OverrideRequest.State
NOW = AT + timedelta(hours=1)


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sign_in(client: Client) -> Callable[[User], Client]:
    def as_person(user: User) -> Client:
        client.force_login(user)
        return client

    return as_person


def page(request: OverrideRequest) -> str:
    return reverse("governance:request_detail", args=[request.uuid])


def unchanged(request: OverrideRequest) -> bool:
    request.refresh_from_db()
    return (request.state, request.version, Decision.objects.count()) == (State.SUBMITTED, 1, 0)


def decision(request: OverrideRequest, verdict: str = "approve", **changes: Any) -> dict[str, Any]:
    return {"verdict": verdict, "reason": "Fits.", "expected_version": request.version} | changes


@pytest.mark.parametrize(
    "name", ["inbox", "request_list", "audit_log", "audit_verification", "audit_csv", "help", "palette"]
)
def test_page_sends_strangers_to_the_log_in(client, db, name):
    answer = client.get(reverse(f"governance:{name}"))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/")


# Inbox


def test_inbox_of_cs_ops_lists_the_decision(sign_in, people, request_by_leah):
    text = sign_in(people.dana).get("/").content.decode()

    assert "Override: Castellan Freight to Mid_Market" in text
    assert "1 thing" in text


def test_inbox_writes_a_day_without_a_leading_zero(sign_in, people, request_by_leah):
    request_by_leah.valid_until = datetime(2027, 2, 4, tzinfo=UTC)
    request_by_leah.save()

    assert "until 4 Feb 2027." in sign_in(people.dana).get("/").content.decode()


def test_inbox_of_the_requester_says_whom_they_wait_for(sign_in, people, request_by_leah):
    text = sign_in(people.leah).get("/").content.decode()

    assert "CS Ops decides next" in text
    assert "Nothing waits for you" in text


def test_decision_waits_for_one_role_after_the_other(account, model, people):
    request = ask(account, model, people.leah, segment=model.enterprise)
    assert (decidable_by(people.dana), decidable_by(people.owen)) == ([request], [])

    decide_override(request=request, verdict="approve", reason="", actor=people.dana, at=NOW)

    assert (decidable_by(people.dana), decidable_by(people.owen)) == ([], [request])
    assert waits_of(people.leah)[0].on == "Deal Desk"


def test_own_request_does_not_wait_for_oneself(account, model, people):
    ask(account, model, people.dana)

    assert waiting_for(people.dana, NOW) == []


def test_inbox_takes_as_many_queries_for_three_as_for_one(
    sign_in, people, model, request_by_leah, django_assert_max_num_queries, django_assert_num_queries
):
    browser = sign_in(people.dana)
    browser.get("/")
    with django_assert_max_num_queries(40) as one:
        browser.get("/")
    for name in ("Second", "Third"):
        ask(make_account(model, people.leah, name), model, people.leah)

    with django_assert_num_queries(len(one.captured_queries)):
        browser.get("/")


def test_first_steps_lead_to_an_active_version(db, people):
    assert [step.is_done for step in first_steps()] == [False] * 5


def test_inbox_of_an_empty_installation_leads_to_the_first_step(sign_in, people):
    text = sign_in(people.ravi).get("/").content.decode()

    assert "First steps" in text
    assert reverse("accounts:import_list") in text


def test_first_steps_end_with_an_active_version(model):
    assert first_steps() == []


def test_approved_version_waits_for_who_may_activate(model, people):
    FrameworkVersion.objects.create(
        framework=model.framework, number=2, author=people.dana, state=FrameworkVersion.State.APPROVED
    )

    assert [item.title for item in waiting_for(people.ravi, NOW)] == ["Activate v2 of Customers"]
    assert waiting_for(people.leah, NOW) == []


# Requests


def test_list_filters_by_state_owner_and_age(sign_in, people, request_by_leah):
    browser, path = sign_in(people.leah), reverse("governance:request_list")

    def shows(query: str) -> bool:
        return "Castellan Freight" in browser.get(f"{path}?{query}").content.decode()

    assert [shows(query) for query in ("", "whose=mine", "whose=book", "state=all", "state=submitted")] == [True] * 5
    assert [shows(query) for query in ("state=closed", "age=1", "state=nonsense", "dimension=x")] == [False] * 4


def test_list_takes_as_many_queries_for_three_as_for_one(
    sign_in, people, model, request_by_leah, django_assert_max_num_queries, django_assert_num_queries
):
    browser, path = sign_in(people.dana), reverse("governance:request_list")
    browser.get(path)
    with django_assert_max_num_queries(25) as one:
        browser.get(path)
    for name in ("Second", "Third"):
        ask(make_account(model, people.leah, name), model, people.leah)

    with django_assert_num_queries(len(one.captured_queries)):
        browser.get(path)


def test_detail_offers_the_decision_to_cs_ops_only(sign_in, people, request_by_leah):
    assert 'data-dialog="#approve"' in sign_in(people.dana).get(page(request_by_leah)).content.decode()
    assert 'data-dialog="#approve"' not in sign_in(people.leah).get(page(request_by_leah)).content.decode()


def test_detail_says_why_the_button_is_disabled(sign_in, people, account, model):
    own = ask(account, model, people.dana)

    text = sign_in(people.dana).get(page(own)).content.decode()

    assert "You asked for this override, so somebody else decides it." in text
    assert 'aria-describedby="why-not"' in text


def test_approval_on_the_page_grants_the_override(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post(f"{page(request_by_leah)}decide/", decision(request_by_leah), follow=True)

    assert "Approved; the assignment follows" in answer.content.decode()
    assert Override.objects.count() == 1
    assert 'data-dialog="#revoke"' in answer.content.decode()


def test_own_request_is_refused_with_403_and_the_reason(sign_in, people, account, model):
    own = ask(account, model, people.dana)

    answer = sign_in(people.dana).post(f"{page(own)}decide/", decision(own))

    assert answer.status_code == 403
    assert "You asked for this override" in answer.content.decode()
    assert unchanged(own)


def test_stale_page_is_refused_with_409(sign_in, people, request_by_leah):
    answer = sign_in(people.dana).post(f"{page(request_by_leah)}decide/", decision(request_by_leah, expected_version=7))

    assert answer.status_code == 409
    assert unchanged(request_by_leah)


@pytest.mark.parametrize("changes", [{"verdict": "reject", "reason": ""}, {"verdict": "maybe"}, {"reason": "a\x00b"}])
def test_decision_without_sense_is_refused_with_422(sign_in, people, request_by_leah, changes):
    answer = sign_in(people.dana).post(f"{page(request_by_leah)}decide/", decision(request_by_leah, **changes))

    assert answer.status_code == 422
    assert unchanged(request_by_leah)


@pytest.mark.parametrize("act", ["decide", "withdraw", "revoke"])
def test_get_on_an_act_is_405_and_changes_nothing(sign_in, people, request_by_leah, act):
    assert sign_in(people.dana).get(f"{page(request_by_leah)}{act}/", decision(request_by_leah)).status_code == 405
    assert unchanged(request_by_leah)


def test_requester_withdraws_on_the_page(sign_in, people, request_by_leah):
    sign_in(people.leah).post(f"{page(request_by_leah)}withdraw/")

    request_by_leah.refresh_from_db()
    assert request_by_leah.state == State.WITHDRAWN


def test_override_is_revoked_on_the_page(sign_in, people, request_by_leah):
    browser = sign_in(people.dana)
    browser.post(f"{page(request_by_leah)}decide/", decision(request_by_leah))

    short = browser.post(f"{page(request_by_leah)}revoke/", {"reason": "no"})
    assert (short.status_code, Override.objects.get().ended_at) == (422, None)

    browser.post(f"{page(request_by_leah)}revoke/", {"reason": "The rollout was cancelled."})
    assert Override.objects.get().ending == Override.Ending.REVOKED


# Asking


def asked(model: Any, **changes: Any) -> dict[str, Any]:
    wanted = {
        "segment": model.mid_market.pk,
        "reason_code": "strategic",
        "reason": REASON,
        "evidence": "",
        "start_on": "",
        "end_on": "2027-01-31",
    }
    return wanted | changes


def form_of(account: Account) -> str:
    return reverse("governance:override_request", args=[account.uuid])


def test_csm_asks_for_an_override_of_their_account(sign_in, people, account, model):
    answer = sign_in(people.leah).post(form_of(account), asked(model), follow=True)

    request = OverrideRequest.objects.get()
    assert "Sent. CS Ops decides next." in answer.content.decode()
    assert (request.requested_by, request.segment, request.valid_from) == (people.leah, model.mid_market, NOW)
    assert request.valid_until.isoformat() == "2027-01-31T00:00:00+00:00"


def test_csm_of_another_book_sees_why_not_and_cannot_post(sign_in, people, account, model):
    browser = sign_in(people.jonas)

    assert "own book" in browser.get(form_of(account)).content.decode()
    assert browser.post(form_of(account), asked(model)).status_code == 403
    assert not OverrideRequest.objects.exists()


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"reason": "x"}, 422, "15 visible characters"),
        ({"end_on": ""}, 422, "This field is required"),
        ({"end_on": "2026-01-01"}, 422, "past"),
        ({"end_on": "2028-01-01"}, 422, "12 months"),
        ({"segment": 999_999}, 422, "Select a valid choice"),
        ({"reason_code": "whim"}, 422, "Select a valid choice"),
    ],
)
def test_request_with_bad_values_stays_on_the_form(sign_in, people, account, model, changes, status, words):
    answer = sign_in(people.leah).post(form_of(account), asked(model, **changes))

    assert answer.status_code == status
    assert words in answer.content.decode()
    assert not OverrideRequest.objects.exists()


def test_second_request_is_409_and_names_the_first(sign_in, people, account, model, request_by_leah):
    answer = sign_in(people.leah).post(form_of(account), asked(model))

    assert answer.status_code == 409
    assert str(request_by_leah.uuid) in answer.content.decode()


def test_request_for_a_deleted_account_is_404(sign_in, people, account, model):
    Account.objects.filter(pk=account.pk).update(deleted_at=AT)

    assert sign_in(people.leah).post(form_of(account), asked(model)).status_code == 404


# On the account's page


def test_account_page_shows_the_open_request(sign_in, people, account, request_by_leah):
    text = sign_in(people.leah).get(reverse("accounts:account_detail", args=[account.uuid])).content.decode()

    assert "CS Ops decides next" in text
    assert page(request_by_leah) in text


def test_account_page_shows_the_override_beside_the_rules(sign_in, people, account, request_by_leah):
    decide_override(request=request_by_leah, verdict="approve", reason="", actor=people.dana, at=AT)

    text = sign_in(people.leah).get(reverse("accounts:account_detail", args=[account.uuid])).content.decode()

    assert "Mid_Market by override until 30 Jan 2027" in text
    assert "By the rules it would be Smb." in text
    assert "Asked by Leah Kim, approved by Dana Whitfield (CS Ops)." in text


# Audit


def test_audit_log_is_for_readers_only(sign_in, people):
    names = ("audit_log", "audit_verification", "audit_csv")

    assert [sign_in(people.leah).get(reverse(f"governance:{name}")).status_code for name in names] == [403] * 3
    assert [sign_in(people.ines).get(reverse(f"governance:{name}")).status_code for name in names] == [200] * 3


def test_audit_log_finds_by_text_act_and_day(sign_in, people, request_by_leah):
    browser, path = sign_in(people.ines), reverse("governance:audit_log")

    def shows(query: str) -> bool:
        return "<td>Leah Kim</td>" in " ".join(browser.get(f"{path}?{query}").content.decode().split())

    assert [shows(q) for q in ("", "q=leah", "action=override.requested", "since=2026-11-21", "until=2026-11-21")] == [
        True
    ] * 5
    assert [shows(q) for q in ("q=nobody", "since=2026-11-22", "until=2026-11-20", "before=1")] == [False] * 4


def test_audit_log_asks_the_same_for_one_entry_and_for_three(sign_in, people, request_by_leah):
    browser, counts = sign_in(people.ines), []
    entry = AuditEntry.objects.get()
    for seqs in ((), (2, 3)):
        for entry.seq in seqs:
            fields = {field.attname: getattr(entry, field.attname) for field in AuditEntry._meta.fields}
            AuditEntry.objects.bulk_create([AuditEntry(**fields)])
        browser.get(reverse("governance:audit_log"))
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("governance:audit_log"))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_audit_log_reads_older_pages_by_number(sign_in, people, request_by_leah):
    entry = AuditEntry.objects.get()
    rows = []
    for seq in range(2, 61):
        entry.seq = seq
        rows.append(AuditEntry(**{field.attname: getattr(entry, field.attname) for field in AuditEntry._meta.fields}))
    AuditEntry.objects.bulk_create(rows)

    text = sign_in(people.ines).get(reverse("governance:audit_log")).content.decode()

    assert "?before=11" in text


def test_verification_says_sound_and_what_is_not(sign_in, people, request_by_leah):
    browser, path = sign_in(people.ines), reverse("governance:audit_verification")
    assert "<b>Sound.</b>" in browser.get(path).content.decode()

    AuditEntry.objects.bulk_create([_forged()])

    assert "lies beyond the head" in browser.get(path).content.decode()


def _forged() -> AuditEntry:
    return AuditEntry(
        seq=2, at=AT, actor_name="x", actor_kind="system", action="x", object_type="x", object_id="x", object_label="x"
    )


def test_csv_keeps_words_from_becoming_formulas(sign_in, people, account, model):
    ask(account, model, people.leah, reason="=HYPERLINK(1) is why we ask")

    answer = sign_in(people.ines).get(reverse("governance:audit_csv"))

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("seq,at,actor_name")
    assert "'=HYPERLINK(1) is why we ask" in lines[1]


# Help, palette, navigation


def test_help_shows_segments_and_reasons_of_the_active_version(sign_in, people, model):
    text = sign_in(people.leah).get("/help/").content.decode()

    assert "Customer Tier" in text
    assert "Strategic relationship" in text


def test_help_without_a_version_says_so(sign_in, people):
    assert "No version is active yet" in sign_in(people.leah).get("/help/").content.decode()


def test_palette_finds_accounts_versions_and_pages(sign_in, people, account):
    browser = sign_in(people.leah)

    def found(text: str) -> list[tuple[str, str]]:
        return [(row["label"], row["kind"]) for row in browser.get("/palette/", {"q": text}).json()]

    assert found("castel") == [("Castellan Freight", "Account")]
    assert found("FREIGHT") == [("Castellan Freight", "Account")]
    assert ("Customers v1 (active)", "Version") in found("custom")
    assert ("Requests", "Page") in found("reque")
    assert found("audit") == []
    assert found("") == []
    assert found("\x00") == []


def test_palette_leaves_out_what_the_person_may_not_open(sign_in, people):
    labels = [row["label"] for row in sign_in(people.ines).get("/palette/", {"q": "audit"}).json()]

    assert labels == ["Audit"]


def test_navigation_counts_open_requests(people, request_by_leah):
    assert navigation.open_requests(people.dana) == 1
