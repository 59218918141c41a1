"""The pages of the intake: who sees what, what is refused with which status, how many queries it takes."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from frameworks.models import Framework, User
from governance.models import AuditEntry, BusinessQuestion, CurrentField, IntakeForm, IntakeScope, IntakeScopeSignoff
from governance.services.intake import save_intake
from governance.services.intake_rows import link_answer, save_field, save_question
from tests.governance.intakes import DUE, FIELD, fillable, filled, fresh, make_people, opened, written
from tests.governance.makers import AT, add_part, make_framework

NOW = AT + timedelta(hours=1)
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return make_people()


@pytest.fixture
def framework(people: SimpleNamespace) -> Framework:
    found: Framework = make_framework(people.ravi).framework
    return found


@pytest.fixture
def sign_in(client: Client) -> Callable[[User], Client]:
    def as_person(user: User) -> Client:
        client.force_login(user)
        return client

    return as_person


def url(name: str, *args: Any) -> str:
    return reverse(f"governance:{name}", args=["customers", *args])


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def counts() -> list[Any]:
    kinds = (AuditEntry, IntakeForm, IntakeScope, IntakeScopeSignoff, CurrentField, BusinessQuestion)
    return [*(kind.objects.count() for kind in kinds), *IntakeForm.objects.values_list("version", "crm", "closed_at")]


@pytest.mark.parametrize(
    "name", ["intake_detail", "intake_scope", "intake_sign", "field_new", "gap_analysis", "gap_analysis_csv"]
)
def test_page_sends_strangers_to_the_log_in(client, framework, name):
    answer = client.get(url(name))

    assert (answer.status_code, answer.headers["Location"].startswith("/login/")) == (302, True)


def test_pages_of_unknown_frameworks_and_intakes_are_404(sign_in, people, framework):
    browser = sign_in(people.leah)
    nowhere = reverse("governance:intake_detail", args=["nowhere"])

    assert browser.get(nowhere).status_code == 404
    assert browser.get(url("intake_sign")).status_code == 404
    assert browser.get(f"{url('intake_detail')}?of=me").status_code == 404
    assert browser.get(f"{url('intake_detail')}?of={people.leah.uuid}").status_code == 404
    assert browser.get(f"{url('gap_analysis')}?v=99").status_code == 404


@pytest.mark.parametrize(
    "name",
    ["intake_open", "intake_reassign", "intake_save", "intake_close", "question_new"],
)
def test_get_on_an_act_is_405(sign_in, people, framework, name):
    filled(framework, people)
    before = counts()

    assert sign_in(people.ravi).get(url(name)).status_code == 405
    assert counts() == before


# --- opening


def test_empty_page_offers_opening_to_those_who_may(sign_in, people, framework):
    assert "Open the intake</button>" in text_of(sign_in(people.ravi).get(url("intake_detail")))
    other = text_of(sign_in(people.leah).get(url("intake_detail")))
    assert "Open the intake</button>" not in other
    assert "No intake was opened yet" in other


def test_intake_is_opened_on_the_page(sign_in, people, framework):
    answer = sign_in(people.ravi).post(
        url("intake_open"), {"owner": people.ada.uuid, "due_on": DUE.isoformat()}, follow=True
    )

    assert "Next: who takes part and what for." in text_of(answer)
    assert IntakeForm.objects.get().owner == people.ada


@pytest.mark.parametrize(
    ("who", "changes", "status"),
    [
        ("leah", {}, 403),
        ("ravi", {"due_on": ""}, 422),
        ("ravi", {"due_on": "2026-01-01"}, 422),
        ("ravi", {"owner": "leah"}, 422),
        ("ravi", {"owner": "x"}, 422),
    ],
)
def test_bad_opening_is_refused(sign_in, people, framework, who, changes, status):
    wanted = {"owner": people.ada.uuid, "due_on": DUE.isoformat()} | changes
    wanted["owner"] = people.leah.uuid if wanted["owner"] == "leah" else wanted["owner"]

    assert sign_in(getattr(people, who)).post(url("intake_open"), wanted).status_code == status
    assert not IntakeForm.objects.exists()


def test_second_open_intake_is_409(sign_in, people, framework):
    opened(framework, people)
    before = counts()

    answer = sign_in(people.tomas).post(url("intake_open"), {"owner": people.ada.uuid, "due_on": DUE.isoformat()})

    assert (answer.status_code, counts()) == (409, before)


# --- the scope


def scope_form(people: SimpleNamespace, number: int = 0, **changes: Any) -> dict[str, Any]:
    wanted = {
        f"role-{people.priya.uuid}": "executive",
        f"role-{people.leah.uuid}": "",
        "uses": ["reporting", "playbooks"],
        "uses_note": "",
        "number": number,
    }
    return wanted | changes


def test_scope_is_written_on_its_page(sign_in, people, framework):
    opened(framework, people)
    browser = sign_in(people.ravi)

    assert "Leah Kim" in text_of(browser.get(url("intake_scope")))
    answer = browser.post(url("intake_scope"), scope_form(people), follow=True)

    assert "An executive signs it next." in text_of(answer)
    assert "Priya Raman" in text_of(answer)
    assert IntakeScope.objects.get().uses == ["reporting", "playbooks"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"uses": []}, 422, "Say what segments will be used for."),
        ({"uses": ["peace"]}, 422, "Select a valid choice"),
        ({"uses_note": "x" * 2001}, 422, "at most 2000 characters"),
        ({"role-nobody": "executive"}, 422, "Only people of the list take part."),
        ({"role-00000000-0000-4000-8000-000000000000": "csm"}, 422, "Only people who can log in"),
        ({"number": 7}, 409, "Somebody wrote this"),
        ({"number": ""}, 422, "Who takes part"),
    ],
)
def test_bad_scope_is_refused_and_kept_in_the_form(sign_in, people, framework, changes, status, words):
    opened(framework, people)
    before = counts()

    answer = sign_in(people.ravi).post(url("intake_scope"), scope_form(people, **changes))

    assert (answer.status_code, counts()) == (status, before)
    assert words in text_of(answer)
    assert 'value="executive" selected' in text_of(answer)


def test_scope_is_not_written_by_others(sign_in, people, framework):
    opened(framework, people)
    before = counts()

    assert sign_in(people.leah).post(url("intake_scope"), scope_form(people)).status_code == 403
    assert counts() == before


def test_executive_signs_with_a_password(sign_in, people, framework):
    scope = written(opened(framework, people), people)
    browser = sign_in(people.priya)
    page = text_of(browser.get(url("intake_sign")))
    assert scope.digest in page
    assert "Ravi Patel" in page

    decision = {"decision": "approve", "digest": scope.digest}
    assert browser.post(url("intake_sign"), decision).status_code == 422
    assert browser.post(url("intake_sign"), decision | {"password": "wrong"}).status_code == 422
    assert not IntakeScopeSignoff.objects.exists()
    answer = browser.post(url("intake_sign"), decision | {"password": PASSWORD}, follow=True)

    assert "Signed: the form can be filled in." in text_of(answer)
    assert IntakeScopeSignoff.objects.get().authentication == "password"


def test_scope_changed_in_another_tab_is_409_and_not_signed(sign_in, people, framework):
    intake = opened(framework, people)
    shown = written(intake, people)
    written(intake, people, uses=["playbooks"])
    before = counts()

    answer = sign_in(people.priya).post(
        url("intake_sign"), {"decision": "approve", "digest": shown.digest, "password": PASSWORD}
    )

    assert (answer.status_code, counts()) == (409, before)
    assert "changed since you opened this page" in text_of(answer)


def test_page_to_sign_tells_others_why_not(sign_in, people, framework):
    scope = written(opened(framework, people), people)
    browser = sign_in(people.ravi)

    text = text_of(browser.get(url("intake_sign")))

    assert "so somebody else signs it." in text
    assert 'name="password"' not in text
    decision = {"decision": "approve", "digest": scope.digest, "password": PASSWORD}
    assert browser.post(url("intake_sign"), decision).status_code == 403
    assert not IntakeScopeSignoff.objects.exists()


def test_page_to_sign_again_says_what_changed_since(sign_in, people, framework):
    intake = fillable(framework, people)
    again = [(people.priya.uuid, "stakeholder"), (people.leah.uuid, "csm")]
    written(intake, people, participants=again, uses=["reporting", "playbooks"])

    answer = sign_in(people.priya).get(url("intake_sign"))

    assert answer.context["changes"] == [
        "Also for: Playbook triggers",
        "No longer for: Business reviews (QBRs)",
        "Leah Kim takes part, as CSM / AE",
        "Ravi Patel (RevOps) takes part no more",
        "Priya Raman: Executive → Stakeholder",
    ]
    assert "Since Priya Raman signed" in text_of(answer)


def test_no_without_a_reason_is_422(sign_in, people, framework):
    scope = written(opened(framework, people), people)
    decision = {"decision": "reject", "digest": scope.digest, "password": PASSWORD}

    assert sign_in(people.priya).post(url("intake_sign"), decision).status_code == 422
    assert not IntakeScopeSignoff.objects.exists()
    answer = sign_in(people.priya).post(url("intake_sign"), decision | {"reason": "Sales is missing."}, follow=True)
    assert "“Sales is missing.”" in text_of(answer)
    assert "write who takes part and what for again" in text_of(answer)


# --- filling in


def answers(version: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "crm": "Salesforce",
        "cs_platform": "",
        "consumers": "",
        "enrichment_tools": "",
        "version": version,
    } | changes


def test_form_before_the_signature_is_read_only_and_says_who_acts_next(sign_in, people, framework):
    written(opened(framework, people), people)
    browser = sign_in(people.ravi)
    before = counts()

    text = text_of(browser.get(url("intake_detail")))

    assert "The form cannot be filled in yet." in text
    assert "Bo Lind or Priya Raman can sign." in text
    assert 'name="crm"' not in text
    assert browser.post(url("intake_save"), answers()).status_code == 409
    assert browser.post(url("question_new"), {"text": "Who?"}).status_code == 409
    assert browser.post(url("field_new"), FIELD).status_code == 409
    assert counts() == before


def test_no_id_stands_twice_on_the_page(sign_in, people, framework):
    filled(framework, people)

    html = sign_in(people.ravi).get(url("intake_detail")).content.decode()

    ids = re.findall(r'\bid="([^"]+)"', html)
    assert [each for each, count in Counter(ids).items() if count > 1] == []
    assert html.count('name="version"') > 1


def test_changed_scope_leaves_what_was_filled_in_to_be_read(sign_in, people, framework):
    intake = filled(framework, people)
    written(intake, people, uses=["playbooks"])

    text = text_of(sign_in(people.ravi).get(url("intake_detail")))

    assert "What was filled in before stays to be read." in text
    assert "Gainsight" in text
    assert "Priya Raman signed scope 1" in text
    assert 'name="crm"' not in text


def test_answers_are_saved_on_the_page(sign_in, people, framework):
    fillable(framework, people)

    assert "28 %" in text_of(sign_in(people.ravi).post(url("intake_save"), answers(), follow=True))
    assert IntakeForm.objects.get().crm == "Salesforce"


def test_stale_answers_are_409_with_both_texts(sign_in, people, framework):
    intake = fillable(framework, people)
    save_intake(intake=intake, answers={"crm": "HubSpot"}, expected_version=1, actor=people.tomas, at=AT)
    browser = sign_in(people.ravi)

    answer = browser.post(url("intake_save"), answers())

    text = text_of(answer)
    assert (answer.status_code, IntakeForm.objects.get().crm) == (409, "HubSpot")
    assert "CRM HubSpot" in text
    assert 'value="Salesforce"' in text
    assert 'name="version" value="2"' in text
    assert browser.post(url("intake_save"), answers(version=2)).status_code == 302
    assert IntakeForm.objects.get().crm == "Salesforce"


@pytest.mark.parametrize(
    ("who", "changes", "status"),
    [
        ("leah", {}, 403),
        ("ravi", {"crm": "x" * 201}, 422),
        ("ravi", {"crm": "a\x00"}, 422),
        ("ravi", {"version": "x"}, 422),
    ],
)
def test_bad_answers_are_refused(sign_in, people, framework, who, changes, status):
    fillable(framework, people)
    before = counts()

    assert sign_in(getattr(people, who)).post(url("intake_save"), answers(**changes)).status_code == status
    assert counts() == before


def test_question_is_asked_linked_and_removed(sign_in, people, framework):
    fillable(framework, people)
    browser = sign_in(people.ravi)

    asked = browser.post(url("question_new"), {"text": "Who <b>needs</b> a CSM?", "asked_by": "VP CS"}, follow=True)
    assert "Who &lt;b&gt;needs&lt;/b&gt; a CSM?" in text_of(asked)
    question = BusinessQuestion.objects.get()
    linked = browser.post(url("answer_link", question.uuid), {"target": "page/accounts"}, follow=True)
    assert "Answered" in text_of(linked)
    assert 'href="/accounts/"' in text_of(linked)
    assert browser.post(url("answer_link", question.uuid), {"target": "page/accounts"}).status_code == 409
    assert browser.post(url("answer_link", question.uuid), {"target": "page/x"}).status_code == 422
    assert browser.post(url("question_detail", question.uuid), {"text": "", "version": 1}).status_code == 422
    assert browser.post(url("question_detail", question.uuid), {"text": "Why?", "version": 9}).status_code == 409
    assert browser.post(url("question_remove", question.uuid), {"version": 9}).status_code == 409
    assert browser.post(url("question_remove", question.uuid), {}).status_code == 422
    assert browser.post(url("question_remove", question.uuid), {"version": 1}).status_code == 302
    assert not BusinessQuestion.objects.exists()


def test_rows_of_another_intake_are_404(sign_in, people, framework):
    filled(framework, people)
    other = Framework.objects.create(slug="partners", name="Partners")
    foreign = fillable(other, people)
    field = save_field(intake=foreign, values=FIELD, actor=people.ravi, at=AT)
    question = save_question(intake=foreign, values={"text": "Who?"}, actor=people.ravi, at=AT)
    browser = sign_in(people.ravi)
    before = counts()

    for name in ("field_edit", "field_remove"):
        assert browser.post(url(name, field.uuid), FIELD | {"version": 1}).status_code == 404
    for name in ("question_detail", "question_remove", "answer_link", "answer_unlink"):
        assert (
            browser.post(url(name, question.uuid), {"text": "x", "version": 1, "target": "page/accounts"}).status_code
            == 404
        )
    assert counts() == before


def test_field_is_added_changed_and_removed(sign_in, people, framework):
    fillable(framework, people)
    browser = sign_in(people.ada)

    assert browser.post(url("field_new"), FIELD | {"name": " "}).status_code == 422
    assert browser.post(url("field_new"), FIELD | {"counterpart": "dimension/x"}).status_code == 422
    assert browser.post(url("field_new"), FIELD).status_code == 302
    assert browser.post(url("field_new"), FIELD).status_code == 409
    field = CurrentField.objects.get()
    assert 'value="Salesforce"' in text_of(browser.get(url("field_edit", field.uuid)))
    assert browser.post(url("field_edit", field.uuid), FIELD | {"fate": "kept", "version": 1}).status_code == 302
    assert browser.post(url("field_edit", field.uuid), FIELD | {"fate": "", "version": 1}).status_code == 409
    assert CurrentField.objects.get().fate == "kept"
    assert browser.post(url("field_remove", field.uuid), {"version": 1}).status_code == 409
    assert browser.post(url("field_remove", field.uuid), {"version": 2}).status_code == 302
    assert not CurrentField.objects.exists()


def test_intake_is_closed_on_the_page_and_stays_to_be_read(sign_in, people, framework):
    filled(framework, people)
    browser = sign_in(people.ravi)

    text = text_of(browser.post(url("intake_close"), follow=True))

    assert "Closed by Ravi Patel" in text
    assert "Open the next intake" in text
    again = browser.post(url("intake_open"), {"owner": people.ada.uuid, "due_on": DUE.isoformat()}, follow=True)
    assert "Earlier intakes" in text_of(again)
    first = IntakeForm.objects.order_by("pk")[0]
    assert "Gainsight" in text_of(browser.get(f"{url('intake_detail')}?of={first.uuid}"))


def test_incomplete_intake_is_not_closed(sign_in, people, framework):
    fillable(framework, people)

    answer = sign_in(people.ravi).post(url("intake_close"))

    assert (answer.status_code, IntakeForm.objects.get().closed_at) == (409, None)
    assert "which CRM is used" in text_of(answer)


# --- counting queries


def test_page_takes_as_many_queries_for_three_rows_as_for_one(
    sign_in, people, framework, django_assert_max_num_queries, django_assert_num_queries
):
    intake = filled(framework, people)
    draft = framework.versions.create(number=2, author=people.ravi)
    add_part(draft, "dimension", "tier", {"label": "Customer Tier", "segments": ["smb"]})
    link_answer(question=intake.questions.get(), target="dimension/tier", actor=people.ravi, at=AT)
    browser = sign_in(people.ravi)
    browser.get(url("intake_detail"))
    with django_assert_max_num_queries(40) as one:
        browser.get(url("intake_detail"))
    for place in range(2):
        question = save_question(intake=fresh(intake), values={"text": f"Question {place}?"}, actor=people.ravi, at=AT)
        link_answer(question=question, target="dimension/tier", actor=people.ravi, at=AT)
        save_field(intake=intake, values=FIELD | {"name": f"Field {place}"}, actor=people.ravi, at=AT)

    with django_assert_num_queries(len(one.captured_queries)):
        browser.get(url("intake_detail"))


def test_list_takes_as_many_queries_for_three_frameworks_as_for_one(
    sign_in, people, framework, django_assert_max_num_queries, django_assert_num_queries
):
    filled(framework, people)
    browser, path = sign_in(people.leah), reverse("governance:intake_list")
    browser.get(path)
    with django_assert_max_num_queries(30) as one:
        assert "100 %" in text_of(browser.get(path))
    for slug in ("second", "third"):
        filled(Framework.objects.create(slug=slug, name=slug.title()), people)

    with django_assert_num_queries(len(one.captured_queries)):
        browser.get(path)


def test_list_without_a_framework_says_what_will_be_here(sign_in, people):
    assert "No framework yet" in text_of(sign_in(people.ravi).get(reverse("governance:intake_list")))


def test_inbox_takes_as_many_queries_for_three_intakes_as_for_one(
    sign_in, people, framework, django_assert_max_num_queries, django_assert_num_queries
):
    fillable(framework, people)
    browser = sign_in(people.ravi)
    browser.get("/")
    with django_assert_max_num_queries(40) as one:
        assert "Intake of Customers: 14 % complete" in text_of(browser.get("/"))
    for slug in ("second", "third"):
        fillable(Framework.objects.create(slug=slug, name=slug.title()), people)

    with django_assert_num_queries(len(one.captured_queries)):
        browser.get("/")
