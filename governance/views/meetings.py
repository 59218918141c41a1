"""Meetings of a framework: the list with its rounds, planning one, its page, and what people do there."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import Framework
from frameworks.templatetags.cutline import day
from frameworks.views.answers import act
from governance.meeting_forms import CancelForm, CloseForm, DecisionForm, HomeworkForm, PlanForm, RemarkForm
from governance.meeting_page import MeetingPage, changes_in, differences_between, move_rows, moved_parts, names_of
from governance.models import Homework, Meeting
from governance.rounds import Round, counts_by_version, rounds_of, working_version
from governance.services.homework import give_homework, settle_homework
from governance.services.meetings import (
    add_remark,
    cancel_meeting,
    change_meeting,
    close_meeting,
    plan_meeting,
    record_decision,
)
from governance.visitor import visitor

PER_PAGE = 50
CHANGES_PER_SHEET = 30
MOST_PARTS = 500
"""Parts that the decision's form suggests; any may be typed."""


@login_required
@require_safe
def meetings_home(request: HttpRequest) -> HttpResponse:
    """The meetings of the one framework, or the choice between several."""
    frameworks = list(Framework.objects.order_by("name", "pk"))
    if len(frameworks) == 1:
        return redirect("governance:meeting_list", frameworks[0].slug)
    return render(request, "governance/meetings_home.html", {"frameworks": frameworks})


@login_required
@require_safe
def meeting_list(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework.objects.select_related("active_version"), slug=slug)
    user = visitor(request)
    rows = Meeting.objects.visible_to(user).filter(framework=framework).with_counts().order_by("-number")
    sheet = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    rounds = rounds_of(framework)
    names = names_of(framework, {part for each in rounds[-1:] for part in moved_parts(each.moves)})
    context = {
        "framework": framework,
        "page": sheet,
        "meetings": [(row, _local(row)) for row in sheet.object_list],
        "rounds": rounds,
        "latest": rounds[-1],
        "moves": move_rows(rounds[-1], names) if len(rounds) > 1 else [],
        "versions": counts_by_version(framework),
        "may_run": user.has_perm("governance.run_meetings"),
    }
    return render(request, "governance/meeting_list.html", context)


def _local(meeting: Meeting) -> str:
    moment = meeting.starts_at.astimezone(ZoneInfo(meeting.time_zone))
    return f"{day(moment.date())}, {moment:%H:%M}"


def _meeting(request: HttpRequest, slug: str, number: int) -> Meeting:
    rows = Meeting.objects.visible_to(visitor(request)).select_related(
        *("framework__active_version", "left_version__framework", "planned_by", "closed_by")
    )
    found: Meeting = get_object_or_404(rows, framework__slug=slug, number=number)
    return found


@login_required
@require_safe
def meeting_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    return _detail(request, _meeting(request, slug, number))


def _detail(request: HttpRequest, meeting: Meeting, *, status: int = 200, **forms: Any) -> HttpResponse:
    page = MeetingPage(meeting, visitor(request), timezone.now())
    old, new = page.rounds()
    context: dict[str, Any] = {
        "meeting": meeting,
        "page": page,
        "framework": meeting.framework,
        "agenda": meeting.agenda.all(),
        "attendances": meeting.attendances.select_related("person"),
        "homework": page.homework,
        "decisions": page.decisions,
        "remarks": meeting.remarks.select_related("author"),
        "old": old,
        "new": new,
        "moves": _moves(page, new) if old and new else [],
        "decision_form": DecisionForm(prefix="d"),
        "homework_form": HomeworkForm(prefix="h"),
        "remark_form": RemarkForm(prefix="r"),
        "close_form": CloseForm(meeting=meeting, initial={"notes": meeting.notes}) if page.is_planned else None,
        "parts": _parts(meeting) if page.may_run else [],
    }
    return render(request, "governance/meeting_detail.html", {**context, **forms}, status=status)


def _moves(page: MeetingPage, new: Round) -> list[Any]:
    return move_rows(new, names_of(page.framework, moved_parts(new.moves)))


def _parts(meeting: Meeting) -> list[str]:
    rows = working_version(meeting.framework).parts.order_by("kind", "key").values_list("kind", "key")[:MOST_PARTS]
    return [f"{kind}/{key}" for kind, key in rows]


