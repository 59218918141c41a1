from django.db import migrations

from frameworks.database_rules import append_only, never_deleted

# What frameworks.transitions allows, and at activation the signatures themselves: enough approvals whose newest
# decision covers exactly the frozen text. Who is still in role, and what is still fresh, only the service knows.
MOVES = """
CREATE FUNCTION cutline_check_version_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unsigned text;
BEGIN
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF NOT (OLD.state || '>' || NEW.state) = ANY (ARRAY[
        'draft>in_review', 'withdrawn>draft',
        'in_review>draft', 'in_review>approved', 'in_review>rejected', 'in_review>withdrawn', 'in_review>activated',
        'approved>draft', 'approved>in_review', 'approved>scheduled', 'approved>activated', 'approved>withdrawn',
        'scheduled>draft', 'scheduled>in_review', 'scheduled>approved', 'scheduled>activated', 'scheduled>withdrawn'
    ]) THEN
        RAISE EXCEPTION 'A version does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> 'activated' OR NEW.is_emergency THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'in_review' THEN
        RAISE EXCEPTION 'A version in review is activated as an emergency only'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM frameworks_requirement r WHERE r.version_id = NEW.id AND r.round = NEW.round) THEN
        RAISE EXCEPTION 'Nobody was asked to sign this version' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT trim(r.label || ' ' || r.part_key) INTO unsigned
    FROM frameworks_requirement r
    WHERE r.version_id = NEW.id AND r.round = NEW.round AND r.covered_digest <> '' AND r.minimum > (
        SELECT count(*) FROM (
            SELECT DISTINCT ON (COALESCE(s.on_behalf_of_id, s.signer_id)) s.decision, s.covered_digest
            FROM frameworks_signoff s JOIN frameworks_frameworkversion v ON v.id = s.version_id
            WHERE s.framework_id = NEW.framework_id AND s.code = r.code
              AND s.part_kind = r.part_kind AND s.part_key = r.part_key
              AND v.number <= NEW.number AND (NEW.rollback_of_id IS NULL OR s.covered_digest = r.covered_digest)
            ORDER BY COALESCE(s.on_behalf_of_id, s.signer_id), s.id DESC
        ) newest WHERE newest.decision = 'approve' AND newest.covered_digest = r.covered_digest
    )
    LIMIT 1;
    IF unsigned IS NOT NULL THEN
        RAISE EXCEPTION 'Not everybody signed: %', unsigned USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_moves BEFORE UPDATE OF state ON frameworks_frameworkversion
    FOR EACH ROW EXECUTE FUNCTION cutline_check_version_move();
"""

ALLOW_MOVES = """
DROP TRIGGER version_moves ON frameworks_frameworkversion;
DROP FUNCTION cutline_check_version_move();
"""

# The pointer says what is in force: only a version that was activated, and never back to one that was superseded.
POINTER = """
CREATE FUNCTION cutline_check_active_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.active_version_id IS NULL OR NEW.active_version_id IS NOT DISTINCT FROM OLD.active_version_id THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT FROM frameworks_frameworkversion v
        WHERE v.id = NEW.active_version_id AND v.framework_id = NEW.id
          AND v.state = 'activated' AND v.superseded_at IS NULL
    ) THEN
        RAISE EXCEPTION 'Only an activated version of the framework that was not superseded can be in force'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER active_version BEFORE UPDATE OF active_version_id ON frameworks_framework
    FOR EACH ROW EXECUTE FUNCTION cutline_check_active_version();
"""

ALLOW_POINTER = """
DROP TRIGGER active_version ON frameworks_framework;
DROP FUNCTION cutline_check_active_version();
"""

