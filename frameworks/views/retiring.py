"""Merging, splitting and retiring segments of a draft: one form that says where each of them goes."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from frameworks.dimension_edit import EditRefusedError
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleEditError
from frameworks.forms import RetireForm
from frameworks.models import Contribution, FrameworkVersion
from frameworks.retire_forecast import forecast_of
from frameworks.retire_page import RetirePage
from frameworks.services.retiring import Leaving, restore_segment, retire_segments
from frameworks.views.answers import act, person, refused
from frameworks.views.editor import dimension_or_404


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def segments_retire(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """The record of the dimension and, in a draft, the form; `?segment=` ticks one that somebody wants to take out."""
    if request.method != "POST":
        return _show(request, slug, number, key)
    version = dimension_or_404(slug, number, key)
    form = RetireForm(request.POST)
    form.full_clean()
    try:
        retire_segments(
            version=version,
            dimension=key,
            leaving=_leaving(request, form),
            digest=form.cleaned_data.get("digest", ""),
            actor=person(request),
            at=timezone.now(),
            source=Contribution.Source.PAGE,
        )
    except EditRefusedError as error:
        return _show(request, slug, number, key, problems=[each.message for each in error.found], status=422)
    except InvalidError as error:
        return _show(request, slug, number, key, problems=error.problems, status=422)
    except StaleEditError as error:
        return _show(request, slug, number, key, problems=[str(error)], status=409)
    except (ConflictError, NotAllowedError) as error:
        return refused(request, error, back=request.path)
    messages.success(request, "It is written down. Signers of the dimension sign the mapping with it.")
    return redirect("frameworks:segments_retire", slug=slug, number=number, key=key)


def _leaving(request: HttpRequest, form: RetireForm) -> Leaving:
    said = form.cleaned_data
    return Leaving(
        segments=request.POST.getlist("segment"),
        into=request.POST.getlist("into"),
        reason=said.get("reason", ""),
        new_label=said.get("new_label", ""),
        overrides=said.get("overrides", ""),
        takes_over=bool(said.get("takes_over")),
        rules_go_along=bool(said.get("rules_go_along")),
    )


@login_required
@require_safe
def segments_retire_forecast(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """How many accounts would become Unassigned by what is ticked, for who may edit the draft; nothing is written."""
    version = dimension_or_404(slug, number, key)
    if not RetirePage(version, key, person(request)).may_edit:
        return refused(request, NotAllowedError("Only who edits this draft is told."), back=_page_url(version, key))
    asked = request.GET
    leaving = Leaving(
        segments=asked.getlist("segment"),
        into=asked.getlist("into"),
        reason="",
        new_label=asked.get("new_label", ""),
        rules_go_along="rules_go_along" in asked,
    )
    foreseen = forecast_of(version, key, leaving, timezone.now()) if leaving.segments else None
    return render(request, "frameworks/_retire_forecast.html", {"foreseen": foreseen})


def _page_url(version: FrameworkVersion, key: str) -> str:
    return reverse("frameworks:segments_retire", args=[version.framework.slug, version.number, key])


def _show(
    request: HttpRequest, slug: str, number: int, key: str, *, problems: list[str] | None = None, status: int = 200
) -> HttpResponse:
    version = dimension_or_404(slug, number, key)
    posted = request.POST if request.method == "POST" else None
    ticked = tuple((posted or request.GET).getlist("segment"))
    page = RetirePage(version, key, person(request), ticked)
    context = {
        "page": page,
        "version": version,
        "framework": version.framework,
        "form": RetireForm(posted) if posted else RetireForm(),
        "chosen": posted.getlist("into") if posted else [],
        "problems": problems or [],
    }
    return render(request, "frameworks/segments_retire.html", context, status=status)


@act
def segment_restore(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Bring back a segment that this draft retired."""
    restore_segment(
        version=dimension_or_404(slug, number, key),
        dimension=key,
        segment=request.POST.get("segment", ""),
        digest=request.POST.get("digest", ""),
        actor=person(request),
        at=timezone.now(),
        source=Contribution.Source.PAGE,
    )
    messages.success(request, "It is back in this draft, as the version before has it.")
    return redirect("frameworks:segments_retire", slug=slug, number=number, key=key)
