"""The Checks tab: what the linter found in a version, the waivers, and the sample records."""

from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from frameworks.checks.findings import Finding, Sample
from frameworks.checks.slot import engine_checks
from frameworks.editor_page import EditorPage
from frameworks.errors import ConflictError, InvalidError
from frameworks.finding_rows import ShownFinding, shown_finding
from frameworks.models import Contribution, FrameworkVersion, Kind
from frameworks.services.waiving import waive_findings
from frameworks.version_page import VersionPage
from frameworks.views.answers import act, person
from frameworks.views.editor import dimension_or_404
from frameworks.views.versions import page_of, render_tab, version_or_404


@login_required
@require_GET
def version_checks(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    shown = [_shown(page, finding) for finding in page.findings]
    found = {finding.waiver_key for finding in page.findings}
    dimensions = page.document.of_kind(Kind.DIMENSION)
    report = page.report
    return render_tab(
        request,
        page,
        "version_checks",
        errors=[each for each in shown if each.finding.severity == "error"],
        open_warnings=[each for each in shown if each.finding.severity == "warning" and each.finding.is_open],
        waived=[each for each in shown if each.finding.waiver],
        spare_waivers=[part for part in page.document.of_kind(Kind.WAIVER) if part.key not in found]
        if report and report.is_current
        else [],
        gates=page.problems or page.blockers,
        report=report,
        sample_heads=[part.label for part in dimensions],
        samples=[_sample_row(page, sample, [part.key for part in dimensions]) for sample in report.samples]
        if report
        else [],
        can_run=engine_checks() is not None and page.may("edit_draft"),
    )


def _shown(page: VersionPage, finding: Finding) -> ShownFinding:
    part = (finding.kind, finding.subject)
    if finding.kind and page.document.part(*part):
        return shown_finding(finding, page.part_url(part), page.document.label_of(*part), _waiver_url(page, finding))
    return shown_finding(finding, waiver_url=_waiver_url(page, finding))


def _waiver_url(page: VersionPage, finding: Finding) -> str:
    """Its form for who may write in the draft, else its text; empty where nothing is waived."""
    if finding.waiver is None:
        return ""
    may_edit = page.version.state == FrameworkVersion.State.DRAFT and page.may("edit_draft")
    if may_edit:
        return page.url("part_edit", kind=Kind.WAIVER, key=finding.waiver_key)
    return page.part_url((Kind.WAIVER, finding.waiver_key))


def _sample_row(page: VersionPage, sample: Sample, dimensions: Iterable[str]) -> dict[str, object]:
    def name(dimension: str, segment: str | None) -> str:
        return page.document.label_of(Kind.SEGMENT, f"{dimension}/{segment}").partition(" / ")[2] if segment else "–"

    cells = [
        {
            "now": name(key, sample.segments.get(key)),
            "before": name(key, sample.before[key]) if key in sample.before else "",
        }
        for key in dimensions
    ]
    values = [f"{label} {value}" for label, value in sample.values if value != "missing"]
    shown = {"values": " · ".join(values), "count": len(values)}
    return {"number": sample.number, **shown, "cells": cells, "is_changed": bool(sample.before)}


@act
def checks_run(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Compute a new report: at once, or in a worker while the page shows how far it is."""
    version, checks = version_or_404(slug, number), engine_checks()
    if checks is None:
        raise InvalidError(["This installation has no engine to run checks with."])
    report = checks.start(version=version, actor=person(request), at=timezone.now())
    if not report.is_running:
        messages.success(request, f"Checked: {report.cells:,} cells and {report.accounts:,} accounts.")
    return redirect("frameworks:version_checks", slug=slug, number=number)


@act
def checks_waive(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Write waivers for the ticked warnings; each is posted with what the page showed of it.

    `dimension` is sent by the editor of one, which shows findings before anybody runs the checks.
    """
    version = version_or_404(slug, number)
    dimension = request.POST.get("dimension", "")
    found = VersionPage(version, person(request), timezone.now()).findings
    if dimension:
        version = dimension_or_404(slug, number, dimension)
        found = [*found, *(each.finding for each in EditorPage(version, dimension, person(request)).findings())]
    now = {finding.fingerprint: finding for finding in found}
    wanted = request.POST.getlist("seen")
    if any(seen not in now for seen in wanted):
        raise ConflictError("A finding is not what the page showed any more. Nothing was waived; look again.")
    written = waive_findings(
        version=version,
        findings=[now[seen] for seen in wanted],
        reason=request.POST.get("reason", ""),
        actor=person(request),
        at=timezone.now(),
        source=Contribution.Source.PAGE,
    )
    messages.success(request, f"{len(written)} waiver{'' if len(written) == 1 else 's'} written.")
    if dimension:
        return redirect("frameworks:dimension_edit", slug=slug, number=number, key=dimension)
    return redirect("frameworks:version_checks", slug=slug, number=number)
