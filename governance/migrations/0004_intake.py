"""What segmentation has to answer, who takes part, and what is there today. What was signed stays as it was."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

from frameworks.database_rules import append_only, never_deleted

# A signature names the scope's own writer and digest: copied wrongly, the CHECK on the two people would prove nothing.
SIGNS_WHAT_IS_THERE = """
CREATE FUNCTION governance_intake_scope_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM governance_intakescope s
        WHERE s.id = NEW.scope_id AND s.digest = NEW.covered_digest AND s.written_by_id = NEW.written_by_id
    ) THEN
        RAISE EXCEPTION 'a signature covers its scope as it was written'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signs_what_is_there BEFORE INSERT ON governance_intakescopesignoff
    FOR EACH ROW EXECUTE FUNCTION governance_intake_scope_signed();
"""
DROP_IT = """
DROP TRIGGER signs_what_is_there ON governance_intakescopesignoff;
DROP FUNCTION governance_intake_scope_signed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0008_waiver_parts"),
        ("governance", "0003_transition_reviews"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="IntakeForm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("due_on", models.DateField()),
                ("crm", models.CharField(blank=True, max_length=200)),
                ("cs_platform", models.CharField(blank=True, max_length=200)),
                ("has_no_fields", models.BooleanField(default=False, help_text="Nothing segments the accounts today.")),
                ("consumers", models.TextField(blank=True)),
                ("enrichment_tools", models.TextField(blank=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "framework",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="intakes", to="frameworks.framework"
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        help_text="Sees to it that it ends.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="intakes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at", "-pk"],
                "permissions": [
                    ("edit_intake", "Can open and fill in the intake of a framework"),
                    ("sign_intake_scope", "Can sign who takes part in an intake and what segments are for"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CurrentField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("field", "Field"),
                            ("report", "Report"),
                            ("workflow", "Workflow"),
                            ("view", "List view"),
                        ],
                        default="field",
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(max_length=150)),
                ("system", models.CharField(max_length=150)),
                ("owner", models.CharField(blank=True, max_length=150)),
                (
                    "populated_guess",
                    models.PositiveSmallIntegerField(blank=True, help_text="In percent, as people guess.", null=True),
                ),
                (
                    "fate",
                    models.CharField(
                        blank=True,
                        choices=[("", "Not decided"), ("kept", "Kept"), ("replaced", "Replaced")],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "counterpart_kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("meta", "About the framework"),
                            ("policy", "Policy"),
                            ("dimension", "Dimension"),
                            ("segment", "Segment"),
                            ("playbook", "Playbook"),
                            ("term", "Definition"),
                            ("data_source", "Data source"),
                            ("waiver", "Waiver"),
                        ],
                        max_length=12,
                    ),
                ),
                ("counterpart_key", models.CharField(blank=True, max_length=127)),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "intake",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="current_fields",
                        to="governance.intakeform",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="BusinessQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("text", models.CharField(max_length=500)),
                ("asked_by", models.CharField(blank=True, max_length=150)),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "intake",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="questions",
                        to="governance.intakeform",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="IntakeScope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number", models.PositiveIntegerField()),
                ("participants", models.JSONField()),
                (
                    "uses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("reporting", "Reporting"),
                                ("playbooks", "Playbook triggers"),
                                ("resources", "Resource allocation"),
                                ("qbrs", "Business reviews (QBRs)"),
                                ("other", "Something else"),
                            ],
                            max_length=10,
                        ),
                        size=None,
                    ),
                ),
                ("uses_note", models.TextField(blank=True)),
                ("digest", models.CharField(max_length=64)),
                ("written_at", models.DateTimeField()),
                (
                    "intake",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="scopes", to="governance.intakeform"
                    ),
                ),
                (
                    "written_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["intake", "-number"],
            },
        ),
        migrations.CreateModel(
            name="IntakeScopeSignoff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("decision", models.CharField(choices=[("approve", "Yes"), ("reject", "No")], max_length=7)),
                ("reason", models.TextField(blank=True)),
                ("statement", models.TextField(help_text="The words shown above the button.")),
                ("content", models.JSONField(help_text="Who and what for, as it was signed.")),
                ("covered_digest", models.CharField(max_length=64)),
                ("printed_name", models.CharField(max_length=150)),
                ("role", models.CharField(max_length=200)),
                ("authentication", models.CharField(help_text="How the signer proved who they are.", max_length=40)),
                ("authenticated_at", models.DateTimeField()),
                ("signed_at", models.DateTimeField()),
                (
                    "scope",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signoff", to="governance.intakescope"
                    ),
                ),
                (
                    "signer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "written_by",
                    models.ForeignKey(
                        help_text="Who wrote the scope.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="QuestionAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("dimension", "Dimension"),
                            ("segment", "Segment"),
                            ("term", "Definition"),
                            ("page", "Page"),
                        ],
                        max_length=9,
                    ),
                ),
                ("key", models.CharField(max_length=127)),
                ("linked_at", models.DateTimeField()),
                (
                    "linked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "question",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="answers",
                        to="governance.businessquestion",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="intakeform",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("framework",),
                name="intake_one_open",
                violation_error_message="This framework has an open intake already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="intakeform",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("closed_by__isnull", True)),
                    models.Q(("closed_at__isnull", False), ("closed_by__isnull", False)),
                    _connector="OR",
                ),
                name="intake_closed_by_somebody",
                violation_error_message="A closed intake names who closed it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="currentfield",
            constraint=models.UniqueConstraint(
                fields=("intake", "type", "name", "system"),
                name="intake_field_unique",
                violation_error_message="It is listed already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="currentfield",
            constraint=models.CheckConstraint(
                condition=models.Q(("populated_guess__isnull", True), ("populated_guess__lte", 100), _connector="OR"),
                name="intake_field_guess_is_percent",
                violation_error_message="A share is from 0 to 100 %.",
            ),
        ),
        migrations.AddConstraint(
            model_name="currentfield",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("counterpart_key", ""), ("counterpart_kind", "")),
                    models.Q(
                        ("counterpart_kind__in", ["dimension", "data_source"]),
                        models.Q(("counterpart_key", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="intake_field_counterpart_is_whole",
                violation_error_message="Its counterpart is a dimension or an attribute.",
            ),
        ),
        migrations.AddConstraint(
            model_name="businessquestion",
            constraint=models.UniqueConstraint(
                fields=("intake", "text"),
                name="intake_question_unique",
                violation_error_message="This question is asked already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="intakescope",
            constraint=models.UniqueConstraint(fields=("intake", "number"), name="intake_scope_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="intakescopesignoff",
            constraint=models.CheckConstraint(
                condition=models.Q(("signer", models.F("written_by")), _negated=True),
                name="intake_scope_signed_by_another",
                violation_error_message="Somebody who did not write the scope signs it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="intakescopesignoff",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decision", "reject"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="intake_scope_reject_has_reason",
                violation_error_message="Say why not.",
            ),
        ),
        migrations.AddConstraint(
            model_name="questionanswer",
            constraint=models.UniqueConstraint(
                fields=("question", "kind", "key"),
                name="intake_answer_unique",
                violation_error_message="It is named already.",
            ),
        ),
        append_only("governance_intakescope"),
        append_only("governance_intakescopesignoff"),
        never_deleted("governance_intakeform"),
        RunSQL(SIGNS_WHAT_IS_THERE, DROP_IT),
    ]
