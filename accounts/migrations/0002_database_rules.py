from django.db import migrations

from frameworks.database_rules import append_only, never_deleted


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_accounts_assignments_runs"),
        ("frameworks", "0002_database_rules"),
    ]

    operations = [
        never_deleted("accounts_account"),
        never_deleted("accounts_override"),
        append_only("accounts_metricobservation"),
        append_only("accounts_transition"),
    ]
