"""The mail that is owed: claimed in the database, sent outside any transaction, tried again with growing pauses.

A mail may come twice when a worker dies after sending and before writing that down; it is never lost. Reminders are
gathered: one mail a person and hour tells all that are new.
"""

import logging
import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction

from frameworks.models import User
from governance.mail import message_about
from governance.models import Notification
from governance.services.invitations import issue_secret

logger = logging.getLogger(__name__)

MailState = Notification.MailState
LEASE = timedelta(minutes=5)
"""So long a worker may take to send what it claimed, before another one tries."""
DIGEST_EVERY = timedelta(hours=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
ATTEMPTS = 20
"""About four days; then a person has to look."""


def deliver_next(*, at: datetime) -> bool:
    """Send the mail that is owed the longest; False when none is due."""
    rows = claim_mail(at=at)
    if rows is None:
        return False
    if rows:
        _deliver(rows, at)
    return True


def claim_mail(*, at: datetime) -> list[Notification] | None:
    """Take what goes into one mail, so that no other worker sends it; empty when it has to wait, None when none is
    due."""
    with transaction.atomic():
        due = Notification.objects.mail_due(at).select_for_update(of=("self",), skip_locked=True)
        first = due.first()
        if first is None:
            return None
        if not _is_reachable(first):
            return []
        rows = _digest_of(first, at) if first.kind in Notification.DIGESTED else [first]
        for row in rows:
            row.mail_attempts += 1
            row.mail_claimed_at, row.mail_after = at, at + LEASE
        Notification.objects.bulk_update(rows, ["mail_attempts", "mail_claimed_at", "mail_after"])
    return rows


def _is_reachable(row: Notification) -> bool:
    """Whoever left, and links that were revoked meanwhile, get no mail."""
    invitation = getattr(row, "invitation", None)
    gone = "The person is deactivated." if not row.person.is_active else ""
    if invitation is not None and invitation.revoked_at:
        gone = "The link was revoked before it was sent."
    if gone:
        row.mail_state, row.mail_error = MailState.DROPPED, gone
        row.save(update_fields=["mail_state", "mail_error"])
    return not gone


def _digest_of(first: Notification, at: datetime) -> list[Notification]:
    """All reminders that this person is owed, unless a mail with some went out within the hour: then they wait."""
    # The person's row is the turn: two workers do not both find that none went out.
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=first.person_id)
    mine = Notification.objects.filter(person=first.person_id, kind__in=Notification.DIGESTED)
    sent = mine.exclude(mail_state=MailState.PENDING, mail_error__gt="").filter(mail_claimed_at__gt=at - DIGEST_EVERY)
    last = sent.order_by("-mail_claimed_at").values_list("mail_claimed_at", flat=True).first()
    owed = mine.mail_due(at)
    if last is not None:
        owed.update(mail_after=last + DIGEST_EVERY)
        return []
    return list(owed.select_for_update(of=("self",), skip_locked=True).select_related("person"))


def _deliver(rows: Sequence[Notification], at: datetime) -> None:
    try:
        _send(rows, at)
    except (OSError, ValueError) as error:
        # SMTP's refusals are OSErrors; an address or header that cannot be written is a ValueError.
        _postpone(rows, error, at)
    else:
        pks = [row.pk for row in rows]
        Notification.objects.filter(pk__in=pks).update(
            mail_state=MailState.SENT, mailed_at=at, mail_error="", mail_after=None
        )


def _send(rows: Sequence[Notification], at: datetime) -> None:
    invitation = getattr(rows[0], "invitation", None)
    secret = issue_secret(invitation=invitation) if invitation else ""
    subject, text, html = message_about(rows, secret=secret)
    message = EmailMultiAlternatives(subject, text, to=[rows[0].person.email], connection=get_connection())
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    message.attach_alternative(html, "text/html")
    message.send()


def _postpone(rows: Sequence[Notification], error: Exception, at: datetime) -> None:
    attempts = max(row.mail_attempts for row in rows)
    is_over = attempts >= ATTEMPTS
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(
        mail_state=MailState.FAILED if is_over else MailState.PENDING,
        mail_after=None if is_over else at + pause_after(attempts),
        mail_error=_words(error),
    )
    logger.warning("mail_not_sent", extra={"person": rows[0].person_id, "attempts": attempts, "error": _words(error)})


def pause_after(attempts: int) -> timedelta:
    """1, 2, 4, … minutes, at most six hours."""
    doubled: int = 2 ** max(attempts - 1, 0)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


def _words(error: Exception) -> str:
    """One line; a refused recipient is named by the server's answer, without the mail's content."""
    said = str(error.recipients) if isinstance(error, smtplib.SMTPRecipientsRefused) else str(error)
    return " ".join(f"{type(error).__name__}: {said}".split())[:500]


def retry_failed(*, at: datetime) -> int:
    """Owe again every mail that was given up; returns how many. For whoever mended the mail server."""
    failed = Notification.objects.filter(mail_state=MailState.FAILED)
    return int(failed.update(mail_state=MailState.PENDING, mail_after=at, mail_attempts=0))
