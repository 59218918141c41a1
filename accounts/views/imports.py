"""Imports: upload, mapping, preview, confirmation, progress and result."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.exporting import csv_lines
from accounts.import_form import UploadForm
from accounts.import_page import ImportPage, MappingStep, rejected_csv
from accounts.intake.errors import FileRefusedError, FileTooLargeError
from accounts.models import Import
from accounts.services.intake import check_may_import, problems_of
from accounts.services.uploads import cancel_import, choose_mapping, confirm_import, upload_import
from frameworks.errors import InvalidError
from frameworks.views.answers import act, person

PER_PAGE = 25


def _for_importers(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page to read, for people who may import: the files hold what the CRM knows."""

    @wraps(view)
    def allowed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        check_may_import(person(request))
        return view(request, *args, **kwargs)

    return login_required(require_safe(allowed))


def _batch(uuid: UUID) -> Import:
    found: Import = get_object_or_404(Import.objects.select_related("uploaded_by", "confirmed_by"), uuid=uuid)
    return found


@_for_importers
def import_list(request: HttpRequest) -> HttpResponse:
    """Every import, newest first, and the form for the next one."""
    return _list(request, UploadForm())


def _list(request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    imports = Import.objects.select_related("uploaded_by")
    page = Paginator(imports, PER_PAGE).get_page(request.GET.get("page"))
    rows = [(batch, ImportPage(batch, timezone.now())) for batch in page.object_list]
    return render(request, "accounts/import_list.html", {"page": page, "rows": rows, "form": form}, status=status)


@act
def import_upload(request: HttpRequest) -> HttpResponse:
    """Keep a file and go on to its mapping; a file that is no CSV is refused here."""
    check_may_import(person(request))
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list(request, form, status=422)
    try:
        batch = upload_import(file=form.cleaned_data["file"], actor=person(request), at=timezone.now())
    except FileRefusedError as error:
        form.add_error("file", error.problems)
        return _list(request, form, status=413 if isinstance(error, FileTooLargeError) else 422)
    return redirect("accounts:import_detail", uuid=batch.uuid)


@_for_importers
def import_detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One import: its mapping step, its progress, its preview or its result."""
    batch = _batch(uuid)
    if batch.state == Import.State.UPLOADED or (batch.state == Import.State.READY and "again" in request.GET):
        return _mapping_page(request, batch, MappingStep(batch, request.GET))
    page = ImportPage(batch, timezone.now())
    return render(request, "accounts/import_detail.html", {"batch": batch, "page": page})


def _mapping_page(
    request: HttpRequest, batch: Import, step: MappingStep, *, form: Any = None, problems: Any = (), status: int = 200
) -> HttpResponse:
    form = form or step.form()
    context = {
        "batch": batch,
        "page": ImportPage(batch, timezone.now()),
        "step": step,
        "form": form,
        "columns": step.rows(form),
        "problems": [*step.problems, *problems],
    }
    return render(request, "accounts/import_mapping.html", context, status=status)


@act
def import_mapping(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say what the columns are; a worker checks the rows."""
    batch = _batch(uuid)
    check_may_import(person(request))
    step = MappingStep(batch, request.POST)
    form = step.form(request.POST)
    if step.problems or not form.is_valid():
        return _mapping_page(request, batch, step, form=form, status=422)
    mapping = form.mapping(encoding=step.encoding, delimiter=step.delimiter)
    try:
        choose_mapping(batch=batch, mapping=mapping, periods=form.periods(), actor=person(request), at=timezone.now())
    except InvalidError as error:
        return _mapping_page(request, batch, step, form=form, problems=problems_of(error), status=422)
    return redirect("accounts:import_detail", uuid=batch.uuid)


@_for_importers
def import_progress(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The figures, asked for every second; in another state than the page shows, the page is loaded anew."""
    batch = _batch(uuid)
    if request.GET.get("state") != batch.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"batch": batch, "page": ImportPage(batch, timezone.now())}
    return render(request, "accounts/_import_progress.html", context)


@_for_importers
def import_rejected(request: HttpRequest, uuid: UUID) -> StreamingHttpResponse:
    """Every rejected cell as CSV."""
    batch = _batch(uuid)
    response = StreamingHttpResponse(csv_lines(rejected_csv(batch)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rejected-{batch.uuid}.csv"'
    return response


@act
def import_confirm(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let it be applied."""
    confirm_import(batch=_batch(uuid), actor=person(request), at=timezone.now())
    return redirect("accounts:import_detail", uuid=uuid)


@act
def import_cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give it up."""
    cancel_import(batch=_batch(uuid), actor=person(request), at=timezone.now())
    messages.success(request, "The import is cancelled. Nothing was changed.")
    return redirect("accounts:import_list")
