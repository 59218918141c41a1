"""Writing down that somebody is told of something: one row a person and occurrence, also the e-mail owed.

Rows are written in the transaction of what they tell, or by the sweep (governance.services.reminding); whoever comes
second writes nothing. What the person muted is written too, marked as muted: unmuting does not bring it back.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from frameworks.doorbell import ring
from frameworks.errors import InvalidError
from frameworks.models import User
from governance.models import Mute, Notification

Kind, MailState, Channel = Notification.Kind, Notification.MailState, Mute.Channel
SUBJECT = 200

Muted = Collection[tuple[int, str, str]]
"""Person, kind, channel."""


@dataclass(frozen=True)
class News:
    """What a person is told: `url` is the exact place; `occurrence` names it, so that they are told once."""

    kind: str
    occurrence: str
    subject: str
    text: str
    url: str


def one_line(text: str) -> str:
    """Text for a subject: whatever a person wrote, it ends no header and stays one line."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(plain.split())
    return words if len(words) <= SUBJECT else f"{words[: SUBJECT - 1]}…"


def notify(told: Iterable[tuple[int, News]], *, at: datetime) -> int:
    """Tell each person (by id) their news, unless they were told before; returns how many rows were to be written.

    Two sweeps at once write each row once: the database keeps the second out.
    """
    wanted = {(person, news.occurrence): news for person, news in told}
    if not wanted:
        return 0
    known = Notification.objects.filter(
        person__in={person for person, _ in wanted}, occurrence__in={occurrence for _, occurrence in wanted}
    )
    missing = wanted.keys() - set(known.values_list("person_id", "occurrence"))
    people = _who_is_told({person for person, _ in missing})
    muted = set(Mute.objects.filter(person__in=people).values_list("person_id", "kind", "channel"))
    rows = [_row(person, wanted[person, key], muted, at) for person, key in sorted(missing) if person in people]
    if rows:
        with transaction.atomic():
            Notification.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
            ring_for_mail()
    return len(rows)


def _who_is_told(ids: Collection[int]) -> set[int]:
    """Nobody writes to programs, or to people who left."""
    people = User.objects.filter(pk__in=ids, is_active=True, is_service=False)
    return set(people.values_list("pk", flat=True)) if ids else set()


def _row(person_id: int, news: News, muted: Muted, at: datetime) -> Notification:
    is_mailed = (person_id, news.kind, Channel.MAIL.value) not in muted
    return Notification(
        person_id=person_id,
        kind=news.kind,
        occurrence=news.occurrence,
        subject=one_line(news.subject),
        text=news.text,
        url=news.url,
        created_at=at,
        in_app=(person_id, news.kind, Channel.APP.value) not in muted,
        mail_state=MailState.PENDING if is_mailed else MailState.MUTED,
        mail_after=at if is_mailed else None,
    )


def ring_for_mail() -> None:
    """After commit, tell a worker that mail is owed."""
    transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    from governance.tasks import deliver_mail_task

    ring(deliver_mail_task)


# What people do with what they were told


def mark_read(*, person: User, at: datetime, only: Notification | None = None) -> int:
    """The person has seen this one, or all of theirs; how many were new to them."""
    rows = Notification.objects.filter(person=person).unread()
    if only is not None:
        rows = rows.filter(pk=only.pk)
    return int(rows.update(read_at=at))


def may_mute(kind: str, channel: str) -> bool:
    """Whether a kind may be muted on a channel: what others wait for stays in the app, and a link must arrive."""
    kept = Notification.ALWAYS_IN_APP if channel == Channel.APP else Notification.ALWAYS_MAILED
    return kind not in kept


def save_mutes(*, person: User, muted: Collection[tuple[str, str]], at: datetime) -> None:
    """Mute exactly these (kind, channel). Raises InvalidError for one that has to arrive, or that does not exist."""
    for kind, channel in muted:
        if kind not in Kind.values or channel not in Channel.values:
            raise InvalidError(["There is no such kind of notification."])
        if not may_mute(kind, channel):
            raise InvalidError([f"“{Kind(kind).label}” cannot be muted {Channel(channel).label.lower()}."])
    with transaction.atomic():
        # The person's row is the turn: two browsers at once leave what one of them said.
        User.objects.select_for_update(of=("self",), no_key=True).get(pk=person.pk)
        before = {(row.kind, row.channel): row.pk for row in Mute.objects.filter(person=person)}
        Mute.objects.filter(pk__in=[pk for key, pk in before.items() if key not in muted]).delete()
        Mute.objects.bulk_create(
            [
                Mute(person=person, kind=kind, channel=channel, muted_at=at)
                for kind, channel in sorted(muted)
                if (kind, channel) not in before
            ]
        )
