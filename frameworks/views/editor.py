"""The dimension editor: its page, the check of what is being typed, and saving it as one act."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from frameworks.account_lists import lists_for
from frameworks.definition import bodies_of
from frameworks.dimension_edit import DimensionEdit, EditRefusedError, judge_edit, read_edit
from frameworks.editor_page import EditorPage, diff_pieces, said_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleEditError, StalePartError
from frameworks.models import Contribution, FrameworkVersion, Kind
from frameworks.services.editing import save_dimension
from frameworks.views.answers import person
from frameworks.views.versions import version_or_404
from frameworks.yaml_text import write_yaml

View = Callable[..., HttpResponse]


def answers_json(view: View) -> View:
    """A view for the editor's program: by a person, by POST; refusals are JSON with `detail` and their places."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotAllowedError as error:
            return JsonResponse({"detail": " ".join(error.reasons)}, status=403)
        except StaleEditError as error:
            conflicts = [_conflict(part) for part in error.parts]
            return JsonResponse({"detail": str(error), "conflicts": conflicts}, status=409)
        except ConflictError as error:
            return JsonResponse({"detail": str(error)}, status=409)
        except InvalidError as error:
            return JsonResponse({"detail": " ".join(error.problems)}, status=422)

    return login_required(require_POST(answered))


def _conflict(error: StalePartError) -> dict[str, Any]:
    """Both texts of a part; `pieces` are theirs turned into ours."""
    mine = write_yaml(error.mine) if error.mine is not None else ""
    theirs = write_yaml(error.theirs) if error.theirs is not None else ""
    return {
        "kind": error.kind,
        "key": error.key,
        "digest": error.digest or "",
        "body": error.theirs,
        "mine": mine,
        "theirs": theirs,
        "pieces": diff_pieces(theirs, mine),
    }


def read_json(request: HttpRequest) -> Any:
    """The request's JSON. Raises InvalidError."""
    try:
        return json.loads(request.body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidError("This is not JSON that can be read.") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number.")


def sent_edit(request: HttpRequest, key: str) -> tuple[DimensionEdit, dict[str, Any]]:
    """The edit a page sent, and the whole of what it sent with it."""
    sent = read_json(request)
    return read_edit(key, sent), sent


def dimension_or_404(slug: str, number: int, key: str) -> FrameworkVersion:
    """The version, which must have the dimension."""
    version = version_or_404(slug, number)
    if not version.parts.filter(kind=Kind.DIMENSION, key=key).exists():
        raise Http404("There is no such dimension in this version.")
    return version


@login_required
@require_safe
def dimension_edit(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """The editor; who may not change the version sees the same page without the means to."""
    version = dimension_or_404(slug, number, key)
    page = EditorPage(version, key, person(request))
    context = {
        "version": version,
        "framework": version.framework,
        "page": page,
        "data": page.data(),
        "findings": page.findings(),
        "is_stored": True,
    }
    return render(request, "frameworks/dimension_edit.html", context)


@answers_json
def dimension_check(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """What is being typed, read: sentences, texts and documents of what can be read, problems of the rest."""
    version = dimension_or_404(slug, number, key)
    edit, _ = sent_edit(request, key)
    before = EditorPage(version, key, person(request)).judged()
    bodies = bodies_of(version)
    return JsonResponse(said_of(judge_edit(edit, bodies, lists=lists_for(bodies)), before))


@answers_json
def dimension_save(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Save the dimension and its segments. 422 names every problem with its place, 409 has both texts."""
    version = dimension_or_404(slug, number, key)
    edit, _ = sent_edit(request, key)
    actor, at = person(request), timezone.now()
    try:
        written = save_dimension(version=version, edit=edit, actor=actor, at=at, source=Contribution.Source.PAGE)
    except EditRefusedError as error:
        bodies = bodies_of(version)
        judgement = judge_edit(edit, bodies, lists=lists_for(bodies))
        judgement.problems[:] = error.found
        return JsonResponse({"detail": _refusal(error), **said_of(judgement)}, status=422)
    digests = {f"{part.kind}/{part.key}": part.body_id for part in version.parts.all()}
    return JsonResponse({"written": [part.key for part in written], "digests": digests})


def _refusal(error: EditRefusedError) -> str:
    count = len(error.found)
    return f"Nothing was saved: {count} {'thing has' if count == 1 else 'things have'} to be mended first."
