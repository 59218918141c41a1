"""By when each thing that waits for a person should be done. Every due date of the inbox comes from here.

A due date is a day: what is due today is not late yet. Where a policy says nothing, the figures below hold.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Max
from django.utils import timezone

from accounts.models import AssignmentRun
from frameworks.models import Contribution, FrameworkVersion, Kind, Mention, Signoff
from frameworks.standing import signoff_policy
from frameworks.templatetags.cutline import day
from governance.business_days import business_days_after
from governance.models import IntakeScope, Meeting, OverrideRequest

SIGNOFF_DAYS = 10
"""Business days, all of them."""
DECISION_DAYS = 5
MENTION_DAYS = 5
CONFIRMATION_DAYS = 10
ACTIVATION_DAYS = 5
HELD_RUN_DAYS = 1
SCOPE_DAYS = 5
MEETING_CLOSE_DAYS = 2
ESCALATE_AFTER = 5
"""Business days after the due date."""
REMIND_BEFORE = 3
"""Days before the due date."""


def signoff_due(version: FrameworkVersion) -> date:
    """When the signers of the current round should be through; an emergency has its own, shorter time."""
    if version.awaits_ratification and version.ratify_by:
        return timezone.localdate(version.ratify_by)
    policy = signoff_policy(version)
    days = policy.review_days if policy and policy.review_days else SIGNOFF_DAYS
    return business_days_after(_day(version.submitted_at or version.created_at, version), days)


def confirmation_due(version: FrameworkVersion) -> date:
    """Counted from the last time that somebody wrote in the draft."""
    last = Contribution.objects.filter(version=version).aggregate(last=Max("contributed_at"))["last"]
    return business_days_after(timezone.localdate(last or version.created_at), CONFIRMATION_DAYS)


def activation_due(version: FrameworkVersion) -> date:
    """Counted from the signature that was the last one needed."""
    last = Signoff.objects.filter(version=version).aggregate(last=Max("signed_at"))["last"]
    return business_days_after(timezone.localdate(last or version.submitted_at or version.created_at), ACTIVATION_DAYS)


def decision_due(request: OverrideRequest) -> date:
    return business_days_after(timezone.localdate(request.requested_at), DECISION_DAYS)


def mention_due(mention: Mention) -> date:
    return business_days_after(timezone.localdate(mention.comment.created_at), MENTION_DAYS)


def held_run_due(run: AssignmentRun) -> date:
    return business_days_after(timezone.localdate(run.evaluated_at or run.created_at), HELD_RUN_DAYS)


def scope_due(scope: IntakeScope) -> date:
    return business_days_after(timezone.localdate(scope.written_at), SCOPE_DAYS)


def meeting_close_due(meeting: Meeting) -> date:
    """Counted from the day it began."""
    return business_days_after(timezone.localdate(meeting.starts_at), MEETING_CLOSE_DAYS)


def _day(moment: datetime, version: FrameworkVersion) -> date:
    """The day it was at the company, by the version's own time zone."""
    zone = version.parts.filter(kind=Kind.META).values_list("body__body__time_zone", flat=True).first()
    return moment.astimezone(ZoneInfo(zone or "UTC")).date()


def stage_of(due_on: date, today: date) -> str:
    """ "overdue", "today", "soon" (within the days before a reminder), or "" for later."""
    if due_on < today:
        return "overdue"
    if due_on == today:
        return "today"
    return "soon" if (due_on - today).days <= REMIND_BEFORE else ""


def is_escalated(due_on: date, today: date) -> bool:
    """So long overdue that whoever waits for it is told."""
    return business_days_after(due_on, ESCALATE_AFTER) <= today


def due_words(due_on: date, today: date) -> str:
    """ "due in 3 days", "due today", "overdue since 3 Nov 2026"."""
    days = (due_on - today).days
    if days < 0:
        return f"overdue since {day(due_on)}"
    if days == 0:
        return "due today"
    return "due tomorrow" if days == 1 else f"due in {days} days"
