"""What was measured, period by period."""

from django.db import models


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
