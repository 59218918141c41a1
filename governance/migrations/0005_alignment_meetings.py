"""Alignment meetings with what they left, and who settles which ASSUMED part. A closed meeting stays as it was."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from frameworks.database_rules import append_only, never_deleted

STAYS_AS_HELD = """
CREATE FUNCTION cutline_meeting_is_planned() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text; meeting bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN meeting := OLD.meeting_id; ELSE meeting := NEW.meeting_id; END IF;
    SELECT state INTO found FROM governance_meeting WHERE id = meeting FOR SHARE;
    IF found <> 'planned' THEN
        RAISE EXCEPTION '% on % is refused: the meeting is closed', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays_as_held BEFORE UPDATE ON governance_meeting
    FOR EACH ROW WHEN (OLD.state <> 'planned') EXECUTE FUNCTION cutline_refuse_change('the meeting is closed');
CREATE TRIGGER stays_as_held BEFORE INSERT OR UPDATE OR DELETE ON governance_agendaitem
    FOR EACH ROW EXECUTE FUNCTION cutline_meeting_is_planned();
CREATE TRIGGER stays_as_held BEFORE INSERT OR UPDATE OR DELETE ON governance_attendance
    FOR EACH ROW EXECUTE FUNCTION cutline_meeting_is_planned();
"""
FREE = """
DROP TRIGGER stays_as_held ON governance_attendance;
DROP TRIGGER stays_as_held ON governance_agendaitem;
DROP TRIGGER stays_as_held ON governance_meeting;
DROP FUNCTION cutline_meeting_is_planned();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0008_waiver_parts"),
        ("governance", "0004_intake"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Meeting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("kickoff", "Kickoff"),
                            ("refinement", "Refinement"),
                            ("final", "Final review"),
                            ("council", "Quarterly council"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("planned", "Planned"), ("held", "Held"), ("cancelled", "Cancelled")],
                        default="planned",
                        max_length=9,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("time_zone", models.CharField(max_length=63)),
                ("focus", models.CharField(max_length=300)),
                ("notes", models.TextField(blank=True)),
                ("planned_at", models.DateTimeField()),
                ("revision", models.PositiveIntegerField(default=1, help_text="Counts the changes of the plan.")),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_reason", models.TextField(blank=True)),
                ("left_manifest", models.CharField(blank=True, max_length=64)),
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="meetings", to="frameworks.framework"
                    ),
                ),
                (
                    "left_version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="frameworks.frameworkversion",
                    ),
                ),
                (
                    "planned_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["framework", "number"],
                "permissions": [("run_meetings", "Can plan, prepare and close alignment meetings")],
            },
        ),
        migrations.CreateModel(
            name="Homework",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("text", models.TextField()),
                ("due_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("done", "Done"), ("not_done", "Not done")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("given_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "assignee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="homework",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "given_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="homework", to="governance.meeting"
                    ),
                ),
            ],
            options={
                "ordering": ["due_on", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Attendance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("invited", "Invited"), ("attended", "Attended"), ("absent", "Absent")],
                        default="invited",
                        max_length=8,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attendances",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attendances", to="governance.meeting"
                    ),
                ),
            ],
            options={
                "ordering": ["meeting", "person__name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="AgendaItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("text", models.CharField(max_length=300)),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="agenda", to="governance.meeting"
                    ),
                ),
            ],
            options={
                "ordering": ["meeting", "position"],
            },
        ),
        migrations.CreateModel(
            name="MeetingDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                (
                    "part_kind",
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
                ("part_key", models.CharField(blank=True, max_length=127)),
                ("printed_name", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="decisions", to="governance.meeting"
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="MeetingPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
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
                ("key", models.CharField(max_length=127)),
                ("is_confirmed", models.BooleanField()),
                (
                    "body",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="frameworks.partbody"
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="governance.meeting"
                    ),
                ),
            ],
            options={
                "ordering": ["meeting", "kind", "key"],
            },
        ),
        migrations.CreateModel(
            name="MeetingRemark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("printed_name", models.CharField(max_length=150)),
                ("said_at", models.DateTimeField()),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="remarks", to="governance.meeting"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="PartResolver",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
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
                ("key", models.CharField(max_length=127)),
                ("source_key", models.CharField(blank=True, max_length=127)),
                ("due_on", models.DateField()),
                ("assigned_at", models.DateTimeField()),
                (
                    "assigned_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "framework",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="resolvers", to="frameworks.framework"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["due_on", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="meeting",
            constraint=models.UniqueConstraint(fields=("framework", "number"), name="meeting_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="meeting",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "held"), _negated=True),
                    models.Q(
                        ("closed_at__isnull", False),
                        ("closed_by__isnull", False),
                        ("left_version__isnull", False),
                        models.Q(("left_manifest", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="meeting_held_is_whole",
                violation_error_message="A held meeting names who closed it and the version it left.",
            ),
        ),
        migrations.AddConstraint(
            model_name="meeting",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "cancelled"), _negated=True),
                    models.Q(("cancel_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="meeting_cancelled_says_why",
                violation_error_message="Say why the meeting is cancelled.",
            ),
        ),
        migrations.AddIndex(
            model_name="homework",
            index=models.Index(condition=models.Q(("state", "open")), fields=["assignee"], name="homework_open_of"),
        ),
        migrations.AddConstraint(
            model_name="homework",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at__isnull", True), ("settled_by__isnull", True), ("state", "open")),
                    models.Q(
                        models.Q(("state", "open"), _negated=True),
                        ("settled_at__isnull", False),
                        ("settled_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="homework_settled_by_somebody",
                violation_error_message="Homework that is settled names who said so, and when.",
            ),
        ),
        migrations.AddConstraint(
            model_name="attendance",
            constraint=models.UniqueConstraint(fields=("meeting", "person"), name="attendance_once"),
        ),
        migrations.AddConstraint(
            model_name="agendaitem",
            constraint=models.UniqueConstraint(fields=("meeting", "position"), name="agenda_position_unique"),
        ),
        migrations.AddConstraint(
            model_name="meetingpart",
            constraint=models.UniqueConstraint(fields=("meeting", "kind", "key"), name="meeting_part_once"),
        ),
        migrations.AddConstraint(
            model_name="partresolver",
            constraint=models.UniqueConstraint(fields=("framework", "kind", "key"), name="resolver_one_of_part"),
        ),
        migrations.AddConstraint(
            model_name="partresolver",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("person__isnull", False), ("source_key", "")),
                    models.Q(("person__isnull", True), models.Q(("source_key", ""), _negated=True)),
                    _connector="OR",
                ),
                name="resolver_is_one",
                violation_error_message="Either a person or a data source settles a part.",
            ),
        ),
        append_only("governance_meetingdecision"),
        append_only("governance_meetingremark"),
        append_only("governance_meetingpart"),
        never_deleted("governance_meeting"),
        never_deleted("governance_homework"),
        never_deleted("governance_partresolver"),
        migrations.RunSQL(STAYS_AS_HELD, FREE),
    ]