@login_required
@require_safe
def meeting_changes(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Every part whose text differs from what the meeting before left, typed, also within one draft."""
    meeting = _meeting(request, slug, number)
    page = MeetingPage(meeting, visitor(request), timezone.now())
    old, new = page.rounds()
    found = differences_between(old, new) if new else []
    sheet = Paginator(found, CHANGES_PER_SHEET).get_page(request.GET.get("page"))
    context = {
        "meeting": meeting,
        "framework": meeting.framework,
        "old": old,
        "new": new,
        "sheet": sheet,
        "count": len(found),
        "changes": changes_in(new, list(sheet.object_list)) if new else [],
    }
    return render(request, "governance/meeting_changes.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def meeting_new(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework, slug=slug)
    form = PlanForm(request.POST or None, initial=_first_guess(framework))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                meeting = plan_meeting(framework=framework, plan=form.plan(), actor=visitor(request), at=timezone.now())
            except (InvalidError, NotAllowedError) as refusal:
                status = 403 if isinstance(refusal, NotAllowedError) else 422
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"{meeting} is planned; its pack is ready whenever you look.")
                return redirect("governance:meeting_detail", slug, meeting.number)
    return _plan_page(request, form, framework, None, status)


def _plan_page(
    request: HttpRequest, form: PlanForm, framework: Framework, meeting: Meeting | None, status: int
) -> HttpResponse:
    may_run = visitor(request).has_perm("governance.run_meetings")
    context = {"form": form, "framework": framework, "meeting": meeting, "may_run": may_run}
    return render(request, "governance/meeting_plan.html", context, status=status)


def _first_guess(framework: Framework) -> dict[str, Any]:
    """A kickoff first, then refinements; in the framework's own time zone."""
    has_any = Meeting.objects.filter(framework=framework).exclude(state=Meeting.State.CANCELLED).exists()
    meta = working_version(framework).parts.filter(kind="meta").values_list("body__body__time_zone", flat=True).first()
    return {"kind": "refinement" if has_any else "kickoff", "time_zone": meta or "UTC"}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def meeting_edit(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting = _meeting(request, slug, number)
    form = PlanForm(request.POST or None, initial=_as_planned(meeting))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                change_meeting(
                    meeting=meeting,
                    plan=form.plan(),
                    revision=form.cleaned_data["revision"] or 0,
                    actor=visitor(request),
                    at=timezone.now(),
                )
            except (InvalidError, NotAllowedError, ConflictError) as refusal:
                status = {NotAllowedError: 403, ConflictError: 409}.get(type(refusal), 422)
                form.add_error(None, str(refusal))
            else:
                messages.success(request, "The plan is changed.")
                return redirect("governance:meeting_detail", slug, number)
    return _plan_page(request, form, meeting.framework, meeting, status)


def _as_planned(meeting: Meeting) -> dict[str, Any]:
    start = meeting.starts_at.astimezone(ZoneInfo(meeting.time_zone)).replace(tzinfo=None)
    return {
        "kind": meeting.kind,
        "start": start,
        "time_zone": meeting.time_zone,
        "focus": meeting.focus,
        "agenda": "\n".join(item.text for item in meeting.agenda.all()),
        "people": [row.person_id for row in meeting.attendances.all()],
        "notes": meeting.notes,
        "revision": meeting.revision,
    }


@act
def meeting_close(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting = _meeting(request, slug, number)
    form = CloseForm(request.POST, meeting=meeting)
    if not form.is_valid():
        raise InvalidError(
            [f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
        )
    closed = close_meeting(
        meeting=meeting,
        attendance=form.attendance(),
        notes=form.cleaned_data["notes"],
        actor=visitor(request),
        at=timezone.now(),
    )
    messages.success(request, f"{closed} is closed; it left {closed.left_version} as it stands now.")
    return redirect("governance:meeting_detail", slug, number)


@act
def meeting_cancel(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting, form = _meeting(request, slug, number), CancelForm(request.POST)
    reason = _read(form)["reason"]
    cancel_meeting(meeting=meeting, reason=reason, actor=visitor(request), at=timezone.now())
    messages.success(request, f"{meeting} is cancelled.")
    return redirect("governance:meeting_detail", slug, number)


@act
def decision_add(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting, form = _meeting(request, slug, number), DecisionForm(request.POST, prefix="d")
    data = _read(form)
    kind, key = form.part_id()
    record_decision(
        meeting=meeting,
        text=data["text"],
        part_kind=kind,
        part_key=key,
        decided_by=data["decided_by"],
        actor=visitor(request),
        at=timezone.now(),
    )
    messages.success(request, "The decision is written down.")
    return redirect("governance:meeting_detail", slug, number)


@act
def homework_add(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting, form = _meeting(request, slug, number), HomeworkForm(request.POST, prefix="h")
    data = _read(form)
    given = give_homework(
        meeting=meeting,
        text=data["text"],
        assignee=data["assignee"],
        due_on=data["due_on"],
        actor=visitor(request),
        at=timezone.now(),
    )
    messages.success(request, f"It waits in the inbox of {given.assignee}.")
    return redirect("governance:meeting_detail", slug, number)


@act
def homework_settle(request: HttpRequest, slug: str, number: int, uuid: UUID, to: str) -> HttpResponse:
    meeting = _meeting(request, slug, number)
    homework: Homework = get_object_or_404(meeting.homework.select_related("meeting__framework"), uuid=uuid)
    settled = settle_homework(homework=homework, to=to, actor=visitor(request), at=timezone.now())
    messages.success(request, f"The homework is {settled.get_state_display().lower()}.")
    return redirect("governance:meeting_detail", slug, number)


@act
def remark_add(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    meeting, form = _meeting(request, slug, number), RemarkForm(request.POST, prefix="r")
    add_remark(meeting=meeting, text=_read(form)["text"], actor=visitor(request), at=timezone.now())
    messages.success(request, "Your comment stands with the meeting.")
    return redirect("governance:meeting_detail", slug, number)


def _read(form: Any) -> dict[str, Any]:
    """What was typed. Raises InvalidError with every fault in it, each naming its field."""
    if not form.is_valid():
        raise InvalidError(
            [f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
        )
    cleaned: dict[str, Any] = form.cleaned_data
    return cleaned
