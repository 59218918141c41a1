"""Alignment meetings: planned, changed, closed with what they left, or cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Max

from frameworks.coverage import manifest_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Framework, Kind, User
from governance.models import AgendaItem, Attendance, Meeting, MeetingDecision, MeetingPart, MeetingRemark
from governance.rounds import state_of, working_version
from governance.transitions import check_meeting

FOCUS, LINE, TEXT = 300, 300, 8_000
AGENDA_ITEMS, PEOPLE = 50, 200
FARTHEST = timedelta(days=3 * 366)
"""How far from today a meeting may lie: beyond, somebody mistyped a year."""
BATCH = 1_000
State = Meeting.State


@dataclass(frozen=True)
class Plan:
    """What somebody plans. `starts_at` is an instant, `time_zone` a name such as Europe/Berlin."""

    kind: str
    starts_at: datetime
    time_zone: str
    focus: str
    agenda: Sequence[str]
    people: Sequence[User]
    notes: str = ""


def plan_meeting(*, framework: Framework, plan: Plan, actor: User, at: datetime) -> Meeting:
    """Plan the next meeting of a framework. Raises NotAllowedError, InvalidError."""
    require_running(actor, to="plan meetings")
    refuse_bad_plan(plan, at)
    meeting = Meeting(framework=framework, planned_by=actor, planned_at=at)
    with governed("meeting.planned", actor=actor, target=meeting, at=at) as act:
        # Numbers follow one another: whoever plans at the same time waits here.
        Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=framework.pk)
        last = Meeting.objects.filter(framework=framework).aggregate(last=Max("number"))["last"] or 0
        meeting.number = last + 1
        _write(meeting, plan)
        meeting.save(force_insert=True)
        _write_agenda(meeting, plan.agenda)
        Attendance.objects.bulk_create([Attendance(meeting=meeting, person=each) for each in _once(plan.people)])
        act.after = _printed(meeting, plan)
    return meeting


def change_meeting(*, meeting: Meeting, plan: Plan, revision: int, actor: User, at: datetime) -> Meeting:
    """Change what is planned; `revision` is the one that the form showed.

    Raises NotAllowedError, InvalidError, ConflictError (closed, or changed by somebody else meanwhile).
    """
    require_running(actor, to="change meetings")
    refuse_bad_plan(plan, at)
    with governed("meeting.changed", actor=actor, target=meeting, at=at) as act:
        locked = lock_planned(meeting)
        if locked.revision != revision:
            raise ConflictError("Somebody changed this meeting while you were editing it. Nothing of yours was saved.")
        act.before = {"kind": locked.kind, "starts_at": locked.starts_at.isoformat(), "focus": locked.focus}
        _write(locked, plan)
        locked.revision += 1
        locked.save()
        _write_agenda(locked, plan.agenda)
        _invite(locked, plan.people)
        act.after = _printed(locked, plan)
    return locked


def cancel_meeting(*, meeting: Meeting, reason: str, actor: User, at: datetime) -> Meeting:
    """It does not take place. Raises NotAllowedError, InvalidError (no reason), ConflictError (closed already)."""
    require_running(actor, to="cancel meetings")
    reason = text_of(reason, "Say why the meeting is cancelled.", most=2_000)
    with governed("meeting.cancelled", actor=actor, target=meeting, at=at, reason=reason) as act:
        locked = lock_planned(meeting, to=State.CANCELLED)
        locked.state, locked.cancel_reason = State.CANCELLED, reason
        locked.closed_at, locked.closed_by = at, actor
        locked.save()
        act.after = {"state": locked.state}
    return locked


def close_meeting(*, meeting: Meeting, attendance: Mapping[int, str], notes: str, actor: User, at: datetime) -> Meeting:
    """It was held: who came, the notes, and the state of the draft that it leaves, by digests.

    `attendance` has attended or absent by person id, for everybody invited. Raises NotAllowedError, InvalidError
    (somebody is missing in it), ConflictError (closed already, or not begun).
    """
    require_running(actor, to="close meetings")
    notes = text_of(notes, "", most=TEXT)
    with governed("meeting.held", actor=actor, target=meeting, at=at) as act:
        locked = lock_planned(meeting, to=State.HELD)
        if locked.starts_at > at:
            raise ConflictError("This meeting has not begun: move it to an earlier time, or close it afterwards.")
        _write_attendance(locked, attendance)
        version = working_version(locked.framework)
        left = state_of(version)
        MeetingPart.objects.bulk_create(
            [
                MeetingPart(meeting=locked, kind=kind, key=key, body_id=said.digest, is_confirmed=said.is_confirmed)
                for (kind, key), said in left.items()
            ],
            batch_size=BATCH,
        )
        locked.state, locked.notes, locked.closed_at, locked.closed_by = State.HELD, notes, at, actor
        locked.left_version, locked.left_manifest = version, manifest_of(version).digest
        locked.save()
        act.after = {"state": locked.state, "version": str(version.number), "manifest": locked.left_manifest}
    return locked


def record_decision(
    *,
    meeting: Meeting,
    text: str,
    part_kind: str = "",
    part_key: str = "",
    decided_by: User,
    actor: User,
    at: datetime,
) -> MeetingDecision:
    """Write down what was decided; also afterwards, but never into a cancelled meeting.

    Raises NotAllowedError, InvalidError (nothing written, no such part, a person who is not active), ConflictError.
    """
    require_running(actor, to="record decisions")
    text = text_of(text, "Write down what was decided.", most=TEXT)
    refuse_absent(decided_by)
    if bool(part_kind) != bool(part_key) or (part_kind and part_kind not in Kind.values):
        raise InvalidError(["Name a part by its kind and key, or none."])
    version = working_version(meeting.framework)
    if part_key and not version.parts.filter(kind=part_kind, key=part_key).exists():
        raise InvalidError([f"There is no such part in {version}."])
    with governed("meeting.decided", actor=actor, target=meeting, at=at) as act:
        locked = lock_not_cancelled(meeting)
        decision = MeetingDecision.objects.create(
            meeting=locked,
            text=text,
            part_kind=part_kind,
            part_key=part_key,
            decided_by=decided_by,
            printed_name=decided_by.name,
            recorded_by=actor,
            recorded_at=at,
        )
        act.after = {"decision": str(decision.pk), "by": decided_by.name, "part": f"{part_kind} {part_key}".strip()}
    return decision


def add_remark(*, meeting: Meeting, text: str, actor: User, at: datetime) -> MeetingRemark:
    """Say something about a meeting: whoever was invited, and whoever runs meetings. Raises as the others do."""
    if not may_remark(actor, meeting):
        raise NotAllowedError("Whoever was invited comments on a meeting, and whoever runs meetings.")
    text = text_of(text, "Write a comment.", most=TEXT)
    with governed("meeting.remarked", actor=actor, target=meeting, at=at) as act:
        locked = lock_not_cancelled(meeting)
        remark = MeetingRemark.objects.create(
            meeting=locked, text=text, author=actor, printed_name=actor.name, said_at=at
        )
        act.after = {"remark": str(remark.pk)}
    return remark


def may_remark(user: User, meeting: Meeting) -> bool:
    return user.has_perm("governance.run_meetings") or meeting.attendances.filter(person=user).exists()


# --- shared


def require_running(actor: User, *, to: str) -> None:
    """Raises NotAllowedError unless the actor runs meetings."""
    if not actor.has_perm("governance.run_meetings"):
        raise NotAllowedError(f"Your role may not {to}: RevOps and architects do.")


def lock_planned(meeting: Meeting, *, to: str = "") -> Meeting:
    """The locked row of a meeting that is still planned. Raises ConflictError, naming what it is."""
    locked = _lock(meeting)
    check_meeting(locked, to)
    return locked


def lock_not_cancelled(meeting: Meeting) -> Meeting:
    locked = _lock(meeting)
    if locked.state == State.CANCELLED:
        raise ConflictError("This meeting was cancelled: nothing is added to it.")
    return locked


def _lock(meeting: Meeting) -> Meeting:
    rows = Meeting.objects.select_for_update(of=("self",), no_key=True).select_related("framework")
    locked: Meeting = rows.get(pk=meeting.pk)
    return locked


def text_of(text: str, nothing: str, *, most: int) -> str:
    """The text without its ends. Raises InvalidError where it is too long, or empty although `nothing` says why not."""
    text = text.strip()
    if not text and nothing:
        raise InvalidError([nothing])
    if len(text) > most:
        raise InvalidError([f"At most {most:,} characters; these are {len(text):,}."])
    return text


def refuse_absent(person: User) -> None:
    """Raises InvalidError for a person who is not active, and for a service account."""
    if not person.is_active or person.is_service:
        raise InvalidError([f"{person.name} is no active person: choose somebody else."])


def refuse_bad_plan(plan: Plan, at: datetime) -> None:
    """Raises InvalidError with everything that is wrong with a plan."""
    problems = [
        *_when_problems(plan, at),
        *([] if plan.kind in Meeting.Kind.values else ["Choose what kind of meeting it is."]),
        *([] if plan.focus.strip() else ["Say what the meeting is about."]),
        *([f"The focus has at most {FOCUS} characters."] if len(plan.focus.strip()) > FOCUS else []),
        *([f"The notes have at most {TEXT:,} characters."] if len(plan.notes) > TEXT else []),
        *([f"An agenda has at most {AGENDA_ITEMS} items."] if len(plan.agenda) > AGENDA_ITEMS else []),
        *([f"An item of the agenda has at most {LINE} characters."] if any(len(i) > LINE for i in plan.agenda) else []),
        *([] if plan.people else ["Invite somebody."]),
        *([f"Invite at most {PEOPLE} people."] if len(plan.people) > PEOPLE else []),
        *(
            f"{each.name} is no active person: choose somebody else."
            for each in plan.people
            if not each.is_active or each.is_service
        ),
    ]
    if problems:
        raise InvalidError(problems)


def _when_problems(plan: Plan, at: datetime) -> list[str]:
    if plan.time_zone not in available_timezones():
        return [f"There is no time zone {plan.time_zone[:63]!r}."]
    if abs(plan.starts_at - at) > FARTHEST:
        return ["A meeting lies within three years of today: look at the year."]
    return []


def local_start(day_and_time: datetime, time_zone: str) -> datetime:
    """The instant that a wall clock in a time zone shows; a time that a clock change skips is the one after it.

    Raises InvalidError for a zone that does not exist, and for a moment outside the calendar.
    """
    if time_zone not in available_timezones():
        raise InvalidError([f"There is no time zone {time_zone[:63]!r}."])
    try:
        return day_and_time.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError as error:
        raise InvalidError(["A meeting lies within three years of today: look at the year."]) from error


def _write(meeting: Meeting, plan: Plan) -> None:
    meeting.kind, meeting.starts_at, meeting.time_zone = plan.kind, plan.starts_at, plan.time_zone
    meeting.focus, meeting.notes = plan.focus.strip(), plan.notes.strip()


def _write_agenda(meeting: Meeting, items: Sequence[str]) -> None:
    AgendaItem.objects.filter(meeting=meeting).delete()
    lines = [line for item in items if (line := item.strip())]
    AgendaItem.objects.bulk_create(
        [AgendaItem(meeting=meeting, position=place, text=line) for place, line in enumerate(lines, 1)]
    )


def _invite(meeting: Meeting, people: Sequence[User]) -> None:
    wanted = {person.pk for person in people}
    Attendance.objects.filter(meeting=meeting).exclude(person__in=wanted).delete()
    known = set(Attendance.objects.filter(meeting=meeting).values_list("person_id", flat=True))
    new = [Attendance(meeting=meeting, person=each) for each in _once(people) if each.pk not in known]
    Attendance.objects.bulk_create(new)


def _once(people: Sequence[User]) -> list[User]:
    return list({person.pk: person for person in people}.values())


def _write_attendance(meeting: Meeting, attendance: Mapping[int, str]) -> None:
    rows = list(meeting.attendances.select_related("person").order_by("pk"))
    said = {Attendance.State.ATTENDED.value, Attendance.State.ABSENT.value}
    left = [row.person.name for row in rows if attendance.get(row.person_id) not in said]
    if left:
        raise InvalidError([f"Say of everybody whether they came: {', '.join(left)}."])
    for row in rows:
        row.state = attendance[row.person_id]
    Attendance.objects.bulk_update(rows, ["state"])


def _printed(meeting: Meeting, plan: Plan) -> dict[str, str]:
    return {
        "number": str(meeting.number),
        "kind": meeting.kind,
        "starts_at": meeting.starts_at.isoformat(),
        "focus": meeting.focus,
        "invited": str(len(_once(plan.people))),
    }
