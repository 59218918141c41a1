"""What people take home from a meeting, and who settles which ASSUMED part until when."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.utils import timezone

from frameworks.comparison import PartId
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Framework, Kind, User
from frameworks.querysets import assumed
from governance.models import Homework, Meeting, PartResolver
from governance.rounds import working_version
from governance.services.meetings import lock_not_cancelled, refuse_absent, require_running, text_of
from governance.transitions import check_homework

CHARACTERS = 2_000
FARTHEST = timedelta(days=2 * 366)
AT_ONCE = 500
State = Homework.State


def give_homework(*, meeting: Meeting, text: str, assignee: User, due_on: date, actor: User, at: datetime) -> Homework:
    """Ask somebody for something until a day. Raises NotAllowedError, InvalidError, ConflictError (cancelled)."""
    require_running(actor, to="give homework")
    text = text_of(text, "Say what is to be done.", most=CHARACTERS)
    refuse_absent(assignee)
    refuse_bad_day(due_on, at)
    with governed("homework.given", actor=actor, target=meeting, at=at) as act:
        locked = lock_not_cancelled(meeting)
        homework = Homework.objects.create(
            meeting=locked, text=text, assignee=assignee, due_on=due_on, given_by=actor, given_at=at
        )
        act.after = {"homework": str(homework.uuid), "assignee": assignee.name, "due_on": due_on.isoformat()}
    return homework


def settle_homework(*, homework: Homework, to: str, actor: User, at: datetime) -> Homework:
    """Done, not done, or open again: by the assignee, or whoever runs meetings.

    Raises NotAllowedError, ConflictError (it is that already).
    """
    if not may_settle(actor, homework):
        raise NotAllowedError("Whoever has the homework settles it, or whoever runs meetings.")
    with governed("homework.settled", actor=actor, target=homework, at=at) as act:
        lock_not_cancelled(homework.meeting)
        locked: Homework = Homework.objects.select_for_update(of=("self",)).get(pk=homework.pk)
        check_homework(locked, to)
        act.before = {"state": locked.state}
        is_open = to == State.OPEN
        locked.state = to
        locked.settled_by, locked.settled_at = (None, None) if is_open else (actor, at)
        locked.save(update_fields=["state", "settled_by", "settled_at"])
        act.after = {"state": locked.state}
    return locked


def may_settle(user: User, homework: Homework) -> bool:
    return homework.assignee_id == user.pk or user.has_perm("governance.run_meetings")


def assign_resolver(
    *,
    framework: Framework,
    parts: Sequence[PartId],
    person: User | None,
    source_key: str,
    due_on: date,
    actor: User,
    at: datetime,
) -> int:
    """Say who, or which data source, settles these ASSUMED parts and until when; how many were assigned.

    Whoever settled one of them before is replaced. Raises NotAllowedError, InvalidError (nobody or both, parts that
    are not ASSUMED, a data source that is not there, a day that cannot be meant).
    """
    require_running(actor, to="assign who settles a part")
    if bool(person) == bool(source_key):
        raise InvalidError(["Either a person or a data source settles a part: choose one."])
    if person:
        refuse_absent(person)
    refuse_bad_day(due_on, at)
    wanted = sorted(set(parts))
    if not wanted or len(wanted) > AT_ONCE:
        raise InvalidError([f"Choose between one and {AT_ONCE} parts."])
    with governed("part.resolver_assigned", actor=actor, target=framework, at=at) as act:
        Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=framework.pk)
        _refuse_unknown(framework, wanted, source_key)
        for kind, key in wanted:
            PartResolver.objects.update_or_create(
                framework=framework,
                kind=kind,
                key=key,
                defaults={
                    "person": person,
                    "source_key": source_key,
                    "due_on": due_on,
                    "assigned_by": actor,
                    "assigned_at": at,
                },
            )
        act.after = {
            "parts": ", ".join(f"{kind} {key}" for kind, key in wanted[:20]),
            "count": str(len(wanted)),
            "resolver": person.name if person else f"data source {source_key}",
            "due_on": due_on.isoformat(),
        }
    return len(wanted)


def _refuse_unknown(framework: Framework, parts: Sequence[PartId], source_key: str) -> None:
    version = working_version(framework)
    open_ones = set(assumed(version.parts.order_by()).values_list("kind", "key"))
    strange = [f"{kind} {key}" for kind, key in parts if (kind, key) not in open_ones]
    if strange:
        raise InvalidError([f"Not ASSUMED in {version}, so nobody has to settle it: {', '.join(strange[:5])}."])
    if source_key and not version.parts.filter(kind=Kind.DATA_SOURCE, key=source_key).exists():
        raise InvalidError([f"There is no data source {source_key[:127]!r} in {version}."])


def refuse_bad_day(due_on: date, at: datetime) -> None:
    """Raises InvalidError for a day that is over, or further ahead than anybody plans."""
    today = timezone.localdate(at)
    if due_on < today:
        raise InvalidError(["The day it is due is over: choose today or later."])
    if due_on - today > FARTHEST:
        raise InvalidError(["The day it is due lies more than two years ahead: look at the year."])
