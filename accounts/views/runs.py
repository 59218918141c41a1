"""Runs: the list, one run with its progress, and what people decide about it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_tables2 import RequestConfig

from accounts.filters import RunFilter
from accounts.forms import ReasonForm, StartForm
from accounts.models import AssignmentRun
from accounts.querysets import visible_accounts
from accounts.run_page import RunPage, start_refusals, states_of, with_changed
from accounts.services.runs import cancel_run, release_run, retry_stuck, start_reevaluation
from accounts.tables import RunTable
from frameworks.errors import InvalidError
from frameworks.models import Framework
from frameworks.views.answers import act, person

PER_PAGE = 25


def _runs() -> Any:
    return AssignmentRun.objects.select_related("framework", "framework_version", "requested_by", "released_by")


@login_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """Every run, newest first."""
    filters = RunFilter(request.GET, with_changed(_runs()).order_by("-pk"))
    is_valid = filters.form.is_valid()
    table = RunTable(filters.qs if is_valid else filters.queryset.none())
    RequestConfig(request, paginate={"per_page": PER_PAGE}).configure(table)
    frameworks = Framework.objects.filter(active_version__isnull=False).select_related("active_version")
    context = {
        "table": table,
        "total": table.paginator.count,
        "filters": filters,
        "is_filtered": not is_valid or any(filters.form.cleaned_data.values()),
        "states": states_of(AssignmentRun.objects.all()),
        "frameworks": list(frameworks),
        "accounts": visible_accounts(person(request)).count(),
        "start_refusals": start_refusals(person(request), "start a run"),
    }
    return render(request, "accounts/run_list.html", context)


@act
def run_start(request: HttpRequest) -> HttpResponse:
    """Evaluate every account again under the active version."""
    form = StartForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Choose a framework that has an active version.")
    run = start_reevaluation(framework=form.cleaned_data["framework"], actor=person(request), at=timezone.now())
    messages.success(request, f"{run} has started: {run.accounts:,} accounts.")
    return redirect("accounts:run_detail", uuid=run.uuid)


def _run(uuid: str) -> AssignmentRun:
    found: AssignmentRun = get_object_or_404(_runs(), uuid=uuid)
    return found


@login_required
@require_safe
def run_detail(request: HttpRequest, uuid: str) -> HttpResponse:
    """One run: its state and progress, what moved, what it left behind."""
    page = RunPage(_run(uuid), person(request), timezone.now())
    context = {"run": page.run, "page": page, "release_form": ReasonForm(), "cancel_form": ReasonForm()}
    return render(request, "accounts/run_detail.html", context)


@login_required
@require_safe
def run_progress(request: HttpRequest, uuid: str) -> HttpResponse:
    """The figures, asked for every second; when the state is another than the page shows, the page is loaded anew."""
    page = RunPage(_run(uuid), person(request), timezone.now())
    if request.GET.get("state") != page.run.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "accounts/_run_progress.html", {"run": page.run, "page": page})


def _reason(request: HttpRequest) -> str:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InvalidError(f"Reason: {error}" for error in form.errors["reason"])
    return str(form.cleaned_data["reason"])


@act
def run_release(request: HttpRequest, uuid: str) -> HttpResponse:
    """Let a held run go on."""
    run = release_run(run=_run(uuid), reason=_reason(request), actor=person(request), at=timezone.now())
    messages.success(request, f"{run} goes on.")
    return redirect("accounts:run_detail", uuid=run.uuid)


@act
def run_cancel(request: HttpRequest, uuid: str) -> HttpResponse:
    """Give up a run that has changed nothing yet."""
    run = cancel_run(run=_run(uuid), reason=_reason(request), actor=person(request), at=timezone.now())
    messages.success(request, f"{run} is cancelled. Nothing was changed.")
    return redirect("accounts:run_detail", uuid=run.uuid)


@act
def run_retry(request: HttpRequest, uuid: str) -> HttpResponse:
    """Give chunks that died three times another three attempts."""
    run = _run(uuid)
    count = retry_stuck(run=run, actor=person(request), at=timezone.now())
    messages.success(request, f"{count} {'part is' if count == 1 else 'parts are'} tried again.")
    return redirect("accounts:run_detail", uuid=run.uuid)
