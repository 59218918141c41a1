"""Matching keys of company-specific texts; keys of columns as long as folding makes them."""

from collections.abc import Iterator
from typing import Any

from django.db import migrations, models

BATCH = 5_000


def write_keys(apps: Any, schema_editor: Any) -> None:
    """Keys for the texts that are stored, account by account, in the order of ids."""
    from frameworks.criteria.text_keys import matching_key

    Account = apps.get_model("accounts", "Account")
    attributes = apps.get_model("frameworks", "Attribute").objects.filter(storage="json", data_type="text")
    texts = list(attributes.values_list("key", flat=True))
    if not texts:
        return
    for batch in _batches(Account.objects.filter(attributes__has_any_keys=texts).order_by("pk")):
        for account in batch:
            found = {key: matching_key(account.attributes.get(key)) for key in texts}
            account.attribute_keys = {key: value for key, value in found.items() if value is not None}
        Account.objects.bulk_update(batch, ["attribute_keys"])


def _batches(accounts: Any) -> Iterator[list[Any]]:
    last = 0
    while batch := list(accounts.filter(pk__gt=last)[:BATCH]):
        yield batch
        last = batch[-1].pk


def keep(apps: Any, schema_editor: Any) -> None:
    """Going back drops the column; nothing else was changed."""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_account_list_indexes"), ("frameworks", "0002_database_rules")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="attribute_keys",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
        *(
            migrations.AlterField(
                model_name="account",
                name=f"{name}_key",
                field=models.TextField(editable=False, null=True),
            )
            for name in ("industry", "country", "state", "city")
        ),
        migrations.RunPython(write_keys, keep),
    ]
