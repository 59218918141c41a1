"""Stable identities of dimensions, segments and account lists. What they mean is in parts or decided by people."""

import uuid

from django.conf import settings
from django.db import models

from frameworks.models.attribute import KEY


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


class AccountList(models.Model):
    """A list of accounts that rules name by its key: an index, key logos, accounts a segment does not want.

    Which accounts are on it is in accounts. A list that is not live takes no new entries and is offered to no new
    rule; rules that name it go on reading it.
    """

    class Purpose(models.TextChoices):
        KEY_LOGOS = "key_logos", "Key logos"
        INDEX = "index", "Index, such as the Fortune 2000"
        ANTI_ICP = "anti_icp", "Anti-ICP"
        OTHER = "other", "Other"

    id = models.AutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=63, unique=True, validators=[KEY])
    label = models.CharField(max_length=150)
    purpose = models.CharField(max_length=9, choices=Purpose, default=Purpose.OTHER)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_live = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["label", "pk"]

    def __str__(self) -> str:
        return self.label
