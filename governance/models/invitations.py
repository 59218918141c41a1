"""Links that let one person read one version once."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class Invitation(models.Model):
    """A named person may open one version by a link that works once. Of its secret only a hash is kept.

    The secret is made when the mail is sent, and again when sending is tried again; before that `secret_hash` is
    empty. What the link opens can be read, never signed.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey("frameworks.FrameworkVersion", on_delete=models.PROTECT, related_name="invitations")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invitations")
    note = models.CharField(max_length=500, blank=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    secret_hash = models.CharField(max_length=64, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    mail = models.OneToOneField(
        "governance.Notification", null=True, blank=True, on_delete=models.PROTECT, related_name="invitation"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["secret_hash"], condition=~Q(secret_hash=""), name="invitation_secret_unique"
            ),
            models.UniqueConstraint(
                fields=["version", "person"],
                condition=Q(used_at__isnull=True, revoked_at__isnull=True),
                name="invitation_one_open",
                violation_error_message="This person has a link to this version already.",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("invited_at")),
                name="invitation_ends_after_start",
                violation_error_message="A link ends after it was sent.",
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | ~Q(secret_hash=""), name="invitation_used_had_a_secret"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="invitation_revoked_by_somebody",
            ),
        ]
        permissions = [("invite_reader", "Can invite a person to read one version")]

    def __str__(self) -> str:
        return f"{self.person} to {self.version}"
