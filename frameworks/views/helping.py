"""Where too few people can sign: the page that says why, and asking for help."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from frameworks.help_page import HelpPage
from frameworks.services.helping import ask_for_help
from frameworks.views.answers import act, person
from frameworks.views.versions import page_of, version_or_404


@login_required
@require_GET
def version_help(request: HttpRequest, slug: str, number: int, code: str) -> HttpResponse:
    help_page = HelpPage(page_of(request, slug, number), code)
    if not help_page.label:
        raise Http404("Enough people can sign this, or it is no requirement of this version.")
    version = help_page.version
    context = {"help": help_page, "version": version, "framework": version.framework}
    return render(request, "frameworks/version_help.html", context)


@act
def help_ask(request: HttpRequest, slug: str, number: int, code: str) -> HttpResponse:
    row = ask_for_help(
        version=version_or_404(slug, number),
        code=code,
        message=request.POST.get("message", ""),
        actor=person(request),
        at=timezone.now(),
    )
    names = ", ".join(each.name for each in row.told.all())
    messages.success(request, f"Told, in the inbox and by e-mail: {names}.")
    return redirect("frameworks:version_help", slug=slug, number=number, code=code)
