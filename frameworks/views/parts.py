"""Editing one part of a draft, and what to do when somebody else was quicker."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from frameworks.criteria.ast import json_schema as criteria_json_schema
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StalePartError
from frameworks.forms import BodyForm
from frameworks.mapping import offered_playbook
from frameworks.models import Contribution, FrameworkVersion, Kind, Part, PartBody
from frameworks.naming import names_of
from frameworks.part_forms.form import FIXED_KEYS, PartForm, options_of, schema_of
from frameworks.part_forms.merging import differences, merged
from frameworks.parts import json_schema
from frameworks.parts.naming import own_label
from frameworks.parts.policy import POLICIES
from frameworks.roles import PEOPLE, Role
from frameworks.services.drafting import delete_part, save_part
from frameworks.views.answers import act, person, refuse_unreadable, refused
from frameworks.views.versions import version_or_404
from frameworks.yaml_text import write_yaml


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def part_edit(request: HttpRequest, slug: str, number: int, kind: str, key: str) -> HttpResponse:
    version = version_or_404(slug, number)
    part = _stored(version, kind, key)
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
    if "\x00" in key:
        raise Http404("No part can have this key.")
    version = version_or_404(slug, number)
    title = names_of(version, [(kind, key)]).title_of(kind, key)
    delete_part(
        version=version,
        kind=kind,
        key=key,
        expected_digest=request.POST.get("digest", ""),
        actor=person(request),
        at=timezone.now(),
        source=Contribution.Source.PAGE,
    )
    messages.success(request, f"{title} is taken out of this draft.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


@require_GET
def part_schema(request: HttpRequest, kind: str) -> HttpResponse:
    """The JSON Schema of a kind of part; open to everyone, as it says nothing of any company."""
    if kind not in Kind.values:
        raise Http404("There is no such kind of part.")
    address = request.build_absolute_uri(reverse("frameworks:part_schema", args=[kind]))
    return JsonResponse({**json_schema(kind), "$id": address}, json_dumps_params={"indent": 2})


@require_GET
def criteria_schema(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of a rule's criteria, for editors; open to everyone like those of parts."""
    address = request.build_absolute_uri(reverse("frameworks:criteria_schema"))
    return JsonResponse({**criteria_json_schema(), "$id": address}, json_dumps_params={"indent": 2})


def _stored(version: FrameworkVersion, kind: str, key: str) -> Part | None:
    """None also at an address no part can have: PostgreSQL takes no NUL in text, and answers with an error."""
    if "\x00" in key:
        return None
    return version.parts.select_related("body").filter(kind=kind, key=key).first()


def _edit(request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None) -> HttpResponse:
    try:
        _refuse_reader(request, version)
        if kind == Kind.SEGMENT or request.GET.get("as") == "text":
            editor = _editor_url(request, version, part) if part and kind == Kind.SEGMENT else ""
            return redirect(editor) if editor else _edit_text(request, version, kind, part)
        key = part.key if part else _key_of_new(request, version, kind)
        if kind == Kind.POLICY and not key:
            return _choose_policy(request, version)
        return _edit_form(request, version, kind, part, key)
    except (NotAllowedError, ConflictError) as error:
        return refused(request, error, back=_version_url(version))


def _editor_url(request: HttpRequest, version: FrameworkVersion, segment: Part) -> str:
    """Rules are edited with their dimension; empty where the text is asked for or sent, or there is no dimension."""
    dimension = segment.key.partition("/")[0]
    is_text = request.method == "POST" or request.GET.get("as") == "text"
    if is_text or not version.parts.filter(kind=Kind.DIMENSION, key=dimension).exists():
        return ""
    return reverse("frameworks:dimension_edit", args=[version.framework.slug, version.number, dimension])


def _refuse_reader(request: HttpRequest, version: FrameworkVersion) -> None:
    if not person(request).has_perm("frameworks.edit_draft"):
        raise NotAllowedError("Your role may not edit drafts.")
    if version.state != FrameworkVersion.State.DRAFT:
        raise ConflictError(f"Version {version.number} is {version.is_now}: its parts are frozen.")


# As a form, for every kind that a schema describes


