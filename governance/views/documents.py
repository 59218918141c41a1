"""The documents of a version: an index, each as a page and as a PDF."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frameworks.criteria.parsing import CriteriaError
from frameworks.models import Framework, FrameworkVersion
from frameworks.parts import PartError
from frameworks.views.versions import version_or_404
from governance.documents import PRINTABLES, Printable
from governance.documents.blocks import Prose, Section
from governance.documents.decisions import decided_on
from governance.documents.pdf import NoPdfError, card_of, pdf_of
from governance.documents.source import Source

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
    return render(request, "governance/documents/page.html", context_of(printable, version))


@login_required
@require_safe
def document_pdf(request: HttpRequest, slug: str, number: int, document: str) -> HttpResponse:
    """The same content as a file; says what to install where the machine cannot make one."""
    printable, version = _asked_for(slug, number, document)
    # On paper an address is of no use without the site it belongs to.
    context = context_of(printable, version) | {"site": settings.SITE_URL}
    try:
        content = card_of(_shorter(printable, context)) if printable.is_card else pdf_of(context)
    except NoPdfError as error:
        return HttpResponse(str(error), status=503, content_type="text/plain; charset=utf-8")
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{slug}-v{number}-{document}.pdf"'
    return answer


def _sections(printable: Printable, source: Source) -> list[Section]:
    """What the document says; of a draft whose parts do not fit together, why it says nothing."""
    try:
        return list(printable.sections(source))
    except (PartError, CriteriaError) as error:
        return [Section("This version cannot be read", [Prose(str(error), "warn")])]


def _shorter(printable: Printable, context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The card's contexts, with less and less in them."""
    yield context
    for sections in printable.shorter:
        yield context | {"sections": _sections(replace(printable, sections=sections), context["source"])}


def _asked_for(slug: str, number: int, document: str) -> tuple[Printable, FrameworkVersion]:
    if document not in PRINTABLES:
        raise Http404("There is no such document.")
    return PRINTABLES[document], version_or_404(slug, number)


def context_of(printable: Printable, version: FrameworkVersion) -> dict[str, Any]:
    """What the page and the print template show."""
    source = Source(version.framework, version, timezone.now())
    sections = _sections(printable, source)
    return {
        "printable": printable,
        "version": version,
        "framework": version.framework,
        "is_in_force": version.is_active,
        "as_of": source.at,
        "site": "",
        "source": source,
        "sections": sections,
        "chapters": [section for section in sections if section.level == 2],
        "decided": decided_on(version, source.document, source.at),
    }
