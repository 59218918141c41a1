"""Alignment meetings: what was planned, who came, what was decided, what people took home, and what was left behind."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from frameworks.models import Kind
from governance.querysets_meetings import HomeworkQuerySet, MeetingQuerySet


class Meeting(models.Model):
    """One meeting about a framework. Closing it binds the state of the draft that it left, by digests.

    `starts_at` is an instant; `time_zone` is where the people sit, and how the moment is printed.
    """

    class Kind(models.TextChoices):
        KICKOFF = "kickoff", "Kickoff"
        REFINEMENT = "refinement", "Refinement"
        FINAL = "final", "Final review"
        COUNCIL = "council", "Quarterly council"

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        HELD = "held", "Held"
        CANCELLED = "cancelled", "Cancelled"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey("frameworks.Framework", on_delete=models.PROTECT, related_name="meetings")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=9, choices=State, default=State.PLANNED)
    starts_at = models.DateTimeField()
    time_zone = models.CharField(max_length=63)
    focus = models.CharField(max_length=300)
    notes = models.TextField(blank=True)
    planned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    planned_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1, help_text="Counts the changes of the plan.")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    cancel_reason = models.TextField(blank=True)
    left_version = models.ForeignKey(
        "frameworks.FrameworkVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    left_manifest = models.CharField(max_length=64, blank=True)

    objects = MeetingQuerySet.as_manager()

    class Meta:
        ordering = ["framework", "number"]
        constraints = [
            models.UniqueConstraint(fields=["framework", "number"], name="meeting_number_unique"),
            models.CheckConstraint(
                condition=~Q(state="held")
                | (
                    Q(closed_at__isnull=False, closed_by__isnull=False, left_version__isnull=False)
                    & ~Q(left_manifest="")
                ),
                name="meeting_held_is_whole",
                violation_error_message="A held meeting names who closed it and the version it left.",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | ~Q(cancel_reason=""),
                name="meeting_cancelled_says_why",
                violation_error_message="Say why the meeting is cancelled.",
            ),
        ]
        permissions = [("run_meetings", "Can plan, prepare and close alignment meetings")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class AgendaItem(models.Model):
    """One line of the agenda, in its order."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="agenda")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=300)

    class Meta:
        ordering = ["meeting", "position"]
        constraints = [models.UniqueConstraint(fields=["meeting", "position"], name="agenda_position_unique")]

    def __str__(self) -> str:
        return self.text


class Attendance(models.Model):
    """Somebody invited, and whether they came."""

    class State(models.TextChoices):
        INVITED = "invited", "Invited"
        ATTENDED = "attended", "Attended"
        ABSENT = "absent", "Absent"

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="attendances")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="attendances")
    state = models.CharField(max_length=8, choices=State, default=State.INVITED)

    class Meta:
        ordering = ["meeting", "person__name", "pk"]
        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="attendance_once")]

    def __str__(self) -> str:
        return f"{self.person} {self.state}"


class MeetingDecision(models.Model):
    """What was decided, about which part (or about none), and by whom. Written once."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="decisions")
    text = models.TextField()
    part_kind = models.CharField(max_length=12, choices=Kind, blank=True)
    part_key = models.CharField(max_length=127, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class MeetingRemark(models.Model):
    """What somebody who was invited says about the meeting. Written once."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="remarks")
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=150)
    said_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class Homework(models.Model):
    """What somebody does until a day. While it is open it waits in their inbox."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        NOT_DONE = "not_done", "Not done"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="homework")
    text = models.TextField()
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="homework")
    due_on = models.DateField()
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField()
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = HomeworkQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        indexes = [models.Index(fields=["assignee"], condition=Q(state="open"), name="homework_open_of")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by__isnull=True)
                | (~Q(state="open") & Q(settled_at__isnull=False, settled_by__isnull=False)),
                name="homework_settled_by_somebody",
                violation_error_message="Homework that is settled names who said so, and when.",
            ),
        ]

    def __str__(self) -> str:
        return self.text


class MeetingPart(models.Model):
    """A part as a meeting left it: its body by digest, and whether it was CONFIRMED. Written once."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="parts")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=127)
    body = models.ForeignKey("frameworks.PartBody", on_delete=models.PROTECT, related_name="+")
    is_confirmed = models.BooleanField()

    class Meta:
        ordering = ["meeting", "kind", "key"]
        constraints = [models.UniqueConstraint(fields=["meeting", "kind", "key"], name="meeting_part_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class PartResolver(models.Model):
    """Who, or which data source, settles an ASSUMED part, and until when.

    It matters only while the part is ASSUMED: that is asked at every read, so nothing has to be closed. What a
    data source settles waits for whoever assigned it.
    """

    framework = models.ForeignKey("frameworks.Framework", on_delete=models.PROTECT, related_name="resolvers")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=127)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    source_key = models.CharField(max_length=127, blank=True)
    due_on = models.DateField()
    assigned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["framework", "kind", "key"], name="resolver_one_of_part"),
            models.CheckConstraint(
                condition=Q(person__isnull=False, source_key="") | (Q(person__isnull=True) & ~Q(source_key="")),
                name="resolver_is_one",
                violation_error_message="Either a person or a data source settles a part.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.person or self.source_key}"
