"""What was measured, period by period; what happened; and what an account was like before it changed."""

import uuid
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models

SERIES_PERIODS: Final = 24
"""How many periods of a metric rules can look back on: twelve, and as many again for an `as_of` in the past."""


class MetricObservation(models.Model):
    """The value of one metric of one account in one fiscal period. Append-only: a restatement is a newer row."""

    class Grain(models.TextChoices):
        MONTH = "month", "Month"
        FISCAL_QUARTER = "fiscal_quarter", "Fiscal quarter"
        FISCAL_YEAR = "fiscal_year", "Fiscal year"

    account = models.ForeignKey("Account", on_delete=models.PROTECT, related_name="observations")
    metric = models.CharField(max_length=63)
    grain = models.CharField(max_length=14, choices=Grain)
    period = models.CharField(max_length=10, help_text="2021, 2021-Q3 or 2021-07")
    period_end_on = models.DateField()
    value = models.DecimalField(max_digits=24, decimal_places=4)
    is_closed = models.BooleanField(default=True)
    source = models.CharField(max_length=100)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["account", "metric", "period_end_on", "pk"]
        indexes = [
            models.Index(fields=["account", "metric", "grain", "-period_end_on", "-id"], name="observation_newest")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.period}: {self.value}"


class MetricSeries(models.Model):
    """The newest closed periods of one metric of one account, as rules read them: one row, whatever the history.

    Derived from MetricObservation by the service that writes observations: per period the newest closed
    observation. `ends` are the periods' last days, newest first, SERIES_PERIODS at most; `values` stand beside them.
    The key begins with the metric, so that a range of accounts reads no other metric's rows. No checked reference:
    accounts are never deleted.
    """

    pk = models.CompositePrimaryKey("metric", "grain", "account_id")
    metric = models.CharField(max_length=63)
    grain = models.CharField(max_length=14, choices=MetricObservation.Grain)
    account = models.ForeignKey(
        "Account", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    ends = ArrayField(models.DateField())
    values = ArrayField(models.DecimalField(max_digits=24, decimal_places=4))

    class Meta:
        ordering = ["metric", "grain", "account_id"]

    def __str__(self) -> str:
        return f"{self.metric} of account {self.account_id}, by {self.grain}"


class Signal(models.Model):
    """Something that happened at an account on a day: a hiring, a funding round, a tool installed. Append-only.

    `details` are texts by name, such as {"role": "Sales Ops"}; `details_keys` their matching keys, which rules
    compare. A source names each of its signals once: `external_id`.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey("Account", on_delete=models.PROTECT, db_index=False, related_name="signals")
    kind = models.CharField(max_length=63)
    occurred_on = models.DateField()
    details = models.JSONField(default=dict)
    details_keys = models.JSONField(default=dict, editable=False)
    source = models.CharField(max_length=63)
    external_id = models.CharField(max_length=255)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-occurred_on", "-pk"]
        indexes = [
            # A range of accounts reads one kind's entries and no row outside the window.
            models.Index(fields=["kind", "account", "occurred_on"], name="signal_of_kind"),
            models.Index(fields=["account", "-occurred_on"], name="signal_of_account"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                name="signal_once",
                violation_error_message="This source has sent a signal of this id before.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.occurred_on}"

    @property
    def words(self) -> str:
        """The kind as people read it."""
        return self.kind.replace("_", " ").capitalize()


class PastAccount(models.Model):
    """What rules could read of an account until it changed. Append-only, written by a trigger of the account's table.

    What held at t is in the earliest row with `until` > t, else in the account itself. `facts` are the account's
    columns without nulls, but for those no rule reads (names, owners, the source's own version).
    """

    account = models.ForeignKey(
        "Account", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    until = models.DateTimeField()
    facts = models.JSONField()

    class Meta:
        ordering = ["account_id", "until", "pk"]
        indexes = [models.Index(fields=["account", "until"], name="past_account_until")]

    def __str__(self) -> str:
        return f"account {self.account_id} until {self.until:%Y-%m-%d %H:%M}"
