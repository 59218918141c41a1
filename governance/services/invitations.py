"""Links for one person to read one version: sent, used once, taken back.

Reading needs no log-in, signing always does: the link says who was meant, never who holds it. The secret exists in
the mail alone; the row keeps its hash. Opening the link's page consumes nothing, because mail scanners open links.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, User
from frameworks.templatetags.cutline import day
from governance.errors import GoneError
from governance.models import Invitation, Notification
from governance.services.notifying import News, notify
from governance.services.telling import version_url

VALID_FOR = timedelta(days=14)
READS_FOR = timedelta(hours=4)
"""So long the browser that used a link may read."""
NOTE = 500
UNKNOWN = "It is not known. When several were sent, only the newest works."


def may_invite(actor: User, version: FrameworkVersion) -> bool:
    """RevOps, and the version's author."""
    is_author = version.author_id == actor.pk and not actor.is_service
    return actor.is_active and (is_author or actor.has_perm("governance.invite_reader"))


def invite_reader(*, version: FrameworkVersion, person: User, note: str, actor: User, at: datetime) -> Invitation:
    """Send a person a link to this version. Raises NotAllowedError; InvalidError for whom no link can be meant;
    ConflictError when they have one that works."""
    _refuse(actor, version)
    note = note.strip()
    if not person.is_active or person.is_service:
        raise InvalidError([f"{person} cannot log in, and so cannot be invited."])
    if len(note) > NOTE:
        raise InvalidError([f"Write a note of at most {NOTE} characters."])
    invitation = Invitation(
        version=version, person=person, note=note, invited_by=actor, invited_at=at, expires_at=at + VALID_FOR
    )
    with governed("invitation.sent", actor=actor, target=version, at=at) as act:
        # The version's row is the turn: two people inviting the same person meet here.
        FrameworkVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
        _close_expired(version, person, actor, at)
        if _open_ones(version, person).exists():
            raise ConflictError(f"{person} has a link to {version} that works. Take it back first to send another.")
        invitation.save(force_insert=True)
        _owe_mail(invitation, at)
        act.after = _in_audit(invitation) | {"until": f"{invitation.expires_at:%Y-%m-%d}"}
    return invitation


def _open_ones(version: FrameworkVersion, person: User) -> QuerySet[Invitation]:
    return Invitation.objects.filter(version=version, person=person, used_at=None, revoked_at=None)


def _close_expired(version: FrameworkVersion, person: User, actor: User, at: datetime) -> None:
    """A link that ran out makes way for a new one."""
    _open_ones(version, person).filter(expires_at__lte=at).update(revoked_at=at, revoked_by=actor)


def _owe_mail(invitation: Invitation, at: datetime) -> None:
    version = invitation.version
    occurrence = f"invitation:{invitation.uuid}"
    news = News(
        kind=Notification.Kind.INVITATION,
        occurrence=occurrence,
        subject=f"{invitation.invited_by.name} invites you to read {version} of {version.framework.name}",
        text=f"“{invitation.note}”" if invitation.note else "",
        url=version_url(version),
    )
    notify([(invitation.person_id, news)], at=at)
    invitation.mail = Notification.objects.get(person=invitation.person_id, occurrence=occurrence)
    invitation.save(update_fields=["mail"])


def issue_secret(*, invitation: Invitation) -> str:
    """A new secret for the mail that is about to be sent; one issued before opens nothing any more."""
    secret = secrets.token_urlsafe(32)
    waiting = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
    if not waiting.update(secret_hash=hash_of(secret)):
        raise ConflictError("This link was used or taken back meanwhile.")
    return secret


def hash_of(secret: str) -> str:
    """What is kept of a secret; it has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def invitation_of(secret: str) -> Invitation | None:
    """The invitation that a link belongs to, whatever became of it."""
    rows = Invitation.objects.select_related("version__framework", "person", "invited_by")
    return rows.filter(secret_hash=hash_of(secret)).first()


def why_gone(invitation: Invitation, at: datetime) -> str:
    """Why the link opens nothing any more, in words; empty when it does."""
    if invitation.revoked_at:
        return "It was taken back."
    if not invitation.person.is_active:
        return "The person it was sent to can no longer log in."
    if invitation.used_at:
        return f"It was used on {day(invitation.used_at)} at {invitation.used_at:%H:%M} UTC, and a link works once."
    if invitation.expires_at <= at:
        return f"It was valid until {day(invitation.expires_at)}, {invitation.expires_at:%H:%M} UTC."
    return ""


def use_invitation(*, secret: str, at: datetime) -> Invitation:
    """Consume a link; of two at once, one does. Raises GoneError with why it opens nothing."""
    with transaction.atomic():
        locked = Invitation.objects.select_for_update(of=("self",)).select_related("person", "version__framework")
        invitation = locked.filter(secret_hash=hash_of(secret)).first()
        if invitation is None:
            raise GoneError(UNKNOWN)
        if why := why_gone(invitation, at):
            raise GoneError(why)
        # Who opened it is not proven: the audit names whom it was sent to, and no actor.
        with governed("invitation.used", actor=None, target=invitation.version, at=at) as act:
            invitation.used_at = at
            invitation.save(update_fields=["used_at"])
            act.after = _in_audit(invitation)
    return invitation


def readable(uuid: str, at: datetime) -> Invitation | None:
    """The used invitation under which a browser may read now; None when that is over, revoked, or never was."""
    rows = Invitation.objects.filter(uuid=uuid, used_at__gt=at - READS_FOR, revoked_at=None, person__is_active=True)
    return rows.select_related(
        "version__framework__active_version", "version__base_version", "version__author", "person"
    ).first()


def revoke_invitation(*, invitation: Invitation, actor: User, at: datetime) -> Invitation:
    """Take a link back; also what it opened is closed at once. Raises NotAllowedError, ConflictError."""
    _refuse(actor, invitation.version)
    with transaction.atomic():
        locked = Invitation.objects.select_for_update(of=("self",)).select_related("version__framework", "person")
        found = locked.get(pk=invitation.pk)
        if found.revoked_at:
            raise ConflictError("This link was taken back already.")
        with governed("invitation.revoked", actor=actor, target=found.version, at=at) as act:
            found.revoked_at, found.revoked_by = at, actor
            found.save(update_fields=["revoked_at", "revoked_by"])
            act.after = _in_audit(found)
    return found


def _in_audit(invitation: Invitation) -> dict[str, str]:
    return {"invitation": str(invitation.uuid), "person": invitation.person.name}


def _refuse(actor: User, version: FrameworkVersion) -> None:
    if not may_invite(actor, version):
        raise NotAllowedError("RevOps and the author of a version invite people to read it.")