def _edit_form(request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None, key: str) -> HttpResponse:
    labels = _labels(version)
    options = options_of(labels, {role.value: str(role.label) for role in Role if role in PEOPLE})
    if request.method != "POST":
        key = key or _offered_key(request, version, kind)
        stored = dict(part.body.body) if part else offered_playbook(version, key) if kind == Kind.PLAYBOOK else {}
        form = PartForm(kind, key, part.body_id if part else "", stored, options)
        return _show_form(request, version, part, form)
    form = PartForm.posted(kind, key, request.POST, options)
    if form.is_rearranged:
        return _show_form(request, version, part, form)
    if not form.check():
        return _show_form(request, version, part, form, status=422)
    return _save_form(request, version, part, form)


def _key_of_new(request: HttpRequest, version: FrameworkVersion, kind: str) -> str:
    """The key that a new part has to have, or is asked for by `?key=`; empty when the form asks for it."""
    if kind == Kind.POLICY:
        asked = request.GET.get("key", "")
        return asked if asked in POLICIES else ""
    return FIXED_KEYS.get(kind, "")


def _offered_key(request: HttpRequest, version: FrameworkVersion, kind: str) -> str:
    """The segment that `?key=` asks a new playbook for."""
    asked = request.GET.get("key", "")
    return asked if kind == Kind.PLAYBOOK and asked in dict(_free_keys(version)) else ""


def _choose_policy(request: HttpRequest, version: FrameworkVersion) -> HttpResponse:
    there = set(version.parts.filter(kind=Kind.POLICY).values_list("key", flat=True))
    offered = [(key, own_label(Kind.POLICY, key), _purpose(model.__doc__)) for key, model in POLICIES.items()]
    purposes = [each for each in offered if each[0] not in there]
    context = {"version": version, "framework": version.framework, "policies": purposes}
    return render(request, "frameworks/policy_new.html", context)


def _purpose(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]


def _labels(version: FrameworkVersion) -> dict[tuple[str, str], str]:
    """What the forms offer to refer to: dimensions, segments and attributes by (kind, key)."""
    kinds = (Kind.DIMENSION, Kind.SEGMENT, Kind.DATA_SOURCE)
    rows = version.parts.filter(kind__in=kinds).order_by("pk").values_list("kind", "key", "body__body__label")
    return {(kind, key): str(label) for kind, key, label in rows}


def _show_form(
    request: HttpRequest, version: FrameworkVersion, part: Part | None, form: PartForm, *, status: int = 200
) -> HttpResponse:
    meta = version.parts.filter(kind=Kind.META).values_list("body__body__currency", flat=True).first()
    context = {
        **_place(version, form.kind, part),
        "form": form,
        "currency": meta or "USD",
        "needs_key": part is None and form.kind not in (*FIXED_KEYS, Kind.POLICY),
        "keys": _free_keys(version) if form.kind == Kind.PLAYBOOK and part is None else [],
        "asked_key": form.key or request.GET.get("key", ""),
    }
    return render(request, "frameworks/part_form.html", context, status=status)


def _place(version: FrameworkVersion, kind: str, part: Part | None) -> dict[str, Any]:
    return {
        "version": version,
        "framework": version.framework,
        "kind": kind,
        "kind_label": Kind(kind).label,
        "title": names_of(version, [(kind, part.key)]).title_of(kind, part.key) if part else "",
        "part": part,
    }


def _free_keys(version: FrameworkVersion) -> list[tuple[str, str]]:
    """The segments that have no playbook yet."""
    taken = set(version.parts.filter(kind=Kind.PLAYBOOK).values_list("key", flat=True))
    return [
        (key, label) for (kind, key), label in _labels(version).items() if kind == Kind.SEGMENT and key not in taken
    ]


def _save_form(request: HttpRequest, version: FrameworkVersion, part: Part | None, form: PartForm) -> HttpResponse:
    try:
        return _saved(request, version, part, form.kind, form.key, form.body, form.digest)
    except InvalidError as error:
        form.problems = list(error.problems)
        return _show_form(request, version, part, form, status=422)


