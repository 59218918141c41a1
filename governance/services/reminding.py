"""The sweep that tells people what waits for them: asked, due soon, overdue, and whoever waits for them.

It reads the state of things and writes what nobody was told yet, so it can run at any time, twice, or late: a stage
that was missed is left out, the newest one is told.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from frameworks.models import FrameworkVersion, Signoff, User
from frameworks.querysets import delegations_in_force, waiting_mentions
from frameworks.recertification import open_recertifications
from frameworks.services.signing import labels_of
from frameworks.standing import RequirementStanding, Standings
from governance.services import due_dates
from governance.services.inbox import Item, for_another, recertification_item, signoff_items, waiting_by_role
from governance.services.notifying import Kind, News, notify
from governance.services.telling import activators, asked_to_sign, revops, version_url

State = FrameworkVersion.State
Told = tuple[int, News]
NAMED = 5
"""So many names or points are written out; the page has all of them."""
BY_ROLE = ("decide_override", "decide_transition", "activate_version", "release_run", "submit_version")


def watch_notices(at: datetime) -> int:
    """Write everything that somebody is to be told and was not; returns how many rows are new."""
    return notify(
        [*_of_signing(at), *_of_recertifying(at), *_of_roles(at), *_of_mentions(at), *_of_standing(at)], at=at
    )


# Signing


def _of_signing(at: datetime) -> Iterator[Told]:
    awaiting = Q(state=State.ACTIVATED, is_emergency=True, ratified_at=None, superseded_at=None)
    sent_back = Q(state=State.DRAFT, round__gt=0)
    versions = FrameworkVersion.objects.filter(Q(state=State.IN_REVIEW) | awaiting | sent_back)
    for version in versions.select_related("framework", "author").order_by("pk"):
        known = Standings(version, at)
        yield from _voided(version, known)
        if version.state != State.DRAFT:
            yield from _asked(version, known, at)


def _asked(version: FrameworkVersion, known: Standings, at: datetime) -> Iterator[Told]:
    """Who has to sign and who may in their place: that they are asked, by when, and that they are late."""
    signers = User.objects.filter(pk__in={pk for pool in known.pools.values() for pk in pool}).order_by("name", "pk")
    late, today = [], timezone.localdate(at)
    delegates = _delegates(at)
    for signer, item in signoff_items(version, signers, at, known):
        own = [(signer.pk, item), *((pk, for_another(item, signer)) for pk in delegates.get(signer.pk, ()))]
        for person, each in own:
            yield person, _news(Kind.ASKED, f"asked:{each.ref}", each, each.title)
            yield from _staged(person, each, today)
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


def _of_recertifying(at: datetime) -> Iterator[Told]:
    today = timezone.localdate(at)
    for each in open_recertifications(at):
        item = recertification_item(each, at)
        for person in each.missing:
            yield person.pk, _news(Kind.ASKED, f"asked:{item.ref}", item, item.title)
            yield from _staged(person.pk, item, today)
        late = [(item, person.name) for person in each.missing]
        yield from _escalated(late, {each.requirement.version.author_id, *revops()}, today)


# What waits for a role


def _of_roles(at: datetime) -> Iterator[Told]:
    """Decisions, held moves, approved versions, held runs: reminders for each who may act, RevOps when it is late."""
    today = timezone.localdate(at)
    late: list[tuple[Item, str]] = []
    people = User.objects.filter(is_active=True, is_service=False, groups__permissions__codename__in=BY_ROLE)
    for person in people.distinct().prefetch_related("groups").order_by("name", "pk"):
        for item in waiting_by_role(person):
            yield from _staged(person.pk, item, today)
            late.append((item, person.name))
    yield from _escalated(late, revops(), today)


# Mentions


def _of_mentions(at: datetime) -> Iterator[Told]:
    rows = waiting_mentions().filter(comment__created_at__gt=at - timedelta(days=30))
    for mention in rows.select_related("comment__version__framework"):
        comment = mention.comment
        about = f"{comment.get_part_kind_display().lower()} {comment.part_key}" if comment.part_key else "the whole"
        yield (
            mention.person_id,
            News(
                kind=Kind.MENTION,
                occurrence=f"mention:{comment.uuid}",
                subject=f"{comment.printed_name} mentions you in {comment.version} of {comment.version.framework.name}",
                text=f"About {about}: “{comment.text}”",
                url=f"{version_url(comment.version, 'version_discussion')}?show=mine#c-{comment.uuid}",
            ),
        )


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


# Stages


def _news(kind: str, occurrence: str, item: Item, subject: str) -> News:
    due = f"Due on {_day(item.due_on)}. " if item.due_on else ""
    return News(kind, occurrence, subject, f"{due}{item.detail}", item.url)


def _staged(person: int, item: Item, today: date) -> Iterator[Told]:
    """The reminder that is due today, if one is; nobody is reminded on the day they were asked."""
    if item.due_on is None or timezone.localdate(item.since) >= today:
        return
    stage = due_dates.stage_of(item.due_on, today)
    if stage == "overdue":
        subject = f"Overdue since {_day(item.due_on)}: {item.title}"
        yield person, _news(Kind.OVERDUE, f"overdue:{item.ref}", item, subject)
    elif stage:
        word = "Due today" if stage == "today" else f"Due on {_day(item.due_on)}"
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
        text = f"It was due on {_day(item.due_on)}. Still waiting for {_some(names)}."
        url = item.url if not ref.startswith("sign:") else item.url.removesuffix("sign/")
        for person in told:
            yield person, News(Kind.ESCALATION, f"escalation:{ref}", subject, text, url)


def _day(day: date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else ""
