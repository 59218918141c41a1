"""What governance shows on the pages of lower apps."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.models import Account
from accounts.services.overrides import overrides_in_force
from frameworks import panels
from governance.models import OverrideRequest
from governance.services.eligibility import awaited_roles, request_refusals
from governance.visitor import visitor


def account_requests(request: HttpRequest, subject: object) -> SafeString | str:
    """On an account's page: overrides in force with who decided them, open requests, and the way to ask."""
    if not isinstance(subject, Account):
        return ""
    now = timezone.now()
    rows = list(OverrideRequest.objects.filter(account=subject).open().with_people())
    awaited = awaited_roles(rows)
    overrides = overrides_in_force(now).filter(account=subject).select_related("segment", "dimension", "request")
    context = {
        "account": subject,
        "overrides": overrides.prefetch_related("request__decisions"),
        "rows": [(row, awaited.get(row.pk)) for row in rows],
        "refusals": request_refusals(visitor(request), subject),
    }
    return render_to_string("governance/_account_requests.html", context, request)


def register() -> None:
    """Called once from `ready()`."""
    panels.register("account.side", account_requests)
