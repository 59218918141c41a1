"""What an outcome may depend on beside the facts: since when, with which facts, and what a person released."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_database_rules"),
        ("frameworks", "0002_database_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="computed_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="assignment",
            name="decided_with",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="assignment",
            name="released",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="frameworks.segment",
            ),
        ),
        migrations.AlterField(
            model_name="assignment",
            name="reason",
            field=models.CharField(
                choices=[
                    ("matched", "Matches the rule"),
                    ("provisional", "Matches; a higher segment is still open"),
                    ("kept", "Stays where it was; another segment pulls"),
                    ("stepped", "On the way, a step at a time"),
                    ("fallback", "No rule matches; the dimension's fallback"),
                    ("missing_data", "Data is missing"),
                    ("insufficient_history", "Too little history"),
                    ("no_match", "No rule matches"),
                    ("conflict", "Several rules match"),
                    ("excluded", "Excluded from segmentation"),
                    ("error", "Could not be evaluated"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="transition",
            name="reason",
            field=models.CharField(
                choices=[
                    ("matched", "Matches the rule"),
                    ("provisional", "Matches; a higher segment is still open"),
                    ("kept", "Stays where it was; another segment pulls"),
                    ("stepped", "On the way, a step at a time"),
                    ("fallback", "No rule matches; the dimension's fallback"),
                    ("missing_data", "Data is missing"),
                    ("insufficient_history", "Too little history"),
                    ("no_match", "No rule matches"),
                    ("conflict", "Several rules match"),
                    ("excluded", "Excluded from segmentation"),
                    ("error", "Could not be evaluated"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("next_flip_at__isnull", False)), fields=["next_flip_at"], name="assignment_flips"
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(condition=models.Q(("is_held", True)), fields=["account"], name="assignment_held"),
        ),
    ]
