"""What a version would change, in figures, as they were computed at a moment: part of what is signed."""

import uuid

from django.conf import settings
from django.db import models


class VersionImpact(models.Model):
    """One computation of a version's impact. Append-only; the newest one is what signers are shown.

    `figures["segments"]` has for each "dimension/segment" ("dimension/" is Unassigned) `accounts`, a whole
    number, and `arr`, a decimal as text in the framework's currency. Whatever else is shown may stand beside it.
    `digest` is the SHA-256 of figures and `as_of` in canonical JSON.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="impacts")
    computed_at = models.DateTimeField()
    as_of = models.DateTimeField(help_text="The moment whose account data was evaluated.")
    figures = models.JSONField()
    digest = models.CharField(max_length=64)
    computed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["version", "-id"], name="impact_newest")]

    def __str__(self) -> str:
        return f"impact of {self.version} {self.digest[:12]}"
