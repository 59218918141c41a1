"""Accounts and runs to look at. What changes them goes through services: imports, the API, runs and requests."""

import json

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import Account, AssignmentRun, Transition
from frameworks.admin_base import ReadOnlyAdmin


def as_json(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False, default=str))


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "stage", "csm", "ae", "arr", "employee_count", "updated_at")
    list_filter = ("stage", "exclusion")
    list_select_related = ("csm", "ae")
    search_fields = ("name", "domain", "=uuid")
    readonly_fields = ("segments", "source_ids", "company_attributes", "sources")
    fieldsets = (
        (None, {"fields": ("name", "uuid", "domain", "stage", "exclusion", "csm", "ae", "segments")}),
        (
            "Values",
            {
                "fields": (
                    "industry",
                    "country",
                    "state",
                    "city",
                    "currency",
                    "arr",
                    "annual_revenue",
                    "employee_count",
                    "health_score",
                    "weekly_active_share",
                    "last_activity_on",
                    "customer_since_on",
                    "contract_start_on",
                    "contract_end_on",
                    "company_attributes",
                )
            },
        ),
        ("Where it comes from", {"fields": ("source_ids", "sources", "source_updated_at", "updated_at", "version")}),
        ("Relations", {"fields": ("parent", "ultimate_parent", "merged_into", "deleted_at")}),
    )

    @admin.display(description="Segments")
    def segments(self, account: Account) -> SafeString:
        rows = account.assignments.select_related("dimension", "effective", "computed").order_by("dimension__position")
        return format_html_join(
            "",
            "<p>{}: {} (rules: {})</p>",
            ((row.dimension.name, row.effective or "Unassigned", row.computed or "Unassigned") for row in rows),
        )

    @admin.display(description="Identifiers")
    def source_ids(self, account: Account) -> str:
        return ", ".join(map(str, account.identifiers.all())) or "–"

    @admin.display(description="Company attributes")
    def company_attributes(self, account: Account) -> SafeString:
        return as_json(account.attributes)

    @admin.display(description="Sources")
    def sources(self, account: Account) -> SafeString:
        return as_json(account.provenance)


@admin.register(AssignmentRun)
class AssignmentRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "framework_version", "kind", "state", "accounts", "created_at", "finished_at")
    list_filter = ("state", "kind")
    list_select_related = ("framework_version",)


@admin.register(Transition)
class TransitionAdmin(ReadOnlyAdmin):
    """Found by account: the table has millions of rows."""

    list_display = ("effective_at", "account", "dimension", "from_segment", "to_segment", "cause", "reason")
    list_filter = ("cause",)
    list_select_related = ("account", "dimension", "from_segment", "to_segment")
    search_fields = ("=account__uuid",)
    search_help_text = "The UUID of an account"
    ordering = ("-id",)
