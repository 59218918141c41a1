"""Requests to deviate from the rules, and the decisions on them."""

import uuid

from django.conf import settings
from django.db import models

from governance.querysets import OverrideRequestQuerySet


class OverrideRequest(models.Model):
    """ "This account should count as another segment for a while", and what became of it."""

    class State(models.TextChoices):
        SUBMITTED = "submitted", "Waiting for a decision"
        INFO_REQUESTED = "info_requested", "Information asked for"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        TIMED_OUT = "timed_out", "Timed out"
        LAPSED = "lapsed", "Segment retired"

    OPEN = (State.SUBMITTED, State.INFO_REQUESTED)

    class ReasonCode(models.TextChoices):
        STRATEGIC = "strategic", "Strategic relationship"
        PENDING_DATA = "pending_data", "Data is known to be wrong and being mended"
        CONTRACT = "contract", "Agreed in the contract"
        MERGER = "merger", "Merger or restructuring under way"
        OTHER = "other", "Other"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="override_requests")
    dimension = models.ForeignKey("frameworks.Dimension", on_delete=models.PROTECT, related_name="+")
    segment = models.ForeignKey("frameworks.Segment", on_delete=models.PROTECT, related_name="+")
    computed = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="By the rules, when asked.",
    )
    state = models.CharField(max_length=14, choices=State, default=State.SUBMITTED)
    reason_code = models.CharField(max_length=63, choices=ReasonCode, help_text="A key of the policy's.")
    reason = models.TextField()
    evidence = models.TextField(blank=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="override_requests"
    )
    requested_at = models.DateTimeField()
    override = models.OneToOneField(
        "accounts.Override", null=True, blank=True, on_delete=models.PROTECT, related_name="request"
    )
    state_reason = models.TextField(blank=True, default="", db_default="", help_text="Why the system closed it.")
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OverrideRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_until__gt=models.F("valid_from")),
                name="override_request_ends_after_start",
                violation_error_message="An override ends after it starts.",
            ),
            models.UniqueConstraint(
                fields=["account", "dimension"],
                condition=models.Q(state__in=["submitted", "info_requested"]),
                name="override_request_one_open",
                violation_error_message="An override of this account in this dimension is already asked for.",
            ),
        ]
        permissions = [
            ("request_override", "Can ask for an override"),
            ("decide_override", "Can approve or reject an override"),
        ]

    def __str__(self) -> str:
        return f"{self.account} as {self.segment}"


class Decision(models.Model):
    """One person's decision on a request. Append-only; the requester is copied in so that the database compares."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approve"
        REJECT = "reject", "Reject"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    request = models.ForeignKey(OverrideRequest, on_delete=models.PROTECT, related_name="decisions")
    request_version = models.PositiveIntegerField(help_text="Which state of the request was decided.")
    verdict = models.CharField(max_length=7, choices=Verdict)
    reason = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    role = models.CharField(max_length=200)
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(decided_by=models.F("requested_by")),
                name="decision_not_by_requester",
                violation_error_message="Nobody decides their own request.",
            ),
            models.UniqueConstraint(
                fields=["request", "request_version", "decided_by"],
                name="decision_once_a_person",
                violation_error_message="You have decided this request.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.printed_name}: {self.verdict} {self.request}"
