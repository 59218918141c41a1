"""Runs: evaluating many accounts, in chunks leased in the database."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models


class AssignmentRunQuerySet(models.QuerySet["AssignmentRun"]):
    def live(self) -> Self:
        """Runs under way that write in the end; studies of an impact never do, and stand in nobody's way."""
        return self.filter(state__in=AssignmentRun.LIVE).exclude(kind=AssignmentRun.Kind.IMPACT)


class AssignmentRun(models.Model):
    """One evaluation of every account under one version.

    It first evaluates (pass 1: what would move), is guarded, and then applies; an activation flips the active version
    in between. The nightly run must find nothing; what it finds, something has failed to mark. A study of an impact
    ends after pass 1.
    """

    class Kind(models.TextChoices):
        ACTIVATION = "activation", "Activation"
        REEVALUATION = "reevaluation", "Re-evaluation"
        NIGHTLY = "nightly", "Nightly"
        PERIOD = "period", "Period closed"
        IMPACT = "impact", "Impact"

    class State(models.TextChoices):
        PLANNED = "planned", "Evaluating"
        EVALUATED = "evaluated", "Evaluated"
        STUDIED = "studied", "Studied"
        HELD = "held", "Held"
        APPLYING = "applying", "Applying"
        APPLIED = "applied", "Applied"
        CANCELLED = "cancelled", "Cancelled"
        SUPERSEDED = "superseded", "Superseded"
        FAILED = "failed", "Failed"

    LIVE = (State.PLANNED, State.EVALUATED, State.HELD, State.APPLYING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("frameworks.Framework", on_delete=models.PROTECT, related_name="runs")
    framework_version = models.ForeignKey("frameworks.FrameworkVersion", on_delete=models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=12, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    contents = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="Digest of the version's parts when it was planned; what is evaluated.",
    )
    is_initial = models.BooleanField(default=False, help_text="Nothing was assigned before.")
    as_of = models.DateTimeField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    held_because = models.JSONField(default=list, help_text="What the guard found, in words.")
    accounts = models.PositiveIntegerField(default=0, help_text="To be evaluated, counted at the start.")
    moves = models.JSONField(default=dict, help_text="Dimension → from → to → accounts, when evaluated.")
    moved_arr = models.JSONField(default=dict, db_default={}, help_text="The same with their ARR, as text.")
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    evaluated_at = models.DateTimeField(null=True)
    applying_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = AssignmentRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["framework"],
                condition=models.Q(state__in=["planned", "evaluated", "held", "applying"]) & ~models.Q(kind="impact"),
                name="run_one_live",
                violation_error_message="A run of this framework is under way.",
            ),
            models.UniqueConstraint(
                fields=["framework_version"],
                condition=models.Q(state="planned", kind="impact"),
                name="run_one_study",
                violation_error_message="The impact of this version is being computed.",
            ),
        ]
        permissions = [("start_run", "Can start a re-evaluation"), ("release_run", "Can release a held run")]

    def __str__(self) -> str:
        return f"Run {self.pk}"


class RunChunk(models.Model):
    """One key range of a run in one phase, leased by a worker; a dead worker's lease simply ends."""

    class Phase(models.TextChoices):
        EVALUATE = "evaluate", "Evaluate"
        APPLY = "apply", "Apply"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        LEASED = "leased", "Being worked on"
        DONE = "done", "Done"
        STUCK = "stuck", "Waits for a person"

    run = models.ForeignKey(AssignmentRun, on_delete=models.CASCADE, related_name="chunks")
    phase = models.CharField(max_length=8, choices=Phase)
    low = models.BigIntegerField(help_text="First account id.")
    high = models.BigIntegerField(help_text="First account id after the range.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    accounts = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    moves = models.JSONField(default=dict)
    moved_arr = models.JSONField(default=dict, db_default={})
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["run", "phase", "low"]
        constraints = [models.UniqueConstraint(fields=["run", "phase", "low"], name="chunk_range_unique")]

    def __str__(self) -> str:
        return f"{self.phase} {self.low}-{self.high}"


class RunMove(models.Model):
    """One account a run would move (or re-reason) in one dimension: pass 1, read by guard and impact page."""

    run = models.ForeignKey(AssignmentRun, on_delete=models.CASCADE, db_index=False, related_name="+")
    account = models.ForeignKey(
        "Account", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
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
    reason = models.CharField(max_length=20)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["run", "account"], name="move_of_run")]

    def __str__(self) -> str:
        return f"account {self.account_id}: {self.from_segment_id} to {self.to_segment_id}"


class DistributionSnapshot(models.Model):
    """How many customers, with how much ARR, each segment held when a run ended. Segment null: Unassigned."""

    run = models.ForeignKey(AssignmentRun, null=True, on_delete=models.PROTECT, related_name="distribution")
    dimension = models.ForeignKey("frameworks.Dimension", on_delete=models.PROTECT, related_name="+")
    segment = models.ForeignKey("frameworks.Segment", null=True, on_delete=models.PROTECT, related_name="+")
    accounts = models.PositiveIntegerField()
    arr = models.DecimalField(max_digits=20, decimal_places=2)
    taken_at = models.DateTimeField()

    class Meta:
        ordering = ["dimension", "taken_at", "segment"]

    def __str__(self) -> str:
        return f"{self.dimension_id}/{self.segment_id}: {self.accounts}"
