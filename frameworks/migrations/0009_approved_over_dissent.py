"""A policy may let one role approve a definition over a No that stands; the database agrees at activation."""

from django.db import migrations, models

DECISIONS = [
    ("approve", "Yes"),
    ("reject", "No"),
    ("withdraw", "Withdrawn"),
    ("acknowledge", "Acknowledged"),
    ("overrule", "Approved over dissent"),
]

# The same as in 0006, and: a newest No counts as an answer where a newer approval over dissent covers the same text.
MOVES = """
CREATE OR REPLACE FUNCTION cutline_check_version_move() RETURNS trigger LANGUAGE plpgsql AS $$
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
            SELECT DISTINCT ON (COALESCE(s.on_behalf_of_id, s.signer_id)) s.id, s.decision, s.covered_digest
            FROM frameworks_signoff s JOIN frameworks_frameworkversion v ON v.id = s.version_id
            WHERE s.framework_id = NEW.framework_id AND s.code = r.code
              AND s.part_kind = r.part_kind AND s.part_key = r.part_key AND s.decision <> 'overrule'
              AND v.number <= NEW.number AND (NEW.rollback_of_id IS NULL OR s.covered_digest = r.covered_digest)
            ORDER BY COALESCE(s.on_behalf_of_id, s.signer_id), s.id DESC
        ) newest WHERE newest.covered_digest = r.covered_digest AND (
            newest.decision = 'approve' OR (newest.decision = 'reject' AND r.dissent_role <> '' AND EXISTS (
                SELECT FROM frameworks_signoff o JOIN frameworks_frameworkversion ov ON ov.id = o.version_id
                WHERE o.framework_id = NEW.framework_id AND o.code = r.code AND o.decision = 'overrule'
                  AND o.part_kind = r.part_kind AND o.part_key = r.part_key AND ov.number <= NEW.number
                  AND o.covered_digest = r.covered_digest AND o.id > newest.id
            ))
        )
    )
    LIMIT 1;
    IF unsigned IS NOT NULL THEN
        RAISE EXCEPTION 'Not everybody signed: %', unsigned USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

MOVES_BEFORE = """
CREATE OR REPLACE FUNCTION cutline_check_version_move() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

# The same as in 0006, and who may approve over dissent: the role that the requirement names, who wrote nothing of the
# version and did not say No themselves.
SIGNOFFS = """
CREATE OR REPLACE FUNCTION cutline_check_signoff() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    about record;
    principal bigint := COALESCE(NEW.on_behalf_of_id, NEW.signer_id);
BEGIN
    SELECT version_id, code, part_kind, part_key, counts_contributors, dissent_role INTO asked
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
    IF NEW.decision = 'overrule' THEN
        IF about.state NOT IN ('in_review', 'approved', 'scheduled') OR asked.dissent_role = '' OR NOT EXISTS (
            SELECT FROM frameworks_user_groups g JOIN auth_group role ON role.id = g.group_id
            WHERE g.user_id = NEW.signer_id AND role.name = asked.dissent_role
        ) THEN
            RAISE EXCEPTION 'Only the role that the policy names approves over dissent, and only under review'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF about.author_id = NEW.signer_id OR EXISTS (
            SELECT FROM frameworks_contribution c
            WHERE c.version_id = NEW.version_id AND c.contributed_by_id = NEW.signer_id
        ) THEN
            RAISE EXCEPTION 'Whoever wrote parts of a version does not approve it over dissent'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NOT EXISTS (
            SELECT FROM frameworks_signoff s
            WHERE s.framework_id = NEW.framework_id AND s.code = NEW.code AND s.part_kind = NEW.part_kind
              AND s.part_key = NEW.part_key AND s.decision = 'reject' AND s.covered_digest = NEW.covered_digest
        ) OR (
            SELECT s.decision = 'reject' FROM frameworks_signoff s
            WHERE s.framework_id = NEW.framework_id AND s.code = NEW.code AND s.part_kind = NEW.part_kind
              AND s.part_key = NEW.part_key AND s.covered_digest = NEW.covered_digest
              AND NEW.signer_id IN (s.signer_id, s.on_behalf_of_id)
            ORDER BY s.id DESC LIMIT 1
        ) THEN
            RAISE EXCEPTION 'There is no dissent of somebody else to approve over'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
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
"""

SIGNOFFS_BEFORE = """
CREATE OR REPLACE FUNCTION cutline_check_signoff() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0008_waiver_parts")]

    operations = [
        migrations.AddField(
            "requirement",
            "dissent_role",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Who may approve over a No; nobody if empty.",
                max_length=63,
            ),
        ),
        migrations.AlterField("signoff", "decision", models.CharField(choices=DECISIONS, max_length=11)),
        migrations.AddConstraint(
            "signoff",
            models.CheckConstraint(
                condition=~models.Q(decision="overrule") | (~models.Q(reason="") & models.Q(on_behalf_of__isnull=True)),
                name="signoff_overrule_has_reason",
                violation_error_message="Say why the dissent is overruled; nobody does it for another.",
            ),
        ),
        migrations.RunSQL(MOVES, MOVES_BEFORE),
        migrations.RunSQL(SIGNOFFS, SIGNOFFS_BEFORE),
    ]
