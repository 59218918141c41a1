"""Held moves and conflicts that a person looks at. A review is kept for ever, as its audit entry is."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from frameworks.database_rules import never_deleted


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_check_reports"),
        ("frameworks", "0008_waiver_parts"),
        ("governance", "0002_database_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TransitionReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("downgrade", "Downgrade"),
                            ("upgrade", "Upgrade"),
                            ("conflict", "Several rules match"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "segments",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="Keys of the segments in conflict.",
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Waits for a decision"),
                            ("accepted", "Accepted"),
                            ("kept", "Kept where it is"),
                            ("moot", "No longer needed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("due_on", models.DateField()),
                ("escalated_at", models.DateTimeField(blank=True, null=True)),
                ("printed_name", models.CharField(blank=True, max_length=150)),
                ("role", models.CharField(blank=True, max_length=200)),
                ("reason", models.TextField(blank=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transition_reviews",
                        to="accounts.account",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "dimension",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="frameworks.dimension"
                    ),
                ),
                (
                    "from_segment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="frameworks.segment",
                    ),
                ),
                (
                    "to_segment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="frameworks.segment",
                    ),
                ),
            ],
            options={
                "ordering": ["due_on", "pk"],
                "permissions": [("decide_transition", "Can accept or decline a held move")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("account", "dimension"),
                        name="transition_review_one_open",
                        violation_error_message="This account's move in this dimension is under review already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["accepted", "kept"]), _negated=True),
                            ("decided_by__isnull", False),
                            _connector="OR",
                        ),
                        name="transition_review_names_its_decider",
                        violation_error_message="A decided review names who decided.",
                    ),
                ],
            },
        ),
        never_deleted("governance_transitionreview"),
    ]
