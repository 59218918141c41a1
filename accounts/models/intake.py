"""Files of account data: what was uploaded, what it would change, what it changed."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models


def own_file_name(instance: "Import", filename: str) -> str:
    """Files are stored under our own name: what the person's machine called it is only ever shown."""
    return f"imports/{instance.uuid}.csv"


class Import(models.Model):
    """One file on its way into accounts: uploaded, checked, confirmed by a person, applied in one transaction.

    The counters first say what confirming would do and, once applied, what was done. `lease` and `leased_until`
    name the worker that is at it; a dead worker's lease simply ends. The file is read again when it is applied,
    and `fingerprint` tells whether that would still do what the person was shown.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Needs its mapping"
        VALIDATING = "validating", "Being checked"
        READY = "ready", "Waits for confirmation"
        APPLYING = "applying", "Being applied"
        APPLIED = "applied", "Applied"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    WORKING = (State.VALIDATING, State.APPLYING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED)
    source = models.CharField(max_length=63, blank=True, help_text="The system the external ids belong to.")
    file = models.FileField(upload_to=own_file_name, blank=True)
    original_name = models.CharField(max_length=255)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    mapping = models.JSONField(default=dict, blank=True)
    periods = models.JSONField(default=list, blank=True, help_text="Only rows of these periods; empty: all.")

    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="imports"
    )
    uploaded_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    validated_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    lines = models.PositiveIntegerField(default=0, help_text="Physical lines of the file, for the progress bar.")
    rows = models.PositiveIntegerField(default=0, help_text="Rows read so far, or in all.")
    created = models.PositiveIntegerField(default=0, help_text="Accounts.")
    updated = models.PositiveIntegerField(default=0, help_text="Accounts.")
    unchanged = models.PositiveIntegerField(default=0, help_text="Accounts.")
    rejected = models.PositiveIntegerField(default=0, help_text="Rows.")
    skipped = models.PositiveIntegerField(default=0, help_text="Rows of other periods.")
    collapsed = models.PositiveIntegerField(default=0, help_text="Rows that repeat another one exactly.")
    observations = models.PositiveIntegerField(default=0, help_text="Metric values of periods.")
    preview = models.JSONField(default=dict, blank=True, help_text="Changes and missing values per attribute, notes.")
    problems = models.JSONField(default=list, blank=True, help_text="Why the file as a whole was refused.")
    fingerprint = models.CharField(max_length=64, blank=True)

    phase_started_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.original_name

    @property
    def is_working(self) -> bool:
        return self.state in self.WORKING

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.APPLIED, self.State.FAILED, self.State.CANCELLED)

    def counts(self) -> dict[str, Any]:
        """The counters by name, for reports and the audit chain."""
        names = ("rows", "created", "updated", "unchanged", "rejected", "skipped", "collapsed", "observations")
        return {name: getattr(self, name) for name in names}


class ImportRow(models.Model):
    """One reason why one row of a file was not imported. `line` is the line of the file where the row begins."""

    batch = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rejected_rows")
    line = models.PositiveIntegerField()
    external_id = models.CharField(max_length=255, blank=True)
    field = models.CharField(max_length=255, blank=True, help_text="The column's header.")
    code = models.CharField(max_length=30)
    message = models.CharField(max_length=400)
    received = models.CharField(max_length=200, blank=True, help_text="The beginning of what the file says.")

    class Meta:
        ordering = ["batch", "line", "pk"]
        indexes = [models.Index(fields=["batch", "line"], name="import_row_of_batch")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.code}"
