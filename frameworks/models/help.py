"""Who was asked for help because too few people can sign something."""

import uuid

from django.conf import settings
from django.db import models


class HelpRequest(models.Model):
    """Somebody asked for help with a line of the sign-off policy that too few people can sign; written once.

    `reason` is why, as it was then, with names; `told` are the people who were asked. Whether it still waits is
    derived: it ends when enough people can sign, or when the version comes to its end.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey("FrameworkVersion", on_delete=models.PROTECT, related_name="help_requests")
    code = models.CharField(max_length=63)
    label = models.CharField(max_length=200)
    reason = models.TextField()
    message = models.TextField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    asked_on = models.DateField(help_text="The day it counts for: a requirement is asked about once a day.")
    told = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="help_asked")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "code", "asked_on"],
                name="help_once_a_day",
                violation_error_message="Somebody asked for help with this today.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.printed_name} on {self.label}"
