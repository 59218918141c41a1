"""The field inventory and the gap analysis: filtered and sorted by the address, and as CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.exporting import csv_lines, safe_text
from frameworks.models import Framework, FrameworkVersion
from frameworks.templatetags.cutline import share
from governance.field_inventory import Inventory, InventoryRow, inventory_of
from governance.gap_analysis import KIND_LABELS, PRIORITIES, Gap, GapAnalysis, GapKind, gap_analysis_of
from governance.intake_targets import working_version
from governance.views.intake import framework_of

FLAGS: Mapping[str, tuple[str, Callable[[InventoryRow], bool]]] = {
    "under": ("Read by rules, under the limit", lambda row: row.is_used and row.is_under),
    "stale": ("Read by rules, too old", lambda row: row.is_used and row.is_stale),
    "no_source": ("Read by rules, without a source", lambda row: row.is_used and not row.has_source),
    "used": ("Read by rules", lambda row: row.is_used),
    "unused": ("Read by no rule", lambda row: not row.is_used),
}
SORTS: Mapping[str, Callable[[InventoryRow], Any]] = {
    "name": lambda row: (row.label.casefold(), row.key),
    "share": lambda row: (row.share is None, row.share or 0),
    "readers": lambda row: len(row.readers),
    "source": lambda row: (not row.system, row.system.casefold()),
    "newest": lambda row: (row.fill is None or row.fill.newest is None, str(row.fill.newest if row.fill else "")),
}
HEADS = {
    "name": "Attribute",
    "source": "From",
    "share": "Populated",
    "newest": "Last observed",
    "readers": "Read by",
}


class InventoryFilter(forms.Form):
    q = forms.CharField(
        required=False,
        max_length=100,
        label="Search",
        widget=forms.TextInput(attrs={"placeholder": "Attribute, system or owner"}),
    )
    show = forms.ChoiceField(
        required=False, label="Show", choices=[("", "All"), *((key, label) for key, (label, _) in FLAGS.items())]
    )
    framework = forms.ModelChoiceField(
        required=False,
        label="Framework",
        queryset=Framework.objects.select_related("active_version").order_by("name", "pk"),
        to_field_name="slug",
        empty_label=None,
    )
    sort = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)


class GapFilter(forms.Form):
    priority = forms.ChoiceField(
        required=False,
        label="Priority",
        choices=[("", "Any"), *((each.value, each.value.title()) for each in PRIORITIES)],
    )
    kind = forms.ChoiceField(
        required=False, label="Kind", choices=[("", "Any"), *((kind.value, KIND_LABELS[kind]) for kind in GapKind)]
    )
    v = forms.IntegerField(required=False, min_value=0, max_value=999_999_999, widget=forms.HiddenInput)


# --- inventory


def _inventory(request: HttpRequest) -> tuple[InventoryFilter, Framework | None, Inventory, list[InventoryRow]]:
    form = InventoryFilter(request.GET)
    is_valid = form.is_valid()
    framework = form.cleaned_data.get("framework") or Framework.objects.select_related("active_version").first()
    inventory = inventory_of(working_version(framework) if framework else None, timezone.now())
    return form, framework, inventory, _shown(inventory.rows, form.cleaned_data) if is_valid else []


def _shown(rows: Iterable[InventoryRow], wanted: Mapping[str, Any]) -> list[InventoryRow]:
    text = wanted["q"].strip().casefold()
    found = [row for row in rows if text in f"{row.key} {row.label} {row.system} {row.owner}".casefold()]
    if wanted["show"]:
        found = [row for row in found if FLAGS[wanted["show"]][1](row)]
    by = wanted["sort"].removeprefix("-")
    return sorted(found, key=SORTS.get(by, SORTS["name"]), reverse=wanted["sort"].startswith("-") and by in SORTS)


@login_required
@require_safe
def field_inventory(request: HttpRequest) -> HttpResponse:
    form, framework, inventory, rows = _inventory(request)
    by = request.GET.get("sort", "")
    context = {
        "form": form,
        "framework": framework,
        "inventory": inventory,
        "rows": [(row, inventory.reader_labels(row)) for row in rows],
        "figures": _figures(inventory, f"?framework={framework.slug}&" if framework else "?"),
        "heads": [(key, label, "" if by != key else "-", _direction(by, key)) for key, label in HEADS.items()],
        "query": request.GET.urlencode(),
    }
    return render(request, "governance/field_inventory.html", context, status=200 if form.is_valid() else 422)


def _direction(by: str, key: str) -> str:
    return {key: "ascending", f"-{key}": "descending"}.get(by, "")


def _figures(inventory: Inventory, here: str) -> list[dict[str, Any]]:
    used = inventory.used
    under, stale, bare = (sum(map(FLAGS[name][1], used)) for name in ("under", "stale", "no_source"))
    return [
        {
            "label": "Values there",
            "value": share(inventory.score),
            "detail": f"of what rules read, over {inventory.total:,} accounts",
            "tone": "bad" if inventory.score is not None and inventory.score < inventory.limit else "",
        },
        {
            "label": f"Under {share(inventory.limit)}",
            "value": under,
            "detail": f"of {len(used)} attributes that rules read",
            "tone": "bad" if under else "ok",
            "url": f"{here}show=under",
        },
        {
            "label": "Too old",
            "value": stale,
            "detail": "older than their source allows",
            "tone": "warn" if stale else "ok",
            "url": f"{here}show=stale",
        },
        {
            "label": "Without a source",
            "value": bare,
            "detail": "nobody says which system",
            "tone": "warn" if bare else "ok",
            "url": f"{here}show=no_source",
        },
    ]


@login_required
@require_safe
def field_inventory_csv(request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
    form, _, inventory, rows = _inventory(request)
    if not form.is_valid():
        return HttpResponse("The filter is not one.", status=422, content_type="text/plain")
    head = (
        *("attribute", "label", "type", "storage", "system", "owner", "refresh", "accounts", "populated"),
        *("populated_share", "stale", "last_observed", "under_limit", "read_by"),
    )
    return _csv("fields", [head, *(_inventory_cells(inventory, row) for row in rows)])


def _inventory_cells(inventory: Inventory, row: InventoryRow) -> list[Any]:
    fill = row.fill
    return [
        *(
            safe_text(each)
            for each in (row.key, row.label, row.data_type, row.storage, row.system, row.owner, row.refresh)
        ),
        row.total,
        fill.populated if fill else "",
        f"{row.share:.4f}" if row.share is not None else "",
        fill.stale if fill else "",
        fill.newest.isoformat() if fill and fill.newest else "",
        "yes" if row.is_under else "no",
        safe_text("; ".join(inventory.reader_labels(row))),
    ]


# --- gaps


def _gaps(request: HttpRequest, slug: str) -> tuple[GapFilter, GapAnalysis, list[Gap]]:
    framework, form = framework_of(slug), GapFilter(request.GET)
    is_valid = form.is_valid()
    version = _version(framework, form.cleaned_data.get("v"))
    analysis = gap_analysis_of(framework, version, timezone.now())
    wanted = form.cleaned_data
    shown = [
        gap
        for gap in (analysis.gaps if is_valid else ())
        if wanted["priority"] in ("", gap.priority) and wanted["kind"] in ("", gap.kind)
    ]
    return form, analysis, shown


def _version(framework: Framework, number: int | None) -> FrameworkVersion | None:
    """The version that the address names, else the one people work on."""
    if number is None:
        return working_version(framework)
    version = framework.versions.filter(number=number).first()
    if version is None:
        raise Http404("This framework has no such version.")
    version.framework = framework
    return version


@login_required
@require_safe
def gap_analysis(request: HttpRequest, slug: str) -> HttpResponse:
    """`?v=` names a version; without it, the one people work on."""
    form, analysis, gaps = _gaps(request, slug)
    context = {
        "form": form,
        "framework": analysis.framework,
        "analysis": analysis,
        "gaps": gaps,
        "figures": _gap_figures(analysis),
        "query": request.GET.urlencode(),
    }
    return render(request, "governance/gap_analysis.html", context, status=200 if form.is_valid() else 422)


def _gap_figures(analysis: GapAnalysis) -> list[dict[str, Any]]:
    counted = analysis.by_priority
    high, medium, low = (counted[priority] for priority in PRIORITIES)
    here = f"?v={analysis.version.number}&" if analysis.version else "?"
    return [
        {
            "label": "High",
            "value": high,
            "detail": "decide a segment or stop something",
            "tone": "bad" if high else "ok",
            "url": f"{here}priority=high",
        },
        {"label": "Medium", "value": medium, "detail": "rules or people count on it", "url": f"{here}priority=medium"},
        {"label": "Low", "value": low, "detail": "kept beside the framework", "url": f"{here}priority=low"},
        {
            "label": "Unassigned for missing data",
            "value": f"{analysis.unassigned:,}",
            "detail": f"of {analysis.inventory.total:,} accounts, today",
            "tone": "warn" if analysis.unassigned else "ok",
        },
        {
            "label": "Questions answered",
            "value": f"{analysis.answered} of {len(analysis.questions)}",
            "detail": f"against {analysis.version}" if analysis.version else "",
        },
    ]


@login_required
@require_safe
def gap_analysis_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse | HttpResponse:
    form, _, gaps = _gaps(request, slug)
    if not form.is_valid():
        return HttpResponse("The filter is not one.", status=422, content_type="text/plain")
    head = (
        "priority",
        "kind",
        "subject",
        "gap",
        "dimensions",
        "segments",
        "decides",
        "unassigned_accounts",
        "action",
        "owner",
    )
    return _csv(f"gaps-{slug}", [head, *(_gap_cells(gap) for gap in gaps)])


def _gap_cells(gap: Gap) -> list[Any]:
    words = (gap.priority.value, gap.kind_label, gap.subject, gap.text)
    depends = ("; ".join(each) for each in (gap.dimensions, gap.segments, gap.decides))
    return [
        *(safe_text(each) for each in (*words, *depends)),
        gap.accounts,
        safe_text(gap.action),
        safe_text(gap.owner),
    ]


def _csv(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y-%m-%d}.csv"'
    return response
