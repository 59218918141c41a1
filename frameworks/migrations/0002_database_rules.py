from django.db import migrations

from frameworks.database_rules import append_only, create_refusal, never_deleted

# The version's state is read FOR SHARE: without it, an edit in flight slips into a version submitted meanwhile.
FREEZE_PARTS = """
CREATE FUNCTION cutline_refuse_frozen_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version_of_part bigint;
    state_of_version text;
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.version_id, OLD.kind, OLD.key) IS DISTINCT FROM (NEW.version_id, NEW.kind, NEW.key) THEN
        RAISE EXCEPTION 'A part keeps its version, kind and key' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    version_of_part := CASE WHEN TG_OP = 'DELETE' THEN OLD.version_id ELSE NEW.version_id END;
    SELECT state INTO state_of_version FROM frameworks_frameworkversion WHERE id = version_of_part FOR SHARE;
    IF state_of_version IS DISTINCT FROM 'draft' THEN
        RAISE EXCEPTION 'The parts of a version that left draft are frozen (it is %)', state_of_version
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER frozen_parts BEFORE INSERT OR UPDATE OR DELETE ON frameworks_part
    FOR EACH ROW EXECUTE FUNCTION cutline_refuse_frozen_part();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON frameworks_part
    FOR EACH STATEMENT EXECUTE FUNCTION cutline_refuse_change('parts are kept for ever');
"""

THAW_PARTS = """
DROP TRIGGER append_only_truncate ON frameworks_part;
DROP TRIGGER frozen_parts ON frameworks_part;
DROP FUNCTION cutline_refuse_frozen_part();
"""

# A version that was in force cannot be reopened: that would thaw what people signed.
KEEP_ACTIVATED = """
CREATE FUNCTION cutline_refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'activated' AND
       (NEW.state, NEW.manifest_digest, NEW.number, NEW.framework_id, NEW.activated_at)
       IS DISTINCT FROM (OLD.state, OLD.manifest_digest, OLD.number, OLD.framework_id, OLD.activated_at) THEN
        RAISE EXCEPTION 'A version that was activated stays as it was signed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER activated_stays BEFORE UPDATE ON frameworks_frameworkversion
    FOR EACH ROW EXECUTE FUNCTION cutline_refuse_reopening();
"""

ALLOW_REOPENING = """
DROP TRIGGER activated_stays ON frameworks_frameworkversion;
DROP FUNCTION cutline_refuse_reopening();
"""


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0001_people_frameworks_parts_signoffs")]

    operations = [
        create_refusal(),
        append_only("frameworks_partbody"),
        append_only("frameworks_confirmation"),
        append_only("frameworks_contribution"),
        append_only("frameworks_requirement"),
        append_only("frameworks_requirement_pool"),
        append_only("frameworks_signoff"),
        never_deleted("frameworks_dimension"),
        never_deleted("frameworks_segment"),
        never_deleted("frameworks_frameworkversion"),
        migrations.RunSQL(FREEZE_PARTS, THAW_PARTS),
        migrations.RunSQL(KEEP_ACTIVATED, ALLOW_REOPENING),
    ]
