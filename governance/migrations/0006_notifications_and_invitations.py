"""What people are told and do not want to be told; links to one version. A link is used once, and kept for ever."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from frameworks.database_rules import never_deleted

ONCE = """
CREATE FUNCTION governance_invitation_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.version_id, OLD.person_id, OLD.expires_at) IS DISTINCT FROM (NEW.version_id, NEW.person_id, NEW.expires_at)
        OR (OLD.used_at IS NOT NULL AND (NEW.used_at, NEW.secret_hash) IS DISTINCT FROM (OLD.used_at, OLD.secret_hash))
        OR (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at, NEW.used_at, NEW.secret_hash)
            IS DISTINCT FROM (OLD.revoked_at, OLD.used_at, OLD.secret_hash))
    THEN
        RAISE EXCEPTION 'an invitation is for one person and version, works once, and is not revived'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invitation_once BEFORE UPDATE ON governance_invitation
    FOR EACH ROW EXECUTE FUNCTION governance_invitation_once();
"""
NOT_ONCE = """
DROP TRIGGER invitation_once ON governance_invitation;
DROP FUNCTION governance_invitation_once();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0008_waiver_parts"),
        ("governance", "0005_alignment_meetings"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("asked", "You are asked to sign"),
                            ("reminder", "Something is due soon"),
                            ("overdue", "Something is overdue"),
                            ("escalation", "Others are late with what you wait for"),
                            ("mention", "Somebody mentions you"),
                            ("void", "A sign-off of yours no longer counts"),
                            ("version", "A version is approved, sent back, activated or fails"),
                            ("invitation", "Somebody invites you to read a version"),
                        ],
                        max_length=10,
                    ),
                ),
                ("occurrence", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField(blank=True)),
                ("url", models.CharField(help_text="The exact place, from the site's root.", max_length=500)),
                ("created_at", models.DateTimeField()),
                ("in_app", models.BooleanField(default=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                (
                    "mail_state",
                    models.CharField(
                        choices=[
                            ("pending", "Waits to be sent"),
                            ("sent", "Sent"),
                            ("muted", "Muted"),
                            ("dropped", "No longer needed"),
                            ("failed", "Given up"),
                        ],
                        default="pending",
                        max_length=7,
                    ),
                ),
                ("mail_after", models.DateTimeField(blank=True, null=True)),
                ("mail_claimed_at", models.DateTimeField(blank=True, null=True)),
                ("mail_attempts", models.PositiveSmallIntegerField(default=0)),
                ("mail_error", models.TextField(blank=True)),
                ("mailed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("in_app", True), ("read_at__isnull", True)),
                        fields=["person"],
                        name="notification_unread",
                    ),
                    models.Index(
                        condition=models.Q(("mail_state", "pending")),
                        fields=["mail_after"],
                        name="notification_mail_owed",
                    ),
                    models.Index(fields=["person", "-id"], name="notification_of_person"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "occurrence"), name="notification_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mail_state", "pending"), _negated=True),
                            ("mail_after__isnull", False),
                            _connector="OR",
                        ),
                        name="notification_mail_has_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mail_state", "sent"), ("mailed_at__isnull", False)),
                            models.Q(models.Q(("mail_state", "sent"), _negated=True), ("mailed_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="notification_mail_is_sent_or_not",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("in_app", True),
                            models.Q(("kind__in", ["asked", "escalation"]), _negated=True),
                            _connector="OR",
                        ),
                        name="notification_shown_where_it_cannot_be_muted",
                    ),
                ],
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("note", models.CharField(blank=True, max_length=500)),
                ("invited_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("secret_hash", models.CharField(blank=True, max_length=64)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to="frameworks.frameworkversion",
                    ),
                ),
                (
                    "mail",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitation",
                        to="governance.notification",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("secret_hash", ""), _negated=True),
                        fields=("secret_hash",),
                        name="invitation_secret_unique",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at__isnull", True), ("used_at__isnull", True)),
                        fields=("version", "person"),
                        name="invitation_one_open",
                        violation_error_message="This person has a link to this version already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("invited_at"))),
                        name="invitation_ends_after_start",
                        violation_error_message="A link ends after it was sent.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("used_at__isnull", True), models.Q(("secret_hash", ""), _negated=True), _connector="OR"
                        ),
                        name="invitation_used_had_a_secret",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at__isnull", True), ("revoked_by__isnull", True)),
                            models.Q(("revoked_at__isnull", False), ("revoked_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="invitation_revoked_by_somebody",
                    ),
                ],
                "ordering": ["-pk"],
                "permissions": [("invite_reader", "Can invite a person to read one version")],
            },
        ),
        migrations.CreateModel(
            name="Mute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("asked", "You are asked to sign"),
                            ("reminder", "Something is due soon"),
                            ("overdue", "Something is overdue"),
                            ("escalation", "Others are late with what you wait for"),
                            ("mention", "Somebody mentions you"),
                            ("void", "A sign-off of yours no longer counts"),
                            ("version", "A version is approved, sent back, activated or fails"),
                            ("invitation", "Somebody invites you to read a version"),
                        ],
                        max_length=10,
                    ),
                ),
                ("channel", models.CharField(choices=[("app", "In the app"), ("mail", "By e-mail")], max_length=4)),
                ("muted_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mutes", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "kind", "channel"), name="mute_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("channel", "app"), ("kind__in", ["asked", "escalation"]), _negated=True),
                            models.Q(("channel", "mail"), ("kind", "invitation"), _negated=True),
                        ),
                        name="mute_not_what_must_arrive",
                        violation_error_message="This cannot be muted here.",
                    ),
                ],
            },
        ),
        migrations.RunSQL(ONCE, NOT_ONCE),
        never_deleted("governance_invitation"),
    ]