def _saved(
    request: HttpRequest,
    version: FrameworkVersion,
    part: Part | None,
    kind: str,
    key: str,
    body: Any,
    digest: str,
) -> HttpResponse:
    """Save and go on to the part. Raises InvalidError; a conflict becomes the page with both texts."""
    try:
        saved = save_part(
            version=version,
            kind=kind,
            key=key,
            body=body,
            expected_digest=digest or None,
            actor=person(request),
            at=timezone.now(),
            source=Contribution.Source.PAGE,
        )
    except StalePartError as error:
        return _conflict(request, version, error, started_from=digest)
    if part and saved.body_id == part.body_id:
        messages.info(request, "Nothing changed, so nothing was saved.")
    else:
        title = names_of(version, [(kind, key)]).title_of(kind, key)
        messages.success(request, f"{title} is saved. It is ASSUMED until somebody confirms it.")
    return redirect(f"{_version_url(version)}?part={kind}/{key}")


def _version_url(version: FrameworkVersion) -> str:
    return reverse("frameworks:version_detail", kwargs={"slug": version.framework.slug, "number": version.number})


# As text


def _edit_text(request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None) -> HttpResponse:
    form = _text_form(request, part)
    if request.method != "POST" or not form.is_valid():
        return _show_text(request, version, kind, part, form, status=422 if form.errors else 200)
    key = part.key if part else form.cleaned_data["key"]
    try:
        return _saved(request, version, part, kind, key, form.body(), form.cleaned_data["digest"])
    except InvalidError as error:
        for problem in error.problems:
            form.add_error(None, problem)
        return _show_text(request, version, kind, part, form, status=422)


def _text_form(request: HttpRequest, part: Part | None) -> BodyForm:
    data = request.POST if request.method == "POST" else None
    initial = {
        "digest": part.body_id if part else "",
        "key": part.key if part else "",
        "text": write_yaml(part.body.body) if part else "",
    }
    form = BodyForm(data, initial=initial)
    if part:
        form.fields["key"].required = False
        form.fields["key"].disabled = True
    return form


def _show_text(
    request: HttpRequest, version: FrameworkVersion, kind: str, part: Part | None, form: BodyForm, *, status: int
) -> HttpResponse:
    context = {**_place(version, kind, part), "form": form}
    return render(request, "frameworks/part_edit.html", context, status=status)


# Two texts


def _conflict(
    request: HttpRequest, version: FrameworkVersion, error: StalePartError, *, started_from: str
) -> HttpResponse:
    """Both texts side by side, and per field whose is kept; nothing of either is lost."""
    model = schema_of(error.kind, error.key)
    base = PartBody.objects.filter(pk=started_from).values_list("body", flat=True).first() or {}
    context = {
        **_place(version, error.kind, None),
        "error": error,
        "is_gone": error.theirs is None,
        "mine": json.dumps(error.mine),
        "mine_text": write_yaml(error.mine),
        "theirs_text": write_yaml(error.theirs) if error.theirs is not None else "",
        "differences": differences(model, base=base, mine=error.mine, theirs=error.theirs or {}),
        "by": _last_editor(version, error),
    }
    return render(request, "frameworks/part_conflict.html", context, status=409)


def _last_editor(version: FrameworkVersion, error: StalePartError) -> Contribution | None:
    saved = version.contributions.filter(kind=error.kind, key=error.key)
    return saved.select_related("contributed_by").order_by("-pk").first()


@login_required
@require_http_methods(["POST"])
def part_merge(request: HttpRequest, slug: str, number: int, kind: str, key: str) -> HttpResponse:
    """Save what somebody chose, field by field, after a conflict. `digest` is the body they chose against."""
    version = version_or_404(slug, number)
    part = _stored(version, kind, key)
    digest = request.POST.get("digest", "")
    try:
        refuse_unreadable(request)
        _refuse_reader(request, version)
        theirs = PartBody.objects.filter(pk=digest, kind=kind).values_list("body", flat=True).first() or {}
        mine = _posted_json(request.POST.get("mine", ""))
        body = merged(schema_of(kind, key), mine=mine, theirs=theirs, picks=request.POST.dict())
        return _saved(request, version, part, kind, key, body, digest)
    except (NotAllowedError, ConflictError, InvalidError) as error:
        return refused(request, error, back=_version_url(version))
    except KeyError as error:
        raise Http404("There is no such kind of part.") from error


def _posted_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidError(["Your text did not arrive whole. Go back and try again."])
    return found
