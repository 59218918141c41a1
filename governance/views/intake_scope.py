"""Who takes part in an intake and what segments are for: the page on which it is written, and the one to sign it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from frameworks.authentication import proof, ways_to_prove
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.views.signing import not_proven, principal_of
from governance.intake_forms import ROLES, DecideScopeForm, ScopeForm, participants_of, people_rows
from governance.intake_page import scope_changes, scope_rows
from governance.intake_standing import IntakeStanding, ScopeState
from governance.models import IntakeForm, IntakeScope
from governance.services.intake import may_edit_intake
from governance.services.intake_scope import (
    decide_scope,
    is_awaited,
    principals_signable,
    refusals_for,
    statement_of,
    write_scope,
)
from governance.views.intake import STATUS, Refused, open_intake_of
from governance.visitor import visitor

METHODS = ["GET", "HEAD", "POST"]


def _standing(intake: IntakeForm) -> IntakeStanding:
    return IntakeStanding(intake, timezone.localdate())


@login_required
@require_http_methods(METHODS)
def intake_scope(request: HttpRequest, slug: str) -> HttpResponse:
    """Who takes part in which role, and what for. Saving writes another scope, to be signed again."""
    intake = open_intake_of(request, slug)
    if request.method != "POST":
        return _scope_page(request, intake, _initial(_standing(intake).scope))
    form, chosen = ScopeForm(request.POST), _chosen(request)
    if not form.is_valid():
        return _scope_page(request, intake, form, chosen, status=422)
    try:
        scope = write_scope(
            intake=intake,
            participants=participants_of(request.POST.dict()),
            uses=form.cleaned_data["uses"],
            uses_note=form.cleaned_data["uses_note"],
            expected_number=form.cleaned_data["number"],
            actor=visitor(request),
            at=timezone.now(),
        )
    except ValueError:
        return _scope_page(request, intake, form, chosen, problems=["Only people of the list take part."], status=422)
    except Refused as error:
        return _refused(request, intake, form, chosen, error)
    said = "An executive signs it next." if not hasattr(scope, "signoff") else "Nothing was changed."
    messages.success(request, f"Written down. {said}")
    return redirect("governance:intake_detail", slug)


def _initial(scope: IntakeScope | None) -> ScopeForm:
    if scope is None:
        return ScopeForm(initial={"number": 0})
    return ScopeForm(initial={"uses": scope.uses, "uses_note": scope.uses_note, "number": scope.number})


def _chosen(request: HttpRequest) -> dict[str, str]:
    """The roles as they were posted, by the person's uuid."""
    return {name.removeprefix("role-"): str(role) for name, role in request.POST.items() if name.startswith("role-")}


def _refused(
    request: HttpRequest, intake: IntakeForm, form: ScopeForm, chosen: dict[str, str], error: Exception
) -> HttpResponse:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    problems = getattr(error, "problems", None) or [str(error)]
    return _scope_page(request, intake, form, chosen, problems=problems, status=status)


def _scope_page(
    request: HttpRequest,
    intake: IntakeForm,
    form: ScopeForm,
    chosen: dict[str, str] | None = None,
    *,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    scope = _standing(intake).scope
    if chosen is None:
        chosen = {row["person"]: row["role"] for row in scope.participants} if scope else {}
    context: dict[str, Any] = {
        "intake": intake,
        "framework": intake.framework,
        "scope": scope,
        "form": form,
        "rows": people_rows(chosen),
        "roles": ROLES,
        "problems": problems or [],
        "may_edit": may_edit_intake(visitor(request)) and intake.is_open,
        "is_signed": _standing(intake).scope_state == ScopeState.SIGNED,
    }
    return render(request, "governance/intake_scope.html", context, status=status)


@login_required
@require_http_methods(METHODS)
def intake_sign(request: HttpRequest, slug: str) -> HttpResponse:
    """What an executive signs: who takes part, and what segments will be used for."""
    intake = open_intake_of(request, slug)
    scope = _standing(intake).scope
    if scope is None:
        raise Http404("Nobody has written who takes part.")
    if request.method != "POST":
        return _sign_page(request, intake, scope)
    form = DecideScopeForm(request.POST)
    if not form.is_valid():
        return _sign_page(request, intake, scope, problems=["Answer Yes or No. Nothing was signed."], status=422)
    at = timezone.now()
    principal = principal_of(request, at)
    try:
        proven = proof(request, at)
        if proven is None:
            return _sign_page(request, intake, scope, problems=[not_proven(request)], status=422)
        signed = decide_scope(
            scope=scope,
            decision=form.cleaned_data["decision"],
            reason=form.cleaned_data["reason"],
            expected_digest=form.cleaned_data["digest"],
            signer=visitor(request),
            authentication=proven[0],
            authenticated_at=proven[1],
            at=at,
            on_behalf_of=principal,
        )
    except (NotAllowedError, ConflictError, InvalidError) as error:
        problems = getattr(error, "problems", None) or [str(error)]
        status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
        return _sign_page(request, open_intake_of(request, slug), scope, problems=problems, status=status)
    yes = signed.decision == signed.Decision.APPROVE
    messages.success(request, "Signed: the form can be filled in." if yes else "Not signed; RevOps reads your reason.")
    return redirect("governance:intake_detail", slug)


def _sign_page(
    request: HttpRequest,
    intake: IntakeForm,
    shown: IntakeScope,
    *,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    standing = _standing(intake)
    scope = standing.scope or shown
    at, user = timezone.now(), visitor(request)
    principal = principal_of(request, at)
    others = principals_signable(standing, user, at) if is_awaited(standing) else []
    before = standing.last_signed if standing.last_signed != scope else None
    context: dict[str, Any] = {
        "intake": intake,
        "framework": intake.framework,
        "scope": scope,
        "rows": scope_rows(scope),
        "signoff": standing.signoff,
        "principal": principal,
        "others": [each for each in others if each != principal],
        "refusals": refusals_for(standing, user, principal, at),
        "statement": statement_of(scope),
        "before": before,
        "changes": scope_changes(before, scope) if before else [],
        "ways": ways_to_prove(request, at),
        "next": request.get_full_path(),
        "problems": problems or [],
        "posted": request.POST if status == 422 else {},
    }
    return render(request, "governance/intake_sign.html", context, status=status)