# Separation of duties, where no program can pass it by.
SIGNOFFS = """
CREATE FUNCTION cutline_check_signoff() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    about record;
    principal bigint := COALESCE(NEW.on_behalf_of_id, NEW.signer_id);
BEGIN
    SELECT version_id, code, part_kind, part_key, counts_contributors INTO asked
        FROM frameworks_requirement WHERE id = NEW.requirement_id;
    SELECT framework_id, author_id, state INTO about FROM frameworks_frameworkversion WHERE id = NEW.version_id;
    IF (asked.version_id, asked.code, asked.part_kind, asked.part_key, about.framework_id)
       IS DISTINCT FROM (NEW.version_id, NEW.code, NEW.part_kind, NEW.part_key, NEW.framework_id) THEN
        RAISE EXCEPTION 'A sign-off answers the requirement it names' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.on_behalf_of_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM frameworks_delegation d
        WHERE d.delegator_id = NEW.on_behalf_of_id AND d.delegate_id = NEW.signer_id
          AND d.valid_from <= NEW.signed_at AND d.valid_until > NEW.signed_at
          AND (d.ended_at IS NULL OR d.ended_at > NEW.signed_at)
    ) THEN
        RAISE EXCEPTION 'Nobody signs for another without a delegation' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.decision <> 'approve' THEN
        RETURN NEW;
    END IF;
    IF about.state NOT IN ('in_review', 'approved', 'scheduled', 'activated') THEN
        RAISE EXCEPTION 'This version is not open for signing (it is %)', about.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT asked.counts_contributors AND (
        about.author_id IN (NEW.signer_id, principal) OR EXISTS (
            SELECT FROM frameworks_contribution c
            WHERE c.version_id = NEW.version_id AND c.contributed_by_id IN (NEW.signer_id, principal)
        )
    ) THEN
        RAISE EXCEPTION 'Whoever wrote parts of a version does not sign it'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT (NEW.meaning = 'recertified' AND about.state = 'activated') AND NOT EXISTS (
        SELECT FROM frameworks_requirement_pool p
        WHERE p.requirement_id = NEW.requirement_id AND p.user_id = principal
    ) THEN
        RAISE EXCEPTION 'Only people whom the requirement asks sign it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER independent_signoff BEFORE INSERT ON frameworks_signoff
    FOR EACH ROW EXECUTE FUNCTION cutline_check_signoff();
"""

ALLOW_SIGNOFFS = """
DROP TRIGGER independent_signoff ON frameworks_signoff;
DROP FUNCTION cutline_check_signoff();
"""

# A policy in force changes by two people: whoever wrote the new text does not confirm it.
POLICIES = """
CREATE FUNCTION cutline_check_policy_confirmation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'policy' AND NEW.state = 'confirmed' AND EXISTS (
        SELECT FROM frameworks_contribution c JOIN frameworks_frameworkversion v ON v.id = c.version_id
        WHERE v.framework_id = NEW.framework_id AND v.base_version_id IS NOT NULL
          AND c.kind = 'policy' AND c.key = NEW.key AND c.body_id = NEW.body_id
          AND c.contributed_by_id = NEW.confirmed_by_id
    ) THEN
        RAISE EXCEPTION 'A changed policy is confirmed by a second person'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_person_policy BEFORE INSERT ON frameworks_confirmation
    FOR EACH ROW EXECUTE FUNCTION cutline_check_policy_confirmation();
"""

ALLOW_POLICIES = """
DROP TRIGGER two_person_policy ON frameworks_confirmation;
DROP FUNCTION cutline_check_policy_confirmation();
"""

# One stand-in at a time; an exclusion constraint needs no extension for ranges. Only its end can be added later.
DELEGATIONS = """
ALTER TABLE frameworks_delegation ADD CONSTRAINT delegation_one_at_a_time EXCLUDE USING gist (
    int8range(delegator_id, delegator_id, '[]') WITH &&,
    tstzrange(valid_from, valid_until) WITH &&
) WHERE (ended_at IS NULL);
CREATE FUNCTION cutline_check_delegation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR
       (NEW.delegator_id, NEW.delegate_id, NEW.valid_from, NEW.valid_until)
       IS DISTINCT FROM (OLD.delegator_id, OLD.delegate_id, OLD.valid_from, OLD.valid_until) THEN
        RAISE EXCEPTION 'A delegation can only be ended' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delegation_stays BEFORE UPDATE ON frameworks_delegation
    FOR EACH ROW EXECUTE FUNCTION cutline_check_delegation();
"""

ALLOW_DELEGATIONS = """
DROP TRIGGER delegation_stays ON frameworks_delegation;
DROP FUNCTION cutline_check_delegation();
ALTER TABLE frameworks_delegation DROP CONSTRAINT delegation_one_at_a_time;
"""


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0005_governed_versions")]

    operations = [
        append_only("frameworks_versionimpact"),
        never_deleted("frameworks_delegation"),
        migrations.RunSQL(MOVES, ALLOW_MOVES),
        migrations.RunSQL(POINTER, ALLOW_POINTER),
        migrations.RunSQL(SIGNOFFS, ALLOW_SIGNOFFS),
        migrations.RunSQL(POLICIES, ALLOW_POLICIES),
        migrations.RunSQL(DELEGATIONS, ALLOW_DELEGATIONS),
    ]
