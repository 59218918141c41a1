"""What governance shows on the pages of lower apps."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.account_page import BANNER, SIDE
from accounts.models import Account
from accounts.services.overrides import overrides_in_force
from frameworks import panels
from frameworks.models import FrameworkVersion
from governance.models import Invitation, OverrideRequest
from governance.services.eligibility import awaited_roles, computed_segment, request_refusals
from governance.services.invitations import may_invite
from governance.visitor import visitor


def override_banner(request: HttpRequest, subject: object) -> SafeString | str:
    """Under an account's name: each override in force, what the rules would say, who asked and who decided."""
    if not isinstance(subject, Account):
        return ""
    overrides = overrides_in_force(timezone.now()).filter(account=subject).order_by("dimension__position")
    rows = overrides.select_related("segment", "dimension", "request__requested_by")
    found = [(row, computed_segment(subject, row.dimension)) for row in rows.prefetch_related("request__decisions")]
    if not found:
        return ""
    return render_to_string("governance/_override_banner.html", {"overrides": found}, request)


def account_requests(request: HttpRequest, subject: object) -> SafeString | str:
    """Beside an account: its open requests with whoever decides next, and the way to ask or why not."""
    if not isinstance(subject, Account):
        return ""
    rows = list(OverrideRequest.objects.filter(account=subject).open().with_people())
    awaited = awaited_roles(rows)
    context = {
        "account": subject,
        "rows": [(row, awaited.get(row.pk)) for row in rows],
        "refusals": request_refusals(visitor(request), subject),
    }
    return render_to_string("governance/_account_requests.html", context, request)


def version_links(request: HttpRequest, subject: object) -> SafeString | str:
    """Under a version's requirements, for who may invite: how many links are out, and the way to them."""
    if not isinstance(subject, FrameworkVersion) or not may_invite(visitor(request), subject):
        return ""
    sent = Invitation.objects.filter(version=subject)
    context = {"version": subject, "open": sent.filter(used_at=None, revoked_at=None).count(), "sent": sent.count()}
    return render_to_string("governance/_version_links.html", context, request)


def register() -> None:
    """Called once from `ready()`."""
    panels.register(BANNER, override_banner)
    panels.register(SIDE, account_requests)
    panels.register(panels.VERSION_SIDE, version_links)
