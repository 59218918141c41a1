"""What differs between any two versions, or since the reader signed; typed, filtered, with both texts beside."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from frameworks.changes import described
from frameworks.comparison import Difference, differences, last_signed, since_signed
from frameworks.models import Framework, FrameworkVersion, Kind
from frameworks.parts import Level
from frameworks.views.answers import person

CHANGES_PER_SHEET = 50


@login_required
@require_GET
def framework_diff(request: HttpRequest, slug: str) -> HttpResponse:
    """`?from=2&to=5`, or `?since=signed&to=5`; `kind` and `level` narrow it, `view=texts` shows texts side by side."""
    framework = get_object_or_404(Framework.objects.select_related("active_version"), slug=slug)
    versions = list(framework.versions.order_by("-number"))
    new = _chosen(versions, request.GET.get("to"), versions[0])
    signed = last_signed(person(request), new)
    is_since = request.GET.get("since") == "signed" and signed is not None
    old = _chosen(versions, request.GET.get("from"), _default_base(versions, new))
    if is_since and signed:
        found = since_signed(signed, new)
    else:
        found = differences(old, new)
    chosen = _filtered(found, request.GET.get("kind", ""), request.GET.get("level", ""))
    sheet = Paginator(chosen, CHANGES_PER_SHEET).get_page(request.GET.get("page"))
    here = reverse("frameworks:version_detail", args=[slug, new.number])
    context = {
        "framework": framework,
        "versions": versions,
        "old": old,
        "new": new,
        "signed": signed,
        "is_since": is_since,
        "sheet": sheet,
        "changes": described(new, list(sheet), url=lambda part: f"{here}?part={part[0]}/{part[1]}"),
        "count": len(found),
        "kinds": [(kind, Kind(kind).label, count) for kind, count in _counts(found, "kind").items()],
        "levels": [(level, count) for level, count in _counts(found, "level").items()],
        "kind": request.GET.get("kind", ""),
        "level": request.GET.get("level", ""),
        "view": "texts" if request.GET.get("view") == "texts" else "words",
    }
    return render(request, "frameworks/framework_diff.html", context)


def _chosen(versions: Sequence[FrameworkVersion], number: str | None, default: FrameworkVersion) -> FrameworkVersion:
    if not number:
        return default
    found = next((version for version in versions if str(version.number) == number), None)
    if found is None:
        raise Http404("There is no such version.")
    return found


def _default_base(versions: Sequence[FrameworkVersion], new: FrameworkVersion) -> FrameworkVersion:
    """What a version is compared with when nobody says: the one it was drafted from, else the one before it."""
    base = next((version for version in versions if version.pk == new.base_version_id), None)
    return base or next((version for version in versions if version.number < new.number), new)


def _filtered(found: Sequence[Difference], kind: str, level: str) -> list[Difference]:
    return [each for each in found if kind in ("", each.kind) and level in ("", each.level)]


def _counts(found: Sequence[Difference], name: str) -> dict[str, int]:
    order: Any = list(Kind.values) if name == "kind" else [level.value for level in reversed(Level)]
    counts = {value: sum(getattr(each, name) == value for each in found) for value in order}
    return {value: count for value, count in counts.items() if count}
