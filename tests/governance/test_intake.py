"""The intake: opened, its scope written and signed, filled in, chased, closed; and what each refuses."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from governance.intake_standing import IntakeStanding, ScopeState
from governance.intake_targets import Targets, working_version
from governance.models import (
    AuditEntry,
    BusinessQuestion,
    CurrentField,
    IntakeForm,
    IntakeScope,
    IntakeScopeSignoff,
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
from tests.governance.intakes import (
    DUE,
    FIELD,
    fillable,
    filled,
    fresh,
    make_people,
    opened,
    signed,
    written,
)
from tests.governance.makers import AT, add_part, make_framework

ACTS = (AuditEntry, IntakeForm, IntakeScope, IntakeScopeSignoff, CurrentField, BusinessQuestion, QuestionAnswer)


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return make_people()


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return make_framework(people.ravi)


def rows() -> list[Any]:
    """Everything an act could have written."""
    return [(kind.__name__, kind.objects.count()) for kind in ACTS] + list(
        IntakeForm.objects.values_list("version", "owner", "due_on", "crm", "closed_at")
    )


def standing(intake: IntakeForm) -> IntakeStanding:
    return IntakeStanding(fresh(intake), AT.date())


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("seq").values_list("action", flat=True))


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
    wanted = {"intake": intake, "due_on": DUE, "expected_version": 1, "at": AT}
    reassign_intake(owner=people.ada, actor=people.ravi, **wanted)
    before = rows()

    with pytest.raises(ConflictError, match="Somebody changed"):
        reassign_intake(owner=people.tomas, actor=people.tomas, **wanted)

    assert rows() == before


# --- the scope


def test_scope_is_written_and_waits_for_an_executive(model, people):
    intake = opened(model.framework, people)
    scope = written(intake, people)

    assert scope.participants == [
        {"person": str(people.priya.uuid), "name": "Priya Raman", "role": "executive"},
        {"person": str(people.ravi.uuid), "name": "Ravi Patel", "role": "revops"},
    ]
    assert (len(scope.digest), standing(intake).scope_state) == (64, ScopeState.AWAITED)
    assert not standing(intake).is_fillable
    assert [item.title for item in waiting_for(people.priya, AT)] == [
        "Sign who takes part in Customers and what segments are for"
    ]


def test_scope_in_the_same_words_is_no_new_one(model, people):
    intake = opened(model.framework, people)
    first = written(intake, people)

    again = written(intake, people, participants=[(people.ravi.uuid, "revops"), (people.priya.uuid, "executive")])

    assert (again, IntakeScope.objects.count(), actions().count("intake.scope_written")) == (first, 1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"participants": []}, "Name who takes part"),
        ({"uses": []}, "what segments will be used for"),
        ({"uses": ["world_peace"]}, "no use of segments"),
        ({"uses": ["other"], "uses_note": " \u200b"}, "in words"),
        ({"uses_note": "x" * 2001}, "2,000 characters at most"),
        ({"uses_note": "a\x00b"}, "Control characters"),
    ],
)
def test_scope_with_bad_content_is_refused(model, people, changes, words):
    intake = opened(model.framework, people)
    before = rows()

    with pytest.raises(InvalidError, match=words):
        written(intake, people, **changes)

    assert rows() == before


@pytest.mark.parametrize("who", ["sync", "gone"])
def test_scope_names_only_people_who_can_log_in(model, people, who):
    intake = opened(model.framework, people)
    person = people.sync if who == "sync" else people.leah
    if who == "gone":
        person.is_active = False
        person.save()

    with pytest.raises(InvalidError, match="Only people who can log in"):
        written(intake, people, participants=[(person.uuid, "csm")])
    with pytest.raises(InvalidError, match="Only people who can log in"):
        written(intake, people, participants=[(intake.uuid, "csm")])
    with pytest.raises(InvalidError, match="role of each"):
        written(intake, people, participants=[(people.ravi.uuid, "integration")])

    assert not IntakeScope.objects.exists()


def test_scope_written_meanwhile_by_another_is_not_written_over(model, people):
    intake = opened(model.framework, people)
    written(intake, people)

    with pytest.raises(ConflictError, match="Somebody wrote this"):
        written(intake, people, uses=["playbooks"], expected_number=0, actor=people.tomas)

    assert IntakeScope.objects.count() == 1


def test_signed_scope_opens_the_form(model, people):
    intake = opened(model.framework, people)
    scope = written(intake, people)

    row = signed(scope, people.priya)

    assert (row.covered_digest, row.content, row.printed_name, row.role) == (
        scope.digest,
        {"participants": scope.participants, "uses": ["reporting", "qbrs"], "uses_note": scope.uses_note},
        "Priya Raman",
        "Stakeholder, Executive",
    )
    assert row.statement.startswith("I agree with who takes part in the intake of Customers")
    assert (standing(intake).is_fillable, actions()[-1]) == (True, "intake.scope_signed")


def test_changed_scope_closes_the_form_until_it_is_signed_again(model, people):
    intake = fillable(model.framework, people)

    scope = written(intake, people, uses=["playbooks"])

    now = standing(intake)
    assert (now.scope_state, now.is_fillable, now.last_signed.number) == (ScopeState.AWAITED, False, 1)
    assert "What was filled in before stays to be read." in now.why_not_fillable
    with pytest.raises(ConflictError, match="waits for an executive"):
        save_question(intake=intake, values={"text": "Who?"}, actor=people.ravi, at=AT)
    signed(scope, people.priya)
    assert standing(intake).is_fillable


def test_no_needs_a_reason_and_asks_for_another_scope(model, people):
    intake = opened(model.framework, people)
    scope = written(intake, people)
    with pytest.raises(InvalidError, match="Say why not"):
        signed(scope, people.priya, "reject", reason="\u200b ")
    assert not IntakeScopeSignoff.objects.exists()

    signed(scope, people.priya, "reject")

    assert (standing(intake).scope_state, actions()[-1]) == (ScopeState.DECLINED, "intake.scope_declined")
    assert "did not sign it" in standing(intake).why_not_fillable


def test_scope_changed_meanwhile_is_not_signed(model, people):
    intake = opened(model.framework, people)
    shown = written(intake, people)
    written(intake, people, uses=["playbooks"])
    before = rows()

    with pytest.raises(ConflictError, match="changed since you opened this page"):
        signed(shown, people.priya)
    with pytest.raises(ConflictError, match="changed since you opened this page"):
        signed(intake.scopes.get(number=2), people.priya, expected_digest=shown.digest)

    assert rows() == before


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("ravi", "signed by Executive.*You wrote"),
        ("tomas", "signed by Executive"),
        ("root", "signed by Executive"),
        ("leah", "signed by Executive"),
    ],
)
def test_scope_is_not_signed_by_others(model, people, who, words):
    scope = written(opened(model.framework, people), people)
    before = rows()

    with pytest.raises(NotAllowedError, match=words):
        signed(scope, getattr(people, who))

    assert rows() == before


def test_program_signs_nothing(model, people):
    scope = written(opened(model.framework, people), people)

    with pytest.raises(NotAllowedError, match="A program cannot sign"):
        signed(scope, people.sync)
    with pytest.raises(NotAllowedError, match="API tokens cannot sign"):
        signed(scope, people.priya, authentication="token")

    assert not IntakeScopeSignoff.objects.exists()


def test_signature_needs_a_fresh_proof(model, people):
    scope = written(opened(model.framework, people), people)

    with pytest.raises(NotAllowedError, match="more than 5 minutes old"):
        signed(scope, people.priya, authenticated_at=AT - timedelta(minutes=6))

    assert not IntakeScopeSignoff.objects.exists()


def test_executive_who_wrote_the_scope_does_not_sign_it(model, people):
    scope = written(opened(model.framework, people), people, actor=people.boss)

    with pytest.raises(NotAllowedError, match="You wrote who takes part"):
        signed(scope, people.boss)

    assert not IntakeScopeSignoff.objects.exists()
    assert [item.kind for item in waiting_for(people.boss, AT)] == []
    assert signed(scope, people.priya).signer == people.priya


def test_writer_of_an_earlier_unsigned_wording_does_not_sign_either(model, people):
    intake = opened(model.framework, people)
    written(intake, people, actor=people.boss)
    touched_up = written(intake, people, uses_note="Which customers get which review?", actor=people.ravi)

    with pytest.raises(NotAllowedError, match="You wrote who takes part"):
        signed(touched_up, people.boss)

    assert not IntakeScopeSignoff.objects.exists()


def test_writer_of_a_wording_that_another_signed_may_sign_the_next(model, people):
    intake = opened(model.framework, people)
    signed(written(intake, people, actor=people.boss), people.priya)

    assert signed(written(intake, people, uses=["playbooks"]), people.boss).signer == people.boss


def test_same_answer_twice_is_one_and_another_is_refused(model, people):
    scope = written(opened(model.framework, people), people)
    first = signed(scope, people.priya)

    assert signed(scope, people.priya) == first
    with pytest.raises(ConflictError, match="answered it already"):
        signed(scope, people.priya, "reject")
    with pytest.raises(ConflictError, match="answered it already"):
        signed(scope, people.boss)

    assert IntakeScopeSignoff.objects.count() == 1


# --- what the database refuses


@pytest.mark.parametrize("table", ["governance_intakescope", "governance_intakescopesignoff"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET uuid = gen_random_uuid()", "DELETE FROM {}"])
def test_scope_and_signature_are_written_once(model, people, table, statement):
    fillable(model.framework, people)

    with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


def test_application_role_may_not_touch_what_was_signed(model, people, application_role):
    fillable(model.framework, people)

    for statement in ("UPDATE governance_intakescope SET uses = '{}'", "DELETE FROM governance_intakescopesignoff"):
        with pytest.raises(DatabaseError, match="permission denied"), application_role():
            connection.cursor().execute(statement)


def test_intake_is_never_deleted(model, people):
    opened(model.framework, people)

    with pytest.raises(DatabaseError, match="kept for ever"), transaction.atomic():
        IntakeForm.objects.all().delete()


def forged(scope: IntakeScope, **changes: Any) -> IntakeScopeSignoff:
    wanted = {
        "scope": scope,
        "decision": "approve",
        "statement": "I agree.",
        "content": {},
        "covered_digest": scope.digest,
        "written_by": scope.written_by,
        "authentication": "password",
        "authenticated_at": AT,
        "signed_at": AT,
        "printed_name": "Somebody",
    }
    return IntakeScopeSignoff(**(wanted | changes))


def test_database_refuses_self_signature_and_forged_digest(model, people):
    scope = written(opened(model.framework, people), people)

    for row, words in (
        (forged(scope, signer=people.ravi), "intake_scope_signed_by_another"),
        (forged(scope, signer=people.ravi, written_by=people.tomas), "covers its scope"),
        (forged(scope, signer=people.priya, covered_digest="0" * 64), "covers its scope"),
        (forged(scope, signer=people.priya, decision="reject"), "intake_scope_reject_has_reason"),
    ):
        with pytest.raises(IntegrityError, match=words), transaction.atomic():
            row.save(force_insert=True)

    assert not IntakeScopeSignoff.objects.exists()


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
    working_version(model.framework).parts.filter(kind="dimension").delete()

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

    assert detail.startswith("Due on 05 Dec 2026, Ravi Patel is responsible. Missing: which CRM is used, ")
    assert (intakes_of(people.tomas), intakes_of(people.leah)) == ([], [])


def test_revops_is_told_after_the_day(model, people):
    fillable(model.framework, people)

    assert intakes_of(people.tomas, AT + timedelta(days=14)) == []
    late = AT + timedelta(days=15)
    assert intakes_of(people.tomas, late)[0].startswith("Overdue since 05 Dec 2026")
    assert intakes_of(people.ada, late) == []


def test_complete_intake_chases_nobody(model, people):
    filled(model.framework, people)

    assert (intakes_of(people.ravi, AT + timedelta(days=30)), intakes_of(people.tomas, AT + timedelta(days=30))) == (
        [],
        [],
    )
