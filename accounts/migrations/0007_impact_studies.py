"""Studies of an impact: runs that end after pass 1 and hold up nobody; the ARR of what a run moves."""

from django.db import migrations, models
from django.db.models import Q

KINDS = [
    ("activation", "Activation"),
    ("reevaluation", "Re-evaluation"),
    ("nightly", "Nightly"),
    ("period", "Period closed"),
    ("impact", "Impact"),
]
STATES = [
    ("planned", "Evaluating"),
    ("evaluated", "Evaluated"),
    ("studied", "Studied"),
    ("held", "Held"),
    ("applying", "Applying"),
    ("applied", "Applied"),
    ("cancelled", "Cancelled"),
    ("superseded", "Superseded"),
    ("failed", "Failed"),
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_check_reports")]

    operations = [
        migrations.AddField(
            "assignmentrun",
            "moved_arr",
            models.JSONField(default=dict, db_default={}, help_text="The same with their ARR, as text."),
        ),
        migrations.AddField("runchunk", "moved_arr", models.JSONField(default=dict, db_default={})),
        migrations.AlterField("assignmentrun", "kind", models.CharField(choices=KINDS, max_length=12)),
        migrations.AlterField(
            "assignmentrun", "state", models.CharField(choices=STATES, default="planned", max_length=10)
        ),
        migrations.RemoveConstraint("assignmentrun", "run_one_live"),
        migrations.AddConstraint(
            "assignmentrun",
            models.UniqueConstraint(
                fields=["framework"],
                condition=Q(state__in=["planned", "evaluated", "held", "applying"]) & ~Q(kind="impact"),
                name="run_one_live",
                violation_error_message="A run of this framework is under way.",
            ),
        ),
        migrations.AddConstraint(
            "assignmentrun",
            models.UniqueConstraint(
                fields=["framework_version"],
                condition=Q(state="planned", kind="impact"),
                name="run_one_study",
                violation_error_message="The impact of this version is being computed.",
            ),
        ),
    ]
