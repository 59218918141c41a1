"""What of meetings waits for a person: open homework, ASSUMED parts they settle, meetings they have to close."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.urls import reverse

from frameworks.models import Kind, User
from frameworks.naming import names_across
from frameworks.templatetags.cutline import day
from governance.assumptions import resolvers_waiting_for
from governance.inbox_item import MOST, Item
from governance.models import Homework, Meeting, PartResolver
from governance.services import due_dates

CLOSED_WITHIN = timedelta(days=1)
"""So long after its beginning a meeting may stand open before somebody is asked to close it."""


def meeting_items(user: User, at: datetime) -> Iterator[Item]:
    """In no order."""
    yield from _homework(user)
    yield from _parts_to_settle(user)
    yield from _to_close(user, at)


def whom_meetings_may_wait_for(at: datetime) -> QuerySet[User]:
    """Everybody for whom `meeting_items` may have something: fewer may, nobody else does."""
    resolvers = PartResolver.objects.values("person")
    assigners = PartResolver.objects.filter(person=None).values("assigned_by")
    owing = Homework.objects.open().order_by().values("assignee")
    planners = _begun(at).order_by().values("planned_by")
    return User.objects.filter(
        Q(pk__in=owing) | Q(pk__in=resolvers) | Q(pk__in=assigners) | Q(pk__in=planners), is_active=True
    )


def _homework(user: User) -> Iterator[Item]:
    for row in Homework.objects.open().filter(assignee=user).with_people()[:MOST]:
        meeting = row.meeting
        yield Item(
            kind="homework",
            icon="pencil-check",
            title=f"Homework from {meeting} of {meeting.framework.name}",
            detail=row.text,
            url=reverse("governance:meeting_detail", args=[meeting.framework.slug, meeting.number]) + "#homework-h",
            asked_by=row.given_by.name,
            since=row.given_at,
            due_on=row.due_on,
            ref=f"homework:{row.uuid}",
            asker_id=row.given_by_id,
        )


def _parts_to_settle(user: User) -> Iterator[Item]:
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
            detail=f"ASSUMED in {version} of {row.framework.name}: {how}confirm or replace it.",
            url=f"{place}?part={row.kind}/{row.key}",
            asked_by=row.assigned_by.name,
            since=row.assigned_at,
            due_on=row.due_on,
            # What was given to somebody together is told, and reminded of, as one.
            ref=f"settle:{row.framework.uuid}:{row.assigned_at.isoformat()}:{row.due_on.isoformat()}",
            asker_id=row.assigned_by_id,
        )


def _to_close(user: User, at: datetime) -> Iterator[Item]:
    for meeting in _begun(at).filter(planned_by=user).select_related("framework").order_by("starts_at")[:MOST]:
        yield Item(
            kind="homework",
            icon="calendar-check",
            title=f"Close {meeting} of {meeting.framework.name}",
            detail=f"It began on {day(meeting.starts_at)}. Say who came, or move it, or cancel it.",
            url=reverse("governance:meeting_detail", args=[meeting.framework.slug, meeting.number]),
            asked_by="the plan",
            since=meeting.starts_at + CLOSED_WITHIN,
            due_on=due_dates.meeting_close_due(meeting),
            ref=f"close:{meeting.uuid}:{meeting.starts_at.isoformat()}",
        )


def _begun(at: datetime) -> QuerySet[Meeting]:
    found: QuerySet[Meeting] = Meeting.objects.planned().filter(starts_at__lte=at - CLOSED_WITHIN)
    return found
