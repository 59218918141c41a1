"""Which accounts are on which list."""

from django.conf import settings
from django.db import models


class ListEntry(models.Model):
    """An account that is on a list now. Rows come and go; who did it is in the audit log."""

    list = models.ForeignKey("frameworks.AccountList", on_delete=models.PROTECT, db_index=False, related_name="entries")
    account = models.ForeignKey("Account", on_delete=models.PROTECT, related_name="list_entries")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["list", "account"]
        constraints = [
            models.UniqueConstraint(
                fields=["list", "account"],
                name="list_entry_once",
                violation_error_message="This account is on the list already.",
            )
        ]
        permissions = [("edit_lists", "Can edit account lists")]

    def __str__(self) -> str:
        return f"account {self.account_id} on list {self.list_id}"
