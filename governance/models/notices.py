"""What people are told, in the app and by e-mail, and what they do not want to be told."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from governance.querysets import NotificationQuerySet


class Notification(models.Model):
    """One person told of one thing, once. `occurrence` names the thing, so that a second look writes nothing.

    The row is also the e-mail owed: `mail_state` says whether one is, and `mail_after` when it is tried (again). A
    kind that the person muted is kept with `in_app` false or its mail muted, so that unmuting does not bring it back.
    """

    class Kind(models.TextChoices):
        ASKED = "asked", "You are asked to sign or to do something"
        REMINDER = "reminder", "Something is due soon"
        OVERDUE = "overdue", "Something is overdue"
        ESCALATION = "escalation", "Others are late with what you wait for"
        MENTION = "mention", "Somebody mentions you"
        VOID = "void", "A sign-off of yours no longer counts"
        VERSION = "version", "A version is approved, sent back, activated or fails"
        INVITATION = "invitation", "Somebody invites you to read a version"
        HELP = "help", "Too few people can sign something, or somebody asks you for help"

    class MailState(models.TextChoices):
        PENDING = "pending", "Waits to be sent"
        SENT = "sent", "Sent"
        MUTED = "muted", "Muted"
        DROPPED = "dropped", "No longer needed"
        FAILED = "failed", "Given up"

    DIGESTED = (Kind.REMINDER, Kind.OVERDUE)
    """Kinds of which one mail an hour tells all that are new."""
    ALWAYS_IN_APP = (Kind.ASKED, Kind.ESCALATION)
    ALWAYS_MAILED = (Kind.INVITATION,)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notifications")
    kind = models.CharField(max_length=10, choices=Kind)
    occurrence = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=500, help_text="The exact place, from the site's root.")
    created_at = models.DateTimeField()
    in_app = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mail_state = models.CharField(max_length=7, choices=MailState, default=MailState.PENDING)
    mail_after = models.DateTimeField(null=True, blank=True)
    mail_claimed_at = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_error = models.TextField(blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["person", "occurrence"], name="notification_once"),
            models.CheckConstraint(
                condition=~Q(mail_state="pending") | Q(mail_after__isnull=False), name="notification_mail_has_a_time"
            ),
            models.CheckConstraint(
                condition=Q(mail_state="sent", mailed_at__isnull=False)
                | (~Q(mail_state="sent") & Q(mailed_at__isnull=True)),
                name="notification_mail_is_sent_or_not",
            ),
            models.CheckConstraint(
                condition=Q(in_app=True) | ~Q(kind__in=["asked", "escalation"]),
                name="notification_shown_where_it_cannot_be_muted",
            ),
        ]
        indexes = [
            models.Index(fields=["person"], condition=Q(in_app=True, read_at__isnull=True), name="notification_unread"),
            models.Index(fields=["mail_after"], condition=Q(mail_state="pending"), name="notification_mail_owed"),
            models.Index(fields=["person", "-id"], name="notification_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.subject}"


class Mute(models.Model):
    """A kind of notification that a person does not want on a channel. No row: it comes."""

    class Channel(models.TextChoices):
        APP = "app", "In the app"
        MAIL = "mail", "By e-mail"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="mutes")
    kind = models.CharField(max_length=10, choices=Notification.Kind)
    channel = models.CharField(max_length=4, choices=Channel)
    muted_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["person", "kind", "channel"], name="mute_once"),
            models.CheckConstraint(
                condition=~Q(channel="app", kind__in=["asked", "escalation"]) & ~Q(channel="mail", kind="invitation"),
                name="mute_not_what_must_arrive",
                violation_error_message="This cannot be muted here.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.kind} {self.channel}"
