"""A company's segmentation framework and its numbered versions."""

import uuid

from django.conf import settings
from django.db import models


class Framework(models.Model):
    """The whole agreed model of a company. Which version is in force is said here and nowhere else."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=150)
    active_version = models.ForeignKey(
        "FrameworkVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class FrameworkVersion(models.Model):
    """One numbered version: a set of parts, frozen by a trigger as soon as it leaves draft.

    `activated` says that it was in force once; whether it is today says `Framework.active_version`.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        SCHEDULED = "scheduled", "Scheduled"
        ACTIVATED = "activated", "Activated"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey(Framework, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    base_version = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    round = models.PositiveIntegerField(default=0, help_text="How often it was submitted.")
    title = models.CharField(max_length=200, blank=True)
    manifest_digest = models.CharField(max_length=64, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    scheduled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state_reason = models.TextField(blank=True, help_text="Why it last fell back: asked changes, a gate that failed.")
    is_emergency = models.BooleanField(default=False)
    emergency_reason = models.TextField(blank=True)
    ratify_by = models.DateTimeField(
        null=True, blank=True, help_text="An emergency that is not ratified by then is reverted."
    )
    ratified_at = models.DateTimeField(null=True, blank=True)
    rollback_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["framework", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["framework", "number"], name="version_number_unique"),
            models.UniqueConstraint(
                fields=["framework"],
                condition=models.Q(state__in=["in_review", "approved", "scheduled"], is_emergency=False),
                name="version_one_under_way",
                violation_error_message="Another version of this framework is in review, approved or scheduled.",
            ),
            models.UniqueConstraint(
                fields=["framework"],
                condition=models.Q(state__in=["in_review", "approved", "scheduled"], is_emergency=True),
                name="version_one_emergency",
                violation_error_message="Another emergency of this framework is under way.",
            ),
            models.CheckConstraint(
                condition=models.Q(is_emergency=False) | ~models.Q(emergency_reason=""),
                name="version_emergency_has_reason",
                violation_error_message="Say why this cannot wait for the signatures.",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="scheduled")
                | models.Q(scheduled_for__isnull=False, scheduled_by__isnull=False),
                name="version_schedule_is_whole",
                violation_error_message="A schedule has a moment and a person.",
            ),
        ]
        permissions = [
            ("edit_draft", "Can edit drafts, attributes and templates"),
            ("apply_file", "Can make drafts of framework files"),
            ("confirm_part", "Can confirm an assumed part with evidence"),
            ("sign_version", "Can sign what a requirement asks of their role"),
            ("submit_version", "Can submit a draft for review"),
            ("activate_version", "Can activate an approved version"),
            ("activate_emergency", "Can activate a version before it is signed"),
            ("comment_version", "Can comment on a version and its parts"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"

    @property
    def is_active(self) -> bool:
        return self.framework.active_version_id == self.pk

    @property
    def awaits_ratification(self) -> bool:
        """In force by an emergency, and the signatures that it normally needs are not complete yet."""
        is_unsigned = self.is_emergency and self.ratified_at is None
        return is_unsigned and self.state == self.State.ACTIVATED and self.superseded_at is None

    @property
    def standing(self) -> str:
        """The state in words: an activated version is either active or superseded."""
        if self.state != self.State.ACTIVATED:
            return self.get_state_display()
        return "Active" if self.is_active else "Superseded"

    @property
    def is_now(self) -> str:
        """The state as the end of a sentence: "v3 is a draft", "v3 is in review"."""
        return "a draft" if self.state == self.State.DRAFT else self.standing.lower()
