"""The sweep that tells people what waits for them: asked, due soon, overdue, and whoever waits for them.

It reads the state of things and writes what nobody was told yet, so it can run at any time, twice, or late: a stage
that was missed is left out, the newest one is told.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import AssignmentRun
from frameworks.models import FrameworkVersion, Signoff, User
from frameworks.naming import subjects_of
from frameworks.querysets import delegations_in_force, waiting_mentions
from frameworks.recertification import Recertification, open_recertifications
from frameworks.services.helping import waiting_for_help
from frameworks.services.signing import labels_of
from frameworks.standing import RequirementStanding, Standings
from frameworks.templatetags.cutline import day
from governance.inbox_item import Item
from governance.models import Homework, Meeting, Notification
from governance.services import due_dates
from governance.services.inbox import waiting_by_role
from governance.services.intake_inbox import intake_items, whom_intakes_may_wait_for
from governance.services.meeting_inbox import meeting_items, whom_meetings_may_wait_for
from governance.services.notifying import Kind, News, notify, one_line
from governance.services.telling import activators, asked_to_sign, revops, version_url
from governance.services.version_inbox import for_another, help_item, recertification_item, signoff_items

State = FrameworkVersion.State
Told = tuple[int, News]
Waiting = set[tuple[int, str]]
"""Person and `ref` of what waits for them."""
MEETING_AHEAD = timedelta(days=1)
"""So long before a meeting its people are reminded of what they still owe it."""
NAMED = 5
"""So many names or points are written out; the page has all of them."""
BATCH = 1_000
TO_DO = (Kind.ASKED, Kind.REMINDER, Kind.OVERDUE, Kind.ESCALATION, Kind.MENTION, Kind.HELP)
"""Kinds that ask for something, so that doing it is an answer."""
BY_ROLE = ("decide_override", "decide_transition", "activate_version", "release_run", "submit_version")


def watch_notices(at: datetime) -> int:
    """Write everything that somebody is to be told and was not; returns how many rows are new.

    What a person was told to do and has no more to do counts as read: nobody has to click away what they did.
    """
    waiting: Waiting = set()
    new = notify(_everything(at, waiting), at=at)
    settle_notices(waiting, at)
    return new


def _everything(at: datetime, waiting: Waiting) -> list[Told]:
    """What everybody is to be told; whatever waits for somebody is added to `waiting`, also between its stages."""
    return [
        *_of_signing(at, waiting),
        *_of_recertifying(at, waiting),
        *_of_roles(at, waiting),
        *_of_help(at, waiting),
        *_of_mentions(at, waiting),
        *_of_standing(at),
        *_of_meetings(at, waiting),
        *_of_duties(at, waiting),
    ]


def settle_notices(waiting: Waiting, at: datetime) -> int:
    """Count as read what asked a person for something that waits for them no more; returns how many rows."""
    refs = {ref for _, ref in waiting}
    rows = Notification.objects.filter(kind__in=TO_DO).unread()
    done = [
        pk
        for pk, person, kind, occurrence in rows.values_list("pk", "person_id", "kind", "occurrence")
        if not _still_waits(person, kind, occurrence, waiting, refs)
    ]
    return int(Notification.objects.filter(pk__in=done).unread().update(read_at=at))


def _still_waits(person: int, kind: str, occurrence: str, waiting: Waiting, refs: set[str]) -> bool:
    ref = occurrence if kind == Kind.MENTION else occurrence.partition(":")[2]
    # An escalation is about what others have to do.
    return ref in refs if kind == Kind.ESCALATION else (person, ref) in waiting


def delete_old_notices(at: datetime) -> int:
    """Delete what people were told NOTIFICATION_KEEP_DAYS ago, read or not; returns how many rows.

    Mail that is still owed stays, and so does whatever the next sweep would tell again if it were gone.
    """
    told = {(person, news.occurrence) for person, news in _everything(at, set())}
    before = at - timedelta(days=settings.NOTIFICATION_KEEP_DAYS)
    rows = Notification.objects.filter(created_at__lt=before).exclude(mail_state=Notification.MailState.PENDING)
    old = rows.order_by("pk").values_list("pk", "person_id", "occurrence")
    gone = [pk for pk, person, occurrence in old.iterator(chunk_size=BATCH) if (person, occurrence) not in told]
    for start in range(0, len(gone), BATCH):
        Notification.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    return len(gone)


# Signing


def _of_signing(at: datetime, waiting: Waiting) -> Iterator[Told]:
    awaiting = Q(state=State.ACTIVATED, is_emergency=True, ratified_at=None, superseded_at=None)
    sent_back = Q(state=State.DRAFT, round__gt=0)
    versions = FrameworkVersion.objects.filter(Q(state=State.IN_REVIEW) | awaiting | sent_back)
    for version in versions.select_related("framework", "author").order_by("pk"):
        known = Standings(version, at)
        yield from _voided(version, known)
        if version.state != State.DRAFT:
            yield from _asked(version, known, at, waiting)


def _asked(version: FrameworkVersion, known: Standings, at: datetime, waiting: Waiting) -> Iterator[Told]:
    """Who has to sign and who may in their place: that they are asked, by when, and that they are late."""
    signers = User.objects.filter(pk__in={pk for pool in known.pools.values() for pk in pool}).order_by("name", "pk")
    late, today = [], timezone.localdate(at)
    delegates = _delegates(at)
    for signer, item in signoff_items(version, signers, at):
        own = [(signer.pk, item), *((pk, for_another(item, signer)) for pk in delegates.get(signer.pk, ()))]
        for person, each in own:
            yield person, _news(Kind.ASKED, f"asked:{each.ref}", each, each.title)
            yield from _staged(person, each, today, waiting)
        late.append((item, signer.name))
    yield from _escalated(late, {version.author_id, *revops()}, today)


def _delegates(at: datetime) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for delegator, delegate in delegations_in_force(at).values_list("delegator_id", "delegate_id"):
        found.setdefault(delegator, []).append(delegate)
    return found


def _voided(version: FrameworkVersion, known: Standings) -> Iterator[Told]:
    """Whose Yes no longer counts and is still needed.

    Because the wording is another: once a round, and once for the edits after it. Because the figures moved, or it is
    too old: each time.
    """
    edited: dict[int, list[RequirementStanding]] = {}
    lapsed: dict[int, list[RequirementStanding]] = {}
    for standing in known.all():
        for person in standing.missing if not standing.is_met else ():
            given = standing.newest.get(person.pk)
            if given is None or given.decision != Signoff.Decision.APPROVE:
                continue
            if given.covered_digest != standing.digest:
                edited.setdefault(person.pk, []).append(standing)
            elif (given.version_id, given.round) == (version.pk, version.round):
                lapsed.setdefault(person.pk, []).append(standing)
    phase = "edited" if version.state == State.DRAFT else "asked"
    for pk, own in edited.items():
        subject = f"What you signed has changed in {version} of {version.framework.name}"
        yield pk, _void(version, known, own, phase, subject)
    for pk, own in lapsed.items():
        newest = max(each.newest[pk].pk for each in own)
        subject = f"You are asked again in {version} of {version.framework.name}: figures moved, or time went by"
        yield pk, _void(version, known, own, f"lapsed:{newest}", subject)


def _void(
    version: FrameworkVersion, known: Standings, own: list[RequirementStanding], phase: str, subject: str
) -> News:
    labels = labels_of([each.requirement for each in own], known.manifest)
    return News(
        kind=Kind.VOID,
        occurrence=f"void:{version.uuid}:{version.round}:{phase}",
        subject=subject,
        text=f"Your sign-off no longer counts for: {_some([labels[each.requirement.pk] for each in own])}.",
        url=version_url(version) if version.state == State.DRAFT else version_url(version, "signing"),
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _of_recertifying(at: datetime, waiting: Waiting) -> Iterator[Told]:
    today = timezone.localdate(at)
    for each in open_recertifications(at):
        item = recertification_item(each, at)
        for person in each.missing:
            yield person.pk, _news(Kind.ASKED, f"asked:{item.ref}", item, item.title)
            yield from _staged(person.pk, item, today, waiting)
        short = [(item, "somebody who can sign it")] if each.shortage else []
        # A No keeps it open: it is up to whoever said it, or to whoever changes what was said No to.
        noes = [(item, f"{person.name}, who said No") for person in each.refusers]
        late = [*((item, person.name) for person in each.missing), *noes, *short]
        yield from _refused(each)
        yield from _short(each, item, waiting)
        yield from _escalated(late, {each.requirement.version.author_id, *revops()}, today)


def _refused(each: Recertification) -> Iterator[Told]:
    """Somebody no longer agrees with what is in force: for its author, RevOps, and who else signs it again."""
    version = each.requirement.version
    name = version.framework.name
    for given in each.refused:
        news = News(
            kind=Kind.VERSION,
            occurrence=f"no-longer:{given.uuid}",
            subject=f"{given.signed_by} no longer agrees with {each.requirement.label} of {version} of {name}",
            text=f"“{given.reason}” The version keeps serving; this stays open until they answer otherwise.",
            url=version_url(version, "version_recertify"),
        )
        told = {version.author_id, *revops(), *(person.pk for person in each.pool)}
        for person in told - {given.signer_id}:
            yield person, news


def _short(each: Recertification, item: Item, waiting: Waiting) -> Iterator[Told]:
    """Nobody is left to remind: its author and RevOps hear at once that too few people can sign it."""
    if not each.shortage:
        return
    version = each.requirement.version
    subject = f"Too few people can sign {each.requirement.label} of {version} of {version.framework.name} again"
    due = "was due" if each.is_overdue else "is due"
    text = f"It {due} on {day(each.due_at)}. {each.shortage}"
    for person in {version.author_id, *revops()}:
        waiting.add((person, item.ref))
        yield person, News(Kind.HELP, f"short:{item.ref}", subject, text, item.url)


# What waits for a role


def _of_roles(at: datetime, waiting: Waiting) -> Iterator[Told]:
    """Decisions, held moves, approved versions, held runs: reminders for each who may act, RevOps when it is late."""
    today = timezone.localdate(at)
    late: list[tuple[Item, str]] = []
    people = User.objects.filter(is_active=True, is_service=False, groups__permissions__codename__in=BY_ROLE)
    for person in people.distinct().prefetch_related("groups").order_by("name", "pk"):
        for item in waiting_by_role(person):
            yield from _staged(person.pk, item, today, waiting)
            late.append((item, person.name))
    yield from _escalated(late, revops(), today)


# Help and mentions


def _of_help(at: datetime, waiting: Waiting) -> Iterator[Told]:
    """Who can do something where too few people can sign, once for each time that somebody asks."""
    for row in waiting_for_help(at):
        item = help_item(row)
        for person in row.told.all():
            waiting.add((person.pk, item.ref))
            yield person.pk, News(Kind.HELP, f"help:{item.ref}", item.title, item.detail, item.url)


def _of_mentions(at: datetime, waiting: Waiting) -> Iterator[Told]:
    oldest = at - timedelta(days=30)
    rows = list(waiting_mentions().select_related("comment__version__framework"))
    about = subjects_of([mention.comment for mention in rows if mention.comment.created_at > oldest])
    for mention in rows:
        comment = mention.comment
        waiting.add((mention.person_id, f"mention:{comment.uuid}"))
        if comment.created_at <= oldest:
            continue
        yield (
            mention.person_id,
            News(
                kind=Kind.MENTION,
                occurrence=f"mention:{comment.uuid}",
                subject=f"{comment.printed_name} mentions you in {comment.version} of {comment.version.framework.name}",
                text=f"About {about[comment.pk]}: “{comment.text}”",
                url=f"{version_url(comment.version, 'version_discussion')}?show=mine#c-{comment.uuid}",
            ),
        )


# Meetings


def _of_meetings(at: datetime, waiting: Waiting) -> Iterator[Told]:
    """Before a meeting: whoever is invited and has homework open, whichever meeting of the framework gave it."""
    soon = Meeting.objects.planned().filter(starts_at__gt=at, starts_at__lte=at + MEETING_AHEAD)
    for meeting in soon.select_related("framework").order_by("starts_at", "pk"):
        invited = set(meeting.attendances.values_list("person_id", flat=True))
        rows = Homework.objects.open().of_framework(meeting.framework_id).filter(assignee__in=invited)
        texts: dict[int, list[str]] = {}
        for person, text in rows.order_by("due_on", "pk").values_list("assignee_id", "text"):
            texts.setdefault(person, []).append(text)
        for person, own in texts.items():
            # A meeting that is moved is another occurrence.
            ref = f"meeting:{meeting.uuid}:{meeting.starts_at.isoformat()}"
            waiting.add((person, ref))
            yield person, _before_meeting(meeting, ref, own)


def _before_meeting(meeting: Meeting, ref: str, homework: list[str]) -> News:
    starts = meeting.starts_at.astimezone(ZoneInfo(meeting.time_zone))
    return News(
        kind=Kind.REMINDER,
        occurrence=f"before:{ref}",
        subject=f"{meeting} of {meeting.framework.name} begins on {day(starts.date())}, {starts:%H:%M}",
        text=f"Your homework is still open: {_some([one_line(each) for each in homework])}",
        url=reverse("governance:meeting_detail", args=[meeting.framework.slug, meeting.number]) + "#homework-h",
    )


# Homework, parts to settle, meetings to close, the intake


def _of_duties(at: datetime, waiting: Waiting) -> Iterator[Told]:
    """Whoever has something to do is told once and reminded; whoever asked, and RevOps, when it is long overdue."""
    today = timezone.localdate(at)
    late: dict[int | None, list[tuple[Item, str]]] = {}
    people = whom_meetings_may_wait_for(at) | whom_intakes_may_wait_for(at)
    for person in people.distinct().order_by("name", "pk"):
        for item in _together([*meeting_items(person, at), *intake_items(person, at)]):
            if _is_news(item, person, today):
                yield person.pk, _news(Kind.ASKED, f"asked:{item.ref}", item, item.title)
            yield from _staged(person.pk, item, today, waiting)
            late.setdefault(item.asker_id, []).append((item, person.name))
    for asker, items in late.items():
        yield from _escalated(items, {*revops(), *([asker] if asker else [])}, today)


def _together(items: Iterable[Item]) -> list[Item]:
    """One for each `ref`: what was asked together is one thing to tell."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.ref, []).append(item)
    return [
        replace(first, title=f"{first.title} and {len(more)} more") if more else first
        for first, *more in found.values()
    ]


