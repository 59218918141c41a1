"""The intake of a framework: what segmentation has to answer, who takes part, and what is there today.

Not the intake of account data, which is accounts' import.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from frameworks.models import Kind
from governance.querysets import IntakeQuerySet


class IntakeForm(models.Model):
    """The form that a company fills in before its framework is drafted; one of a framework is open at a time.

    How complete it is, is computed from what is in it and never stored. `version` counts changes, so that a page
    opened earlier cannot save over a newer one.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("frameworks.Framework", on_delete=models.PROTECT, related_name="intakes")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="intakes", help_text="Sees to it that it ends."
    )
    due_on = models.DateField()
    crm = models.CharField(max_length=200, blank=True)
    cs_platform = models.CharField(max_length=200, blank=True)
    has_no_fields = models.BooleanField(default=False, help_text="Nothing segments the accounts today.")
    consumers = models.TextField(blank=True)
    enrichment_tools = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = IntakeQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["framework"],
                condition=Q(closed_at__isnull=True),
                name="intake_one_open",
                violation_error_message="This framework has an open intake already.",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_by__isnull=True)
                | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="intake_closed_by_somebody",
                violation_error_message="A closed intake names who closed it.",
            ),
        ]
        permissions = [
            ("edit_intake", "Can open and fill in the intake of a framework"),
            ("sign_intake_scope", "Can sign who takes part in an intake and what segments are for"),
        ]

    def __str__(self) -> str:
        return f"Intake of {self.framework}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class IntakeScope(models.Model):
    """Who takes part and what segments will be used for, as somebody wrote it down. Append-only.

    Another wording is another scope with the next number; only the newest counts, and only once it is signed.
    `participants` are {"person": uuid, "name": printed name, "role": Role}, in the order of the names.
    """

    class Use(models.TextChoices):
        REPORTING = "reporting", "Reporting"
        PLAYBOOKS = "playbooks", "Playbook triggers"
        RESOURCES = "resources", "Resource allocation"
        QBRS = "qbrs", "Business reviews (QBRs)"
        OTHER = "other", "Something else"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    intake = models.ForeignKey(IntakeForm, on_delete=models.PROTECT, related_name="scopes")
    number = models.PositiveIntegerField()
    participants = models.JSONField()
    uses = ArrayField(models.CharField(max_length=10, choices=Use))
    uses_note = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["intake", "-number"]
        constraints = [models.UniqueConstraint(fields=["intake", "number"], name="intake_scope_number_unique")]

    def __str__(self) -> str:
        return f"Scope {self.number} of {self.intake.framework}"

    @property
    def use_labels(self) -> list[str]:
        return [self.Use(use).label for use in self.uses]


class IntakeScopeSignoff(models.Model):
    """An executive's Yes or No to one scope, with exactly what they were shown. Append-only; one to a scope."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Yes"
        REJECT = "reject", "No"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    scope = models.OneToOneField(IntakeScope, on_delete=models.PROTECT, related_name="signoff")
    decision = models.CharField(max_length=7, choices=Decision)
    reason = models.TextField(blank=True)
    statement = models.TextField(help_text="The words shown above the button.")
    content = models.JSONField(help_text="Who and what for, as it was signed.")
    covered_digest = models.CharField(max_length=64)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who wrote the scope."
    )
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    on_behalf_of_name = models.CharField(max_length=150, blank=True, db_default="")
    printed_name = models.CharField(max_length=150)
    role = models.CharField(max_length=200)
    authentication = models.CharField(max_length=40, help_text="How the signer proved who they are.")
    authenticated_at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(signer=F("written_by")),
                name="intake_scope_signed_by_another",
                violation_error_message="Somebody who did not write the scope signs it.",
            ),
            models.CheckConstraint(
                condition=Q(on_behalf_of__isnull=True, on_behalf_of_name="")
                | (~Q(on_behalf_of=F("signer")) & ~Q(on_behalf_of=F("written_by")) & ~Q(on_behalf_of_name="")),
                name="intake_scope_signed_for_another",
                violation_error_message="Nobody signs on their own behalf, or for whoever wrote the scope.",
            ),
            models.CheckConstraint(
                condition=~Q(decision="reject") | ~Q(reason=""),
                name="intake_scope_reject_has_reason",
                violation_error_message="Say why not.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signed_by}: {self.decision} {self.scope}"

    @property
    def signed_by(self) -> str:
        """The printed name, and for whom when it was given in somebody's place."""
        return f"{self.printed_name} for {self.on_behalf_of_name}" if self.on_behalf_of_id else self.printed_name


class CurrentField(models.Model):
    """One thing that segments accounts today: a field, a report, a workflow, a view."""

    class Type(models.TextChoices):
        FIELD = "field", "Field"
        REPORT = "report", "Report"
        WORKFLOW = "workflow", "Workflow"
        VIEW = "view", "List view"

    class Fate(models.TextChoices):
        OPEN = "", "Not decided"
        KEPT = "kept", "Kept"
        REPLACED = "replaced", "Replaced"

    COUNTERPARTS = (Kind.DIMENSION, Kind.DATA_SOURCE)
    """What in a framework can take the place of it: a dimension, or an attribute that rules read."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    intake = models.ForeignKey(IntakeForm, on_delete=models.CASCADE, related_name="current_fields")
    type = models.CharField(max_length=8, choices=Type, default=Type.FIELD)
    name = models.CharField(max_length=150)
    system = models.CharField(max_length=150)
    owner = models.CharField(max_length=150, blank=True)
    populated_guess = models.PositiveSmallIntegerField(null=True, blank=True, help_text="In percent, as people guess.")
    fate = models.CharField(max_length=8, choices=Fate, default=Fate.OPEN, blank=True)
    counterpart_kind = models.CharField(max_length=12, choices=Kind, blank=True)
    counterpart_key = models.CharField(max_length=127, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["intake", "type", "name", "system"],
                name="intake_field_unique",
                violation_error_message="It is listed already.",
            ),
            models.CheckConstraint(
                condition=Q(populated_guess__isnull=True) | Q(populated_guess__lte=100),
                name="intake_field_guess_is_percent",
                violation_error_message="A share is from 0 to 100 %.",
            ),
            models.CheckConstraint(
                condition=Q(counterpart_kind="", counterpart_key="")
                | (Q(counterpart_kind__in=["dimension", "data_source"]) & ~Q(counterpart_key="")),
                name="intake_field_counterpart_is_whole",
                violation_error_message="Its counterpart is a dimension or an attribute.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BusinessQuestion(models.Model):
    """A question of the business that segmentation has to answer."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    intake = models.ForeignKey(IntakeForm, on_delete=models.CASCADE, related_name="questions")
    text = models.CharField(max_length=500)
    asked_by = models.CharField(max_length=150, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["intake", "text"],
                name="intake_question_unique",
                violation_error_message="This question is asked already.",
            )
        ]

    def __str__(self) -> str:
        return self.text


class QuestionAnswer(models.Model):
    """What answers a business question: a part of the framework, by its stable key, or a page of the product."""

    class Kind(models.TextChoices):
        DIMENSION = "dimension", "Dimension"
        SEGMENT = "segment", "Segment"
        TERM = "term", "Definition"
        PAGE = "page", "Page"

    question = models.ForeignKey(BusinessQuestion, on_delete=models.CASCADE, related_name="answers")
    kind = models.CharField(max_length=9, choices=Kind)
    key = models.CharField(max_length=127)
    linked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    linked_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["question", "kind", "key"],
                name="intake_answer_unique",
                violation_error_message="It is named already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
