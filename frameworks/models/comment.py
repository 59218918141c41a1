"""What people say about a version and its parts: threads, and who was called in by name."""

import uuid

from django.conf import settings
from django.db import models

from frameworks.models.part import Kind


class Comment(models.Model):
    """A comment on a part, or on the version as a whole where `part_key` is empty. What was said stays as said.

    Without `thread` it opens one; replies point to it. `resolved_at` belongs to the thread. A thread that is not
    resolved is seen on later versions too, so nothing has to be copied from version to version.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("Framework", on_delete=models.PROTECT, related_name="comments")
    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="comments")
    part_kind = models.CharField(max_length=12, choices=Kind, blank=True)
    part_key = models.CharField(max_length=127, blank=True)
    thread = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replies")
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["framework", "part_kind", "part_key"], name="comment_of_part")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(thread__isnull=True) | models.Q(resolved_at__isnull=True),
                name="comment_thread_is_resolved",
                violation_error_message="A thread is resolved, not a reply in it.",
            ),
            models.CheckConstraint(
                condition=models.Q(resolved_at__isnull=True, resolved_by__isnull=True)
                | models.Q(resolved_at__isnull=False, resolved_by__isnull=False),
                name="comment_resolved_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.printed_name} on {self.part_kind or 'version'} {self.part_key}".strip()

    @property
    def is_resolved(self) -> bool:
        return self.resolved_at is not None


class Mention(models.Model):
    """Somebody named in a comment. It waits in their inbox until they noted it, answered, or it was resolved."""

    comment = models.ForeignKey(Comment, on_delete=models.PROTECT, related_name="mentions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="mentions")
    noted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["comment", "person"], name="mention_once")]
        indexes = [
            models.Index(fields=["person"], condition=models.Q(noted_at__isnull=True), name="mention_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.person} in {self.comment}"
