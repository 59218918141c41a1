from governance.models.audit import AuditEntry, AuditHead
from governance.models.intake import (
    BusinessQuestion,
    CurrentField,
    IntakeForm,
    IntakeScope,
    IntakeScopeSignoff,
    QuestionAnswer,
)
from governance.models.integration import ApiToken, Heartbeat, IdempotencyKey, Scope
from governance.models.meetings import (
    AgendaItem,
    Attendance,
    Homework,
    Meeting,
    MeetingDecision,
    MeetingPart,
    MeetingRemark,
    PartResolver,
)
from governance.models.requests import Decision, OverrideRequest
from governance.models.reviews import TransitionReview

__all__ = [
    "AgendaItem",
    "ApiToken",
    "Attendance",
    "AuditEntry",
    "AuditHead",
    "BusinessQuestion",
    "CurrentField",
    "Decision",
    "Heartbeat",
    "Homework",
    "IdempotencyKey",
    "IntakeForm",
    "IntakeScope",
    "IntakeScopeSignoff",
    "Meeting",
    "MeetingDecision",
    "MeetingPart",
    "MeetingRemark",
    "OverrideRequest",
    "PartResolver",
    "QuestionAnswer",
    "Scope",
    "TransitionReview",
]