def _is_news(item: Item, person: User, today: date) -> bool:
    """What somebody asks of themselves is none; what is overdue already is told as that."""
    return item.asker_id != person.pk and not (item.due_on and item.due_on < today)


# What became of versions, where no single act says it


def _of_standing(at: datetime) -> Iterator[Told]:
    """Approved, and asked again because a signature no longer counts."""
    versions = FrameworkVersion.objects.filter(Q(state=State.APPROVED) | Q(state=State.IN_REVIEW) & ~Q(state_reason=""))
    for version in versions.select_related("framework").order_by("pk"):
        is_approved = version.state == State.APPROVED
        name = f"{version} of {version.framework.name}"
        words = "is approved" if is_approved else "is in review again"
        news = News(
            kind=Kind.VERSION,
            occurrence=f"{version.state}:{version.uuid}:{version.round}",
            subject=f"{name} {words}",
            text="Every sign-off is there. It can be activated or scheduled." if is_approved else version.state_reason,
            url=version_url(version),
        )
        for person in {version.author_id, *activators()}:
            yield person, news


RETURNED = {
    "version.changes_requested": "was sent back",
    "version.withdrawn": "was withdrawn",
    "version.rejected": "was rejected",
}
"""Acts that end a review, and how they are told."""


def tell_return(version: FrameworkVersion, action: str, reason: str, by: User | None, at: datetime) -> None:
    """Author and signers hear that a review ended without approval; whoever ended it knows."""
    people = {version.author_id, *asked_to_sign(version)} - {by.pk if by else 0}
    name = f"{by.name}: " if by else ""
    news = News(
        kind=Kind.VERSION,
        occurrence=f"{action}:{version.uuid}:{version.round}:{at.isoformat()}",
        subject=f"{version} of {version.framework.name} {RETURNED[action]}",
        text=f"{name}{reason}",
        url=version_url(version),
    )
    notify([(person, news) for person in people], at=at)


