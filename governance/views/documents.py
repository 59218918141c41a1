"""The documents of a version: an index, each as a page and as a PDF."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from frameworks.document import Document
from frameworks.models import Framework, FrameworkVersion, Signoff
from frameworks.views.versions import version_or_404
from governance.documents import PRINTABLES, Printable
from governance.documents.pdf import NoPdfError, pdf_of


@login_required
@require_safe
def document_index(request: HttpRequest) -> HttpResponse:
    """Every document of every framework's active version."""
    frameworks = Framework.objects.filter(active_version__isnull=False).select_related("active_version")
    context = {"frameworks": frameworks, "printables": PRINTABLES.values()}
    return render(request, "governance/documents/index.html", context)


@login_required
@require_safe
def document_page(request: HttpRequest, slug: str, number: int, document: str) -> HttpResponse:
    return render(request, "governance/documents/page.html", _context(slug, number, document))


@login_required
@require_safe
def document_pdf(request: HttpRequest, slug: str, number: int, document: str) -> HttpResponse:
    """The same content as a file; says what to install where the machine cannot make one."""
    context = _context(slug, number, document)
    try:
        content = pdf_of(render_to_string("governance/documents/print.html", context))
    except NoPdfError as error:
        return HttpResponse(str(error), status=503, content_type="text/plain; charset=utf-8")
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{slug}-v{number}-{document}.pdf"'
    return answer


def _context(slug: str, number: int, name: str) -> dict[str, Any]:
    if name not in PRINTABLES:
        raise Http404
    printable: Printable = PRINTABLES[name]
    version = version_or_404(slug, number)
    parts = version.parts.select_related("body")
    document = Document({(part.kind, part.key): part.body.body for part in parts})
    signoffs = list(version.signoffs.all())
    return printable.context(document) | {
        "printable": printable,
        "version": version,
        "is_in_force": version.state == FrameworkVersion.State.ACTIVATED and not version.superseded_at,
        "as_of": timezone.now(),
        "signoffs": signoffs,
        "dissent": [each for each in signoffs if each.decision == Signoff.Decision.REJECT],
    }
