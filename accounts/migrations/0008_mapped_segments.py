"""Overrides that a mapping carried to a successor, and the cause of the moves that it makes."""

import django.db.models.deletion
from django.db import migrations, models

CAUSES = [
    ("initial", "First assignment"),
    ("data", "Account data changed"),
    ("time", "Time passed"),
    ("version", "New version"),
    ("mapping", "Segment merged, split or retired"),
    ("period", "Period closed"),
    ("override_started", "Override started"),
    ("override_expired", "Override expired"),
    ("override_revoked", "Override revoked"),
    ("override_moot", "The rule came to agree"),
    ("review", "Transition review"),
    ("list", "Account list changed"),
    ("correction", "Correction"),
]
ENDINGS = [
    ("", "Not ended"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
    ("moot", "The rule agrees"),
    ("lapsed", "The version changed"),
    ("mapped", "Carried to a successor"),
    ("renewed", "Renewed"),
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_impact_studies"), ("frameworks", "0008_waiver_parts")]

    operations = [
        migrations.AlterField("transition", "cause", models.CharField(choices=CAUSES, max_length=20)),
        migrations.AlterField("pendingevaluation", "cause", models.CharField(choices=CAUSES, max_length=20)),
        migrations.AlterField(
            "override", "ending", models.CharField(blank=True, choices=ENDINGS, default="", max_length=8)
        ),
        migrations.AddField(
            "override",
            "carried_from",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carried_to",
                to="accounts.override",
            ),
        ),
        migrations.AddField(
            "override",
            "origin",
            models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="What it was granted for, where mappings carried it since.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="frameworks.segment",
            ),
        ),
    ]
