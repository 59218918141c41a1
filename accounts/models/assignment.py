"""Which segment each account is in, why, what it was before, and what people decided otherwise."""

import uuid

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, IntegerRangeField, RangeOperators
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce

from accounts.models.fields import Xid8Field


class Reason(models.TextChoices):
    """Why a dimension came out as it did. `missing_data` to `error` leave the account Unassigned."""

    MATCHED = "matched", "Matches the rule"
    PROVISIONAL = "provisional", "Matches; a higher segment is still open"
    KEPT = "kept", "Stays where it was; another segment pulls"
    STEPPED = "stepped", "On the way, a step at a time"
    FALLBACK = "fallback", "No rule matches; the dimension's fallback"
    MISSING_DATA = "missing_data", "Data is missing"
    INSUFFICIENT_HISTORY = "insufficient_history", "Too little history"
    NO_MATCH = "no_match", "No rule matches"
    CONFLICT = "conflict", "Several rules match"
    EXCLUDED = "excluded", "Excluded from segmentation"
    ERROR = "error", "Could not be evaluated"


class Cause(models.TextChoices):
    """What made a segment change."""

    INITIAL = "initial", "First assignment"
    DATA = "data", "Account data changed"
    TIME = "time", "Time passed"
    VERSION = "version", "New version"
    MAPPING = "mapping", "Segment merged, split or retired"
    PERIOD = "period", "Period closed"
    OVERRIDE_STARTED = "override_started", "Override started"
    OVERRIDE_EXPIRED = "override_expired", "Override expired"
    OVERRIDE_REVOKED = "override_revoked", "Override revoked"
    OVERRIDE_MOOT = "override_moot", "The rule came to agree"
    REVIEW = "review", "Transition review"
    LIST = "list", "Account list changed"
    CORRECTION = "correction", "Correction"


