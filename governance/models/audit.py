"""The audit chain."""

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One governed act, chained to the one before by hash. Append-only."""

    class ActorKind(models.TextChoices):
        PERSON = "person", "Person"
        TOKEN = "token", "API token"
        SYSTEM = "system", "System"

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=6, choices=ActorKind)
    action = models.CharField(max_length=63)
    object_type = models.CharField(max_length=63)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=255)
    reason = models.TextField(blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_of_object"),
            models.Index(fields=["action", "-seq"], name="audit_by_action"),
        ]
        permissions = [("view_audit", "Can read the audit log and export evidence")]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The end of the chain, locked by every writer so that it never forks. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_head_one_row")]

    def __str__(self) -> str:
        return f"head at {self.seq}"
