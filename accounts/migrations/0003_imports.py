import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.models.intake


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_database_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("uploaded", "Needs its mapping"),
                            ("validating", "Being checked"),
                            ("ready", "Waits for confirmation"),
                            ("applying", "Being applied"),
                            ("applied", "Applied"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="uploaded",
                        max_length=10,
                    ),
                ),
                (
                    "source",
                    models.CharField(blank=True, help_text="The system the external ids belong to.", max_length=63),
                ),
                ("file", models.FileField(blank=True, upload_to=accounts.models.intake.own_file_name)),
                ("original_name", models.CharField(max_length=255)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("mapping", models.JSONField(blank=True, default=dict)),
                (
                    "periods",
                    models.JSONField(blank=True, default=list, help_text="Only rows of these periods; empty: all."),
                ),
                ("uploaded_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                ("validated_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "lines",
                    models.PositiveIntegerField(
                        default=0, help_text="Physical lines of the file, for the progress bar."
                    ),
                ),
                ("rows", models.PositiveIntegerField(default=0, help_text="Rows read so far, or in all.")),
                ("created", models.PositiveIntegerField(default=0, help_text="Accounts.")),
                ("updated", models.PositiveIntegerField(default=0, help_text="Accounts.")),
                ("unchanged", models.PositiveIntegerField(default=0, help_text="Accounts.")),
                ("rejected", models.PositiveIntegerField(default=0, help_text="Rows.")),
                ("skipped", models.PositiveIntegerField(default=0, help_text="Rows of other periods.")),
                (
                    "collapsed",
                    models.PositiveIntegerField(default=0, help_text="Rows that repeat another one exactly."),
                ),
                ("observations", models.PositiveIntegerField(default=0, help_text="Metric values of periods.")),
                (
                    "preview",
                    models.JSONField(
                        blank=True, default=dict, help_text="Changes and missing values per attribute, notes."
                    ),
                ),
                (
                    "problems",
                    models.JSONField(blank=True, default=list, help_text="Why the file as a whole was refused."),
                ),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("phase_started_at", models.DateTimeField(blank=True, null=True)),
                ("lease", models.UUIDField(blank=True, null=True)),
                ("leased_until", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="imports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.PositiveIntegerField()),
                ("external_id", models.CharField(blank=True, max_length=255)),
                ("field", models.CharField(blank=True, help_text="The column's header.", max_length=255)),
                ("code", models.CharField(max_length=30)),
                ("message", models.CharField(max_length=400)),
                (
                    "received",
                    models.CharField(blank=True, help_text="The beginning of what the file says.", max_length=200),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rejected_rows", to="accounts.import"
                    ),
                ),
            ],
            options={
                "ordering": ["batch", "line", "pk"],
                "indexes": [models.Index(fields=["batch", "line"], name="import_row_of_batch")],
            },
        ),
    ]
