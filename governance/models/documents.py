"""PDFs of documents on their way: what a worker is to lay out, and the file for as long as it is kept."""

import uuid

from django.db import models


class PreparedDocument(models.Model):
    """One document of a version as it read at `asked_at`. Derived: it is evidence of nothing and soon deleted.

    The row is the work owed: `texts` is the HTML to lay out, of a card also shorter ones, of which the first that
    fits on one page is taken. `digest` covers all of it but the moment, so whoever asks for the same content is given
    the same file, and whatever changes anywhere is another row. The file is kept here, so that only the document's
    own view hands it out, every web process has it, and nothing is left behind when the row is deleted.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waits for a worker"
        WORKING = "working", "Being laid out"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    WORK = (State.QUEUED, State.WORKING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey("frameworks.FrameworkVersion", on_delete=models.CASCADE, related_name="+")
    document = models.CharField(max_length=40, help_text="As in the addresses of documents.")
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    texts = models.JSONField(default=list)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.TextField(blank=True)
    pages = models.PositiveIntegerField(default=0)
    content = models.BinaryField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["version", "document", "digest"], name="prepared_document_once"),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | models.Q(content__isnull=False),
                name="prepared_document_ready_has_content",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} of version {self.version_id}"

    @property
    def is_working(self) -> bool:
        return self.state in self.WORK

    @property
    def file_name(self) -> str:
        return f"{self.version.framework.slug}-v{self.version.number}-{self.document}.pdf"
