"""Frameworks as code in the browser: a version as a YAML file, and a file as a draft."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from frameworks.errors import InvalidError
from frameworks.exchange.format import MAX_CHARACTERS
from frameworks.models import Contribution, Framework
from frameworks.services.exchange import apply_file, export_version
from frameworks.views.answers import act, person
from frameworks.views.versions import version_or_404


@login_required
@require_GET
def version_file(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    version = version_or_404(slug, number)
    answer = HttpResponse(export_version(version), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slug}-v{number}.yaml"'
    return answer


@act
def file_apply(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a draft of the uploaded file, which must be of this framework."""
    framework = get_object_or_404(Framework, slug=slug)
    version, is_new = apply_file(
        text=_uploaded(request),
        actor=person(request),
        at=timezone.now(),
        source=Contribution.Source.IMPORT,
        framework=framework.slug,
    )
    if is_new:
        messages.success(request, f"Draft v{version.number} says what the file says.")
    else:
        messages.info(request, f"No changes: v{version.number} says the same as the file.")
    return redirect("frameworks:version_detail", slug=slug, number=version.number)


def _uploaded(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise InvalidError(["Choose a YAML file first."])
    if (file.size or 0) > 4 * MAX_CHARACTERS:  # bytes of the longest characters
        raise InvalidError([f"The file is longer than {MAX_CHARACTERS:,} characters."])
    try:
        text: str = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError([f"The file is not UTF-8: byte {error.start + 1:,}."]) from error
    return text
