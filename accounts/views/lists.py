"""Account lists: all of them, one with its entries, and what people change about them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from accounts.exporting import csv_lines, list_rows
from accounts.forms import EditListForm, EntriesForm, NewListForm
from accounts.intake.cells import name_key
from accounts.models import Account, ListEntry
from accounts.querysets import visible_accounts, with_entries
from accounts.services.lists import PERMISSION, Action, ListChange, change_list_entries, create_list, edit_list
from frameworks.errors import InvalidError
from frameworks.models import AccountList
from frameworks.views.answers import act, person

PER_PAGE = 50
FOUND_MOST = 10
REPORTED_MOST = 200

Report = list[tuple[str, str]]
"""Lines that fit no account, each with the reason."""


@login_required
@require_safe
def list_list(request: HttpRequest) -> HttpResponse:
    """Every list with its purpose, owner and size."""
    context = {
        "lists": list(with_entries(AccountList.objects.all(), person(request))),
        "form": NewListForm(),
        "may_edit": person(request).has_perm(PERMISSION),
    }
    return render(request, "accounts/list_list.html", context)


@act
def list_create(request: HttpRequest) -> HttpResponse:
    """A new, empty list."""
    given = request.POST.copy()
    given["key"] = given.get("key", "").strip() or slugify(given.get("label", "")).replace("-", "_")[:63]
    said = _said(NewListForm(given))
    made = create_list(**said, actor=person(request), at=timezone.now())
    messages.success(request, f"The list {made} is made. Rules call it {made.key}.")
    return redirect("accounts:list_detail", key=made.key)


def _said(form: Any) -> dict[str, Any]:
    if not form.is_valid():
        raise InvalidError(
            f"{form.fields[name].label or name}: {error}" for name, errors in form.errors.items() for error in errors
        )
    said: dict[str, Any] = form.cleaned_data
    return said


def _list(key: str) -> AccountList:
    return get_object_or_404(AccountList.objects.select_related("owner"), key=key)


@login_required
@require_safe
def list_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One list with its entries, searched and paged by the address."""
    return _detail(request, _list(key), EntriesForm(), [])


def _detail(request: HttpRequest, account_list: AccountList, form: EntriesForm, report: Report) -> HttpResponse:
    entries = _entries(request, account_list).select_related("account", "added_by")
    page = Paginator(entries, PER_PAGE).get_page(request.GET.get("page"))
    known = {name: getattr(account_list, name) for name in ("label", "purpose", "owner", "is_live")}
    context = {
        "list": account_list,
        "page": page,
        "q": request.GET.get("q", ""),
        "find": request.GET.get("find", ""),
        "found": _found(request, account_list),
        "form": form,
        "edit_form": EditListForm(initial=known),
        "may_edit": person(request).has_perm(PERMISSION),
        "report": report[:REPORTED_MOST],
        "failures": len(report),
    }
    return render(request, "accounts/list_detail.html", context)


def _entries(request: HttpRequest, account_list: AccountList) -> Any:
    visible = visible_accounts(person(request)).values("pk")
    entries = ListEntry.objects.filter(list=account_list, account__in=visible)
    wanted = name_key(request.GET.get("q", ""))
    if wanted:
        entries = entries.filter(account__name_key__contains=wanted)
    return entries.order_by("account__name_key", "account_id")


def _found(request: HttpRequest, account_list: AccountList) -> list[Account]:
    """Accounts that could be added, by a piece of their name."""
    wanted = name_key(request.GET.get("find", ""))
    if not wanted:
        return []
    accounts = visible_accounts(person(request)).filter(name_key__contains=wanted)
    return list(accounts.exclude(list_entries__list=account_list).order_by("name_key", "pk")[:FOUND_MOST])


@act
def list_edit(request: HttpRequest, key: str) -> HttpResponse:
    """Another name, purpose or owner; or out of use."""
    said = _said(EditListForm(request.POST))
    edited = edit_list(account_list=_list(key), **said, actor=person(request), at=timezone.now())
    messages.success(request, f"{edited} is saved.")
    return redirect("accounts:list_detail", key=key)


@act
def list_change(request: HttpRequest, key: str) -> HttpResponse:
    """Add, remove or replace the pasted accounts; lines that fit none are shown beside what was done."""
    account_list, form = _list(key), EntriesForm(request.POST)
    said = _said(form)
    change = change_list_entries(
        account_list=account_list, action=said["action"], items=form.items(), actor=person(request), at=timezone.now()
    )
    messages.success(request, _done(change))
    if not change.failed:
        return redirect("accounts:list_detail", key=key)
    failed = change.failed
    report = [(said["lines"][each.index], " ".join(error.detail for error in each.errors)) for each in failed]
    left = "\n".join(line for line, _ in report)
    return _detail(request, account_list, EntriesForm(initial={**said, "lines": left}), report)


def _done(change: ListChange) -> str:
    words = {"added": "added", "removed": "removed", "unchanged": "already so", "failed": "not found"}
    parts = [f"{count:,} {words[name]}" for name, count in change.summary.items() if count]
    return f"{', '.join(parts)}." if parts else "Nothing to do."


@act
def list_add(request: HttpRequest, key: str) -> HttpResponse:
    """Put one account on the list."""
    messages.success(request, f"{_one(request, key, 'add')} is on the list.")
    return redirect("accounts:list_detail", key=key)


@act
def list_remove(request: HttpRequest, key: str) -> HttpResponse:
    """Take one account off the list."""
    messages.success(request, f"{_one(request, key, 'remove')} is off the list.")
    return redirect("accounts:list_detail", key=key)


def _one(request: HttpRequest, key: str, action: Action) -> Account | None:
    items = [{"id": request.POST.get("account", "")}]
    change = change_list_entries(
        account_list=_list(key), action=action, items=items, actor=person(request), at=timezone.now()
    )
    if change.failed:
        raise InvalidError("There is no such account.")
    return change.results[0].account


@login_required
@require_safe
def list_export(request: HttpRequest, key: str) -> StreamingHttpResponse:
    """The entries as CSV."""
    account_list = _list(key)
    lines = csv_lines(list_rows(_entries(request, account_list)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{account_list.key}.csv"'
    return response
