"""Help that was asked for because too few people can sign; what was asked stays as it was."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from frameworks.database_rules import append_only


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0011_files_by_api")]

    operations = [
        migrations.CreateModel(
            name="HelpRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("code", models.CharField(max_length=63)),
                ("label", models.CharField(max_length=200)),
                ("reason", models.TextField()),
                ("message", models.TextField()),
                ("printed_name", models.CharField(max_length=150)),
                ("asked_at", models.DateTimeField()),
                (
                    "asked_on",
                    models.DateField(help_text="The day it counts for: a requirement is asked about once a day."),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("told", models.ManyToManyField(related_name="help_asked", to=settings.AUTH_USER_MODEL)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="help_requests",
                        to="frameworks.frameworkversion",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.AddConstraint(
            model_name="helprequest",
            constraint=models.UniqueConstraint(
                fields=("version", "code", "asked_on"),
                name="help_once_a_day",
                violation_error_message="Somebody asked for help with this today.",
            ),
        ),
        append_only("frameworks_helprequest"),
    ]
