"""The rows of an intake: what segments accounts today, the business questions, and what answers each."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from frameworks.models import Kind
from governance.answer_pages import PAGES
from governance.intake_forms import FieldForm, QuestionForm, VersionForm
from governance.intake_standing import IntakeStanding
from governance.intake_targets import Targets, working_version
from governance.models import BusinessQuestion, CurrentField, IntakeForm
from governance.services.intake import may_edit_intake
from governance.services.intake_rows import (
    link_answer,
    remove_field,
    remove_question,
    save_field,
    save_question,
    unlink_answer,
)
from governance.views.intake import STATUS, Refused, open_intake_of, refusal, show_intake
from governance.visitor import visitor

METHODS = ["GET", "HEAD", "POST"]
PART_KINDS = (Kind.DIMENSION, Kind.SEGMENT, Kind.TERM)


def _targets(intake: IntakeForm) -> Targets:
    return Targets(intake.framework, working_version(intake.framework))


def _may_fill(request: HttpRequest, intake: IntakeForm) -> bool:
    return may_edit_intake(visitor(request)) and IntakeStanding(intake, timezone.localdate()).is_fillable


def _problems(error: Exception) -> tuple[list[str], int]:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return getattr(error, "problems", None) or [str(error)], status


# --- what segments accounts today


@login_required
@require_http_methods(METHODS)
def field_new(request: HttpRequest, slug: str) -> HttpResponse:
    return _field_page(request, open_intake_of(request, slug), None)


@login_required
@require_http_methods(METHODS)
def field_edit(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    intake = open_intake_of(request, slug)
    return _field_page(request, intake, get_object_or_404(CurrentField, intake=intake, uuid=uuid))


def _field_page(request: HttpRequest, intake: IntakeForm, field: CurrentField | None) -> HttpResponse:
    targets = _targets(intake)
    counterparts = [*targets.choices(CurrentField.COUNTERPARTS), *_kept_counterpart(field, targets)]
    given = {"initial": FieldForm.values(field)} if field else {}
    form = FieldForm(request.POST or None, counterparts=counterparts, **given)
    context: dict[str, Any] = {
        "intake": intake,
        "framework": intake.framework,
        "field": field,
        "form": form,
        "may_fill": _may_fill(request, intake),
        "why_not": IntakeStanding(intake, timezone.localdate()).why_not_fillable,
    }
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                _save_field(request, intake, field, dict(form.cleaned_data))
            except Refused as error:
                context["problems"], status = _problems(error)
            else:
                messages.success(request, "Saved.")
                return redirect("governance:intake_detail", intake.framework.slug)
    return render(request, "governance/intake_field.html", context, status=status)


def _kept_counterpart(field: CurrentField | None, targets: Targets) -> list[tuple[str, str]]:
    """A counterpart that is gone stays to be seen, so that saving the form does not drop it unsaid."""
    if (
        field is None
        or not field.counterpart_kind
        or not targets.gone_from(field.counterpart_kind, field.counterpart_key)
    ):
        return []
    key = f"{field.counterpart_kind}/{field.counterpart_key}"
    return [(key, f"{targets.label(field.counterpart_kind, field.counterpart_key)} (no longer there)")]


def _save_field(request: HttpRequest, intake: IntakeForm, field: CurrentField | None, values: dict[str, Any]) -> None:
    version = values.pop("version") or 0
    save_field(
        intake=intake,
        field=field,
        values=values,
        expected_version=version,
        actor=visitor(request),
        at=timezone.now(),
    )


@login_required
@require_POST
def field_remove(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    intake = open_intake_of(request, slug)
    field = get_object_or_404(CurrentField, intake=intake, uuid=uuid)
    return _remove(request, intake, lambda version: _drop_field(request, field, version))


def _drop_field(request: HttpRequest, field: CurrentField, version: int) -> None:
    remove_field(field=field, expected_version=version, actor=visitor(request), at=timezone.now())


def _remove(request: HttpRequest, intake: IntakeForm, remove: Callable[[int], None]) -> HttpResponse:
    slug, form = intake.framework.slug, VersionForm(request.POST)
    if not form.is_valid():
        return show_intake(request, slug, problems=["The form was incomplete. Nothing was removed."], status=422)
    try:
        remove(form.cleaned_data["version"])
    except Refused as error:
        return refusal(request, slug, error)
    messages.success(request, "Removed.")
    return redirect("governance:intake_detail", slug)


# --- business questions


@login_required
@require_POST
def question_new(request: HttpRequest, slug: str) -> HttpResponse:
    intake, form = open_intake_of(request, slug), QuestionForm(request.POST)
    if not form.is_valid():
        return show_intake(request, slug, forms={"question": form}, status=422)
    values = {name: form.cleaned_data[name] for name in ("text", "asked_by")}
    try:
        asked = save_question(intake=intake, values=values, actor=visitor(request), at=timezone.now())
    except Refused as error:
        return refusal(request, slug, error, {"question": form})
    messages.success(request, "Asked. Name what answers it, now or later.")
    return redirect("governance:question_detail", slug, asked.uuid)


def _question(intake: IntakeForm, uuid: UUID) -> BusinessQuestion:
    rows = BusinessQuestion.objects.filter(intake=intake).prefetch_related("answers")
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_http_methods(METHODS)
def question_detail(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """One question: its words, and what answers it."""
    intake = open_intake_of(request, slug)
    question = _question(intake, uuid)
    if request.method != "POST":
        return _question_page(request, intake, question)
    form = QuestionForm(request.POST)
    if not form.is_valid():
        return _question_page(request, intake, question, form=form, status=422)
    values = {name: form.cleaned_data[name] for name in ("text", "asked_by")}
    version = form.cleaned_data["version"] or 0
    try:
        save_question(
            intake=intake,
            question=question,
            values=values,
            expected_version=version,
            actor=visitor(request),
            at=timezone.now(),
        )
    except Refused as error:
        problems, status = _problems(error)
        return _question_page(request, intake, question, form=form, problems=problems, status=status)
    messages.success(request, "Saved.")
    return redirect("governance:question_detail", slug, question.uuid)


def _question_page(
    request: HttpRequest,
    intake: IntakeForm,
    question: BusinessQuestion,
    *,
    form: QuestionForm | None = None,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    targets = _targets(intake)
    pages = ("Pages", [(f"page/{page.key}", page.label) for page in PAGES.values()])
    initial = {"text": question.text, "asked_by": question.asked_by, "version": question.version}
    context: dict[str, Any] = {
        "intake": intake,
        "framework": intake.framework,
        "question": question,
        "state": targets.states([question])[0],
        "choices": [pages, *targets.choices(PART_KINDS)],
        "version": targets.version,
        "form": form or QuestionForm(initial=initial),
        "problems": problems or [],
        "may_fill": _may_fill(request, intake),
        "why_not": IntakeStanding(intake, timezone.localdate()).why_not_fillable,
    }
    return render(request, "governance/intake_question.html", context, status=status)


@login_required
@require_POST
def question_remove(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    intake = open_intake_of(request, slug)
    question = _question(intake, uuid)
    return _remove(request, intake, lambda version: _drop_question(request, question, version))


def _drop_question(request: HttpRequest, question: BusinessQuestion, version: int) -> None:
    remove_question(question=question, expected_version=version, actor=visitor(request), at=timezone.now())


@login_required
@require_POST
def answer_link(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    return _answer(request, slug, uuid, link_answer)


@login_required
@require_POST
def answer_unlink(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    return _answer(request, slug, uuid, unlink_answer)


def _answer(request: HttpRequest, slug: str, uuid: UUID, act: Callable[..., Any]) -> HttpResponse:
    intake = open_intake_of(request, slug)
    question = _question(intake, uuid)
    try:
        act(question=question, target=request.POST.get("target", ""), actor=visitor(request), at=timezone.now())
    except Refused as error:
        problems, status = _problems(error)
        return _question_page(request, intake, _question(intake, uuid), problems=problems, status=status)
    return redirect("governance:question_detail", slug, question.uuid)
