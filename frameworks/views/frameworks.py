"""Frameworks: the list, a new one from a template, and one framework's versions."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from frameworks import panels
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.exchange.templates import Template, list_templates
from frameworks.forms import FrameworkForm
from frameworks.models import Framework, FrameworkVersion
from frameworks.querysets import with_counts
from frameworks.services.drafting import create_framework, start_draft
from frameworks.views.answers import act, person, refused

VERSIONS_PER_SHEET = 50


@login_required
@require_GET
def framework_list(request: HttpRequest) -> HttpResponse:
    frameworks = with_counts(Framework.objects.order_by("name", "pk"))
    return render(request, "frameworks/framework_list.html", {"frameworks": frameworks, "may_edit": _may_edit(request)})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def framework_create(request: HttpRequest) -> HttpResponse:
    if not _may_edit(request):
        return refused(request, NotAllowedError("Your role may not start a framework."), back=_list_url())
    form = FrameworkForm(request.POST or None, initial={"template": "firmographic_value"})
    if request.method == "POST" and form.is_valid():
        try:
            version = create_framework(
                name=form.cleaned_data["name"],
                slug=form.cleaned_data["slug"],
                template=form.cleaned_data["template"] or None,
                actor=person(request),
                at=timezone.now(),
            )
        except InvalidError as error:
            for problem in error.problems:
                form.add_error(None, problem)
        else:
            messages.success(request, "The draft v0 is made. Everything in it is ASSUMED until somebody confirms it.")
            return redirect("frameworks:version_detail", slug=version.framework.slug, number=version.number)
    templates = [(template, _summary(template)) for template in list_templates()]
    context = {"form": form, "templates": templates, "chosen": form["template"].value()}
    return render(request, "frameworks/framework_create.html", context, status=422 if form.errors else 200)


@login_required
@require_GET
def framework_detail(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework.objects.select_related("active_version"), slug=slug)
    versions = framework.versions.select_related("author", "base_version").order_by("-number")
    sheet: Page[FrameworkVersion] = Paginator(versions, VERSIONS_PER_SHEET).get_page(request.GET.get("page"))
    for version in sheet:
        version.framework = framework
    context = {
        "framework": framework,
        "versions": sheet,
        "may_edit": _may_edit(request),
        "may_draft": _may_edit(request) and _may_be_drafted(framework),
        "working": versions.filter(state__in=_OPEN).first(),
        "body": panels.rendered(panels.FRAMEWORK_BODY, request, framework),
    }
    return render(request, "frameworks/framework_detail.html", context)


@act
def draft_start(request: HttpRequest, slug: str) -> HttpResponse:
    framework = get_object_or_404(Framework, slug=slug)
    version = start_draft(framework=framework, actor=person(request), at=timezone.now())
    messages.success(request, f"Draft v{version.number} starts with the parts of the version before it.")
    return redirect("frameworks:version_detail", slug=slug, number=version.number)


_OPEN = (
    FrameworkVersion.State.DRAFT,
    FrameworkVersion.State.IN_REVIEW,
    FrameworkVersion.State.APPROVED,
    FrameworkVersion.State.SCHEDULED,
)


def _may_be_drafted(framework: Framework) -> bool:
    newest = framework.versions.order_by("-number")[0]
    return bool(framework.active_version or newest.state == FrameworkVersion.State.REJECTED)


def _may_edit(request: HttpRequest) -> bool:
    return request.user.has_perm("frameworks.edit_draft")


def _list_url() -> str:
    return reverse("frameworks:framework_list")


def _summary(template: Template) -> list[str]:
    """The dimensions of a template with their segments, one sentence each."""
    labels = {key: body["label"] for key, body in template.of_kind("segment").items()}
    return [
        f"{body['label']}: {', '.join(labels[f'{key}/{short}'] for short in body['segments'])}"
        for key, body in template.of_kind("dimension").items()
    ]
