"""What a link lets somebody read who is not logged in: one version, for a few hours, and nothing else.

Nobody is logged in by a link: `request.user` stays anonymous, so every other page sends to the log-in as ever. These
pages take no version from the address. Which one they show is looked up by the invitation that the session names,
at each request; revoking it, or deactivating the person, ends the reading at once.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, cast

from allauth.core.internal import ratelimit
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.impact_page import ImpactPage
from frameworks.changes import described
from frameworks.document import PartId
from frameworks.models import Kind, User
from frameworks.version_page import VersionPage
from governance.errors import GoneError
from governance.models import Invitation
from governance.services.invitations import READS_FOR, UNKNOWN, invitation_of, readable, use_invitation, why_gone
from governance.services.telling import asked_to_sign, version_url

KEY = "reading"
"""What the session keeps: the invitation's uuid. A session that is not signed in by it has no such key."""
LIMIT = {"invited": "30/5m/ip"}
PER_SHEET = 50
DIMENSIONS_PER_SHEET = 10
TABS = (
    ("reading", "Overview"),
    ("reading_definitions", "Definitions"),
    ("reading_changes", "Changes"),
    ("reading_impact", "Impact"),
)

View = Callable[[HttpRequest, Invitation], HttpResponse]


# The link


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, secret: str) -> HttpResponse:
    """The page of a link: it says whom it is for; the button on it uses it up. Looking changes nothing."""
    at = timezone.now()
    if not ratelimit.consume(request, app="governance", action="invited", config=LIMIT, limit_get=True):
        return _gone(request, "Too many links were opened from here", "Try again in five minutes.", status=429)
    invitation = invitation_of(secret)
    if invitation is None or (why := why_gone(invitation, at)):
        return _gone(request, "This link opens nothing any more", why if invitation else UNKNOWN)
    if request.user.is_authenticated and request.user.pk != invitation.person_id:
        return render(request, "governance/invited_other.html", {"invitation": invitation}, status=409)
    if request.method != "POST":
        return render(request, "governance/invited.html", {"invitation": invitation, "hours": _hours()})
    return _use(request, secret, at)


def _use(request: HttpRequest, secret: str, at: datetime) -> HttpResponse:
    try:
        invitation = use_invitation(secret=secret, at=at)
    except GoneError as error:
        return _gone(request, "This link opens nothing any more", str(error))
    if request.user.is_authenticated:
        return redirect(version_url(invitation.version))
    # Whatever this browser's session held before, and whoever knew its id, is left behind.
    request.session.flush()
    request.session[KEY] = str(invitation.uuid)
    rotate_token(request)
    return redirect("governance:reading")


def _hours() -> int:
    return int(READS_FOR.total_seconds() // 3600)


def _gone(request: HttpRequest, title: str, why: str, status: int = 410) -> HttpResponse:
    return render(request, "governance/invited_gone.html", {"title": title, "why": why}, status=status)


# What it opens


def by_invitation(view: View) -> Callable[[HttpRequest], HttpResponse]:
    """A page for the browser that used a link. Who is logged in reads the real pages; anybody else logs in."""

    @wraps(view)
    def answered(request: HttpRequest) -> HttpResponse:
        named = request.session.get(KEY)
        if request.user.is_authenticated or not named:
            return redirect_to_login(request.path) if request.user.is_anonymous else redirect("governance:inbox")
        invitation = readable(named, timezone.now())
        if invitation is None:
            return _gone(request, "Reading by this link is over", "Log in to read on, or ask for another link.")
        return view(request, invitation)

    return never_cache(require_safe(answered))


def _render(request: HttpRequest, invitation: Invitation, tab: str, **context: Any) -> HttpResponse:
    version = invitation.version
    is_asked = version.state == version.State.IN_REVIEW and invitation.person_id in asked_to_sign(version)
    page = version_url(version, "signing" if is_asked else "version_detail")
    common = {
        "invitation": invitation,
        "version": version,
        "framework": version.framework,
        "until": invitation.used_at + READS_FOR if invitation.used_at else None,
        "is_asked": is_asked,
        "log_in_url": f"{reverse('account_login')}?next={page}",
        "tabs": [
            {"label": label, "url": reverse(f"governance:{name}"), "is_current": name == tab} for name, label in TABS
        ],
    }
    return render(request, f"governance/{tab}.html", common | context)


def _page(invitation: Invitation) -> VersionPage:
    """The version as somebody sees it who may do nothing with it."""
    return VersionPage(invitation.version, cast("User", AnonymousUser()), timezone.now())


@by_invitation
def overview(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """What the version is for, its dimensions with their rules in words, and who has signed."""
    page = _page(invitation)
    sheet = Paginator(page.keys_of(Kind.DIMENSION), DIMENSIONS_PER_SHEET).get_page(request.GET.get("page"))
    dimensions = [(each["part"], each["segments"]) for each in page.dimensions_among(list(sheet.object_list))]
    lines = page.requirement_lines
    return _render(request, invitation, "reading", page=page, sheet=sheet, dimensions=dimensions, lines=lines)


@by_invitation
def definitions(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    page = _page(invitation)
    sheet = Paginator(page.keys_of(Kind.TERM), PER_SHEET).get_page(request.GET.get("page"))
    document = page.read(list(sheet.object_list))
    terms = [part for each in sheet.object_list if (part := document.part(*each))]
    return _render(request, invitation, "reading_definitions", sheet=sheet, terms=terms)


@by_invitation
def changes(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """What differs from the version it is based on; nothing for a first one."""
    page = _page(invitation)
    sheet = Paginator(page.differences, PER_SHEET).get_page(request.GET.get("page"))
    found = described(invitation.version, list(sheet), url=_place)
    view = "texts" if request.GET.get("view") == "texts" else "words"
    return _render(request, invitation, "reading_changes", sheet=sheet, changes=found, view=view)


def _place(part: PartId) -> str:
    """Where a part stands on these pages."""
    kind, key = part
    if kind == Kind.TERM:
        return f"{reverse('governance:reading_definitions')}#{key}"
    return f"{reverse('governance:reading')}#{key.partition('/')[0]}"


@by_invitation
def impact(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """What the version would change, in figures; accounts by name are for people who are logged in."""
    asked = {name: request.GET.get(name, "") for name in ("dimension", "figures")}
    page = ImpactPage(invitation.version, cast("User", AnonymousUser()), **asked)
    return _render(request, invitation, "reading_impact", page=page)


@never_cache
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Whoever reads by a link is done: the session is forgotten. A log-in is not ended by this."""
    if request.user.is_anonymous:
        request.session.flush()
    return redirect("account_login")
