"""Mails as people read them: plain text, a simple HTML alternative, the exact place, and how to mute the kind."""

from collections.abc import Sequence

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from governance.models import Notification

NAMED = 30
"""So many are written out in one mail; the list of notifications has all."""


def message_about(rows: Sequence[Notification], *, secret: str = "") -> tuple[str, str, str]:
    """Subject, text and HTML of one mail about these notifications of one person. `secret` opens an invitation."""
    context = {
        "items": [{"row": row, "url": f"{settings.SITE_URL}{_place(row, secret)}"} for row in rows[:NAMED]],
        "more": max(len(rows) - NAMED, 0),
        "list_url": settings.SITE_URL + reverse("governance:notification_list"),
        "person": rows[0].person,
        "is_invitation": rows[0].kind == Notification.Kind.INVITATION,
        "invitation": getattr(rows[0], "invitation", None),
        "kinds": sorted({str(row.get_kind_display()) for row in rows}),
        "mute_url": settings.SITE_URL + reverse("governance:notification_settings"),
        "site_url": settings.SITE_URL,
    }
    subject = rows[0].subject if len(rows) == 1 else f"{len(rows)} things wait for you"
    # A subject is one line already when it is written; this holds for rows that something else wrote.
    subject = " ".join(subject.split())
    text = render_to_string("governance/mail/message.txt", context)
    return subject, text.strip() + "\n", render_to_string("governance/mail/message.html", context)


def _place(row: Notification, secret: str) -> str:
    return reverse("governance:invited", args=[secret]) if secret else row.url
