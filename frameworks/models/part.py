"""Parts: what a version is made of. Bodies are insert-only and found by their digest."""

from django.conf import settings
from django.db import models


class Kind(models.TextChoices):
    META = "meta", "About the framework"
    POLICY = "policy", "Policy"
    DIMENSION = "dimension", "Dimension"
    SEGMENT = "segment", "Segment"
    PLAYBOOK = "playbook", "Playbook"
    TERM = "term", "Definition"
    DATA_SOURCE = "data_source", "Data source"
    WAIVER = "waiver", "Waiver"


class PartBody(models.Model):
    """The exact content of a part, kept for ever under its SHA-256, with the digests of its levels.

    `digest` covers everything but node ids; `operational_digest` leaves out cosmetic fields,
    `semantic_digest` cosmetic and operational ones.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind)
    body = models.JSONField()
    operational_digest = models.CharField(max_length=64)
    semantic_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:12]}"


class Part(models.Model):
    """A stable key in one version, pointing to its body of today."""

    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="parts")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=127)
    body = models.ForeignKey(PartBody, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["version", "kind", "key"]
        constraints = [models.UniqueConstraint(fields=["version", "kind", "key"], name="part_key_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Confirmation(models.Model):
    """ASSUMED or CONFIRMED, said of an exact body: an edit falls back to assumed by itself. Append-only.

    "Removed" is said of the body of a policy that a draft takes out, by a second person.
    """

    class State(models.TextChoices):
        ASSUMED = "assumed", "Assumed"
        CONFIRMED = "confirmed", "Confirmed"
        REMOVED = "removed", "Removal confirmed"

    framework = models.ForeignKey("Framework", on_delete=models.PROTECT, related_name="confirmations")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=127)
    body = models.ForeignKey(PartBody, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=State)
    evidence = models.TextField()
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    confirmed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["framework", "kind", "key", "body"], name="confirmation_of_part")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} {self.state}"


class Contribution(models.Model):
    """Who changed which part of which version, by which way in. Separation of duties reads it. Append-only."""

    class Source(models.TextChoices):
        PAGE = "page", "Page"
        API = "api", "API"
        IMPORT = "import", "Framework as code"
        COMMAND = "command", "Command"

    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="contributions")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=127)
    body = models.ForeignKey(PartBody, null=True, on_delete=models.PROTECT, related_name="+")
    contributed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=7, choices=Source)
    contributed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.contributed_by} on {self.kind} {self.key}"
