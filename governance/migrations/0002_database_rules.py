from django.db import migrations

from frameworks.database_rules import append_only, never_deleted


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0001_requests_audit_tokens"),
        ("frameworks", "0002_database_rules"),
    ]

    operations = [
        append_only("governance_auditentry"),
        append_only("governance_decision"),
        never_deleted("governance_audithead"),
        never_deleted("governance_overriderequest"),
    ]
