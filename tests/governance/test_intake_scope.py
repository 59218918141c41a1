"""Who takes part in an intake and what for: written, signed by an executive, and what is refused, also by SQL."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.services.delegation import delegate_signing
from governance.intake_standing import ScopeState
from governance.models import (
    AuditEntry,
    IntakeForm,
    IntakeScope,
    IntakeScopeSignoff,
)
from governance.services.inbox import waiting_for
from governance.services.intake_rows import (
    save_question,
)
from tests.governance.intakes import (
    actions,
    fillable,
    make_people,
    opened,
    rows,
    signed,
    standing,
    written,
)
from tests.governance.makers import AT, make_framework


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return make_people()


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return make_framework(people.ravi)


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
    assert (now.scope_state, now.is_fillable) == (ScopeState.AWAITED, False)
    assert now.last_signed == intake.scopes.get(number=1)
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


# --- in somebody's place


def stand_in(people: SimpleNamespace, delegate: str = "leah", delegator: str = "priya") -> None:
    delegate_signing(
        actor=getattr(people, delegator),
        delegate=getattr(people, delegate),
        valid_from=AT - timedelta(hours=1),
        valid_until=AT + timedelta(days=7),
        reason="On leave.",
        at=AT,
    )


def test_delegate_signs_the_scope_and_both_names_are_printed(model, people):
    stand_in(people)
    intake = opened(model.framework, people)
    scope = written(intake, people)
    (waiting,) = waiting_for(people.leah, AT)

    row = signed(scope, people.leah, on_behalf_of=people.priya)

    assert waiting.title == "Sign for Priya Raman who takes part in Customers and what segments are for"
    assert waiting.url.endswith(f"?for={people.priya.uuid}")
    assert (row.signed_by, row.on_behalf_of) == ("Leah Kim for Priya Raman", people.priya)
    assert standing(intake).scope_state == ScopeState.SIGNED
    assert AuditEntry.objects.get(action="intake.scope_signed").after["on_behalf_of"] == "Priya Raman"
    assert signed(scope, people.leah, on_behalf_of=people.priya) == row
    assert waiting_for(people.leah, AT) == []


@pytest.mark.parametrize(
    ("signer", "principal", "reason"),
    [
        ("leah", "priya", "Priya Raman has not asked you"),
        ("tomas", "priya", "You wrote who takes part and what for, so you cannot sign it for anybody"),
        ("boss", "priya", "You sign this yourself"),
        ("leah", "tomas", "Tomas Ekberg cannot sign it either"),
        ("sync", "priya", "A program cannot sign"),
    ],
)
def test_stand_in_inherits_what_stands_against_either(model, people, signer, principal, reason):
    if reason != "Priya Raman has not asked you" and signer != "sync":
        stand_in(people, signer, principal)
    scope = written(opened(model.framework, people), people, actor=people.tomas)
    before = rows()

    with pytest.raises(NotAllowedError, match=reason):
        signed(scope, getattr(people, signer), on_behalf_of=getattr(people, principal))

    assert rows() == before


def test_delegation_that_is_over_signs_nothing(model, people):
    stand_in(people)
    scope = written(opened(model.framework, people), people)
    before, later = rows(), AT + timedelta(days=8)

    with pytest.raises(NotAllowedError, match="not asked you"):
        signed(scope, people.leah, on_behalf_of=people.priya, at=later, authenticated_at=later)

    assert rows() == before


def test_database_refuses_a_signature_on_behalf_of_whoever_wrote_the_scope(model, people):
    scope = written(opened(model.framework, people), people, actor=people.boss)
    given = signed(scope, people.priya)
    other = written(opened_again(scope), people, expected_number=1, uses=["reporting"], actor=people.boss)
    fields = {name: getattr(given, name) for name in ("decision", "statement", "content", "printed_name", "role")}
    common = {**fields, "authentication": "password", "authenticated_at": AT, "signed_at": AT}
    for behalf, name in ((people.boss, "Bo Lind"), (people.priya, "Priya Raman"), (people.ravi, "")):
        with pytest.raises(IntegrityError, match="intake_scope_signed_for_another"), transaction.atomic():
            IntakeScopeSignoff.objects.create(
                scope=other,
                covered_digest=other.digest,
                written_by=people.boss,
                signer=people.priya,
                on_behalf_of=behalf,
                on_behalf_of_name=name,
                **common,
            )


def opened_again(scope: IntakeScope) -> IntakeForm:
    found: IntakeForm = IntakeForm.objects.with_content().get(pk=scope.intake_id)
    return found


@time_machine.travel(AT, tick=False)
def test_page_lets_a_delegate_sign_and_nobody_else(client, model, people):
    stand_in(people)
    scope = written(opened(model.framework, people), people)
    url = reverse("governance:intake_sign", args=["customers"])
    answer = {"decision": "approve", "digest": scope.digest, "password": "correct horse battery"}
    client.force_login(people.leah)

    shown = client.get(url).content.decode()
    refused = client.post(url, answer)
    mine = client.get(f"{url}?for={people.priya.uuid}").content.decode()
    unasked = client.post(f"{url}?for={people.boss.uuid}", answer)
    assert (refused.status_code, unasked.status_code) == (403, 404)
    assert not IntakeScopeSignoff.objects.exists()
    done = client.post(f"{url}?for={people.priya.uuid}", answer)

    assert f"?for={people.priya.uuid}" in shown
    assert "on behalf of Priya Raman" in mine
    assert done.status_code == 302
    assert IntakeScopeSignoff.objects.get().signed_by == "Leah Kim for Priya Raman"
