"""Open requests for a segment that a version retired are closed with the reason."""

from django.db import migrations, models

STATES = [
    ("submitted", "Waiting for a decision"),
    ("info_requested", "Information asked for"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("withdrawn", "Withdrawn"),
    ("timed_out", "Timed out"),
    ("lapsed", "Segment retired"),
]


class Migration(migrations.Migration):
    dependencies = [("governance", "0006_notifications_and_invitations"), ("accounts", "0008_mapped_segments")]

    operations = [
        migrations.AlterField(
            "overriderequest", "state", models.CharField(choices=STATES, default="submitted", max_length=14)
        ),
        migrations.AddField(
            "overriderequest",
            "state_reason",
            models.TextField(blank=True, db_default="", default="", help_text="Why the system closed it."),
        ),
    ]
