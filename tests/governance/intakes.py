"""What the tests of the intake are made of: people around it, a scope, a signature, a filled form."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from frameworks.models import Framework, User
from frameworks.roles import Role
from governance.intake_standing import IntakeStanding
from governance.models import (
    AuditEntry,
    BusinessQuestion,
    CurrentField,
    IntakeForm,
    IntakeScope,
    IntakeScopeSignoff,
    QuestionAnswer,
)
from governance.services.intake import open_intake, save_intake
from governance.services.intake_rows import save_field, save_question
from governance.services.intake_scope import decide_scope, write_scope
from tests.governance.makers import AT, make_person

ACTS = (AuditEntry, IntakeForm, IntakeScope, IntakeScopeSignoff, CurrentField, BusinessQuestion, QuestionAnswer)
DUE = date(2026, 12, 5)
FIELD = {
    "type": "field",
    "name": "Customer segment",
    "system": "Salesforce",
    "owner": "Ravi Patel",
    "populated_guess": 60,
    "fate": "replaced",
    "counterpart": "",
}


def make_people() -> SimpleNamespace:
    return SimpleNamespace(
        ravi=make_person("Ravi Patel", Role.REVOPS),
        tomas=make_person("Tomas Ekberg", Role.REVOPS),
        ada=make_person("Ada Stone", Role.ARCHITECT),
        priya=make_person("Priya Raman", Role.EXECUTIVE, Role.STAKEHOLDER),
        boss=make_person("Bo Lind", Role.EXECUTIVE, Role.REVOPS),
        leah=make_person("Leah Kim", Role.CSM),
        sync=make_person("CRM sync", Role.INTEGRATION, is_service=True),
        root=make_person("Root", is_superuser=True),
    )


def opened(framework: Framework, people: SimpleNamespace, **changes: Any) -> IntakeForm:
    wanted: dict[str, Any] = {
        "framework": framework,
        "owner": people.ravi,
        "due_on": DUE,
        "actor": people.ravi,
        "at": AT,
    }
    return open_intake(**(wanted | changes))


def written(intake: IntakeForm, people: SimpleNamespace, **changes: Any) -> IntakeScope:
    wanted = {
        "intake": intake,
        "participants": [(people.priya.uuid, "executive"), (people.ravi.uuid, "revops")],
        "uses": ["reporting", "qbrs"],
        "uses_note": "Which customers get which review.",
        "expected_number": intake.scopes.count(),
        "actor": people.ravi,
        "at": AT,
    }
    return write_scope(**(wanted | changes))


def signed(scope: IntakeScope, signer: User, decision: str = "approve", **changes: Any) -> IntakeScopeSignoff:
    wanted: dict[str, Any] = {
        "scope": scope,
        "decision": decision,
        "expected_digest": scope.digest,
        "signer": signer,
        "authentication": "password",
        "authenticated_at": AT - timedelta(minutes=1),
        "at": AT,
        "reason": "" if decision == "approve" else "Sales is missing.",
    }
    return decide_scope(**(wanted | changes))


def fillable(framework: Framework, people: SimpleNamespace) -> IntakeForm:
    intake = opened(framework, people)
    signed(written(intake, people), people.priya)
    return fresh(intake)


def fresh(intake: IntakeForm) -> IntakeForm:
    found: IntakeForm = IntakeForm.objects.with_content().get(pk=intake.pk)
    return found


def filled(framework: Framework, people: SimpleNamespace) -> IntakeForm:
    """Everything is answered."""
    intake = fillable(framework, people)
    answers = {"crm": "Salesforce", "cs_platform": "Gainsight", "consumers": "CSMs", "enrichment_tools": "None"}
    save_intake(intake=intake, answers=answers, expected_version=intake.version, actor=people.ravi, at=AT)
    save_field(intake=intake, values=FIELD, actor=people.ravi, at=AT)
    save_question(intake=intake, values={"text": "Who needs a dedicated CSM?"}, actor=people.ravi, at=AT)
    return fresh(intake)


def rows() -> list[Any]:
    """Everything an act could have written."""
    return [(kind.__name__, kind.objects.count()) for kind in ACTS] + list(
        IntakeForm.objects.values_list("version", "owner", "due_on", "crm", "closed_at")
    )


def standing(intake: IntakeForm) -> IntakeStanding:
    return IntakeStanding(fresh(intake), AT.date())


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("seq").values_list("action", flat=True))
