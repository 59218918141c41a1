"""Taking the evidence of a version along: a POST, because who takes it is written down."""

from tempfile import SpooledTemporaryFile
from typing import IO, cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from frameworks.models import FrameworkVersion
from frameworks.views.answers import act, person
from governance.services.evidence import export_evidence

IN_MEMORY = 4_000_000
"""Bytes of a bundle that are kept in memory; a larger one goes to a temporary file."""


@act
def evidence_export(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The bundle as a file to save."""
    found = FrameworkVersion.objects.select_related("framework", "author", "base_version", "rollback_of")
    version = get_object_or_404(found, framework__slug=slug, number=number)
    out = cast("IO[bytes]", SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - the response closes it
    export_evidence(version=version, out=out, actor=person(request), at=timezone.now())
    out.seek(0)
    name = f"{slug}-v{number}-evidence.zip"
    return FileResponse(out, as_attachment=True, filename=name, content_type="application/zip")  # type: ignore[return-value]
