from governance.models.audit import AuditEntry, AuditHead
from governance.models.documents import PreparedDocument
from governance.models.intake import (
    BusinessQuestion,
    CurrentField,
    IntakeForm,
    IntakeScope,
    IntakeScopeSignoff,
    QuestionAnswer,
)
from governance.models.integration import ApiToken, Heartbeat, IdempotencyKey, Scope
from governance.models.invitations import Invitation
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
from governance.models.notices import Mute, Notification
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
    "Invitation",
    "Meeting",
    "MeetingDecision",
    "MeetingPart",
    "MeetingRemark",
    "Mute",
    "Notification",
    "OverrideRequest",
    "PartResolver",
    "PreparedDocument",
    "QuestionAnswer",
    "Scope",
    "TransitionReview",
]
