from governance.models.audit import AuditEntry, AuditHead
from governance.models.integration import ApiToken, Heartbeat, IdempotencyKey, Scope
from governance.models.invitations import Invitation
from governance.models.notices import Mute, Notification
from governance.models.requests import Decision, OverrideRequest
from governance.models.reviews import TransitionReview

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "Decision",
    "Heartbeat",
    "IdempotencyKey",
    "Invitation",
    "Mute",
    "Notification",
    "OverrideRequest",
    "Scope",
    "TransitionReview",
]
