"""Requests: asking for an override, the list, and the page on which one is decided, withdrawn or revoked."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Account, Override
from accounts.querysets import visible_accounts
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.templatetags.cutline import day, money, number
from governance.forms import AGES, DecisionForm, OverrideForm, ReasonForm, RequestFilter
from governance.models import Decision, OverrideRequest
from governance.querysets import OverrideRequestQuerySet
from governance.services.eligibility import (
    awaited_role,
    awaited_roles,
    decision_refusals,
    eligible_deciders,
    overrides_policy,
    reason_label,
    request_refusals,
    request_warnings,
)
from governance.services.explanation import explanation_of
from governance.services.requests import decide_override, request_override, revoke_override, withdraw_request
from governance.visitor import visitor

PER_PAGE = 50
Verdict = Decision.Verdict


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    user = visitor(request)
    form = RequestFilter(request.GET)
    found = OverrideRequest.objects.visible_to(user)
    rows = _filtered(found, form, request) if form.is_valid() else found.none()
    page = Paginator(rows.with_people(), PER_PAGE).get_page(request.GET.get("page"))
    awaited = awaited_roles(list(page.object_list))
    context = {
        "form": form,
        "page": page,
        "rows": [(row, awaited.get(row.pk)) for row in page.object_list],
        "open_count": found.open().count(),
    }
    return render(request, "governance/request_list.html", context)


def _filtered(rows: OverrideRequestQuerySet, form: RequestFilter, request: HttpRequest) -> OverrideRequestQuerySet:
    user, wanted = visitor(request), form.cleaned_data
    states = {"": rows.open(), "closed": rows.closed(), "all": rows}
    rows = states[wanted["state"]] if wanted["state"] in states else rows.filter(state=wanted["state"])
    if wanted["whose"] == "mine":
        rows = rows.asked_by(user)
    elif wanted["whose"] == "book":
        rows = rows.filter(Q(account__csm=user) | Q(account__ae=user))
    if wanted["age"] in AGES:
        rows = rows.asked_before(timezone.now() - timedelta(days=int(wanted["age"])))
    return rows.filter(dimension=wanted["dimension"]) if wanted["dimension"] else rows


@login_required
@require_safe
def request_detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _detail(request, _asked(request, uuid))


def _asked(request: HttpRequest, uuid: UUID) -> OverrideRequest:
    found = OverrideRequest.objects.visible_to(visitor(request)).with_people()
    asked: OverrideRequest = get_object_or_404(found, uuid=uuid)
    return asked


def _detail(request: HttpRequest, asked: OverrideRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    user, now = visitor(request), timezone.now()
    role, override = awaited_role(asked), asked.override
    refusals = {verdict: decision_refusals(asked, user, verdict) for verdict in Verdict.values} if role else {}
    earlier = Override.objects.filter(account=asked.account, dimension=asked.dimension).exclude(request=asked)
    context = {
        "asked": asked,
        "problem": problem,
        "reason_label": reason_label(asked.reason_code),
        "awaited": role,
        "deciders": eligible_deciders(asked),
        "warnings": request_warnings(asked),
        "approve_refusals": refusals.get(Verdict.APPROVE, []),
        "may_approve": bool(role) and not refusals[Verdict.APPROVE],
        "may_reject": bool(role) and not refusals[Verdict.REJECT],
        "may_withdraw": bool(role) and asked.requested_by_id == user.pk,
        "may_revoke": _is_running(override, now) and user.has_perm("governance.decide_override"),
        "explanation": explanation_of(asked.account, asked.dimension, now),
        "assignment": asked.account.assignments.filter(dimension=asked.dimension).select_related("computed").first(),
        "earlier": earlier.select_related("segment")[:10],
        "events": _events(asked),
        "figures": _figures(asked.account),
    }
    return render(request, "governance/request_detail.html", context, status=status)


def _is_running(override: Override | None, now: datetime) -> bool:
    """Not over yet; it may also be one that has not begun."""
    return override is not None and override.ended_at is None and override.valid_until > now


def _figures(account: Account) -> list[dict[str, Any]]:
    return [
        {"label": "ARR", "value": money(account.arr, account.currency)},
        {"label": "Employees", "value": number(account.employee_count)},
        {"label": "Health", "value": number(account.health_score)},
        {"label": "Contract ends", "value": day(account.contract_end_on)},
    ]


def _events(asked: OverrideRequest) -> list[dict[str, Any]]:
    """The request's life, newest first."""
    decided = [
        {
            "title": f"{decision.printed_name} ({decision.role}): {decision.get_verdict_display().lower()}",
            "text": decision.reason,
            "at": decision.decided_at,
        }
        for decision in asked.decisions.all()
    ]
    first = {"title": f"{asked.requested_by} asked", "text": reason_label(asked.reason_code), "at": asked.requested_at}
    events = [first, *decided]
    if asked.override and asked.override.ended_at:
        ending = asked.override.get_ending_display()
        events.append({"title": f"Override ended: {ending.lower()}", "text": "", "at": asked.override.ended_at})
    for override in _carried(asked.override):
        text = "A version merged or retired the segment that was asked for."
        events.append({"title": f"Carried on as {override.segment.name}", "text": text, "at": override.created_at})
    if asked.state_reason:
        events.append({"title": asked.get_state_display(), "text": asked.state_reason, "at": asked.updated_at})
    return [{**event, "is_current": place == 0} for place, event in enumerate(reversed(events))]


