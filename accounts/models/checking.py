"""What the checks of a version came to. Derived: it can be computed again at any time, and is evidence of nothing."""

from django.db import models


class CheckReport(models.Model):
    """The newest report of a version, of the wording `digest`; while `is_running` a newer one is computed."""

    version = models.OneToOneField("frameworks.FrameworkVersion", on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, blank=True)
    findings = models.JSONField(default=list)
    samples = models.JSONField(default=list)
    unreached = models.JSONField(default=list)
    notes = models.JSONField(default=list)
    cells = models.PositiveIntegerField(default=0)
    accounts = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    checked_at = models.DateTimeField(null=True)
    is_running = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True)
    done = models.PositiveSmallIntegerField(default=0)
    total = models.PositiveSmallIntegerField(default=0)
    failure = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Checks of {self.version_id}"
