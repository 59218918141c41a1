"""Pages of meetings: what each person sees and may do there, bad input, and how many queries a list takes."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account
from governance.models import Homework, Meeting, MeetingDecision, PartResolver
from governance.services.homework import assign_resolver, give_homework
from governance.services.meetings import record_decision
from tests.frameworks.making import AT, Company
from tests.governance.test_meetings import DUE, closed, planned

FORM = {
    "kind": "kickoff",
    "start": "2026-11-30T14:30",
    "time_zone": "Europe/Berlin",
    "focus": "What segments are for",
    "agenda": "Questions\n\n  The draft ",
    "notes": "",
}


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


def as_(company: Company, name: str) -> Client:
    client = Client()
    client.force_login(company.people[name])
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"governance:{name}", args=["main", *args])


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_list_without_meetings_says_what_will_be_there_and_who_begins(company):
    assert "Plan the kickoff" in text_of(as_(company, "ravi"), url("meeting_list"))
    assert "RevOps or an architect plans the kickoff" in text_of(as_(company, "priya"), url("meeting_list"))


def test_only_framework_is_where_the_navigation_leads(company):
    response = as_(company, "priya").get(reverse("governance:meetings"))

    assert (response.status_code, response["Location"]) == (302, url("meeting_list"))


def test_meeting_is_planned_on_the_clock_of_its_zone(company):
    people = [company.priya.pk, company.marcus.pk]

    response = as_(company, "ravi").post(url("meeting_new"), {**FORM, "people": people})

    meeting = Meeting.objects.get()
    assert response["Location"] == url("meeting_detail", 1)
    assert (meeting.starts_at.isoformat(), meeting.time_zone) == ("2026-11-30T13:30:00+00:00", "Europe/Berlin")
    assert [item.text for item in meeting.agenda.all()] == ["Questions", "The draft"]
    assert "14:30 (Europe/Berlin)" in text_of(as_(company, "leah"), url("meeting_detail", 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "9999-12-31T23:59"},
        {"start": "yesterday"},
        {"start": ""},
        {"time_zone": "Mars"},
        {"focus": ""},
        {"focus": "x" * 301},
        {"kind": "party"},
        {"people": []},
        {"people": ["999999"]},
        {"people": ["x'; --"]},
    ],
)
def test_bad_form_plans_nothing_and_keeps_what_was_typed(company, changes):
    sent = {**FORM, "people": [company.priya.pk], "notes": "Bring figures.", **changes}

    response = as_(company, "ravi").post(url("meeting_new"), sent)

    assert response.status_code == 422
    assert "Bring figures." in response.content.decode()
    assert not Meeting.objects.exists()


def test_person_without_the_role_plans_nothing_by_the_form(company):
    response = as_(company, "priya").post(url("meeting_new"), {**FORM, "people": [company.priya.pk]})

    assert response.status_code == 403
    assert not Meeting.objects.exists()


def test_edit_form_shows_the_plan_and_saves_what_changed(company):
    meeting, ravi = planned(company), as_(company, "ravi")
    assert 'value="2026-11-21T11:00"' in text_of(ravi, url("meeting_edit", 1))

    ravi.post(url("meeting_edit", 1), {**FORM, "people": [company.nadia.pk], "focus": "Words", "revision": 1})

    meeting.refresh_from_db()
    assert (meeting.focus, [row.person for row in meeting.attendances.all()]) == ("Words", [company.nadia])


def test_stale_edit_form_gets_409_and_saves_nothing(company):
    meeting = planned(company)

    sent = {**FORM, "people": [company.nadia.pk], "focus": "Words", "revision": 7}
    response = as_(company, "ravi").post(url("meeting_edit", 1), sent)

    meeting.refresh_from_db()
    assert (response.status_code, meeting.focus) == (409, "What segments are for")


def test_meeting_is_closed_on_its_page_and_shows_what_it_left(company):
    planned(company)
    came = {f"came-{company.priya.pk}": "attended", f"came-{company.marcus.pk}": "absent"}

    response = as_(company, "ravi").post(url("meeting_close", 1), {**came, "notes": "Good."})

    assert response.status_code == 302
    page = text_of(as_(company, "leah"), url("meeting_detail", 1))
    assert "What it left" in page
    assert Meeting.objects.get().left_manifest[:12] in page
    assert "Absent" in page


@pytest.mark.parametrize("sent", [{}, {"came": "attended"}, {"notes": "x" * 8_001}])
def test_closing_without_a_word_about_everybody_closes_nothing(company, sent):
    planned(company)

    response = as_(company, "ravi").post(url("meeting_close", 1), sent)

    assert (response.status_code, Meeting.objects.get().state) == (422, "planned")


def test_closing_twice_gets_409(company):
    closed(company, planned(company))
    came = {f"came-{company.priya.pk}": "absent", f"came-{company.marcus.pk}": "absent"}

    response = as_(company, "ravi").post(url("meeting_close", 1), came)

    assert response.status_code == 409
    assert {row.state for row in Meeting.objects.get().attendances.all()} == {"attended"}


@pytest.mark.parametrize(
    ("name", "args", "sent"),
    [
        ("meeting_close", [1], {}),
        ("meeting_cancel", [1], {"reason": "No."}),
        ("decision_add", [1], {"d-text": "Yes."}),
        ("homework_add", [1], {"h-text": "Read.", "h-due_on": "2026-12-04"}),
        ("remark_add", [1], {"r-text": "Hello."}),
        ("resolver_assign", [], {"part": "term/arr", "due_on": "2026-12-04"}),
    ],
)
def test_csm_who_is_not_invited_changes_nothing(company, name, args, sent):
    planned(company)
    leah = company.leah.pk

    answer = as_(company, "leah").post(
        url(name, *args), {**sent, "d-decided_by": leah, "h-assignee": leah, "person": leah}
    )

    meeting = Meeting.objects.get()
    assert answer.status_code in (403, 422)
    assert (meeting.state, meeting.decisions.count(), meeting.homework.count(), meeting.remarks.count()) == (
        "planned",
        0,
        0,
        0,
    )
    assert not PartResolver.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["meeting_close", "meeting_cancel", "decision_add", "homework_add", "remark_add"],
)
def test_address_that_changes_something_refuses_get(company, name):
    planned(company)

    assert as_(company, "ravi").get(url(name, 1)).status_code == 405


def test_decision_and_homework_are_written_on_the_page(company):
    planned(company)
    ravi = as_(company, "ravi")

    ravi.post(
        url("decision_add", 1), {"d-text": "ARR decides.", "d-part": "term/arr", "d-decided_by": company.priya.pk}
    )
    ravi.post(
        url("homework_add", 1),
        {"h-text": "Ask <b>billing</b>.", "h-assignee": company.nadia.pk, "h-due_on": "2026-12-04"},
    )

    page = text_of(as_(company, "nadia"), url("meeting_detail", 1))
    assert "Decided by Priya, about ARR" in page
    assert "Ask &lt;b&gt;billing&lt;/b&gt;." in page
    assert url("homework_settle", 1, Homework.objects.get().uuid, "done") in page


@pytest.mark.parametrize(
    "changes", [{"d-part": "term"}, {"d-part": "x/y"}, {"d-part": "term/none"}, {"d-text": ""}, {"d-decided_by": "0"}]
)
def test_bad_decision_form_writes_nothing(company, changes):
    planned(company)
    sent = {"d-text": "ARR decides.", "d-part": "", "d-decided_by": company.priya.pk, **changes}

    assert as_(company, "ravi").post(url("decision_add", 1), sent).status_code == 422
    assert not MeetingDecision.objects.exists()


def test_assignee_settles_homework_and_nobody_else_does(company):
    meeting = planned(company)
    homework = give_homework(
        meeting=meeting, text="Ask.", assignee=company.nadia, due_on=DUE, actor=company.ravi, at=AT
    )
    address = url("homework_settle", 1, homework.uuid, "done")

    assert as_(company, "marcus").post(address).status_code == 403
    homework.refresh_from_db()
    assert homework.state == "open"
    assert as_(company, "nadia").post(address).status_code == 302
    assert as_(company, "nadia").post(address).status_code == 409
    assert as_(company, "nadia").post(url("homework_settle", 1, homework.uuid, "gone")).status_code == 409
    homework.refresh_from_db()
    assert homework.state == "done"


def test_changes_between_two_meetings_are_typed_within_one_draft(company):
    closed(company, planned(company))
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Yearly value of signed contracts."})
    closed(company, planned(company, kind="refinement"))

    page = text_of(as_(company, "leah"), url("meeting_changes", 2))

    assert "From Kickoff 1 to Refinement 2" in page
    assert "<del>subscriptions</del>" in page
    assert "<ins>contracts</ins>" in page
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Something else."})
    assert "<ins>contracts</ins>" in text_of(as_(company, "leah"), url("meeting_changes", 2))


def test_first_meeting_has_nothing_to_compare_with(company):
    closed(company, planned(company))

    assert "The first state" in text_of(as_(company, "leah"), url("meeting_changes", 1))


def test_meetings_of_a_framework_that_is_not_there_are_404(company):
    client = as_(company, "ravi")

    for address in ("/meetings/none/", "/meetings/main/9/", "/meetings/none/assumed/"):
        assert client.get(address).status_code == 404


def test_stranger_is_asked_to_log_in(company):
    planned(company)

    for name, args in (("meeting_list", []), ("meeting_detail", [1]), ("meeting_pack", [1]), ("assumed_list", [])):
        assert Client().get(url(name, *args))["Location"].startswith("/login/")


@pytest.mark.parametrize("name", ["meeting_list", "assumed_list"])
def test_list_takes_as_many_queries_for_three_rows_as_for_one(company, name):
    client = as_(company, "ravi")
    closed(company, planned(company))
    client.get(url(name))
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get(url(name))

    for kind in ("refinement", "refinement"):
        closed(company, planned(company, kind=kind))
    for key in ("arr", "account"):
        assign_resolver(
            framework=company.version.framework,
            parts=[("term", key)],
            person=company.nadia,
            source_key="",
            due_on=DUE,
            actor=company.ravi,
            at=AT,
        )
    with CaptureQueriesContext(connection) as three:
        client.get(url(name))

    assert len(three) <= len(one)


def test_meeting_page_takes_as_many_queries_for_three_rows_as_for_one(company):
    client, meeting = as_(company, "ravi"), planned(company)

    def add(count: int) -> None:
        for _ in range(count):
            give_homework(meeting=meeting, text="Ask.", assignee=company.nadia, due_on=DUE, actor=company.ravi, at=AT)
            record_decision(meeting=meeting, text="Yes.", decided_by=company.priya, actor=company.ravi, at=AT)

    add(1)
    client.get(url("meeting_detail", 1))
    with CaptureQueriesContext(connection) as one:
        client.get(url("meeting_detail", 1))
    add(2)
    with CaptureQueriesContext(connection) as three:
        client.get(url("meeting_detail", 1))

    assert len(three) <= len(one)


# --- who settles what


def test_parts_are_assigned_on_the_page_and_the_file_has_them(company):
    sent = {"part": ["term/arr", "term/account"], "person": company.nadia.pk, "source": "", "due_on": "2026-12-04"}

    assert as_(company, "ravi").post(url("resolver_assign"), sent).status_code == 302

    assert set(PartResolver.objects.values_list("key", "person__name")) == {("arr", "Nadia"), ("account", "Nadia")}
    response = as_(company, "leah").get(url("assumed_list"), {"format": "csv"})
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert "term,account,Account,Nadia,2026-12-04,no" in lines


def test_overdue_resolver_is_shown(company):
    assign_resolver(
        framework=company.version.framework,
        parts=[("term", "arr")],
        person=None,
        source_key="arr",
        due_on=DUE,
        actor=company.ravi,
        at=AT,
    )

    with time_machine.travel(AT + timedelta(days=30), tick=False):
        page = text_of(as_(company, "leah"), url("assumed_list"))

    assert "1 overdue" in page
    assert "ARR (data)" in page


def test_nothing_assumed_is_said_in_words(company):
    company.confirm()

    assert "Nothing is ASSUMED" in text_of(as_(company, "ravi"), url("assumed_list"))


# --- the pack


def add_accounts(*employees: int) -> None:
    Account.objects.bulk_create(
        Account(name=f"Account {n}", name_key=f"account {n}", employee_count=n, arr=1_000) for n in employees
    )


def test_pack_counts_real_accounts_on_each_side_of_a_threshold(company):
    planned(company)
    add_accounts(799, 800, 949, 950, 999, 1_000, 1_049, 1_050, 1_200)

    response = as_(company, "leah").get(url("pack_csv", 1, "thresholds"))

    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    found = [line.split(",")[3:] for line in lines if line.startswith("employee_count,1000,")]
    assert [(percent, side, accounts, float(arr)) for percent, side, accounts, arr in found] == [
        ("5", "below", "2", 2_000),
        ("5", "at_or_above", "2", 2_000),
        ("10", "below", "3", 3_000),
        ("10", "at_or_above", "3", 3_000),
        ("20", "below", "4", 4_000),
        ("20", "at_or_above", "3", 3_000),
    ]


def test_pack_page_shows_everything_that_is_open(company):
    meeting = planned(company)
    add_accounts(900, 1_000, 1_500)
    give_homework(meeting=meeting, text="Ask billing.", assignee=company.nadia, due_on=DUE, actor=company.ravi, at=AT)

    page = text_of(as_(company, "leah"), url("meeting_pack", 1))

    assert 'role="img"' in page
    assert "Ask billing." in page
    assert "nobody yet" in page
    assert "style=" not in page


def test_pack_names_who_said_no_and_why(company):
    planned(company)
    company.submit()
    company.sign("marcus", company.answers("marcus", "reject", "Overage is left out."))

    page = text_of(as_(company, "leah"), url("meeting_pack", 1))

    assert "Marcus said No: “Overage is left out.”" in page
    assert "Not answered: Nadia, Priya" in page


@pytest.mark.parametrize("table", ["thresholds", "assumed", "homework"])
def test_each_table_of_the_pack_is_a_file(company, table):
    planned(company)

    response = as_(company, "leah").get(url("pack_csv", 1, table))

    assert response["Content-Disposition"] == f'attachment; filename="main-{table}.csv"'


def test_table_that_is_not_there_is_404(company):
    planned(company)

    assert as_(company, "leah").get(url("pack_csv", 1, "secrets")).status_code == 404
