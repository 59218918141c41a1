"""What can be known about an account. Only where a value is stored; what it means is a `data_source` part."""

from django.core.validators import RegexValidator
from django.db import models

KEY = RegexValidator(r"\A[a-z][a-z0-9_]{0,62}\Z", "Use small letters, digits and underscores.")


class Attribute(models.Model):
    """One attribute of accounts: its key and the place of its value."""

    class Storage(models.TextChoices):
        COLUMN = "column", "A column of the account"
        JSON = "json", "Company-specific, in the account's JSON"

    class DataType(models.TextChoices):
        INTEGER = "integer", "Whole number"
        DECIMAL = "decimal", "Decimal number"
        MONEY = "money", "Money"
        DATE = "date", "Date"
        DATETIME = "datetime", "Date and time"
        TEXT = "text", "Text"
        CHOICE = "choice", "Choice"
        BOOLEAN = "boolean", "Yes or no"
        TAGS = "tags", "Tags"

    key = models.CharField(max_length=63, unique=True, validators=[KEY])
    data_type = models.CharField(max_length=10, choices=DataType)
    storage = models.CharField(max_length=6, choices=Storage, default=Storage.JSON)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key
