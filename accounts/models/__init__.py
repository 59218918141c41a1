from accounts.models.account import Account, AccountIdentifier
from accounts.models.assignment import (
    Assignment,
    Cause,
    FeedEpoch,
    Override,
    PendingEvaluation,
    Reason,
    Transition,
)
from accounts.models.history import MetricObservation
from accounts.models.intake import Import, ImportRow
from accounts.models.run import AssignmentRun, DistributionSnapshot, RunChunk, RunMove

__all__ = [
    "Account",
    "AccountIdentifier",
    "Assignment",
    "AssignmentRun",
    "Cause",
    "DistributionSnapshot",
    "FeedEpoch",
    "Import",
    "ImportRow",
    "MetricObservation",
    "Override",
    "PendingEvaluation",
    "Reason",
    "RunChunk",
    "RunMove",
    "Transition",
]
