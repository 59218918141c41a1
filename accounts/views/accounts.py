"""The list of accounts and the page of one account."""

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_tables2 import RequestConfig

from accounts import account_list as listing
from accounts.account_page import BANNER, SIDE, AccountPage
from accounts.exporting import account_rows, csv_lines
from accounts.filters import AccountFilter
from accounts.models import Account, PendingEvaluation
from accounts.past_page import PastDay
from accounts.querysets import visible_accounts
from accounts.tables import AccountTable
from accounts.what_if_page import WhatIfPage
from frameworks import panels
from frameworks.models import User

PER_PAGE = 50


def _filtered(request: HttpRequest) -> AccountFilter:
    user = cast(User, request.user)
    return AccountFilter(
        request.GET, visible_accounts(user), user=user, dimensions=listing.listed_dimensions(), at=timezone.now()
    )


@login_required
@require_safe
def account_list(request: HttpRequest) -> HttpResponse:
    """Every account the person may see, filtered, sorted and paged by the address."""
    filters = _filtered(request)
    is_valid = filters.form.is_valid()
    accounts = filters.qs if is_valid else filters.queryset.none()
    table = AccountTable(accounts, filters.dimensions)
    RequestConfig(request, paginate={"per_page": PER_PAGE}).configure(table)
    rows = [row.record for row in table.page.object_list]
    table.standings = listing.standings_of([row.pk for row in rows], filters.dimensions, filters.at)
    primary = filters.dimensions[0] if filters.dimensions else None
    context: dict[str, Any] = {
        "table": table,
        "total": table.paginator.count,
        "filters": filters,
        "is_filtered": not is_valid or bool(filters.active),
        "moved": filters.moved if is_valid else None,
        "primary": primary,
        "chosen": request.GET.get(primary.parameter, "") if primary else "",
        "figures": listing.figures(primary) if primary else [],
        "query": request.GET.urlencode(),
    }
    return render(request, "accounts/account_list.html", context)


@login_required
@require_safe
def account_export(request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
    """The filtered list as CSV, all pages of it."""
    filters = _filtered(request)
    if not filters.form.is_valid():
        return account_list(request)
    accounts = listing.ordered(filters.qs, listing.known_ordering(request.GET.get("sort", "")))
    lines = csv_lines(account_rows(accounts, filters.dimensions, filters.at))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="accounts-{filters.at:%Y-%m-%d}.csv"'
    return response


def _account(request: HttpRequest, uuid: str) -> Account:
    accounts = visible_accounts(cast(User, request.user)).select_related("csm", "ae", "parent")
    return get_object_or_404(accounts, uuid=uuid)


def _page(request: HttpRequest, account: Account) -> AccountPage:
    return AccountPage(
        account,
        chosen=request.GET.get("dimension", ""),
        is_brief=request.GET.get("checks") == "deciding",
        is_whole_timeline="all" in request.GET,
        at=timezone.now(),
    )


@login_required
@require_safe
def account_detail(request: HttpRequest, uuid: str) -> HttpResponse:
    """Where the account is, why, since when, and what is known of it."""
    account = _account(request, uuid)
    page = _page(request, account)
    past = PastDay(account, request.GET, zone=page.zone, at=page.at)
    context = {
        "account": account,
        "page": page,
        "past": past,
        "what_if": WhatIfPage(account, QueryDict(), at=page.at),
        "kept": [(name, request.GET[name]) for name in ("dimension", "checks") if name in request.GET],
        "banners": panels.rendered(BANNER, request, account),
        "side_panels": panels.rendered(SIDE, request, account),
    }
    return render(request, "accounts/account_detail.html", context)


@login_required
@require_safe
def account_way_up(request: HttpRequest, uuid: str) -> HttpResponse:
    """What would move the account one segment up: a panel that its page asks for when it is drawn, or a page.

    Apart from the account's page because hundreds of changes are tried with the rules.
    """
    account = _account(request, uuid)
    context = {"account": account, "page": _page(request, account)}
    template = "accounts/_account_way_up.html" if request.headers.get("HX-Request") else "accounts/account_way_up.html"
    return render(request, template, context)


@login_required
@require_safe
def account_what_if(request: HttpRequest, uuid: str) -> HttpResponse:
    """What the rules would say of other values: the panel of the account's page, or a page that can be linked to."""
    account = _account(request, uuid)
    context = {"account": account, "what_if": WhatIfPage(account, request.GET, at=timezone.now())}
    template = (
        "accounts/_account_what_if.html" if request.headers.get("HX-Request") else "accounts/account_what_if.html"
    )
    return render(request, template, context)


@login_required
@require_safe
def account_evaluation(request: HttpRequest, uuid: str) -> HttpResponse:
    """Asked every two seconds while an evaluation of the account is owed; reloads the page when it is done."""
    account = _account(request, uuid)
    if PendingEvaluation.objects.filter(account=account).exists():
        return render(request, "accounts/_account_pending.html", {"account": account})
    return HttpResponse(headers={"HX-Refresh": "true"})