def tell_activation(version: FrameworkVersion, at: datetime) -> None:
    """Author, signers and those who may activate hear that it is in force."""
    news = News(
        kind=Kind.VERSION,
        occurrence=f"activated:{version.uuid}:{at.isoformat()}",
        subject=f"{version} of {version.framework.name} is in force",
        text="Every account is being assigned by it.",
        url=version_url(version),
    )
    people = {version.author_id, *asked_to_sign(version), *activators()}
    notify([(person, news) for person in people], at=at)


def tell_found_at_night(run: AssignmentRun, outcomes: int, at: datetime) -> None:
    """RevOps hears what the nightly run had to mend: facts were changed past Cutline, or something is broken."""
    news = News(
        kind=Kind.VERSION,
        occurrence=f"found_at_night:{run.uuid}",
        subject=f"{run} found {outcomes:,} outcome{'s'[: outcomes != 1]} that nothing had marked",
        text="They are mended. Somebody wrote to the database past Cutline, or Cutline has missed a change: look why.",
        url=reverse("accounts:run_detail", args=[run.uuid]),
    )
    notify([(person, news) for person in revops()], at=at)


# Stages


def _news(kind: str, occurrence: str, item: Item, subject: str) -> News:
    due = f"Due on {day(item.due_on)}. " if item.due_on else ""
    return News(kind, occurrence, subject, f"{due}{item.detail}", item.url)


