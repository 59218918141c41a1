"""A policy in force is taken out by two people, as it is changed by two: the word of the second one, and who may not."""

from importlib import import_module

from django.db import migrations, models

BEFORE: str = import_module("frameworks.migrations.0006_governed_version_rules").POLICIES
FUNCTION = BEFORE[: BEFORE.index("CREATE TRIGGER")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
ANSWER = "    RETURN NEW;\nEND $$;"
# Drafts only: a removal that came into force once says nothing of the next one.
REMOVED = """    IF NEW.state = 'removed' AND EXISTS (
        SELECT FROM frameworks_contribution c JOIN frameworks_frameworkversion v ON v.id = c.version_id
        WHERE v.framework_id = NEW.framework_id AND v.base_version_id IS NOT NULL AND v.state = 'draft'
          AND c.kind = NEW.kind AND c.key = NEW.key AND c.body_id IS NULL
          AND c.contributed_by_id = NEW.confirmed_by_id
    ) THEN
        RAISE EXCEPTION 'The removal of a policy is confirmed by a second person'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
"""
POLICIES = FUNCTION.replace(ANSWER, REMOVED + ANSWER)


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0012_help_requests")]

    operations = [
        migrations.AlterField(
            model_name="confirmation",
            name="state",
            field=models.CharField(
                choices=[("assumed", "Assumed"), ("confirmed", "Confirmed"), ("removed", "Removal confirmed")],
                max_length=9,
            ),
        ),
        migrations.RunSQL(POLICIES, FUNCTION),
    ]
