"""Whom an intake waits for: its owner until it is complete, RevOps after its day, an executive for the scope."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from frameworks.models import User
from frameworks.querysets import delegations_in_force
from frameworks.roles import Role, roles_of
from governance.inbox_item import Item
from governance.intake_standing import IntakeStanding
from governance.models import IntakeForm
from governance.services import due_dates
from governance.services.intake_scope import is_awaited, principals_signable, scope_refusals


def intake_items(user: User, at: datetime) -> Iterator[Item]:
    """A fixed number of queries, and none beyond the first where no intake is open."""
    rows = list(IntakeForm.objects.visible_to(user).open().with_content().order_by("opened_at", "pk"))
    if not rows:
        return
    roles, today = roles_of(user), timezone.localdate(at)
    for standing in (IntakeStanding(intake, today) for intake in rows):
        if is_awaited(standing):
            if Role.EXECUTIVE in roles and not scope_refusals(standing, user):
                yield _to_sign(standing)
            for principal in principals_signable(standing, user, at):
                yield _to_sign(standing, principal)
        if _is_chased(standing, user, roles):
            yield _to_fill(standing)


def whom_intakes_may_wait_for(at: datetime) -> QuerySet[User]:
    """Everybody for whom `intake_items` may have something; nobody where no intake is open."""
    is_open = IntakeForm.objects.open()
    if not is_open.exists():
        return User.objects.none()
    in_role = User.objects.filter(groups__name__in=[Role.EXECUTIVE.value, Role.REVOPS.value])
    owners, delegates = is_open.order_by().values("owner"), delegations_in_force(at).values("delegate")
    return User.objects.filter(Q(pk__in=in_role.values("pk")) | Q(pk__in=owners) | Q(pk__in=delegates), is_active=True)


def _is_chased(standing: IntakeStanding, user: User, roles: list[Role]) -> bool:
    if standing.is_complete:
        return False
    return standing.intake.owner_id == user.pk or (standing.is_overdue and Role.REVOPS in roles)


def _to_sign(standing: IntakeStanding, principal: User | None = None) -> Item:
    scope, intake = standing.scopes[0], standing.intake
    behalf = f"for {principal.name} " if principal else ""
    query = f"?for={principal.uuid}" if principal else ""
    return Item(
        kind="intake",
        icon="clipboard-list",
        title=f"Sign {behalf}who takes part in {intake.framework.name} and what segments are for",
        detail=f"{_people(len(scope.participants))}; {', '.join(scope.use_labels)}. The intake waits for it.",
        url=reverse("governance:intake_sign", args=[intake.framework.slug]) + query,
        asked_by=scope.written_by.name,
        since=scope.written_at,
        due_on=due_dates.scope_due(scope),
        ref=f"scope:{scope.uuid}{f':for:{principal.uuid}' if principal else ''}",
        asker_id=scope.written_by_id,
    )


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _to_fill(standing: IntakeStanding) -> Item:
    intake = standing.intake
    why_not = f" {standing.why_not_fillable}" if standing.why_not_fillable else ""
    return Item(
        kind="intake",
        icon="clipboard-list",
        title=f"Intake of {intake.framework.name}: {standing.percent} % complete",
        detail=f"{intake.owner} is responsible. Missing: {standing.missing_words}.{why_not}",
        url=reverse("governance:intake_detail", args=[intake.framework.slug]),
        asked_by=intake.opened_by.name,
        since=intake.opened_at,
        due_on=intake.due_on,
        ref=f"intake:{intake.uuid}:{intake.due_on.isoformat()}",
        asker_id=intake.opened_by_id,
    )
