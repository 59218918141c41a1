"""The intake of a framework: the list, the page, who is responsible, its own answers, closing it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import Framework
from governance.intake_forms import DutyForm, QuestionForm, SectionsForm
from governance.intake_page import IntakePage, intake_rows
from governance.models import IntakeForm
from governance.services.intake import close_intake, open_intake, reassign_intake, save_intake
from governance.visitor import visitor

STATUS = {NotAllowedError: 403, ConflictError: 409, InvalidError: 422}
Refused = (NotAllowedError, ConflictError, InvalidError)


def framework_of(slug: str) -> Framework:
    found: Framework = get_object_or_404(Framework.objects.select_related("active_version"), slug=slug)
    return found


def newest_intake(request: HttpRequest, framework: Framework, wanted: str = "") -> IntakeForm | None:
    """The open intake of the framework, else the one closed last; or the one that the address names."""
    rows = IntakeForm.objects.visible_to(visitor(request)).with_content().filter(framework=framework)
    if wanted:
        try:
            named: IntakeForm = get_object_or_404(rows, uuid=UUID(wanted))
        except ValueError:
            raise Http404("No intake is called so.") from None
        return named
    found: IntakeForm | None = rows.order_by("-opened_at", "-pk").first()
    return found


def open_intake_of(request: HttpRequest, slug: str) -> IntakeForm:
    """The intake that acts are about; 404 where none was ever opened."""
    intake = newest_intake(request, framework_of(slug))
    if intake is None:
        raise Http404("No intake of this framework was opened.")
    return intake


@login_required
@require_safe
def intake_list(request: HttpRequest) -> HttpResponse:
    """Each framework with its intake: how complete, who is responsible, until when."""
    return render(request, "governance/intake_list.html", {"rows": intake_rows(visitor(request), timezone.now())})


@login_required
@require_safe
def intake_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """`?of=` names an earlier intake."""
    return show_intake(request, slug)


def show_intake(
    request: HttpRequest,
    slug: str,
    *,
    problems: list[str] | None = None,
    forms: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page as it is now; after a refusal with its reasons, and with what was typed kept in `forms`."""
    framework = framework_of(slug)
    wanted = request.GET.get("of", "") if request.method in ("GET", "HEAD") else ""
    intake = newest_intake(request, framework, wanted)
    page = IntakePage(framework, intake, visitor(request), timezone.now())
    context: dict[str, Any] = {"framework": framework, "page": page, "problems": problems or []}
    if intake is not None:
        duty = {"owner": intake.owner.uuid, "due_on": intake.due_on, "version": intake.version}
        context |= {"sections": SectionsForm.of(intake), "question": QuestionForm(), "duty": DutyForm(initial=duty)}
    context.setdefault("duty", DutyForm())
    if intake is not None and not intake.is_open:
        context["duty"] = DutyForm()
    return render(request, "governance/intake_detail.html", context | (forms or {}), status=status)


def refusal(request: HttpRequest, slug: str, error: Exception, forms: dict[str, Any] | None = None) -> HttpResponse:
    """The page with what was refused in words; nothing of it was saved."""
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    problems = getattr(error, "problems", None) or [str(error)]
    return show_intake(request, slug, problems=problems, forms=forms, status=status)


@login_required
@require_POST
def intake_open(request: HttpRequest, slug: str) -> HttpResponse:
    framework, form = framework_of(slug), DutyForm(request.POST)
    if not form.is_valid():
        return show_intake(request, slug, forms={"duty": form}, status=422)
    wanted = {name: form.cleaned_data[name] for name in ("owner", "due_on")}
    try:
        open_intake(framework=framework, actor=visitor(request), at=timezone.now(), **wanted)
    except Refused as error:
        return refusal(request, slug, error, {"duty": form})
    messages.success(request, "The intake is open. Next: who takes part and what for.")
    return redirect("governance:intake_detail", slug)


@login_required
@require_POST
def intake_reassign(request: HttpRequest, slug: str) -> HttpResponse:
    intake, form = open_intake_of(request, slug), DutyForm(request.POST)
    if not form.is_valid() or form.cleaned_data["version"] is None:
        problems = [str(error) for errors in form.errors.values() for error in errors]
        return show_intake(request, slug, problems=problems or ["The form was incomplete."], status=422)
    wanted = {name: form.cleaned_data[name] for name in ("owner", "due_on")}
    version, actor = form.cleaned_data["version"], visitor(request)
    try:
        reassign_intake(intake=intake, expected_version=version, actor=actor, at=timezone.now(), **wanted)
    except Refused as error:
        return refusal(request, slug, error)
    messages.success(request, "Saved: it waits in that person's inbox now.")
    return redirect("governance:intake_detail", slug)


@login_required
@require_POST
def intake_save(request: HttpRequest, slug: str) -> HttpResponse:
    intake, form = open_intake_of(request, slug), SectionsForm(request.POST)
    if not form.is_valid():
        return show_intake(request, slug, forms={"sections": form}, status=422)
    answers = dict(form.cleaned_data)
    version = answers.pop("version")
    try:
        save_intake(intake=intake, answers=answers, expected_version=version, actor=visitor(request), at=timezone.now())
    except ConflictError as error:
        # What was typed stays in the form beside what is stored now; saving once more is over that, knowingly.
        today = open_intake_of(request, slug)
        again = SectionsForm({**request.POST.dict(), "version": today.version})
        return refusal(request, slug, error, {"sections": again, "theirs": today})
    except Refused as error:
        return refusal(request, slug, error, {"sections": form})
    messages.success(request, "Saved.")
    return redirect("governance:intake_detail", slug)


@login_required
@require_POST
def intake_close(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        close_intake(intake=open_intake_of(request, slug), actor=visitor(request), at=timezone.now())
    except Refused as error:
        return refusal(request, slug, error)
    messages.success(request, "The intake is closed. It stays to be read.")
    return redirect("governance:intake_detail", slug)