class Assignment(models.Model):
    """The one current outcome of an account in a dimension. Nothing refers to this table.

    `computed` is what the rules say, `effective` what counts after exclusions and overrides, null when
    Unassigned. While an override runs, `override_until` says until when and `without_override` what comes
    after; every read goes through `current_segment` (querysets), which knows the clock. `next_flip_at` is when time
    alone may change the outcome. `computed_since` and `decided_with` (the account's version) tell when and on which
    facts the computed segment last changed; `released` is the segment that a person let a held account go to.

    References carry no checked key: accounts, dimensions and segments are never deleted, and checking cost a third
    of a first run.
    """

    pk = models.CompositePrimaryKey("account_id", "dimension_id")
    account = models.ForeignKey(
        "Account",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="assignments",
    )
    dimension = models.ForeignKey(
        "frameworks.Dimension",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    computed = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    effective = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    without_override = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    reason = models.CharField(max_length=20, choices=Reason)
    rule_key = models.CharField(max_length=127, blank=True)
    missing = ArrayField(models.TextField(), default=list)
    conflict = ArrayField(models.TextField(), default=list)
    is_provisional = models.BooleanField(default=False)
    is_held = models.BooleanField(default=False)
    override_until = models.DateTimeField(null=True)
    next_flip_at = models.DateTimeField(null=True)
    computed_since = models.DateTimeField(null=True)
    decided_with = models.PositiveIntegerField(null=True)
    released = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    framework_version = models.ForeignKey(
        "frameworks.FrameworkVersion",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    version = models.PositiveIntegerField(default=1)
    effective_since = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["account_id", "dimension_id"]
        indexes = [
            models.Index(fields=["dimension", "effective", "account"], name="assignment_by_segment"),
            # What the sweeper asks every half minute: whose time has come, and who waits for a person.
            models.Index(fields=["next_flip_at"], name="assignment_flips", condition=Q(next_flip_at__isnull=False)),
            models.Index(fields=["account"], name="assignment_held", condition=Q(is_held=True)),
        ]

    def __str__(self) -> str:
        return f"account {self.account_id} in dimension {self.dimension_id}"


class Transition(models.Model):
    """One change of one account's effective segment. The log that history, feed and webhooks read. Append-only.

    The feed's order is (epoch, xid, id): rows of a transaction appear only when everything older is decided.
    """

    account = models.ForeignKey(
        "Account",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="transitions",
    )
    dimension = models.ForeignKey(
        "frameworks.Dimension",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    from_segment = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    to_segment = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    reason = models.CharField(max_length=20, choices=Reason)
    cause = models.CharField(max_length=20, choices=Cause)
    rule_key = models.CharField(max_length=127, blank=True)
    framework_version = models.ForeignKey(
        "frameworks.FrameworkVersion",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    run = models.ForeignKey(
        "AssignmentRun",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    version = models.PositiveIntegerField(help_text="The assignment's version after this change.")
    effective_at = models.DateTimeField()
    epoch = models.IntegerField()
    xid = Xid8Field(db_default=Func(function="pg_current_xact_id"))

    class Meta:
        ordering = ["account_id", "id"]
        indexes = [
            models.Index(fields=["account", "id"], name="transition_of_account"),
            models.Index(fields=["epoch", "xid", "id"], name="transition_feed"),
            # What one run moved: its rows lie together, so a summary of the pages finds them, and costs no insert.
            BrinIndex(fields=["run"], name="transition_of_run", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"account {self.account_id}: {self.from_segment_id} to {self.to_segment_id}"


class FeedEpoch(models.Model):
    """How often the database was restored: transaction ids of another epoch cannot be compared. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.IntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="epoch_one_row")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class Override(models.Model):
    """The fact that an account counts as another segment for a while. Who asked and decided is governance's.

    In force from `valid_from` until `valid_until`, or until `ended_at` when it was ended before. When its segment is
    retired it ends, and another row with the successor goes on from there: `carried_from` leads back.
    """

    class Ending(models.TextChoices):
        NONE = "", "Not ended"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Revoked"
        MOOT = "moot", "The rule agrees"
        LAPSED = "lapsed", "The version changed"
        MAPPED = "mapped", "Carried to a successor"
        RENEWED = "renewed", "Renewed"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey("Account", on_delete=models.PROTECT, related_name="overrides")
    dimension = models.ForeignKey("frameworks.Dimension", on_delete=models.PROTECT, related_name="+")
    segment = models.ForeignKey("frameworks.Segment", on_delete=models.PROTECT, related_name="+")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    reason = models.TextField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True, help_text="When the assignment followed.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=8, choices=Ending, default=Ending.NONE, blank=True)
    # Followed backwards only, and rows are never deleted: nothing would use an index.
    carried_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="carried_to", db_index=False
    )
    origin = models.ForeignKey(
        "frameworks.Segment",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="What it was granted for, where mappings carried it since.",
    )

    class Meta:
        ordering = ["-valid_from", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("valid_from")),
                name="override_ends_after_start",
                violation_error_message="An override ends after it starts.",
            ),
            ExclusionConstraint(
                name="override_never_overlaps",
                expressions=[
                    (
                        Func(F("account_id"), F("account_id"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(
                            F("dimension_id"),
                            F("dimension_id"),
                            Value("[]"),
                            function="int4range",
                            output_field=IntegerRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(
                            F("valid_from"),
                            Coalesce(F("ended_at"), F("valid_until")),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="This account has an override in this dimension at that time.",
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.account_id} as segment {self.segment_id} until {self.valid_until:%Y-%m-%d}"


class PendingEvaluation(models.Model):
    """Work owed: an account whose assignment may be out of date. Appended with the change, deleted when done.

    One row a change, never merged: an insert that waited for another transaction's row would block people.
    """

    account = models.ForeignKey(
        "Account", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    cause = models.CharField(max_length=20, choices=Cause)
    marked_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"account {self.account_id}: {self.cause}"
