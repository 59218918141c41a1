"""The intake of the demo's framework: who took part and what for, signed by Priya; a form that is nearly complete."""

from datetime import datetime, timedelta

from django.utils import timezone

from frameworks.models import FrameworkVersion, User
from governance.models import IntakeForm
from governance.services.intake import open_intake, save_intake
from governance.services.intake_rows import link_answer, save_field, save_question
from governance.services.intake_scope import decide_scope, write_scope

TAKES_PART = (
    ("priya", "executive"),
    ("ravi", "revops"),
    ("tomas", "revops"),
    ("marcus", "sales_lead"),
    ("nadia", "finance"),
    ("dana", "cs_ops"),
    ("leah", "csm"),
)
ANSWERS = {
    "crm": "Salesforce",
    "cs_platform": "Gainsight",
    "consumers": "CSMs and AEs for their own book, CS Ops for exceptions,\nleadership for the quarterly reviews.",
    "enrichment_tools": "Clearbit for employees and revenue, ordered per quarter.",
}
# Name, type, system, owner, populated in percent, fate, counterpart.
TODAY = (
    ("Customer segment", "field", "Salesforce", "Ravi Patel", 62, "replaced", "dimension/customer_tier"),
    ("Vertical", "field", "Salesforce", "Marcus Hale", 91, "kept", "data_source/industry"),
    ("Customers by segment", "report", "Salesforce", "Ravi Patel", None, "replaced", "dimension/customer_tier"),
    ("Renewal reminder by segment", "workflow", "Gainsight", "Dana Whitfield", None, "replaced", ""),
    ("My top accounts", "view", "Salesforce", "Leah Kim", None, "", ""),
)
# Question, asked by, what answers it.
QUESTIONS = (
    ("Which customers get a dedicated CSM?", "VP Customer Success", ("dimension/customer_tier", "page/playbooks")),
    ("How many accounts does each CSM carry, by segment?", "CS Operations", ("page/accounts",)),
    ("Which customers may leave before they renew?", "CFO", ("dimension/engagement", "dimension/lifecycle")),
    ("Which industries should sales hire specialists for?", "VP Sales", ("dimension/industry",)),
    ("What does serving each segment cost us?", "CFO", ()),
)


def take_in(version: FrameworkVersion, people: dict[str, User], at: datetime) -> IntakeForm:
    """Open the intake, have its scope signed, and fill it in but for one decision and one answer."""
    ravi = people["ravi"]
    due_on = timezone.localdate(at) + timedelta(days=10)
    intake = open_intake(framework=version.framework, owner=ravi, due_on=due_on, actor=ravi, at=at)
    scope = write_scope(
        intake=intake,
        participants=[(people[name].uuid, role) for name, role in TAKES_PART],
        uses=["reporting", "playbooks", "resources", "qbrs"],
        uses_note="Reports by segment for the board, a play for each tier, CSM capacity by tier, who gets an EBR.",
        expected_number=0,
        actor=ravi,
        at=at,
    )
    decide_scope(
        scope=scope,
        decision="approve",
        expected_digest=scope.digest,
        signer=people["priya"],
        authentication="password",
        authenticated_at=at,
        at=at,
    )
    save_intake(intake=intake, answers=ANSWERS, expected_version=intake.version, actor=ravi, at=at)
    list_what_is_there(intake, ravi, at)
    ask_questions(intake, ravi, at)
    return intake


def list_what_is_there(intake: IntakeForm, actor: User, at: datetime) -> None:
    for name, kind, system, owner, guess, fate, counterpart in TODAY:
        values = {
            "name": name,
            "type": kind,
            "system": system,
            "owner": owner,
            "populated_guess": guess,
            "fate": fate,
            "counterpart": counterpart,
        }
        save_field(intake=intake, values=values, actor=actor, at=at)


def ask_questions(intake: IntakeForm, actor: User, at: datetime) -> None:
    for text, asked_by, targets in QUESTIONS:
        question = save_question(intake=intake, values={"text": text, "asked_by": asked_by}, actor=actor, at=at)
        for target in targets:
            link_answer(question=question, target=target, actor=actor, at=at)
