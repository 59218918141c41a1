"""What of meetings waits for a person: open homework, ASSUMED parts they settle, meetings they have to close."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from frameworks.models import Kind, User
from frameworks.naming import names_across
from frameworks.templatetags.cutline import day
from governance.assumptions import resolvers_waiting_for
from governance.inbox_item import MOST, Item
from governance.models import Homework, Meeting

CLOSED_WITHIN = timedelta(days=1)
"""So long after its beginning a meeting may stand open before somebody is asked to close it."""


def meeting_items(user: User, at: datetime) -> Iterator[Item]:
    """In no order."""
    today = timezone.localdate(at)
    yield from _homework(user, today)
    yield from _parts_to_settle(user, today)
    yield from _to_close(user, at)


def _homework(user: User, today: date) -> Iterator[Item]:
    for row in Homework.objects.open().filter(assignee=user).with_people()[:MOST]:
        meeting = row.meeting
        yield Item(
            kind="homework",
            icon="pencil-check",
            title=f"Homework from {meeting} of {meeting.framework.name}",
            detail=f"{row.text} {_due(row.due_on, today)}",
            url=reverse("governance:meeting_detail", args=[meeting.framework.slug, meeting.number]) + "#homework-h",
            asked_by=row.given_by.name,
            since=row.given_at,
            due_on=row.due_on,
        )


def _parts_to_settle(user: User, today: date) -> Iterator[Item]:
    waiting = resolvers_waiting_for(user)[:MOST]
    names = names_across(
        (version.pk, *part)
        for row, version in waiting
        for part in ((row.kind, row.key), (Kind.DATA_SOURCE.value, row.source_key))
    )
    for row, version in waiting:
        place = reverse("frameworks:version_detail", args=[row.framework.slug, version.number])
        source = names[version.pk].label_of(Kind.DATA_SOURCE, row.source_key) if row.source_key else ""
        how = f"with data from {source}, " if source else ""
        yield Item(
            kind="homework",
            icon="help-hexagon",
            title=f"Settle {names[version.pk].phrase_of(row.kind, row.key)}",
            detail=f"ASSUMED in {version} of {row.framework.name}: {how}confirm or replace it."
            f" {_due(row.due_on, today)}",
            url=f"{place}?part={row.kind}/{row.key}",
            asked_by=row.assigned_by.name,
            since=row.assigned_at,
            due_on=row.due_on,
        )


def _to_close(user: User, at: datetime) -> Iterator[Item]:
    begun = Meeting.objects.planned().filter(planned_by=user, starts_at__lte=at - CLOSED_WITHIN)
    for meeting in begun.select_related("framework").order_by("starts_at")[:MOST]:
        yield Item(
            kind="homework",
            icon="calendar-check",
            title=f"Close {meeting} of {meeting.framework.name}",
            detail=f"It began on {day(meeting.starts_at)}. Say who came, or move it, or cancel it.",
            url=reverse("governance:meeting_detail", args=[meeting.framework.slug, meeting.number]),
            asked_by="the plan",
            since=meeting.starts_at,
        )


def _due(due_on: date, today: date) -> str:
    return f"{'Overdue since' if due_on < today else 'Due on'} {day(due_on)}."
