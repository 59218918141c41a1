"""Customer companies as the CRM knows them."""

import uuid

from django.conf import settings
from django.db import models

LISTED = models.Q(deleted_at__isnull=True, merged_into__isnull=True)
"""Neither deleted nor merged into another account."""


class Account(models.Model):
    """A customer or prospect company. Never a login, never deleted: `deleted_at` and `merged_into` are tombstones.

    Core attributes are typed columns, with the moment they were observed where freshness can matter; text that
    rules compare has a matching key written beside it, which can be longer than the text (ß becomes ss).
    Company-specific attributes are in `attributes`, decimals as strings, and the matching keys of texts among them
    in `attribute_keys`. `provenance` says per attribute where a value came from: {"arr": {"source": …, "at": …}}.
    """

    class Stage(models.TextChoices):
        PROSPECT = "prospect", "Prospect"
        CUSTOMER = "customer", "Customer"
        CHURNED = "churned", "Churned"

    class Exclusion(models.TextChoices):
        NONE = "", "Not excluded"
        TEST = "test", "Test account"
        INTERNAL = "internal", "Internal account"
        MERGED = "merged", "Merged into another"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    name_key = models.CharField(max_length=255, editable=False)
    domain = models.CharField(max_length=253, blank=True)
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.CUSTOMER)
    exclusion = models.CharField(max_length=8, choices=Exclusion, default=Exclusion.NONE, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    ultimate_parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    csm = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="book"
    )
    ae = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    industry = models.CharField(max_length=150, null=True, blank=True)  # noqa: DJ001 - null is "missing"
    industry_key = models.TextField(null=True, editable=False)  # noqa: DJ001
    country = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    country_key = models.TextField(null=True, editable=False)  # noqa: DJ001
    state = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    state_key = models.TextField(null=True, editable=False)  # noqa: DJ001
    city = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    city_key = models.TextField(null=True, editable=False)  # noqa: DJ001

    currency = models.CharField(max_length=3, default="USD", help_text="Of every money value of this account.")
    employee_count = models.BigIntegerField(null=True, blank=True)
    employee_count_observed_at = models.DateTimeField(null=True, blank=True)
    annual_revenue = models.DecimalField(max_digits=20, decimal_places=2, null=True, blank=True)
    annual_revenue_observed_at = models.DateTimeField(null=True, blank=True)
    arr = models.DecimalField("ARR", max_digits=16, decimal_places=2, null=True, blank=True)
    arr_observed_at = models.DateTimeField(null=True, blank=True)
    health_score = models.SmallIntegerField(null=True, blank=True)
    health_score_observed_at = models.DateTimeField(null=True, blank=True)
    weekly_active_share = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    weekly_active_share_observed_at = models.DateTimeField(null=True, blank=True)
    last_activity_on = models.DateField(null=True, blank=True)
    customer_since_on = models.DateField(null=True, blank=True)
    contract_start_on = models.DateField(null=True, blank=True)
    contract_end_on = models.DateField(null=True, blank=True)

    attributes = models.JSONField(default=dict, blank=True)
    attribute_keys = models.JSONField(default=dict, db_default={}, editable=False)
    provenance = models.JSONField(default=dict, blank=True)
    source_version = models.BigIntegerField(null=True, blank=True)
    source_updated_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["name_key", "id"], name="account_listed", condition=LISTED),
            # The few that are not listed, to be subtracted from counts that an index of assignments gives.
            models.Index(fields=["id"], name="account_hidden", condition=~LISTED),
            models.Index(fields=["csm"], name="account_book", condition=models.Q(csm__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(employee_count__gte=0),
                name="account_employees_not_negative",
                violation_error_message="Employees must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=models.Q(arr__gte=0),
                name="account_arr_not_negative",
                violation_error_message="ARR must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=models.Q(health_score__range=(0, 100)),
                name="account_health_in_range",
                violation_error_message="Health is a score from 0 to 100.",
            ),
            models.CheckConstraint(
                condition=models.Q(weekly_active_share__range=(0, 100)),
                name="account_active_share_in_range",
                violation_error_message="Weekly active share is a percentage from 0 to 100.",
            ),
            models.CheckConstraint(
                condition=~models.Q(exclusion="merged") | models.Q(merged_into__isnull=False),
                name="account_merged_says_where",
                violation_error_message="A merged account names the account it was merged into.",
            ),
        ]
        permissions = [("import_accounts", "Can push or import account data")]

    def __str__(self) -> str:
        return self.name


class AccountIdentifier(models.Model):
    """What a source system calls an account. Sources and ids are compared exactly as normalised on the way in."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="identifiers")
    source = models.CharField(max_length=63)
    external_id = models.CharField(max_length=255)

    class Meta:
        ordering = ["source", "external_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                name="identifier_unique",
                violation_error_message="Another account has this external id.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.external_id}"
