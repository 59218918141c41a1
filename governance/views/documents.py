"""The documents of a version: an index, each as a page and as a PDF."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frameworks.models import Framework, FrameworkVersion
from frameworks.views.versions import version_or_404
from governance.documents import PRINTABLES, Printable
from governance.documents.drawing import context_of
from governance.models import PreparedDocument
from governance.prepared_page import PreparedPage
from governance.services.documents import prepare_document

SHOWN = 5
"""Other versions of a framework that the index names, the newest first; the rest are on the framework's page."""


@login_required
@require_safe
def document_index(request: HttpRequest) -> HttpResponse:
    """Every document of every framework's active version, and the way to those of its other versions."""
    newest = FrameworkVersion.objects.select_related("framework").order_by("-number")
    frameworks = Framework.objects.select_related("active_version").order_by("name", "pk")
    rows = [
        (framework, [each for each in framework.versions.all() if each.pk != framework.active_version_id][:SHOWN])
        for framework in frameworks.prefetch_related(Prefetch("versions", newest))
    ]
    context = {"frameworks": rows, "printables": PRINTABLES.values()}
    return render(request, "governance/documents/index.html", context)


@login_required
@require_safe
def version_documents(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Every document of one version, also of a draft."""
    version = version_or_404(slug, number)
    context = {"version": version, "framework": version.framework, "printables": PRINTABLES.values()}
    return render(request, "governance/documents/version.html", context)


@login_required
@require_safe
def document_page(request: HttpRequest, slug: str, number: int, document: str) -> HttpResponse:
    printable, version = _asked_for(slug, number, document)
    return render(request, "governance/documents/page.html", context_of(printable, version, timezone.now()))


@login_required
@require_safe
def document_pdf(request: HttpRequest, slug: str, number: int, document: str) -> HttpResponse:
    """The same content as a file: at once where it was prepared already, else the page that says how far it is.

    To ask is safe however often it happens: what is kept is a copy of what the page shows.
    """
    printable, version = _asked_for(slug, number, document)
    row = prepare_document(printable=printable, version=version, at=timezone.now())
    if row.state == PreparedDocument.State.READY:
        return _file(row)
    return redirect("governance:prepared_document", slug, number, document, row.uuid)


@login_required
@require_safe
def prepared_document(request: HttpRequest, slug: str, number: int, document: str, uuid: UUID) -> HttpResponse:
    """How far a PDF is; when it is ready, the way to it. One that is gone is asked for anew."""
    row = _prepared(slug, number, document, uuid)
    if row is None:
        return redirect("governance:document_pdf", slug, number, document)
    context = {"row": row, "page": PreparedPage(row, timezone.now()), "version": row.version}
    return render(request, "governance/documents/prepared.html", context)


@login_required
@require_safe
def prepared_progress(request: HttpRequest, slug: str, number: int, document: str, uuid: UUID) -> HttpResponse:
    """Where it stands, asked for every second; in another state than the page shows, the page is loaded anew."""
    row = _prepared(slug, number, document, uuid)
    if row is None or request.GET.get("state") != row.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"row": row, "page": PreparedPage(row, timezone.now()), "version": row.version}
    return render(request, "governance/documents/_preparing.html", context)


@login_required
@require_safe
def prepared_file(request: HttpRequest, slug: str, number: int, document: str, uuid: UUID) -> HttpResponse:
    """The file itself; one that is gone, or not there yet, is asked for anew."""
    row = _prepared(slug, number, document, uuid)
    if row is None or row.state != PreparedDocument.State.READY:
        return redirect("governance:document_pdf", slug, number, document)
    return _file(row)


def _prepared(slug: str, number: int, document: str, uuid: UUID) -> PreparedDocument | None:
    _, version = _asked_for(slug, number, document)
    rows = PreparedDocument.objects.select_related("version__framework").defer("texts")
    return rows.filter(version=version, document=document, uuid=uuid).first()


def _file(row: PreparedDocument) -> HttpResponse:
    answer = HttpResponse(bytes(row.content or b""), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{row.file_name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


def _asked_for(slug: str, number: int, document: str) -> tuple[Printable, FrameworkVersion]:
    if document not in PRINTABLES:
        raise Http404("There is no such document.")
    return PRINTABLES[document], version_or_404(slug, number)
