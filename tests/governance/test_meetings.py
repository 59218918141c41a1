"""Alignment meetings: planned, changed, closed with what they left, cancelled; homework and who settles what."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import User
from governance.models import AuditEntry, Homework, Meeting, MeetingDecision, MeetingPart, PartResolver
from governance.rounds import rounds_of
from governance.services.homework import assign_resolver, give_homework, settle_homework
from governance.services.inbox import waiting_for
from governance.services.meetings import (
    Plan,
    add_remark,
    cancel_meeting,
    change_meeting,
    close_meeting,
    local_start,
    plan_meeting,
    record_decision,
)
from tests.frameworks.making import AT, LATER, Company, person

DUE = date(2026, 12, 4)


@pytest.fixture
def company(db: None) -> Company:
    return Company()


def plan_of(company: Company, **changes: object) -> Plan:
    plan = Plan(
        kind="kickoff",
        starts_at=AT,
        time_zone="Europe/Berlin",
        focus="What segments are for",
        agenda=["Questions", "The draft"],
        people=[company.priya, company.marcus],
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def planned(company: Company, **changes: object) -> Meeting:
    return plan_meeting(
        framework=company.version.framework, plan=plan_of(company, **changes), actor=company.ravi, at=AT
    )


def closed(company: Company, meeting: Meeting, at: datetime = AT) -> Meeting:
    came = {row.person_id: "attended" for row in meeting.attendances.all()}
    return close_meeting(meeting=meeting, attendance=came, notes="", actor=company.ravi, at=at)


def test_meetings_of_a_framework_are_numbered_in_order(company):
    first, second = planned(company), planned(company, kind="refinement")

    assert (first.number, second.number) == (1, 2)
    assert [item.text for item in first.agenda.all()] == ["Questions", "The draft"]
    assert {row.person.name for row in first.attendances.all()} == {"Priya", "Marcus"}
    assert AuditEntry.objects.latest("seq").action == "meeting.planned"


def test_closing_binds_the_draft_it_left_with_every_part(company):
    meeting = closed(company, planned(company))

    assert (meeting.state, meeting.left_version, len(meeting.left_manifest)) == ("held", company.version, 64)
    kept = {(part.kind, part.key): part.body_id for part in MeetingPart.objects.all()}
    now = {(p.kind, p.key): p.body_id for p in company.version.parts.all() if p.kind != "waiver"}
    assert kept == now
    assert not MeetingPart.objects.filter(is_confirmed=True).exists()


def test_rounds_tell_confirmed_replaced_and_new_parts_apart(company):
    closed(company, planned(company))
    company.confirm()
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Signed yearly value."})
    company.save("term", "churn", {"label": "Churn", "wording": "A customer who left."})

    before, now = rounds_of(company.version.framework)

    assert (before.label, before.confirmed) == ("Kickoff 1", 0)
    assert now.moves.replaced == (("term", "arr"),)
    assert now.moves.new == (("term", "churn"),)
    assert len(now.moves.confirmed) == before.total - 1
    assert (now.assumed, now.total) == (2, before.total + 1)


# --- what is refused, and changes nothing


def wall(*numbers: int) -> datetime:
    """What a clock on some wall shows."""
    return datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001


def nothing_left(meeting: Meeting) -> bool:
    meeting.refresh_from_db()
    return (meeting.state, meeting.left_version, MeetingPart.objects.count()) == ("planned", None, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"focus": "  "}, "what the meeting is about"),
        ({"focus": "x" * 301}, "at most 300"),
        ({"kind": "party"}, "what kind"),
        ({"starts_at": datetime(9999, 12, 31, tzinfo=UTC)}, "look at the year"),
        ({"starts_at": datetime(2001, 1, 1, tzinfo=UTC)}, "look at the year"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"people": []}, "Invite somebody"),
        ({"agenda": ["x"] * 51}, "at most 50 items"),
        ({"agenda": ["x" * 301]}, "at most 300"),
        ({"notes": "x" * 8_001}, "at most 8,000"),
    ],
)
def test_bad_plan_is_refused_and_plans_nothing(company, changes, words):
    with pytest.raises(InvalidError, match=words):
        planned(company, **changes)

    assert not Meeting.objects.exists()


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_service": True}])
def test_person_who_cannot_come_is_not_invited(company, fields):
    User.objects.filter(pk=company.marcus.pk).update(**fields)
    company.marcus.refresh_from_db()

    with pytest.raises(InvalidError, match="Marcus is no active person"):
        planned(company)

    assert not Meeting.objects.exists()


@pytest.mark.parametrize("who", ["priya", "marcus", "nadia", "carol", "leah"])
def test_person_without_the_role_plans_and_closes_nothing(company, who):
    meeting, actor = planned(company), company.people[who]

    with pytest.raises(NotAllowedError):
        plan_meeting(framework=meeting.framework, plan=plan_of(company), actor=actor, at=AT)
    with pytest.raises(NotAllowedError):
        change_meeting(meeting=meeting, plan=plan_of(company, focus="Mine"), revision=1, actor=actor, at=AT)
    with pytest.raises(NotAllowedError):
        close_meeting(meeting=meeting, attendance={}, notes="", actor=actor, at=AT)
    with pytest.raises(NotAllowedError):
        cancel_meeting(meeting=meeting, reason="No time.", actor=actor, at=AT)
    with pytest.raises(NotAllowedError):
        record_decision(meeting=meeting, text="Mine.", decided_by=actor, actor=actor, at=AT)
    with pytest.raises(NotAllowedError):
        give_homework(meeting=meeting, text="Mine.", assignee=actor, due_on=DUE, actor=actor, at=AT)

    assert nothing_left(meeting)
    assert (Meeting.objects.count(), meeting.focus) == (1, "What segments are for")
    assert (MeetingDecision.objects.count(), Homework.objects.count()) == (0, 0)


def test_architect_plans_and_closes(company):
    architect = person("ida", "architect")

    meeting = plan_meeting(framework=company.version.framework, plan=plan_of(company), actor=architect, at=AT)
    came = {row.person_id: "absent" for row in meeting.attendances.all()}
    held = close_meeting(meeting=meeting, attendance=came, notes="Short.", actor=architect, at=AT)

    assert (held.closed_by, held.notes) == (architect, "Short.")
    assert {row.state for row in meeting.attendances.all()} == {"absent"}


def test_closing_twice_is_refused(company):
    meeting = closed(company, planned(company))

    with pytest.raises(ConflictError, match="held already"):
        closed(company, meeting, LATER)

    meeting.refresh_from_db()
    assert (meeting.closed_at, MeetingPart.objects.count()) == (
        AT,
        company.version.parts.exclude(kind="waiver").count(),
    )


def test_closing_before_it_begins_is_refused(company):
    meeting = planned(company, starts_at=LATER)

    with pytest.raises(ConflictError, match="has not begun"):
        closed(company, meeting)

    assert nothing_left(meeting)


def test_closing_needs_a_word_about_everybody(company):
    meeting = planned(company)

    with pytest.raises(InvalidError, match="Marcus"):
        close_meeting(meeting=meeting, attendance={company.priya.pk: "attended"}, notes="", actor=company.ravi, at=AT)

    assert nothing_left(meeting)
    assert {row.state for row in meeting.attendances.all()} == {"invited"}


def test_closed_meeting_is_not_edited_nor_cancelled(company):
    meeting = closed(company, planned(company))

    with pytest.raises(ConflictError):
        change_meeting(meeting=meeting, plan=plan_of(company, focus="Other"), revision=1, actor=company.ravi, at=AT)
    with pytest.raises(ConflictError):
        cancel_meeting(meeting=meeting, reason="Too late.", actor=company.ravi, at=AT)

    meeting.refresh_from_db()
    assert (meeting.focus, meeting.state, meeting.agenda.count()) == ("What segments are for", "held", 2)


def test_stale_edit_saves_nothing(company):
    meeting = planned(company)
    change_meeting(meeting=meeting, plan=plan_of(company, focus="Theirs"), revision=1, actor=company.ravi, at=AT)

    with pytest.raises(ConflictError, match="Somebody changed"):
        change_meeting(meeting=meeting, plan=plan_of(company, focus="Mine"), revision=1, actor=company.tomas, at=AT)

    meeting.refresh_from_db()
    assert (meeting.focus, meeting.revision) == ("Theirs", 2)


def test_cancelled_meeting_takes_nothing_more(company):
    meeting = cancel_meeting(meeting=planned(company), reason="Nobody has time.", actor=company.ravi, at=AT)

    with pytest.raises(ConflictError):
        give_homework(meeting=meeting, text="Read.", assignee=company.priya, due_on=DUE, actor=company.ravi, at=AT)
    with pytest.raises(ConflictError):
        record_decision(meeting=meeting, text="Yes.", decided_by=company.priya, actor=company.ravi, at=AT)
    with pytest.raises(ConflictError):
        add_remark(meeting=meeting, text="A pity.", actor=company.priya, at=AT)

    assert (Homework.objects.count(), MeetingDecision.objects.count(), meeting.remarks.count()) == (0, 0, 0)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2_001])
def test_cancelling_needs_a_reason_of_some_length(company, reason):
    meeting = planned(company)

    with pytest.raises(InvalidError):
        cancel_meeting(meeting=meeting, reason=reason, actor=company.ravi, at=AT)

    assert nothing_left(meeting)


def test_decision_is_added_after_closing_but_never_changed(company):
    meeting = closed(company, planned(company))

    decision = record_decision(
        meeting=meeting,
        text="ARR leaves out overage.",
        part_kind="term",
        part_key="arr",
        decided_by=company.nadia,
        actor=company.ravi,
        at=LATER,
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        MeetingDecision.objects.filter(pk=decision.pk).update(text="Otherwise.")
    decision.refresh_from_db()
    assert (decision.text, decision.printed_name) == ("ARR leaves out overage.", "Nadia")


@pytest.mark.parametrize(
    "changes",
    [{"text": " "}, {"text": "x" * 8_001}, {"part_kind": "term", "part_key": "nothing"}, {"part_kind": "term"}],
)
def test_bad_decision_is_refused(company, changes):
    meeting = planned(company)
    wanted = {"text": "Agreed.", "decided_by": company.nadia, "actor": company.ravi, "at": AT, **changes}

    with pytest.raises(InvalidError):
        record_decision(meeting=meeting, **wanted)

    assert not MeetingDecision.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_meeting SET state = 'planned'",
        "UPDATE governance_meeting SET focus = 'x'",
        "DELETE FROM governance_agendaitem",
        "UPDATE governance_attendance SET state = 'absent'",
        "UPDATE governance_meetingpart SET is_confirmed = true",
        "DELETE FROM governance_meeting",
    ],
)
def test_database_keeps_a_closed_meeting_as_it_was(company, statement):
    closed(company, planned(company))

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    meeting = Meeting.objects.get()
    assert (meeting.state, meeting.agenda.count()) == ("held", 2)
    assert {row.state for row in meeting.attendances.all()} == {"attended"}


# --- homework


def homework_of(company: Company, **changes: object) -> Homework:
    wanted: dict[str, Any] = {"text": "Ask billing for overage.", "assignee": company.nadia, "due_on": DUE, **changes}
    return give_homework(meeting=planned(company), actor=company.ravi, at=AT, **wanted)


def test_homework_waits_in_the_inbox_until_its_assignee_has_done_it(company):

    homework = homework_of(company)

    (item,) = [each for each in waiting_for(company.nadia, AT) if each.kind == "homework"]
    assert (item.detail, item.due_on) == ("Ask billing for overage.", DUE)
    settle_homework(homework=homework, to="done", actor=company.nadia, at=LATER)
    assert not [each for each in waiting_for(company.nadia, AT) if each.kind == "homework"]
    homework.refresh_from_db()
    assert (homework.settled_by, homework.settled_at) == (company.nadia, LATER)


def test_settled_homework_can_be_opened_again(company):
    homework = settle_homework(homework=homework_of(company), to="not_done", actor=company.ravi, at=AT)

    again = settle_homework(homework=homework, to="open", actor=company.nadia, at=LATER)

    assert (again.state, again.settled_by, again.settled_at) == ("open", None, None)


@pytest.mark.parametrize("to", ["done", "not_done"])
def test_homework_is_not_settled_twice(company, to):
    homework = settle_homework(homework=homework_of(company), to="done", actor=company.nadia, at=AT)

    with pytest.raises(ConflictError):
        settle_homework(homework=homework, to=to, actor=company.ravi, at=LATER)

    homework.refresh_from_db()
    assert (homework.state, homework.settled_by) == ("done", company.nadia)


def test_homework_of_somebody_else_is_not_settled(company):
    homework = homework_of(company)

    with pytest.raises(NotAllowedError):
        settle_homework(homework=homework, to="done", actor=company.marcus, at=AT)

    homework.refresh_from_db()
    assert homework.state == "open"


def test_homework_for_somebody_who_left_is_refused(company):
    User.objects.filter(pk=company.nadia.pk).update(is_active=False)
    company.nadia.refresh_from_db()

    with pytest.raises(InvalidError, match="no active person"):
        homework_of(company)

    assert not Homework.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [{"text": ""}, {"text": "x" * 2_001}, {"due_on": date(2026, 11, 20)}, {"due_on": date(9999, 12, 31)}],
)
def test_bad_homework_is_refused(company, changes):
    with pytest.raises(InvalidError):
        homework_of(company, **changes)

    assert not Homework.objects.exists()


# --- comments and who settles what


def test_only_people_of_the_meeting_comment_on_it(company):
    meeting = planned(company)

    add_remark(meeting=meeting, text="I bring figures.", actor=company.priya, at=AT)
    with pytest.raises(NotAllowedError):
        add_remark(meeting=meeting, text="Me too.", actor=company.leah, at=AT)

    assert [row.text for row in meeting.remarks.all()] == ["I bring figures."]


def settle_arr(company: Company, **changes: object) -> int:
    wanted: dict[str, Any] = {
        "parts": [("term", "arr")],
        "person": company.nadia,
        "source_key": "",
        "due_on": DUE,
        **changes,
    }
    return assign_resolver(framework=company.version.framework, actor=company.ravi, at=AT, **wanted)


def waiting_parts(person: User) -> list[str]:

    return [item.title for item in waiting_for(person, AT) if item.kind == "homework"]


def test_resolver_waits_until_the_part_is_confirmed_and_again_after_an_edit(company):
    settle_arr(company)

    assert waiting_parts(company.nadia) == ["Settle definition ARR"]
    company.confirm()
    assert waiting_parts(company.nadia) == []
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Signed yearly value."})
    assert waiting_parts(company.nadia) == ["Settle definition ARR"]


def test_data_source_as_resolver_waits_for_whoever_assigned_it(company):
    settle_arr(company, person=None, source_key="arr")

    assert waiting_parts(company.ravi) == ["Settle definition ARR"]


@pytest.mark.parametrize(
    "changes",
    [
        {"person": None},
        {"source_key": "arr"},
        {"parts": []},
        {"parts": [("term", "nothing")]},
        {"person": None, "source_key": "nothing"},
        {"due_on": date(2026, 11, 1)},
        {"due_on": date(9999, 12, 31)},
    ],
)
def test_bad_resolver_is_refused(company, changes):
    with pytest.raises(InvalidError):
        settle_arr(company, **changes)

    assert not PartResolver.objects.exists()


def test_confirmed_part_needs_nobody(company):
    company.confirm()

    with pytest.raises(InvalidError, match="Not ASSUMED"):
        settle_arr(company)

    assert not PartResolver.objects.exists()


def test_stakeholder_assigns_nobody(company):
    with pytest.raises(NotAllowedError):
        assign_resolver(
            framework=company.version.framework,
            parts=[("term", "arr")],
            person=company.nadia,
            source_key="",
            due_on=DUE,
            actor=company.priya,
            at=AT,
        )

    assert not PartResolver.objects.exists()


@pytest.mark.parametrize(
    ("clock", "zone", "instant"),
    [
        (wall(2026, 12, 4, 14, 30), "Europe/Berlin", datetime(2026, 12, 4, 13, 30, tzinfo=UTC)),
        (wall(2026, 7, 4, 14, 30), "America/New_York", datetime(2026, 7, 4, 18, 30, tzinfo=UTC)),
        # 02:30 does not exist on that day: the clock is put forward at 02:00.
        (wall(2026, 3, 29, 2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_beginning_is_read_on_the_clock_of_its_time_zone(clock, zone, instant):
    assert local_start(clock, zone) == instant


def test_moment_outside_the_calendar_is_refused():
    with pytest.raises(InvalidError):
        local_start(wall(9999, 12, 31, 23, 59), "America/New_York")
