import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0004_account_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="Delegation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("valid_from", models.DateTimeField()),
                ("valid_until", models.DateTimeField(help_text="The first moment at which it no longer holds.")),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-valid_from", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="VersionImpact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("computed_at", models.DateTimeField()),
                ("as_of", models.DateTimeField(help_text="The moment whose account data was evaluated.")),
                ("figures", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AlterModelOptions(
            name="frameworkversion",
            options={
                "ordering": ["framework", "-number"],
                "permissions": [
                    ("edit_draft", "Can edit drafts, attributes and templates"),
                    ("confirm_part", "Can confirm an assumed part with evidence"),
                    ("sign_version", "Can sign what a requirement asks of their role"),
                    ("submit_version", "Can submit a draft for review"),
                    ("activate_version", "Can activate an approved version"),
                    ("activate_emergency", "Can activate a version before it is signed"),
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="frameworkversion",
            name="version_one_under_way",
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="emergency_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="ratified_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="ratify_by",
            field=models.DateTimeField(
                blank=True, help_text="An emergency that is not ratified by then is reverted.", null=True
            ),
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="rollback_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="frameworks.frameworkversion",
            ),
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="scheduled_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="frameworkversion",
            name="state_reason",
            field=models.TextField(blank=True, help_text="Why it last fell back: asked changes, a gate that failed."),
        ),
        migrations.AddField(
            model_name="requirement",
            name="covered_digest",
            field=models.CharField(
                blank=True, help_text="What a signature of this round covers; the parts are frozen.", max_length=64
            ),
        ),
        migrations.AddField(
            model_name="requirement",
            name="recertify_days",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="signoff",
            name="on_behalf_of_name",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddConstraint(
            model_name="frameworkversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_emergency", False), ("state__in", ["in_review", "approved", "scheduled"])),
                fields=("framework",),
                name="version_one_under_way",
                violation_error_message="Another version of this framework is in review, approved or scheduled.",
            ),
        ),
        migrations.AddConstraint(
            model_name="frameworkversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_emergency", True), ("state__in", ["in_review", "approved", "scheduled"])),
                fields=("framework",),
                name="version_one_emergency",
                violation_error_message="Another emergency of this framework is under way.",
            ),
        ),
        migrations.AddConstraint(
            model_name="frameworkversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_emergency", False), models.Q(("emergency_reason", ""), _negated=True), _connector="OR"
                ),
                name="version_emergency_has_reason",
                violation_error_message="Say why this cannot wait for the signatures.",
            ),
        ),
        migrations.AddConstraint(
            model_name="frameworkversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "scheduled"), _negated=True),
                    models.Q(("scheduled_by__isnull", False), ("scheduled_for__isnull", False)),
                    _connector="OR",
                ),
                name="version_schedule_is_whole",
                violation_error_message="A schedule has a moment and a person.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signoff",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("on_behalf_of__isnull", True),
                    models.Q(
                        models.Q(("on_behalf_of", models.F("signer")), _negated=True),
                        models.Q(("on_behalf_of_name", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="signoff_for_another",
                violation_error_message="Nobody signs on their own behalf.",
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="delegate",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="delegations_held",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="delegator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="delegations_given",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="ended_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="versionimpact",
            name="computed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="versionimpact",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="impacts", to="frameworks.frameworkversion"
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("delegate", models.F("delegator")), _negated=True),
                name="delegation_to_another",
                violation_error_message="Nobody stands in for themselves.",
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_until__gt", models.F("valid_from"))),
                name="delegation_ends_after_it_starts",
                violation_error_message="The end lies before the beginning.",
            ),
        ),
        migrations.AddIndex(
            model_name="versionimpact",
            index=models.Index(fields=["version", "-id"], name="impact_newest"),
        ),
    ]
