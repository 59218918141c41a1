"""Programs that talk to Cutline: their tokens, and the answers they may ask for again."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from knox.models import AbstractAuthToken


class Scope(models.TextChoices):
    ACCOUNTS_READ = "accounts:read", "Read accounts"
    ACCOUNTS_WRITE = "accounts:write", "Push account data"
    ASSIGNMENTS_READ = "assignments:read", "Read assignments and changes"
    COMMENTS_WRITE = "comments:write", "Comment on frameworks, and ask for help"
    FRAMEWORKS_READ = "frameworks:read", "Read frameworks"
    FRAMEWORKS_WRITE = "frameworks:write", "Write drafts of frameworks"
    OVERRIDES_REQUEST = "overrides:request", "Ask for overrides"


class ApiToken(AbstractAuthToken):
    """A token of a service account. Only a hash is kept; what it may do is the owner's rights within its scopes."""

    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope))
    cidrs = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text="Networks it may call from; empty: any.",
    )
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta(AbstractAuthToken.Meta):
        abstract = False
        permissions = [("manage_tokens", "Can issue and revoke API tokens")]

    def __str__(self) -> str:
        return f"{self.name} ({self.user})"


class IdempotencyKey(models.Model):
    """The answer to a request that carried an Idempotency-Key, written in the transaction of its effect."""

    principal = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body: Any = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "key"], name="idempotency_key_unique")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """The last sign of life of a queue: a tick that a worker consumed, written by that worker."""

    queue = models.CharField(max_length=20, primary_key=True)
    sent_at = models.DateTimeField(help_text="When beat put the tick into the queue.")
    consumed_at = models.DateTimeField()
    worker = models.CharField(max_length=200)

    class Meta:
        ordering = ["queue"]

    def __str__(self) -> str:
        return self.queue
