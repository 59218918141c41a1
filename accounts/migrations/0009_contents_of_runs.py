"""A run remembers what its version said: one sent back from review says something else under the same number."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_mapped_segments")]

    operations = [
        migrations.AddField(
            model_name="assignmentrun",
            name="contents",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Digest of what the version said when it was planned.",
                max_length=64,
            ),
        ),
    ]
