"""Help generated from the active version, and the command palette's answers."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.querysets import visible_accounts
from frameworks import navigation
from frameworks.criteria.text_keys import matching_key
from frameworks.models import Dimension, Framework, FrameworkVersion, Kind, Part, User
from frameworks.parts import parse_body
from frameworks.parts.term import Term
from governance.documents import PRINTABLES
from governance.services.eligibility import overrides_policy, reason_codes
from governance.visitor import visitor

MOST = 12


@login_required
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    frameworks = Framework.objects.filter(active_version__isnull=False).select_related("active_version")
    shown = [
        PRINTABLES[slug] for slug in ("quick-reference-card", "faq", "exception-process", "segmentation-framework")
    ]
    context = {"frameworks": [_guide(framework) for framework in frameworks], "printables": shown}
    return render(request, "governance/help.html", context)


def _guide(framework: Framework) -> dict[str, object]:
    terms = Part.objects.filter(version=framework.active_version, kind=Kind.TERM).select_related("body")
    live = Dimension.objects.filter(framework=framework, is_live=True).prefetch_related("segments")
    return {
        "framework": framework,
        "terms": [term for part in terms if isinstance(term := parse_body(Kind.TERM, part.body.body), Term)],
        "dimensions": [(each, [row for row in each.segments.all() if row.is_live]) for each in live],
        "policy": overrides_policy(framework),
        "reasons": reason_codes(framework),
    }


@login_required
@require_safe
def palette(request: HttpRequest) -> JsonResponse:
    """Accounts, segments, versions and pages whose name holds `q`: a list of {label, kind, url}."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    if not text:
        return JsonResponse([], safe=False)
    user = visitor(request)
    found = [*_pages(user, text), *_accounts(user, text), *_versions(text), *_dimensions(text)]
    return JsonResponse(found[:MOST], safe=False)


def _answer(label: str, kind: str, url: str) -> dict[str, str]:
    return {"label": label, "kind": kind, "url": url}


def _pages(user: User, text: str) -> list[dict[str, str]]:
    entries = navigation.registered_entries()
    return [
        _answer(entry.label, "Page", reverse(entry.url_name))
        for entry in entries
        if text.casefold() in entry.label.casefold()
        and (entry.permission is None or user.has_perm(entry.permission))
        and (user.is_staff or not entry.staff_only)
    ]


def _accounts(user: User, text: str) -> list[dict[str, str]]:
    """Names that begin so first: what people type is the start of a name."""
    key = matching_key(text)
    if not key:
        return []
    seen = visible_accounts(user)
    rows = list(seen.filter(name_key__startswith=key).order_by("name")[:MOST])
    if len(rows) < MOST:
        known = {row.pk for row in rows}
        rows += [row for row in seen.filter(name_key__contains=key).order_by("name")[:MOST] if row.pk not in known]
    return [_answer(row.name, "Account", reverse("accounts:account_detail", args=[row.uuid])) for row in rows[:MOST]]


def _versions(text: str) -> list[dict[str, str]]:
    rows = FrameworkVersion.objects.select_related("framework").filter(framework__name__icontains=text)
    return [
        _answer(
            f"{row.framework.name} {row} ({row.standing.lower()})",
            "Version",
            reverse("frameworks:version_detail", args=[row.framework.slug, row.number]),
        )
        for row in rows.order_by("framework", "-number")[:4]
    ]


def _dimensions(text: str) -> list[dict[str, str]]:
    rows = Dimension.objects.filter(is_live=True, name__icontains=text).select_related("framework__active_version")
    return [
        _answer(
            row.name,
            "Dimension",
            reverse("frameworks:version_detail", args=[row.framework.slug, row.framework.active_version.number]),
        )
        for row in rows[:4]
        if row.framework.active_version
    ]
