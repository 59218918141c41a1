"""The audit log: to search, to prove, to take along."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frameworks.errors import NotAllowedError
from frameworks.models import FrameworkVersion
from governance.audit_page import lines_of
from governance.forms import AuditFilter, start_of
from governance.models import AuditEntry, AuditHead
from governance.services.audit import UnreadableAnchorError, instant, read_anchors, verify_chain
from governance.visitor import visitor

PER_PAGE = 50
EVIDENCE_SHOWN = 6
COLUMNS = (
    *("seq", "at", "actor_name", "actor_kind", "action", "object_type", "object_id", "object_label"),
    *("reason", "request_id", "prev_hash", "hash"),
)


def _require_reader(request: HttpRequest) -> None:
    if not visitor(request).has_perm("governance.view_audit"):
        raise NotAllowedError("Your role may not read the audit log.")


@login_required
@require_safe
def audit_log(request: HttpRequest) -> HttpResponse:
    _require_reader(request)
    form = AuditFilter(request.GET, actions=_actions())
    rows = _filtered(form) if form.is_valid() else AuditEntry.objects.none()
    before = request.GET.get("before", "")
    page = list(rows.filter(seq__lt=int(before))[: PER_PAGE + 1] if before.isdecimal() else rows[: PER_PAGE + 1])
    older = request.GET.copy()
    older["before"] = str(page[PER_PAGE - 1].seq) if len(page) > PER_PAGE else ""
    kept = request.GET.copy()
    kept.pop("before", None)
    context = {
        "form": form,
        "lines": lines_of(page[:PER_PAGE]),
        "next_url": f"?{older.urlencode()}" if older["before"] else "",
        "query": kept.urlencode(),
        "length": AuditHead.objects.get(pk=1).seq,
        "anchor": _last_anchor(),
        "versions": _versions_with_evidence(),
    }
    return render(request, "governance/audit_log.html", context)


def _versions_with_evidence() -> QuerySet[FrameworkVersion]:
    """The newest versions whose evidence can be taken along; older ones have it on their history."""
    found = FrameworkVersion.objects.exclude(state=FrameworkVersion.State.DRAFT)
    return found.select_related("framework__active_version").order_by("-submitted_at", "-pk")[:EVIDENCE_SHOWN]


def _actions() -> list[str]:
    """The acts that occur, from the index on them."""
    return list(AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct())


def _filtered(form: AuditFilter) -> QuerySet[AuditEntry]:
    wanted, rows = form.cleaned_data, AuditEntry.objects.order_by("-seq")
    text = wanted["q"].strip()
    if text:
        rows = rows.filter(
            Q(actor_name__icontains=text) | Q(object_label__icontains=text) | Q(object_id=text) | Q(action=text)
        )
    if wanted["action"]:
        rows = rows.filter(action=wanted["action"])
    if wanted["since"]:
        rows = rows.filter(at__gte=start_of(wanted["since"]))
    if wanted["until"]:
        rows = rows.filter(at__lt=start_of(wanted["until"]) + timedelta(days=1))
    return rows


def _last_anchor() -> dict[str, Any] | None:
    try:
        return next(reversed(read_anchors()), None)
    except UnreadableAnchorError:
        return None


@login_required
@require_safe
def audit_verification(request: HttpRequest) -> HttpResponse:
    """A fragment: walk the chain now and say whether it is sound."""
    _require_reader(request)
    context = {"verification": verify_chain(), "at": timezone.now()}
    return render(request, "governance/_audit_verification.html", context)


@login_required
@require_safe
def audit_csv(request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
    """The filtered log as CSV, oldest first, streamed."""
    _require_reader(request)
    form = AuditFilter(request.GET, actions=_actions())
    if not form.is_valid():
        return HttpResponse("The filter is not one.", status=422, content_type="text/plain")
    response = StreamingHttpResponse(_lines(_filtered(form).order_by("seq")), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cutline-audit-{timezone.now():%Y-%m-%d}.csv"'
    return response


class _Echo:
    def write(self, value: str) -> str:
        return value


def _lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in rows.iterator(chunk_size=2000):
        yield writer.writerow([_cell(row, column) for column in COLUMNS])


def _cell(row: AuditEntry, column: str) -> str:
    """Spreadsheets take a cell that begins so for a formula: people's words are kept from becoming one."""
    value = instant(row.at) if column == "at" else str(getattr(row, column))
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
