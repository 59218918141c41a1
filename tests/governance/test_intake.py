"""The intake: opened, its scope written and signed, filled in, chased, closed; and what each refuses."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from governance.intake_targets import Targets, working_version
from governance.models import (
    BusinessQuestion,
    CurrentField,
    IntakeForm,
    Notification,
    QuestionAnswer,
)
from governance.services.inbox import waiting_for
from governance.services.intake import close_intake, open_intake, reassign_intake, save_intake
from governance.services.intake_rows import (
    link_answer,
    remove_field,
    remove_question,
    save_field,
    save_question,
    unlink_answer,
)
from governance.services.reminding import watch_notices
from tests.governance.intakes import (
    DUE,
    FIELD,
    actions,
    fillable,
    filled,
    fresh,
    make_people,
    opened,
    rows,
    signed,
    standing,
    written,
)
from tests.governance.makers import AT, add_part, make_framework


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return make_people()


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return make_framework(people.ravi)


# --- opening


def test_intake_is_opened_once_and_audited(model, people):
    intake = opened(model.framework, people)

    with pytest.raises(ConflictError, match="open intake already"):
        opened(model.framework, people, actor=people.tomas)
    assert (IntakeForm.objects.get(), actions()) == (intake, ["intake.opened"])


def test_database_keeps_a_second_open_intake_out(model, people):
    intake = opened(model.framework, people)
    intake.pk = None
    intake.uuid = people.ravi.uuid

    with pytest.raises(IntegrityError, match="intake_one_open"), transaction.atomic():
        intake.save(force_insert=True)


@pytest.mark.parametrize("who", ["leah", "priya", "sync"])
def test_intake_is_not_opened_by_others(model, people, who):
    before = rows()

    with pytest.raises(NotAllowedError, match="RevOps and the architect"):
        opened(model.framework, people, actor=getattr(people, who))

    assert rows() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"owner": "leah"}, "responsible"),
        ({"owner": "sync"}, "responsible"),
        ({"due_on": AT.date() - timedelta(days=1)}, "today at the earliest"),
        ({"due_on": AT.date() + timedelta(days=400)}, "within a year"),
    ],
)
def test_intake_with_a_bad_duty_is_refused(model, people, changes, words):
    before = rows()
    changes = {name: getattr(people, value) if isinstance(value, str) else value for name, value in changes.items()}

    with pytest.raises(InvalidError, match=words):
        opened(model.framework, people, **changes)

    assert rows() == before


def test_intake_is_given_to_another_person(model, people):
    intake = opened(model.framework, people)

    reassign_intake(
        intake=intake, owner=people.ada, due_on=DUE, expected_version=intake.version, actor=people.ravi, at=AT
    )

    intake.refresh_from_db()
    assert (intake.owner, intake.version, actions()[-1]) == (people.ada, 2, "intake.reassigned")


def test_intake_is_not_reassigned_from_an_old_page(model, people):
    intake = opened(model.framework, people)
    wanted: dict[str, Any] = {"intake": intake, "due_on": DUE, "expected_version": 1, "at": AT}
    reassign_intake(owner=people.ada, actor=people.ravi, **wanted)
    before = rows()

    with pytest.raises(ConflictError, match="Somebody changed"):
        reassign_intake(owner=people.tomas, actor=people.tomas, **wanted)

    assert rows() == before


# --- filling in


def test_completion_is_computed_and_names_what_is_missing(model, people):
    intake = opened(model.framework, people)
    assert (standing(intake).percent, len(standing(intake).missing)) == (0, 7)

    intake = fillable_from(intake, people)
    assert standing(intake).percent == 14

    save_intake(
        intake=intake,
        answers={"crm": "Salesforce", "cs_platform": "\u200b"},
        expected_version=1,
        actor=people.ada,
        at=AT,
    )
    save_field(intake=intake, values=FIELD | {"fate": ""}, actor=people.ada, at=AT)
    now = standing(intake)
    assert now.percent == 28
    assert [each.lacks for each in now.missing] == [
        "which CS platform is used",
        "whether 1 of today's fields is kept",
        "which questions it must answer",
        "who consumes segments",
        "which enrichment tools are used",
    ]


def fillable_from(intake: IntakeForm, people: SimpleNamespace) -> IntakeForm:
    signed(written(intake, people), people.priya)
    return fresh(intake)


def test_filled_intake_is_complete_and_can_be_closed_once(model, people):
    intake = filled(model.framework, people)
    assert (standing(intake).percent, standing(intake).missing) == (100, [])

    close_intake(intake=intake, actor=people.ravi, at=AT)

    with pytest.raises(ConflictError, match="closed"):
        close_intake(intake=intake, actor=people.ravi, at=AT)
    with pytest.raises(ConflictError, match="closed"):
        save_question(intake=intake, values={"text": "Who?"}, actor=people.ravi, at=AT)
    with pytest.raises(ConflictError, match="closed"):
        written(intake, people, uses=["playbooks"])
    assert open_intake(framework=model.framework, owner=people.ravi, due_on=DUE, actor=people.ravi, at=AT).is_open


def test_incomplete_intake_is_not_closed_and_says_what_is_missing(model, people):
    intake = fillable(model.framework, people)
    before = rows()

    with pytest.raises(ConflictError, match="which CRM is used"):
        close_intake(intake=intake, actor=people.ravi, at=AT)

    assert rows() == before


def test_answers_saved_in_another_tab_are_not_written_over(model, people):
    intake = fillable(model.framework, people)
    save_intake(intake=intake, answers={"crm": "HubSpot"}, expected_version=1, actor=people.tomas, at=AT)
    before = rows()

    with pytest.raises(ConflictError, match="Nothing of yours was saved"):
        save_intake(intake=intake, answers={"crm": "Salesforce"}, expected_version=1, actor=people.ravi, at=AT)

    assert rows() == before


def test_saving_the_same_writes_nothing(model, people):
    intake = filled(model.framework, people)
    before = rows()

    save_intake(intake=intake, answers={"crm": "Salesforce"}, expected_version=intake.version, actor=people.ravi, at=AT)
    field = intake.current_fields.get()
    save_field(intake=intake, values=FIELD, field=field, expected_version=field.version, actor=people.ravi, at=AT)

    assert rows() == before


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"crm": "x" * 201}, "CRM: 200 characters at most"),
        ({"crm": "a\x00b"}, "CRM: Control characters"),
        ({"consumers": "x" * 2001}, "2,000 characters at most"),
        ({"owner": "me"}, "no question of the intake"),
    ],
)
def test_bad_answers_are_refused(model, people, answers, words):
    intake = fillable(model.framework, people)
    before = rows()

    with pytest.raises(InvalidError, match=words):
        save_intake(intake=intake, answers=answers, expected_version=1, actor=people.ravi, at=AT)

    assert rows() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "Name: Must not be blank"),
        ({"name": "\u3164"}, "Name: Must not be blank"),
        ({"name": "x" * 151}, "Name: 150 characters"),
        ({"system": ""}, "System: Must not be blank"),
        ({"type": "dream"}, "not offered"),
        ({"fate": "burnt"}, "not offered"),
        ({"populated_guess": 101}, "0 to 100"),
        ({"counterpart": "dimension/nowhere"}, "counterpart"),
        ({"counterpart": "policy/overrides"}, "counterpart"),
    ],
)
def test_bad_field_of_today_is_refused(model, people, changes, words):
    intake = fillable(model.framework, people)
    before = rows()

    with pytest.raises(InvalidError, match=words):
        save_field(intake=intake, values=FIELD | changes, actor=people.ravi, at=AT)

    assert rows() == before


def test_field_is_listed_once_changed_and_removed(model, people):
    intake = fillable(model.framework, people)
    field = save_field(intake=intake, values=FIELD, actor=people.ravi, at=AT)
    with pytest.raises(ConflictError, match="listed already"):
        save_field(intake=intake, values=FIELD, actor=people.tomas, at=AT)

    given = {"intake": intake, "field": field, "actor": people.ravi, "at": AT}
    save_field(values=FIELD | {"fate": "kept"}, expected_version=1, **given)
    with pytest.raises(ConflictError, match="changed or removed"):
        save_field(values=FIELD | {"fate": "replaced"}, expected_version=1, **given)
    with pytest.raises(ConflictError, match="changed or removed"):
        remove_field(field=field, expected_version=1, actor=people.ravi, at=AT)
    assert CurrentField.objects.get().fate == "kept"

    remove_field(field=field, expected_version=2, actor=people.ravi, at=AT)
    assert (CurrentField.objects.count(), actions()[-1]) == (0, "intake.field_removed")


def test_listing_a_field_takes_back_that_there_are_none(model, people):
    intake = fillable(model.framework, people)
    save_intake(intake=intake, answers={"has_no_fields": True}, expected_version=1, actor=people.ravi, at=AT)
    assert "fields" not in [section.key for section in standing(intake).missing]

    save_field(intake=intake, values=FIELD, actor=people.ravi, at=AT)

    assert not fresh(intake).has_no_fields
    with pytest.raises(InvalidError, match="Fields are listed"):
        save_intake(intake=intake, answers={"has_no_fields": True}, expected_version=3, actor=people.ravi, at=AT)


@pytest.mark.parametrize("who", ["leah", "priya", "sync"])
def test_form_is_not_filled_in_by_others(model, people, who):
    intake = filled(model.framework, people)
    actor, question, field = getattr(people, who), intake.questions.get(), intake.current_fields.get()
    before = rows()
    by = {"actor": actor, "at": AT}

    for act in (
        lambda: save_intake(intake=intake, answers={"crm": "X"}, expected_version=intake.version, **by),
        lambda: save_field(intake=intake, values=FIELD, **by),
        lambda: remove_field(field=field, expected_version=1, **by),
        lambda: save_question(intake=intake, values={"text": "Who?"}, **by),
        lambda: remove_question(question=question, expected_version=1, **by),
        lambda: link_answer(question=question, target="page/accounts", **by),
        lambda: unlink_answer(question=question, target="page/accounts", **by),
        lambda: close_intake(intake=intake, **by),
        lambda: written(intake, people, uses=["playbooks"], actor=actor),
    ):
        with pytest.raises(NotAllowedError):
            act()

    assert rows() == before


# --- what answers a question


@pytest.fixture
def asked(model: SimpleNamespace, people: SimpleNamespace) -> BusinessQuestion:
    draft = add_draft(model, people)
    add_part(draft, "dimension", "tier", {"label": "Customer Tier", "segments": ["smb"]})
    add_part(draft, "segment", "tier/smb", {"label": "SMB", "dimension": "tier", "rules": []})
    intake = fillable(model.framework, people)
    return save_question(intake=intake, values={"text": "Who needs a CSM?"}, actor=people.ravi, at=AT)


def add_draft(model: SimpleNamespace, people: SimpleNamespace) -> Any:
    return model.framework.versions.create(number=model.framework.versions.count() + 1, author=people.ravi)


def state(question: BusinessQuestion) -> Any:
    question = BusinessQuestion.objects.prefetch_related("answers").get(pk=question.pk)
    framework = question.intake.framework
    return Targets(framework, working_version(framework)).states([question])[0]


def test_question_is_answered_by_parts_and_pages(asked, people):
    assert not state(asked).is_answered

    for target in ("dimension/tier", "segment/tier/smb", "page/accounts"):
        link_answer(question=asked, target=target, actor=people.ravi, at=AT)

    found = state(asked)
    assert found.is_answered
    assert [(answer.label, answer.url) for answer in found.answers] == [
        ("Customer Tier", "/frameworks/customers/v2/?part=dimension/tier"),
        ("Customer Tier / SMB", "/frameworks/customers/v2/?part=segment/tier/smb"),
        ("Accounts by dimension", "/accounts/"),
    ]


def test_question_whose_part_is_gone_says_so_and_is_not_answered(asked, model, people):
    link_answer(question=asked, target="dimension/tier", actor=people.ravi, at=AT)
    model.framework.versions.get(number=2).parts.filter(kind="dimension").delete()

    found = state(asked)

    assert (found.is_answered, found.answers[0].gone_from, found.answers[0].url) == (
        False,
        "v2 (draft) and v1 (active)",
        "",
    )


@pytest.mark.parametrize("target", ["", "dimension/nowhere", "policy/overrides", "page/nowhere", "account/1", "page/"])
def test_answer_that_is_not_there_is_refused(asked, people, target):
    before = rows()

    with pytest.raises(InvalidError, match="from the list"):
        link_answer(question=asked, target=target, actor=people.ravi, at=AT)

    assert rows() == before


def test_answer_is_named_once_and_taken_away_once(asked, people):
    given = {"question": asked, "target": "page/accounts", "actor": people.ravi, "at": AT}
    link_answer(**given)
    with pytest.raises(ConflictError, match="named already"):
        link_answer(**given)

    unlink_answer(**given)
    with pytest.raises(ConflictError, match="already"):
        unlink_answer(**given)

    assert (QuestionAnswer.objects.count(), actions()[-2:]) == (0, ["intake.answer_linked", "intake.answer_unlinked"])


def test_removed_question_takes_its_links_along_and_cannot_be_linked(asked, people):
    link_answer(question=asked, target="page/accounts", actor=people.ravi, at=AT)
    remove_question(question=asked, expected_version=1, actor=people.ravi, at=AT)

    with pytest.raises(ConflictError, match="removed this question"):
        link_answer(question=asked, target="page/runs", actor=people.ravi, at=AT)

    assert (BusinessQuestion.objects.count(), QuestionAnswer.objects.count()) == (0, 0)


# --- who is chased


def intakes_of(user: Any, at: Any = AT) -> list[str]:
    return [item.detail for item in waiting_for(user, at) if item.kind == "intake"]


def test_owner_is_chased_until_the_form_is_complete(model, people):
    fillable(model.framework, people)

    (detail,) = intakes_of(people.ravi)

    assert detail.startswith("Ravi Patel is responsible. Missing: which CRM is used, ")
    assert (intakes_of(people.tomas), intakes_of(people.leah)) == ([], [])


def test_revops_is_told_after_the_day(model, people):
    fillable(model.framework, people)

    assert intakes_of(people.tomas, AT + timedelta(days=14)) == []
    late = AT + timedelta(days=15)
    (item,) = [each for each in waiting_for(people.tomas, late) if each.kind == "intake"]
    assert item.due_on == DUE
    assert intakes_of(people.ada, late) == []


def test_complete_intake_chases_nobody(model, people):
    filled(model.framework, people)

    assert (intakes_of(people.ravi, AT + timedelta(days=30)), intakes_of(people.tomas, AT + timedelta(days=30))) == (
        [],
        [],
    )


def told(person: Any, kind: str = "") -> list[str]:
    found = Notification.objects.filter(person=person).order_by("pk")
    return [row.subject for row in (found.filter(kind=kind) if kind else found)]


def test_owner_of_an_intake_is_asked_reminded_and_revops_hears_when_it_is_long_overdue(model, people):
    intake = fillable(model.framework, people)
    reassign_intake(
        intake=intake, owner=people.ada, due_on=DUE, expected_version=fresh(intake).version, actor=people.ravi, at=AT
    )

    for days in (0, 1, 12, 14, 15, 20, 22):
        watch_notices(AT + timedelta(days=days))

    name = f"Intake of {model.framework.name}: 14 % complete"
    assert told(people.ada) == [
        name,
        f"Due on 5 Dec 2026: {name}",
        f"Due today: {name}",
        f"Overdue since 5 Dec 2026: {name}",
    ]
    assert told(people.ravi) == told(people.tomas)
    assert told(people.tomas) == [f"Overdue since 5 Dec 2026: {name}", f"Long overdue: {name}"]
    assert told(people.leah) == []


def test_executive_is_asked_for_the_scope_until_it_is_signed(model, people):
    scope = written(opened(model.framework, people), people)
    title = f"Sign who takes part in {model.framework.name} and what segments are for"

    (item,) = [each for each in waiting_for(people.priya, AT) if each.kind == "intake"]
    for days in (0, 3, 6, 7, 14):
        watch_notices(AT + timedelta(days=days))

    assert item.due_on == date(2026, 11, 27)
    assert told(people.priya) == [
        title,
        f"Due on 27 Nov 2026: {title}",
        f"Due today: {title}",
        f"Overdue since 27 Nov 2026: {title}",
    ]
    assert f"Long overdue: {title}" in told(people.ravi, "escalation")
    signed(scope, people.priya)
    watch_notices(AT + timedelta(days=16))
    assert not Notification.objects.filter(person=people.priya, read_at=None).exists()
    assert len(told(people.priya)) == 4


def test_complete_intake_is_told_to_nobody(model, people):
    filled(model.framework, people)

    watch_notices(AT + timedelta(days=40))

    assert not Notification.objects.exists()
