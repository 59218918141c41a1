"""The impact of a version: computed on request, shown with matrix, flows and movers, exported by name."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.exporting import csv_lines, safe_text
from accounts.impact_page import ImpactPage
from accounts.models import AssignmentRun, RunMove
from accounts.services.runs import plan_study, progress_of
from frameworks.models import FrameworkVersion
from frameworks.views.answers import act, person


def _version(slug: str, number: int) -> FrameworkVersion:
    rows = FrameworkVersion.objects.select_related("framework__active_version", "author")
    found: FrameworkVersion = get_object_or_404(rows, framework__slug=slug, number=number)
    return found


def _page(request: HttpRequest, slug: str, number: int) -> ImpactPage:
    asked = {name: request.GET.get(name, "") for name in ("dimension", "figures")}
    return ImpactPage(_version(slug, number), person(request), **asked)


@login_required
@require_safe
def version_impact(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Who moves from where to where with how much ARR, in one dimension."""
    page = _page(request, slug, number)
    return render(request, "accounts/impact.html", {"page": page, "version": page.version, **_progress(page)})


@login_required
@require_safe
def impact_progress(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """How far the study is; tells the page to load again when it is done."""
    page = _page(request, slug, number)
    response = render(request, "accounts/_impact_progress.html", {"page": page, **_progress(page)})
    if not page.is_working:
        response["HX-Refresh"] = "true"
    return response


def _progress(page: ImpactPage) -> dict[str, Any]:
    return {"progress": progress_of(page.study, timezone.now())} if page.study and page.is_working else {}


@act
def impact_compute(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Compute the impact with the data of today."""
    version = _version(slug, number)
    run = plan_study(version=version, actor=person(request), at=timezone.now())
    messages.success(request, f"The impact on {run.accounts:,} accounts is being computed. Nothing of them changes.")
    return redirect("accounts:version_impact", slug=slug, number=number)


@login_required
@require_safe
def impact_export(request: HttpRequest, slug: str, number: int) -> StreamingHttpResponse:
    """Every mover of the newest study, as CSV."""
    page = _page(request, slug, number)
    response = StreamingHttpResponse(csv_lines(_rows(page)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="impact-{slug}-v{number}.csv"'
    return response


def _rows(page: ImpactPage) -> Any:
    yield ["uuid", "name", "dimension", "from", "to", "reason", "arr", "currency", "csm"]
    study = (
        AssignmentRun.objects.filter(framework_version=page.version, evaluated_at__isnull=False).order_by("-pk").first()
    )
    if study is None:
        return
    moves = RunMove.objects.filter(run=study).exclude(from_segment_id=F("to_segment_id"))
    moves = moves.exclude(from_segment=None, to_segment=None)
    values = (
        "account__uuid",
        "account__name",
        "dimension__key",
        "from_segment__key",
        "to_segment__key",
        "reason",
        "account__arr",
        "account__currency",
        "account__csm__name",
    )
    for uuid, name, *others in moves.order_by("dimension_id", "account_id").values_list(*values).iterator():
        yield [uuid, safe_text(name), *("" if each is None else safe_text(each) for each in others)]
