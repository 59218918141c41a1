"""Telling people what happened to a version, by e-mail, once the act is stored."""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from frameworks.models import FrameworkVersion, User

logger = logging.getLogger(__name__)


def tell_about(version: FrameworkVersion, title: str, text: str, *, also: Iterable[User] = ()) -> None:
    """Write to the version's author, to whoever may activate one, and to `also`; links to the version's page."""
    ids = {version.author_id, *(person.pk for person in also)}
    activators = Q(groups__permissions__codename="activate_version")
    people = User.objects.filter(Q(pk__in=ids) | activators, is_active=True, is_service=False).distinct()
    addresses = sorted(person.email for person in people)
    place = reverse("frameworks:version_detail", args=[version.framework.slug, version.number])
    body = f"{text}\n\n{settings.SITE_URL}{place}\n"
    subject = f"{version.framework.name}: {title}"
    transaction.on_commit(lambda: _send(subject, body, addresses), robust=True)


def tell_people(people: Iterable[User], subject: str, text: str, place: str) -> None:
    """Write to these people, once what happened is stored; `place` is the path that the message links to."""
    addresses = sorted({person.email for person in people if person.is_active and not person.is_service})
    body = f"{text}\n\n{settings.SITE_URL}{place}\n"
    transaction.on_commit(lambda: _send(subject, body, addresses), robust=True)


def _send(subject: str, body: str, addresses: list[str]) -> None:
    """One message per person, so that nobody reads the others' addresses; a mail server that is down stops nothing."""
    for address in addresses:
        try:
            send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [address])
        except OSError:
            logger.exception("mail_not_sent", extra={"subject": subject})