def _carried(override: Override | None) -> list[Override]:
    """The rows that mappings made of an override, oldest first."""
    found: list[Override] = []
    while override is not None and override.carried_from is not None:
        found.insert(0, override)
        override = override.carried_from
    return found


@login_required
@require_POST
def request_decide(request: HttpRequest, uuid: UUID) -> HttpResponse:
    asked, form = _asked(request, uuid), DecisionForm(request.POST)
    if not form.is_valid():
        return _detail(request, asked, problem="The form was incomplete. Nothing was decided.", status=422)
    return _act(request, asked, lambda: _decide(request, asked, form))


def _decide(request: HttpRequest, asked: OverrideRequest, form: DecisionForm) -> str:
    decision = decide_override(request=asked, actor=visitor(request), at=timezone.now(), **form.cleaned_data)
    role = awaited_role(decision.request)
    if role:
        return f"Approved. {role.label} decides next."
    return "Approved; the assignment follows in a moment." if decision.verdict == Verdict.APPROVE else "Rejected."


@login_required
@require_POST
def request_withdraw(request: HttpRequest, uuid: UUID) -> HttpResponse:
    asked = _asked(request, uuid)

    def withdraw() -> str:
        reason = _reason(request)
        withdraw_request(request=asked, reason=reason, actor=visitor(request), at=timezone.now())
        return "Withdrawn."

    return _act(request, asked, withdraw)


@login_required
@require_POST
def override_revoke(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """`uuid` is the request's, whose override it ends."""
    asked = _asked(request, uuid)
    override = get_object_or_404(Override, request=asked)

    def revoke() -> str:
        revoke_override(override=override, reason=_reason(request), actor=visitor(request), at=timezone.now())
        return "The override has ended; the assignment follows in a moment."

    return _act(request, asked, revoke)


def _reason(request: HttpRequest) -> str:
    form = ReasonForm(request.POST)
    return str(form.cleaned_data["reason"]) if form.is_valid() else ""


def _act(request: HttpRequest, asked: OverrideRequest, act: Any) -> HttpResponse:
    """Do it and go back to the page; a refusal is the page as it is now, with the reason and its status."""
    try:
        messages.success(request, act())
    except NotAllowedError as refusal:
        return _detail(request, _asked(request, asked.uuid), problem=str(refusal), status=403)
    except ConflictError as refusal:
        return _detail(request, _asked(request, asked.uuid), problem=str(refusal), status=409)
    except InvalidError as refusal:
        return _detail(request, _asked(request, asked.uuid), problem=str(refusal), status=422)
    return redirect("governance:request_detail", asked.uuid)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def override_request(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The form for a new request about the account `uuid`."""
    user, now = visitor(request), timezone.now()
    account = get_object_or_404(visible_accounts(user).select_related("csm", "ae"), uuid=uuid)
    form = OverrideForm(request.POST or None, account=account, initial=_initial(request))
    if request.method != "POST" or not form.is_valid():
        return _ask_page(request, account, form, status=422 if form.errors else 200)
    try:
        asked = request_override(account=account, actor=user, at=now, **form.wanted(now))
    except NotAllowedError as refusal:
        form.add_error(None, str(refusal))
        return _ask_page(request, account, form, status=403)
    except ConflictError as refusal:
        form.add_error(None, str(refusal))
        return _ask_page(request, account, form, status=409)
    except InvalidError as refusal:
        for problem in refusal.problems:
            form.add_error(None, problem)
        return _ask_page(request, account, form, status=422)
    role = awaited_role(asked)
    messages.success(request, f"Sent. {role.label if role else 'Somebody'} decides next.")
    for warning in request_warnings(asked):
        messages.warning(request, warning)
    return redirect("governance:request_detail", asked.uuid)


def _initial(request: HttpRequest) -> dict[str, Any]:
    segment = request.GET.get("segment", "")
    return {"segment": segment} if segment.isdecimal() else {}


def _ask_page(request: HttpRequest, account: Account, form: OverrideForm, *, status: int) -> HttpResponse:
    rows = account.assignments.select_related("dimension__framework", "effective", "computed")
    assignments = list(rows.order_by("dimension__position", "dimension_id"))
    frameworks = {row.dimension.framework for row in assignments}
    policies = [policy for framework in frameworks if (policy := overrides_policy(framework))]
    context = {
        "account": account,
        "form": form,
        "assignments": assignments,
        "policies": policies,
        "refusals": request_refusals(visitor(request), account),
    }
    return render(request, "governance/override_request.html", context, status=status)
