import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0008_waiver_parts"), ("accounts", "0005_lists_signals_series_past")]

    operations = [
        migrations.CreateModel(
            name="CheckReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("findings", models.JSONField(default=list)),
                ("samples", models.JSONField(default=list)),
                ("unreached", models.JSONField(default=list)),
                ("notes", models.JSONField(default=list)),
                ("cells", models.PositiveIntegerField(default=0)),
                ("accounts", models.PositiveIntegerField(default=0)),
                ("seconds", models.FloatField(default=0)),
                ("checked_at", models.DateTimeField(null=True)),
                ("is_running", models.BooleanField(default=False)),
                ("started_at", models.DateTimeField(null=True)),
                ("done", models.PositiveSmallIntegerField(default=0)),
                ("total", models.PositiveSmallIntegerField(default=0)),
                ("failure", models.TextField(blank=True)),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="frameworks.frameworkversion",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
    ]
