"""The pack before a meeting, the ASSUMED parts with who settles them, and the sign-off checklist."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.exporting import csv_lines, safe_text
from frameworks.errors import InvalidError
from frameworks.models import Framework, User
from frameworks.views.answers import act
from frameworks.views.versions import version_or_404
from governance.assumptions import OpenPart, open_parts
from governance.checklist import checklist_of
from governance.meeting_forms import ResolverForm
from governance.models import Meeting
from governance.pack import Pack
from governance.rounds import working_version
from governance.services.homework import assign_resolver
from governance.visitor import visitor

MOST_SHOWN = 500


@login_required
@require_safe
def meeting_pack(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Always of today: of a meeting that was held the page says so."""
    meeting, pack = _pack(request, slug, number)
    context = {"meeting": meeting, "framework": meeting.framework, "pack": pack, "version": pack.version}
    return render(request, "governance/meeting_pack.html", {**context, "today": timezone.localdate(pack.at)})


def _pack(request: HttpRequest, slug: str, number: int) -> tuple[Meeting, Pack]:
    rows = Meeting.objects.visible_to(visitor(request)).select_related("framework__active_version")
    meeting: Meeting = get_object_or_404(rows, framework__slug=slug, number=number)
    return meeting, Pack(working_version(meeting.framework), visitor(request), timezone.now())


@login_required
@require_safe
def pack_csv(request: HttpRequest, slug: str, number: int, table: str) -> StreamingHttpResponse:
    """One table of the pack as a file."""
    _, pack = _pack(request, slug, number)
    tables = {
        "thresholds": _threshold_rows,
        "assumed": lambda pack: assumed_rows(pack.assumed),
        "homework": _homework_rows,
    }
    if table not in tables:
        raise Http404("There is no such table in the pack.")
    return _file(tables[table](pack), f"{slug}-{table}.csv")


def _file(rows: Iterator[list[Any]], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        csv_lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _threshold_rows(pack: Pack) -> Iterator[list[Any]]:
    yield ["attribute", "threshold", "segments", "within_percent", "side", "accounts", "arr"]
    for key in pack.found_thresholds:
        for cut in pack.cuts_of(key):
            for band in cut.bands:
                for side, figure in (("below", band.below), ("at_or_above", band.above)):
                    percent = int(band.share * 100)
                    segments = safe_text("; ".join(cut.segments))
                    yield [key, cut.value, segments, percent, side, figure.accounts, figure.arr]


def assumed_rows(parts: list[OpenPart]) -> Iterator[list[Any]]:
    yield ["kind", "key", "label", "settled_by", "due_on", "overdue"]
    for each in parts:
        overdue = "yes" if each.is_overdue else "no"
        yield [each.kind, each.key, safe_text(each.label), safe_text(each.who), each.due_on or "", overdue]


def _homework_rows(pack: Pack) -> Iterator[list[Any]]:
    yield ["meeting", "homework", "who", "due_on", "given_by"]
    for row in pack.homework:
        yield [row.meeting, safe_text(row.text), safe_text(row.assignee.name), row.due_on, safe_text(row.given_by.name)]


# --- ASSUMED parts


@login_required
@require_safe
def assumed_list(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework.objects.select_related("active_version"), slug=slug)
    version, user, now = working_version(framework), visitor(request), timezone.now()
    parts = open_parts(version, user, now)
    if request.GET.get("format") == "csv":
        return _file(assumed_rows(parts), f"{slug}-assumed.csv")  # type: ignore[return-value]
    context = {
        "framework": framework,
        "version": version,
        "parts": parts[:MOST_SHOWN],
        "total": len(parts),
        "without": sum(each.resolver is None for each in parts),
        "overdue": sum(each.is_overdue for each in parts),
        "may_run": user.has_perm("governance.run_meetings"),
        "form": ResolverForm(version=version),
    }
    return render(request, "governance/assumed_list.html", context)


@act
def resolver_assign(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework, slug=slug)
    form = ResolverForm(request.POST, version=working_version(framework))
    if not form.is_valid():
        raise InvalidError(
            [f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
        )
    person: User | None = form.cleaned_data["person"]
    count = assign_resolver(
        framework=framework,
        parts=[(kind, key) for each in request.POST.getlist("part") for kind, _, key in [each.partition("/")]],
        person=person,
        source_key=form.cleaned_data["source"],
        due_on=form.cleaned_data["due_on"],
        actor=visitor(request),
        at=timezone.now(),
    )
    messages.success(request, f"{count} part{'' if count == 1 else 's'} assigned until {form.cleaned_data['due_on']}.")
    return redirect("governance:assumed_list", slug)


# --- the checklist


@login_required
@require_safe
def version_checklist(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    version = version_or_404(slug, number)
    checklist = checklist_of(version, timezone.now())
    context = {"version": version, "framework": version.framework, "checklist": checklist}
    return render(request, "governance/version_checklist.html", context)
