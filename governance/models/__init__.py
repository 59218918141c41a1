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
from governance.models.requests import Decision, OverrideRequest
from governance.models.reviews import TransitionReview

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "BusinessQuestion",
    "CurrentField",
    "Decision",
    "Heartbeat",
    "IdempotencyKey",
    "IntakeForm",
    "IntakeScope",
    "IntakeScopeSignoff",
    "OverrideRequest",
    "QuestionAnswer",
    "Scope",
    "TransitionReview",
]
