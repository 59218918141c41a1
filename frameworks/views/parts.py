"""Editing one part of a draft, and what to do when somebody else was quicker."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from frameworks.criteria.parsing import CriteriaError
from frameworks.definition import definition_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StalePartError
from frameworks.forms import BodyForm, SegmentForm, TermForm
from frameworks.models import Contribution, FrameworkVersion, Kind, Part
from frameworks.services.drafting import delete_part, save_part
from frameworks.views.answers import act, person, refused
from frameworks.views.versions import version_or_404
from frameworks.yaml_text import write_yaml

EditForm = BodyForm | TermForm | SegmentForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def part_edit(request: HttpRequest, slug: str, number: int, kind: str, key: str) -> HttpResponse:
    version = version_or_404(slug, number)
    part = version.parts.select_related("body").filter(kind=kind, key=key).first()
    if part is None:
        raise Http404("There is no such part in this version.")
    return _edit(request, version, kind, part)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def part_new(request: HttpRequest, slug: str, number: int, kind: str) -> HttpResponse:
    if kind not in Kind.values:
        raise Http404("There is no such kind of part.")
    return _edit(request, version_or_404(slug, number), kind, None)


@act
def part_delete(request: HttpRequest, slug: str, number: int, kind: str, key: str) -> HttpResponse:
    delete_part(
        version=version_or_404(slug, number),
        kind=kind,
        key=key,
        expected_digest=request.POST.get("digest", ""),
        actor=person(request),
        at=timezone.now(),
        source=Contribution.Source.PAGE,
    )
    messages.success(request, f"{Kind(kind).label} {key} is taken out of this draft.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


def _edit(request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None) -> HttpResponse:
    try:
        _refuse_reader(request, version)
        form = _form(request, version, kind, part)
        if request.method == "POST" and form.is_valid():
            return _save(request, version, kind, part, form)
    except (NotAllowedError, ConflictError) as error:
        return refused(request, error, back=_version_url(version))
    return _show(request, version, kind, part, form, status=422 if form.errors else 200)


def _refuse_reader(request: HttpRequest, version: FrameworkVersion) -> None:
    if not person(request).has_perm("frameworks.edit_draft"):
        raise NotAllowedError("Your role may not edit drafts.")
    if version.state != FrameworkVersion.State.DRAFT:
        raise ConflictError(f"Version {version.number} is {version.standing.lower()}: its parts are frozen.")


def _save(
    request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None, form: EditForm
) -> HttpResponse:
    key = part.key if part else form.cleaned_data["key"]
    try:
        saved = save_part(
            version=version,
            kind=kind,
            key=key,
            body=form.body(),
            expected_digest=form.cleaned_data["digest"] or None,
            actor=person(request),
            at=timezone.now(),
            source=Contribution.Source.PAGE,
        )
    except StalePartError as error:
        return _conflict(request, version, error)
    except InvalidError as error:
        for problem in error.problems:
            form.add_error(None, problem)
        return _show(request, version, kind, part, form, status=422)
    if part and saved.body_id == part.body_id:
        messages.info(request, "Nothing changed, so nothing was saved.")
    else:
        messages.success(request, f"{key} is saved. It is ASSUMED until somebody confirms it.")
    return redirect(f"{_version_url(version)}?part={kind}/{key}")


def _version_url(version: FrameworkVersion) -> str:
    return reverse("frameworks:version_detail", kwargs={"slug": version.framework.slug, "number": version.number})


def _form(request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None) -> EditForm:
    """The form of the kind; every kind can also be edited as text, with `?as=text`."""
    data = request.POST if request.method == "POST" else None
    stored: Mapping[str, Any] = part.body.body if part else {}
    initial = {"digest": part.body_id if part else "", "key": part.key if part else ""}
    if request.GET.get("as") != "text":
        if kind == Kind.TERM:
            fields = {name: stored.get(name) for name in ("label", "wording", "owner")}
            return _locked(TermForm(data, initial={**initial, **fields}, stored=stored), part)
        if kind == Kind.SEGMENT and part:
            fields = {name: stored.get(name) for name in ("label", "description")}
            try:
                return SegmentForm(
                    data,
                    initial={**initial, **fields},
                    stored=stored,
                    definition=definition_of(version),
                    key=part.key,
                )
            except CriteriaError:
                # A rule that no longer fits its attributes has no text form; it can still be mended as YAML.
                messages.warning(request, "A rule of this segment cannot be read any more: mend it as text.")
    return _locked(BodyForm(data, initial={**initial, "text": write_yaml(stored) if stored else ""}), part)


def _locked(form: EditForm, part: Part | None) -> EditForm:
    if part:
        form.fields["key"].required = False
        form.fields["key"].disabled = True
    return form


def _show(
    request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None, form: EditForm, *, status: int
) -> HttpResponse:
    context = {
        "version": version,
        "framework": version.framework,
        "kind": kind,
        "kind_label": Kind(kind).label,
        "part": part,
        "form": form,
        "is_text": isinstance(form, BodyForm),
        "has_form": kind in (Kind.TERM, Kind.SEGMENT),
    }
    return render(request, "frameworks/part_edit.html", context, status=status)


def _conflict(request: HttpRequest, version: FrameworkVersion, error: StalePartError) -> HttpResponse:
    """Both texts; saving again starts from theirs."""
    mine = write_yaml(error.mine)
    form = BodyForm(initial={"digest": error.digest or "", "key": error.key, "text": mine})
    form.fields["key"].widget = form.fields["key"].hidden_widget()
    context = {
        "version": version,
        "framework": version.framework,
        "error": error,
        "form": form,
        "mine": mine,
        "theirs": write_yaml(error.theirs) if error.theirs is not None else "",
    }
    return render(request, "frameworks/part_conflict.html", context, status=409)
