"""Requirements of a round and the sign-offs given. Whether a sign-off still counts is derived, never stored."""

import uuid

from django.conf import settings
from django.db import models

from frameworks.models.part import Kind


class Requirement(models.Model):
    """What one round of one version asks for, snapshotted from its signed policy at submit.

    With `part_key` it covers that one part; without, the set of parts its kinds and keys select.
    """

    class Level(models.TextChoices):
        COSMETIC = "cosmetic", "Every word"
        OPERATIONAL = "operational", "What teams do and what it means"
        SEMANTIC = "semantic", "What it means"

    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="requirements")
    round = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=63)
    label = models.CharField(max_length=200)
    kinds = models.JSONField(default=list)
    keys = models.JSONField(default=list)
    part_kind = models.CharField(max_length=12, choices=Kind, blank=True)
    part_key = models.CharField(max_length=127, blank=True)
    level = models.CharField(max_length=11, choices=Level)
    minimum = models.PositiveSmallIntegerField(help_text="Approvals needed.")
    pool_label = models.CharField(max_length=200)
    pool = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="requirements")
    counts_contributors = models.BooleanField(default=False)
    includes_impact = models.BooleanField(default=False)
    freshness_days = models.PositiveIntegerField(null=True, blank=True)
    recertify_days = models.PositiveIntegerField(null=True, blank=True)
    dissent_role = models.CharField(
        max_length=63, blank=True, default="", db_default="", help_text="Who may approve over a No; nobody if empty."
    )
    covered_digest = models.CharField(
        max_length=64, blank=True, help_text="What a signature of this round covers; the parts are frozen."
    )

    class Meta:
        ordering = ["version", "round", "position", "part_key"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "round", "code", "part_kind", "part_key"], name="requirement_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.part_key}".strip()


OVER_DISSENT = "over dissent"
"""The meaning of an approval over dissent, and of taking it back: neither is anybody's own Yes or No."""


class Signoff(models.Model):
    """A person's decision on an exact digest. Append-only; names and roles are copied so that it stays printable."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Yes"
        REJECT = "reject", "No"
        WITHDRAW = "withdraw", "Withdrawn"
        ACKNOWLEDGE = "acknowledge", "Acknowledged"
        OVERRULE = "overrule", "Approved over dissent"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("Framework", on_delete=models.PROTECT, related_name="signoffs")
    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="signoffs")
    requirement = models.ForeignKey(Requirement, on_delete=models.PROTECT, related_name="signoffs")
    code = models.CharField(max_length=63)
    part_kind = models.CharField(max_length=12, choices=Kind, blank=True)
    part_key = models.CharField(max_length=127, blank=True)
    round = models.PositiveIntegerField()
    decision = models.CharField(max_length=11, choices=Decision)
    meaning = models.CharField(max_length=40, default="approved")
    statement = models.TextField(help_text="The words shown above the button.")
    reason = models.TextField(blank=True)
    covered_digest = models.CharField(max_length=64)
    manifest_digest = models.CharField(max_length=64)
    impact_digest = models.CharField(max_length=64, blank=True)
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signoffs")
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    on_behalf_of_name = models.CharField(max_length=150, blank=True)
    printed_name = models.CharField(max_length=150)
    role = models.CharField(max_length=200)
    authentication = models.CharField(max_length=40, help_text="How the signer proved who they are.")
    authenticated_at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["framework", "code", "part_key", "signer"], name="signoff_newest")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(decision="reject") | ~models.Q(reason=""),
                name="signoff_reject_has_reason",
                violation_error_message="Say why not.",
            ),
            models.CheckConstraint(
                condition=~models.Q(decision="overrule") | (~models.Q(reason="") & models.Q(on_behalf_of__isnull=True)),
                name="signoff_overrule_has_reason",
                violation_error_message="Say why the dissent is overruled; nobody does it for another.",
            ),
            models.CheckConstraint(
                condition=models.Q(on_behalf_of__isnull=True)
                | (~models.Q(on_behalf_of=models.F("signer")) & ~models.Q(on_behalf_of_name="")),
                name="signoff_for_another",
                violation_error_message="Nobody signs on their own behalf.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signed_by}: {self.decision} {self.code} {self.part_key}".strip()

    @property
    def signed_by(self) -> str:
        """The printed name, and for whom when it was given in somebody's place."""
        behalf = f" for {self.on_behalf_of_name}" if self.on_behalf_of_id else ""
        return f"{self.printed_name}{behalf}"
