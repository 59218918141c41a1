"""Who may sign in whose place, and from when until when."""

import uuid
from datetime import UTC, date, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Delegation(models.Model):
    """A person lets another sign for them for a while. Made by that person alone, ended early or by its time.

    The database refuses a second one of the same person for an overlapping time. Rows are never deleted:
    signatures given under them stay.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    delegator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_held")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(help_text="The first moment at which it no longer holds.")
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-valid_from", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(delegate=F("delegator")),
                name="delegation_to_another",
                violation_error_message="Nobody stands in for themselves.",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("valid_from")),
                name="delegation_ends_after_it_starts",
                violation_error_message="The end lies before the beginning.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delegate} for {self.delegator}"

    @property
    def last_day(self) -> date:
        """The last day, in UTC, on which it holds at least in part."""
        return (self.valid_until - timedelta(microseconds=1)).astimezone(UTC).date()
