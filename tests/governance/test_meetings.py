"""Alignment meetings: planned, changed, closed with what they left, cancelled; homework and who settles what."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import User
from governance.models import AuditEntry, Homework, Meeting, MeetingDecision, MeetingPart, PartResolver
from governance.rounds import rounds_of, working_version
from governance.services.homework import assign_resolver, give_homework, settle_homework
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
    return plan_meeting(framework=company.version.framework, plan=plan_of(company, **changes), actor=company.ravi, at=AT)


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
