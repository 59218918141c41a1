"""Moves of accounts that a person looks at before they count, and conflicts that only a person can solve."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from governance.querysets import TransitionReviewQuerySet


class TransitionReview(models.Model):
    """One held move, or one account between several segments, and what a person said to it.

    The work owed is the held assignment itself; a review is opened for each that has none. `from_segment` is where
    the account counts, `to_segment` where the rules put it, null for a conflict, whose segments are in `segments`.
    A move that was kept is asked again only once the computed segment has changed.
    """

    class Kind(models.TextChoices):
        DOWNGRADE = "downgrade", "Downgrade"
        UPGRADE = "upgrade", "Upgrade"
        CONFLICT = "conflict", "Several rules match"

    class State(models.TextChoices):
        OPEN = "open", "Waits for a decision"
        ACCEPTED = "accepted", "Accepted"
        KEPT = "kept", "Kept where it is"
        MOOT = "moot", "No longer needed"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="transition_reviews")
    dimension = models.ForeignKey("frameworks.Dimension", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind)
    from_segment = models.ForeignKey("frameworks.Segment", null=True, on_delete=models.PROTECT, related_name="+")
    to_segment = models.ForeignKey("frameworks.Segment", null=True, on_delete=models.PROTECT, related_name="+")
    segments = ArrayField(models.TextField(), default=list, help_text="Keys of the segments in conflict.")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    due_on = models.DateField()
    escalated_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    printed_name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = TransitionReviewQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "dimension"],
                condition=Q(state="open"),
                name="transition_review_one_open",
                violation_error_message="This account's move in this dimension is under review already.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["accepted", "kept"]) | Q(decided_by__isnull=False),
                name="transition_review_names_its_decider",
                violation_error_message="A decided review names who decided.",
            ),
        ]
        permissions = [("decide_transition", "Can accept or decline a held move")]

    def __str__(self) -> str:
        return f"{self.account}: {self.move}"

    @property
    def move(self) -> str:
        """ "Enterprise → Mid-Market", or the segments in conflict."""
        if self.kind == self.Kind.CONFLICT:
            return " or ".join(self.segments)
        return f"{self.from_segment or 'Unassigned'} → {self.to_segment or 'Unassigned'}"