def _staged(person: int, item: Item, today: date, waiting: Waiting) -> Iterator[Told]:
    """The reminder that is due today, if one is; nobody is reminded on the day they were asked."""
    waiting.add((person, item.ref))
    if item.due_on is None or timezone.localdate(item.since) >= today:
        return
    stage = due_dates.stage_of(item.due_on, today)
    if stage == "overdue":
        subject = f"Overdue since {day(item.due_on)}: {item.title}"
        yield person, _news(Kind.OVERDUE, f"overdue:{item.ref}", item, subject)
    elif stage:
        word = "Due today" if stage == "today" else f"Due on {day(item.due_on)}"
        yield person, _news(Kind.REMINDER, f"{stage}:{item.ref}", item, f"{word}: {item.title}")


def _escalated(late: Iterable[tuple[Item, str]], people: Iterable[int], today: date) -> Iterator[Told]:
    """One line a thing that is long overdue, naming who could do it; to those who wait for it."""
    found: dict[str, tuple[Item, list[str]]] = {}
    for item, name in late:
        if item.due_on and due_dates.is_escalated(item.due_on, today):
            found.setdefault(item.ref, (item, []))[1].append(name)
    told = set(people)
    for ref, (item, names) in found.items():
        subject = f"Long overdue: {item.title}"
        text = f"It was due on {day(item.due_on)}. Still waiting for {_some(names)}."
        url = item.url if not ref.startswith("sign:") else item.url.removesuffix("sign/")
        for person in told:
            yield person, News(Kind.ESCALATION, f"escalation:{ref}", subject, text, url)
