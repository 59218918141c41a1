"""Activating a version: a POST that plans the run; its page shows what happens next."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from frameworks.authentication import proof
from frameworks.errors import NotAllowedError
from frameworks.models import FrameworkVersion
from frameworks.views.answers import act, person
from governance.services.activation import request_activation
from governance.services.versions import activate_emergency


@act
def activate_version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    found = FrameworkVersion.objects.select_related("framework__active_version", "base_version")
    version = get_object_or_404(found, framework__slug=slug, number=number)
    run = request_activation(version=version, actor=person(request), at=timezone.now())
    messages.success(request, f"{version} is being evaluated. It becomes active when the guard finds nothing to hold.")
    return redirect("accounts:run_detail", uuid=run.uuid)


@act
def activate_in_emergency(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Before it is signed: with a reason, and the password or a code, as for a signature."""
    found = FrameworkVersion.objects.select_related("framework__active_version", "base_version")
    version = get_object_or_404(found, framework__slug=slug, number=number)
    at = timezone.now()
    if proof(request, at) is None:
        raise NotAllowedError("An emergency needs your password or a code, as signing does.")
    run = activate_emergency(version=version, reason=request.POST.get("reason", ""), actor=person(request), at=at)
    messages.warning(request, f"{version} is being evaluated as an emergency. It has to be ratified within 72 hours.")
    return redirect("accounts:run_detail", uuid=run.uuid)
