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
from accounts.models.checking import CheckReport
from accounts.models.history import MetricObservation, MetricSeries, PastAccount, Signal
from accounts.models.intake import Import, ImportRow
from accounts.models.listing import ListEntry
from accounts.models.run import AssignmentRun, DistributionSnapshot, RunChunk, RunMove

__all__ = [
    "Account",
    "AccountIdentifier",
    "Assignment",
    "AssignmentRun",
    "Cause",
    "CheckReport",
    "DistributionSnapshot",
    "FeedEpoch",
    "Import",
    "ImportRow",
    "ListEntry",
    "MetricObservation",
    "MetricSeries",
    "Override",
    "PastAccount",
    "PendingEvaluation",
    "Reason",
    "RunChunk",
    "RunMove",
    "Signal",
    "Transition",
]
