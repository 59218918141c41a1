"""Indexes behind the list of accounts and the figures of a run that lead to it."""

import django.contrib.postgres.indexes
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_imports"),
        ("frameworks", "0002_database_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="account",
            name="account_by_name",
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("merged_into__isnull", True)),
                fields=["name_key", "id"],
                name="account_listed",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("merged_into__isnull", True), _negated=True),
                fields=["id"],
                name="account_hidden",
            ),
        ),
        migrations.AddIndex(
            model_name="transition",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["run"], name="transition_of_run"
            ),
        ),
    ]
