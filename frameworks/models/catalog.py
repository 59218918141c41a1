"""Stable identities of dimensions and segments. What they mean is in parts; assignments point here."""

import uuid

from django.db import models


class Dimension(models.Model):
    """One way to divide accounts, for the life of the framework. Name and order are those of the active version."""

    id = models.AutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("Framework", on_delete=models.PROTECT, related_name="dimensions")
    key = models.CharField(max_length=63)
    name = models.CharField(max_length=150)
    position = models.PositiveSmallIntegerField(default=0)
    is_live = models.BooleanField(default=False, help_text="In the active version.")

    class Meta:
        ordering = ["framework", "position", "pk"]
        constraints = [models.UniqueConstraint(fields=["framework", "key"], name="dimension_key_unique")]

    def __str__(self) -> str:
        return self.name


class Segment(models.Model):
    """One value of a dimension. Rank 1 is the highest."""

    id = models.AutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dimension = models.ForeignKey(Dimension, on_delete=models.PROTECT, related_name="segments")
    key = models.CharField(max_length=63)
    name = models.CharField(max_length=150)
    rank = models.PositiveSmallIntegerField(default=0)
    is_live = models.BooleanField(default=False, help_text="In the active version.")

    class Meta:
        ordering = ["dimension", "rank", "pk"]
        constraints = [models.UniqueConstraint(fields=["dimension", "key"], name="segment_key_unique")]

    def __str__(self) -> str:
        return self.name
