"""PDFs on their way, and for as long as they are kept. Nothing else refers to a row, so it may be deleted."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0011_files_by_api"),
        ("governance", "0010_help_and_comments"),
    ]

    operations = [
        migrations.CreateModel(
            name="PreparedDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("document", models.CharField(help_text="As in the addresses of documents.", max_length=40)),
                ("digest", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waits for a worker"),
                            ("working", "Being laid out"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=7,
                    ),
                ),
                ("texts", models.JSONField(default=list)),
                ("asked_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("lease", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("failure", models.TextField(blank=True)),
                ("pages", models.PositiveIntegerField(default=0)),
                ("content", models.BinaryField(null=True)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="frameworks.frameworkversion"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("version", "document", "digest"), name="prepared_document_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ready"), _negated=True), ("content__isnull", False), _connector="OR"
                        ),
                        name="prepared_document_ready_has_content",
                    ),
                ],
            },
        ),
    ]
