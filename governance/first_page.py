"""What the first page says beside what waits for the reader: whom they wait for, what changed and ends, first steps."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Q
from django.urls import reverse

from accounts.models import Account, AssignmentRun, Cause, Override, Transition
from accounts.services.overrides import overrides_in_force
from frameworks.models import Framework, FrameworkVersion, User
from frameworks.roles import Role, roles_of
from governance.inbox_item import MOST
from governance.models import OverrideRequest
from governance.services.eligibility import awaited_roles

State = FrameworkVersion.State


@dataclass(frozen=True)
class Wait:
    """Something the reader asked for and others decide: `on` names who acts next."""

    title: str
    on: str
    url: str
    since: datetime


@dataclass(frozen=True)
class Step:
    """One of the first steps of an installation; the first that is not done is the next."""

    title: str
    detail: str
    url: str
    is_done: bool


def waits_of(user: User) -> list[Wait]:
    """The person's own open requests, and whose turn it is."""
    rows = list(OverrideRequest.objects.open().asked_by(user).with_people().order_by("requested_at", "pk")[:MOST])
    awaited = awaited_roles(rows)
    return [
        Wait(
            title=f"{row.account} as {row.segment}",
            on=awaited[row.pk].label if row.pk in awaited else row.get_state_display(),
            url=reverse("governance:request_detail", args=[row.uuid]),
            since=row.requested_at,
        )
        for row in rows
    ]


def latest_changes(user: User, limit: int = 8) -> list[dict[str, object]]:
    """Events for a timeline, newest first: runs, and single moves; a CSM's own book only."""
    events = [*_moves(user, limit), *_runs(limit)]
    return sorted(events, key=lambda event: str(event["at"]), reverse=True)[:limit]


def _moves(user: User, limit: int) -> Iterator[dict[str, object]]:
    if roles_of(user) == [Role.CSM]:
        book = Account.objects.filter(Q(csm=user) | Q(ae=user))
        rows = Transition.objects.exclude(cause=Cause.INITIAL).filter(account__in=book)
    else:
        # Runs append by the million: without the bound, finding single moves would read through all of them.
        newest = Transition.objects.aggregate(newest=Max("pk"))["newest"] or 0
        rows = Transition.objects.filter(run__isnull=True, pk__gt=newest - 50_000).exclude(cause=Cause.INITIAL)
    for row in rows.select_related("account", "from_segment", "to_segment").order_by("-pk")[:limit]:
        move = f"{row.from_segment or 'Unassigned'} → {row.to_segment or 'Unassigned'}"
        yield {
            "title": row.account.name,
            "text": f"{move}, {row.get_cause_display().lower()}",
            "at": row.effective_at,
            "url": reverse("accounts:account_detail", args=[row.account.uuid]),
            "action": "Why?",
        }


def _runs(limit: int) -> Iterator[dict[str, object]]:
    finished = AssignmentRun.objects.filter(state=AssignmentRun.State.APPLIED, finished_at__isnull=False)
    for run in finished.select_related("framework_version").order_by("-finished_at")[:limit]:
        moved = moved_accounts(run)
        yield {
            "title": f"{moved:,} segments changed" if moved else "Nothing moved",
            "text": f"{run.get_kind_display()} under {run.framework_version}, {run.accounts:,} accounts",
            "at": run.finished_at,
            "url": reverse("accounts:run_detail", args=[run.uuid]),
            "action": "See the run",
        }


def moved_accounts(run: AssignmentRun) -> int:
    """Segments that the run changed, over all dimensions."""
    counts: Counter[str] = Counter()
    for by_from in run.moves.values():
        for was, by_to in by_from.items():
            counts["moved"] += sum(count for now, count in by_to.items() if now != was)
    return counts["moved"]


def ending_overrides(at: datetime, days: int = 30) -> list[Override]:
    """Overrides in force that end within `days`, the next first."""
    ending = overrides_in_force(at).filter(valid_until__lte=at + timedelta(days=days))
    return list(ending.select_related("account", "segment").order_by("valid_until")[:MOST])


def first_steps() -> list[Step]:
    """The way to a first active version; empty once there is one."""
    if Framework.objects.filter(active_version__isnull=False).exists():
        return []
    version = FrameworkVersion.objects.select_related("framework").order_by("-pk").first()
    state = version.state if version else ""
    here = reverse("frameworks:framework_list")
    if version:
        here = reverse("frameworks:version_detail", args=[version.framework.slug, version.number])
    return [
        Step(
            "Import accounts",
            "A CSV from the CRM; each column is matched to an attribute.",
            reverse("accounts:import_list"),
            is_done=Account.objects.exists(),
        ),
        Step(
            "Make a framework",
            "From a template; everything in it starts as assumed.",
            reverse("frameworks:framework_create"),
            is_done=version is not None,
        ),
        Step(
            "Submit it for review",
            "The definitions freeze and people are asked to sign.",
            here,
            state not in ("", State.DRAFT),
        ),
        Step(
            "Collect the sign-offs",
            "The version's page names who is missing.",
            here,
            is_done=state == State.APPROVED,
        ),
        Step("Activate it", "Every account gets one segment per dimension, or a reason why not.", here, is_done=False),
    ]
