"""What can be asked about meetings and homework."""

from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Count, Q

if TYPE_CHECKING:
    from frameworks.models import User


class MeetingQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: "User") -> Self:
        """Everyone who is logged in reads meetings; nobody else does."""
        return self if user.is_active else self.none()

    def held(self) -> Self:
        return self.filter(state=self.model.State.HELD)

    def planned(self) -> Self:
        return self.filter(state=self.model.State.PLANNED)

    def with_counts(self) -> Self:
        """Annotates how many were invited and came, decisions and open homework."""
        return self.select_related("left_version", "framework").annotate(
            invited=Count("attendances", distinct=True),
            attended=Count("attendances", filter=Q(attendances__state="attended"), distinct=True),
            decided=Count("decisions", distinct=True),
            homework_open=Count("homework", filter=Q(homework__state="open"), distinct=True),
        )


class HomeworkQuerySet(models.QuerySet[Any]):
    def open(self) -> Self:
        """To be done; what a cancelled meeting gave was not given."""
        return self.filter(state=self.model.State.OPEN).exclude(meeting__state="cancelled")

    def of_framework(self, framework_id: int) -> Self:
        return self.filter(meeting__framework=framework_id)

    def overdue(self, on: date) -> Self:
        """Open after the day it was due."""
        return self.open().filter(due_on__lt=on)

    def with_people(self) -> Self:
        return self.select_related("assignee", "given_by", "settled_by", "meeting__framework")
