"""Comments on versions and their parts; what was said stays as said."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from frameworks.database_rules import never_deleted

KEEP_WORDS = """
CREATE FUNCTION cutline_refuse_rewording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.framework_id, OLD.version_id, OLD.part_kind, OLD.part_key, OLD.thread_id, OLD.text, OLD.author_id,
        OLD.printed_name, OLD.created_at)
       IS DISTINCT FROM (NEW.framework_id, NEW.version_id, NEW.part_kind, NEW.part_key, NEW.thread_id, NEW.text,
        NEW.author_id, NEW.printed_name, NEW.created_at) THEN
        RAISE EXCEPTION 'A comment stays as it was said' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER words_stay BEFORE UPDATE ON frameworks_comment
    FOR EACH ROW EXECUTE FUNCTION cutline_refuse_rewording();
"""
LOSE_WORDS = """
DROP TRIGGER words_stay ON frameworks_comment;
DROP FUNCTION cutline_refuse_rewording();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("frameworks", "0006_governed_version_rules"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="frameworkversion",
            options={
                "ordering": ["framework", "-number"],
                "permissions": [
                    ("edit_draft", "Can edit drafts, attributes and templates"),
                    ("confirm_part", "Can confirm an assumed part with evidence"),
                    ("sign_version", "Can sign what a requirement asks of their role"),
                    ("submit_version", "Can submit a draft for review"),
                    ("activate_version", "Can activate an approved version"),
                    ("activate_emergency", "Can activate a version before it is signed"),
                    ("comment_version", "Can comment on a version and its parts"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
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
                        ],
                        max_length=12,
                    ),
                ),
                ("part_key", models.CharField(blank=True, max_length=127)),
                ("text", models.TextField()),
                ("printed_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "framework",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="comments", to="frameworks.framework"
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "thread",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replies",
                        to="frameworks.comment",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="comments",
                        to="frameworks.frameworkversion",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Mention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("noted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "comment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mentions", to="frameworks.comment"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mentions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(fields=["framework", "part_kind", "part_key"], name="comment_of_part"),
        ),
        migrations.AddConstraint(
            model_name="comment",
            constraint=models.CheckConstraint(
                condition=models.Q(("thread__isnull", True), ("resolved_at__isnull", True), _connector="OR"),
                name="comment_thread_is_resolved",
                violation_error_message="A thread is resolved, not a reply in it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="comment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("resolved_at__isnull", True), ("resolved_by__isnull", True)),
                    models.Q(("resolved_at__isnull", False), ("resolved_by__isnull", False)),
                    _connector="OR",
                ),
                name="comment_resolved_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="mention",
            index=models.Index(
                condition=models.Q(("noted_at__isnull", True)), fields=["person"], name="mention_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="mention",
            constraint=models.UniqueConstraint(fields=("comment", "person"), name="mention_once"),
        ),
        never_deleted("frameworks_comment"),
        never_deleted("frameworks_mention"),
        migrations.RunSQL(KEEP_WORDS, LOSE_WORDS),
    ]
