"""The strategic sign-off checklist: every line follows from the state of things, and names who acts next."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frameworks.models import Confirmation
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from governance.checklist import Line, checklist_of
from governance.models import BusinessQuestion, IntakeForm
from governance.services.intake_rows import link_answer, save_question
from governance.services.meetings import close_meeting, plan_meeting
from tests.frameworks.making import AT, LATER, Company
from tests.governance.intakes import fillable
from tests.governance.test_meetings import plan_of


@pytest.fixture
def company(db: None) -> Company:
    return Company()


def line(company: Company, code: str) -> Line:
    company.version.refresh_from_db()
    return next(each for each in checklist_of(company.version, AT).lines if each.code == code)


def hold_final(company: Company, *names: str) -> None:
    people = [company.people[name] for name in names]
    plan = plan_of(company, kind="final", people=people, starts_at=AT - timedelta(hours=1))
    meeting = plan_meeting(framework=company.version.framework, plan=plan, actor=company.ravi, at=AT)
    came = {person.pk: "attended" for person in people}
    close_meeting(meeting=meeting, attendance=came, notes="", actor=company.ravi, at=AT)


def ask(company: Company, text: str) -> BusinessQuestion:
    """A question of the business in an intake whose scope Priya has signed."""
    people = SimpleNamespace(ravi=company.ravi, priya=company.priya)
    framework = company.version.framework
    intake = IntakeForm.objects.filter(framework=framework).first() or fillable(framework, people)
    return save_question(intake=intake, values={"text": text}, actor=company.ravi, at=AT)


def test_first_draft_meets_what_its_parts_say_and_no_more(company):
    checklist = checklist_of(company.version, AT)

    met = {each.code for each in checklist.lines if each.is_met}
    assert met == {"dimensions", "thresholds", "actions", "sources"}
    assert all(each.next for each in checklist.open_lines)
    assert not checklist.is_complete


def test_everything_is_met_once_people_did_their_part(company):
    for key in ("arr", "employee_count"):
        company.save("data_source", key, {**company.body("data_source", key), "owner": "Finance", "refresh": "Daily"})
    company.waive()
    company.confirm()
    link_answer(question=ask(company, "Who needs a CSM?"), target="dimension/tier", actor=company.ravi, at=AT)
    hold_final(company, "priya", "marcus")
    company.submit()
    company.sign_all()

    checklist = checklist_of(company.version, AT)

    assert [each.code for each in checklist.open_lines] == []
    assert (checklist.met, checklist.is_complete) == (10, True)


def test_open_no_names_who_said_it_and_holds_two_lines(company):
    company.submit()
    company.sign("marcus", company.answers("marcus", "reject", "Overage is left out."))

    definitions = line(company, "definitions")
    assert (definitions.is_met, definitions.figure) == (False, "0 of 2 terms aligned")
    assert definitions.next == "Marcus said No; Ravi settles it with them."
    assert line(company, "understanding").next == "Marcus said No; Ravi settles it with them."


def test_draft_counts_what_carries_over(company):
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)

    definitions = line(company, "definitions")

    assert (definitions.is_met, definitions.figure) == (True, "2 of 2 terms aligned, 2 carried from v0")


def test_missing_signature_names_who_is_missing(company):
    company.submit()
    for name in ("priya", "marcus"):
        company.sign(name)

    assert line(company, "definitions").next == "Nadia to sign."


def test_segment_without_actions_is_named(company):
    company.save("playbook", "tier/smb", {"summary": "Nothing yet.", "actions": []})

    actions = line(company, "actions")

    assert (actions.is_met, actions.figure) == (False, "1 of 2 segments have a playbook with actions")
    assert "Customer Tier / SMB" in actions.next


def test_attribute_without_a_system_is_named(company):
    company.save("data_source", "arr", {**company.body("data_source", "arr"), "system": ""})

    sources = line(company, "sources")

    assert (sources.is_met, sources.next) == (False, "RevOps names the system of ARR.")


def test_enrichment_needs_owner_refresh_and_a_confirmed_part(company):
    company.confirm()
    assert line(company, "enrichment").next == "RevOps completes ARR, Employees."

    for key in ("arr", "employee_count"):
        company.save("data_source", key, {**company.body("data_source", key), "owner": "Finance", "refresh": "Daily"})
    assert line(company, "enrichment").next == "Whoever knows confirms ARR, Employees."
    company.confirm()
    assert line(company, "enrichment").is_met


def test_segment_without_criteria_is_named(company):
    company.save("segment", "tier/smb", {"label": "SMB", "dimension": "tier", "rules": []})

    dimensions = line(company, "dimensions")

    assert (dimensions.is_met, dimensions.next) == (False, "RevOps writes criteria for Customer Tier / SMB.")


def test_questions_are_met_once_each_is_answered_by_what_is_there(company):
    assert line(company, "questions").figure == "no intake"
    first, second = ask(company, "Who needs a CSM?"), ask(company, "Which customers churn?")
    assert line(company, "questions").next == "Ravi names what answers “Who needs a CSM?”, “Which customers churn?”."

    link_answer(question=first, target="segment/tier/smb", actor=company.ravi, at=AT)
    half = line(company, "questions")
    assert (half.is_met, half.figure) == (False, "1 of 2 questions answered")
    link_answer(question=second, target="page/accounts", actor=company.ravi, at=AT)
    assert line(company, "questions").is_met
    assert line(company, "questions").url.endswith("/intake/main/#questions")

    company.version.parts.filter(kind="segment", key="tier/smb").delete()

    gone = line(company, "questions")
    assert (gone.is_met, gone.next) == (False, "Ravi names what answers “Who needs a CSM?”.")


def test_checklist_page_shows_each_question_with_its_answer(company, client):
    client.force_login(company.leah)
    url = reverse("governance:version_checklist", args=["main", company.version.number])
    counts = []
    for number in range(3):
        link_answer(question=ask(company, f"Question {number}?"), target="dimension/tier", actor=company.ravi, at=AT)
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            page = client.get(url).content.decode()
        counts.append(len(queries))

    assert "Question 2?" in page
    assert "part=dimension/tier" in page
    assert counts[0] == counts[2]


def test_critical_inputs_are_met_without_playbooks(company):
    assert not line(company, "inputs").is_met
    parts = company.version.parts.exclude(kind="playbook").select_related("body")
    Confirmation.objects.bulk_create(
        Confirmation(
            framework=company.version.framework,
            kind=part.kind,
            key=part.key,
            body=part.body,
            state="confirmed",
            evidence="Agreed.",
            confirmed_by=company.priya,
            printed_name="Priya",
            confirmed_at=AT,
        )
        for part in parts
    )

    assert line(company, "inputs").is_met


def test_change_after_the_final_meeting_opens_its_line_again(company):
    assert line(company, "final").figure == "not held"
    hold_final(company, "priya")
    assert line(company, "final").is_met

    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Signed yearly value."})

    final = line(company, "final")
    assert (final.is_met, final.figure) == (False, "held on 21 Nov 2026; 1 part changed since")


def test_participant_who_came_to_the_final_meeting_need_not_have_signed_yet(company):
    hold_final(company, "priya", "marcus", "nadia")

    understanding = line(company, "understanding")

    assert understanding.figure == "3 of 5 participants signed or came to the final meeting"
    assert understanding.next == "Carol, Tomas to sign, or to come to the final meeting."


def test_checklist_stands_on_its_page_and_beside_the_version(company):
    client = Client()
    client.force_login(company.leah)

    page = client.get(reverse("governance:version_checklist", args=["main", company.version.number]))
    version = client.get(reverse("frameworks:version_detail", args=["main", company.version.number]))
    framework = client.get(reverse("frameworks:framework_detail", args=["main"]))

    assert "4 of 10 met" in page.content.decode()
    assert 'id="checklist"' in version.content.decode()
    assert 'id="meetings"' in framework.content.decode()


def test_checklist_of_a_version_that_is_not_there_is_404(company):
    client = Client()
    client.force_login(company.leah)

    assert client.get("/frameworks/main/v99/checklist/").status_code == 404
