"""What can be asked about requests. Narrowing methods chain; views spell out no filter rules."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from frameworks.models import User


class OverrideRequestQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        """Waiting for somebody."""
        return self.filter(state__in=self.model.OPEN)

    def closed(self) -> Self:
        return self.exclude(state__in=self.model.OPEN)

    def asked_by(self, user: "User") -> Self:
        return self.filter(requested_by=user)

    def asked_before(self, at: datetime) -> Self:
        return self.filter(requested_at__lt=at)

    def lapsed(self, at: datetime) -> Self:
        """Open although the time they ask for is over."""
        return self.open().filter(valid_until__lte=at)

    def without_interest_of(self, user: "User") -> Self:
        """Those the person neither asked for nor owns the account of, so that they may be theirs to decide."""
        return self.exclude(requested_by=user).exclude(Q(account__csm=user) | Q(account__ae=user))

    def visible_to(self, user: "User") -> Self:
        """Everyone who is logged in reads requests; nobody else does."""
        return self if user.is_active else self.none()

    def with_people(self) -> Self:
        """Everything a row or a page names, without further queries."""
        return self.select_related(
            *("account__csm", "account__ae", "dimension__framework", "segment", "computed"),
            *("requested_by", "override"),
        ).prefetch_related("decisions")


class TransitionReviewQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        return self.filter(state=self.model.State.OPEN)

    def overdue(self, on: date) -> Self:
        """Open after the day they were due."""
        return self.open().filter(due_on__lt=on)

    def without_interest_of(self, user: "User") -> Self:
        """Those of accounts the person does not own."""
        return self.exclude(Q(account__csm=user) | Q(account__ae=user))

    def visible_to(self, user: "User") -> Self:
        """Everyone who is logged in reads reviews; nobody else does."""
        return self if user.is_active else self.none()

    def with_people(self) -> Self:
        return self.select_related(
            *("account__csm", "account__ae", "dimension__framework"), *("from_segment", "to_segment", "decided_by")
        )


class IntakeQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        return self.filter(closed_at__isnull=True)

    def overdue(self, on: date) -> Self:
        """Open after the day they were due; an intake without anything missing may be among them."""
        return self.open().filter(due_on__lt=on)

    def visible_to(self, user: "User") -> Self:
        """Everyone who is logged in reads intakes; nobody else does."""
        return self if user.is_active else self.none()

    def with_content(self) -> Self:
        """Everything that completeness and pages read, in a fixed number of queries."""
        return self.select_related("framework__active_version", "owner", "opened_by", "closed_by").prefetch_related(
            "current_fields",
            "questions__answers",
            "scopes__written_by",
            "scopes__signoff",
        )


class NotificationQuerySet(models.QuerySet[Any]):
    def shown_to(self, user: "User") -> Self:
        """What this person's list holds, newest first."""
        return self.filter(person=user, in_app=True).order_by("-pk")

    def unread(self) -> Self:
        return self.filter(in_app=True, read_at__isnull=True)

    def mail_owed(self) -> Self:
        return self.filter(mail_state="pending")

    def mail_due(self, at: datetime) -> Self:
        """Mails whose time has come, the longest owed first."""
        return self.mail_owed().filter(mail_after__lte=at).order_by("mail_after", "pk")

    def mail_failing(self) -> Self:
        """Mails that were tried in vain: waiting for the next try, or given up."""
        return self.filter(mail_state__in=["pending", "failed"], mail_attempts__gt=0).exclude(mail_error="")
