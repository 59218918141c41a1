"""Acts that govern a version beside review and signing: schedule, rebase, roll back, recertify, delegate."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.validators import MaxValueValidator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from frameworks.authentication import proof, ways_to_prove
from frameworks.document import Document
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.models import Delegation, FrameworkVersion, PartBody, Signoff, User
from frameworks.naming import names_of
from frameworks.parts.diff import diff_bodies
from frameworks.recertification import recertifications
from frameworks.services.delegation import delegate_signing, end_delegation
from frameworks.services.rebasing import MINE, THEIRS, Conflict, RebasePlan, plan_rebase, rebase_version
from frameworks.services.recertification import recertification_statement, recertify
from frameworks.services.rollback import draft_rollback
from frameworks.services.scheduling import schedule_activation, unschedule_activation
from frameworks.services.signing import labels_of
from frameworks.standing import Standings
from frameworks.templatetags.cutline import day
from frameworks.views.answers import act, person, refused
from frameworks.views.signing import answers_of, not_proven
from frameworks.views.versions import version_or_404
from frameworks.yaml_text import write_yaml

# Scheduling


class MomentForm(forms.Form):
    moment = forms.DateTimeField(input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@act
def version_schedule(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    form = MomentForm(request.POST)
    if not form.is_valid():
        raise InvalidError(["Give a day and a time."])
    version = schedule_activation(
        version=version_or_404(slug, number),
        moment=form.cleaned_data["moment"],
        actor=person(request),
        at=timezone.now(),
    )
    messages.success(request, f"{version} is activated on {version.scheduled_for:%Y-%m-%d %H:%M} UTC, if it still may.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


@act
def version_unschedule(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    version = unschedule_activation(
        version=version_or_404(slug, number),
        reason=request.POST.get("reason", ""),
        actor=person(request),
        at=timezone.now(),
    )
    messages.success(request, f"{version} is approved and no longer scheduled.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


# Going back

CARRIED_BACK = (
    "What was signed then is not asked again, but for the impact, what has aged,"
    " and what you signed yourself: this draft is yours, so another person signs that."
)


@act
def version_rollback(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """A new draft that says what this version said."""
    draft = draft_rollback(
        version=version_or_404(slug, number),
        reason=request.POST.get("reason", ""),
        actor=person(request),
        at=timezone.now(),
    )
    messages.success(request, f"Draft {draft} says what v{number} said. {CARRIED_BACK}")
    return redirect("frameworks:version_detail", slug=slug, number=draft.number)


# Rebasing


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def version_rebase(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """What would follow, what stays, and each conflict with both texts to choose from."""
    version = version_or_404(slug, number)
    if request.method != "POST":
        return _show_rebase(request, version)
    try:
        _rebase(request, version)
    except InvalidError as error:
        return _show_rebase(request, version, problems=error.problems, status=422)
    except ConflictError as error:
        version.refresh_from_db()
        return _show_rebase(request, version_or_404(slug, number), problems=[str(error)], status=409)
    except NotAllowedError as error:
        return refused(request, error, back=request.path)
    messages.success(request, f"v{number} is based on {version.base_version} now, as a draft.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


def _rebase(request: HttpRequest, version: FrameworkVersion) -> None:
    shown = request.POST.get("onto", "")
    onto = next((each for each in version.framework.versions.all() if str(each.uuid) == shown), None)
    if onto is None:
        raise ConflictError("Look at the conflicts again.")
    choices: dict[tuple[str, str], tuple[str, str]] = {}
    for name, side in request.POST.items():
        prefix, _, rest = name.partition("-")
        kind, _, key = rest.partition("/")
        if prefix == "choice":
            choices[kind, key] = (str(side), request.POST.get(f"theirs-{rest}", ""))
    rebase_version(version=version, onto=onto, choices=choices, actor=person(request), at=timezone.now())


def _show_rebase(
    request: HttpRequest, version: FrameworkVersion, *, problems: list[str] | None = None, status: int = 200
) -> HttpResponse:
    plan = plan_rebase(version)
    names = _names_in(plan, version)
    context = {
        "version": version,
        "framework": version.framework,
        "plan": plan,
        "conflicts": _conflict_rows(plan, names, request.POST) if plan else [],
        "followed": [names.phrase_of(*part) for part in plan.followed] if plan else [],
        "kept": [names.phrase_of(*part) for part in plan.kept] if plan else [],
        "problems": problems or [],
        "may_rebase": request.user.has_perm("frameworks.edit_draft"),
        "is_draft": version.state == FrameworkVersion.State.DRAFT,
    }
    return render(request, "frameworks/version_rebase.html", context, status=status)


def _names_in(plan: RebasePlan | None, version: FrameworkVersion) -> Document:
    """What the parts of a plan are called: in the version that has most of them, else in the active one."""
    if plan is None:
        return Document({})
    parts = [*plan.followed, *plan.kept, *(each.id for each in plan.conflicts)]
    mine, theirs = names_of(version, parts), names_of(plan.onto, parts)
    return Document({**theirs.bodies, **mine.bodies})


def _conflict_rows(plan: RebasePlan, names: Document, posted: Mapping[str, Any]) -> list[dict[str, Any]]:
    digests = {digest for each in plan.conflicts for digest in (each.base, each.mine, each.theirs) if digest}
    bodies = dict(PartBody.objects.filter(digest__in=digests).values_list("digest", "body"))
    return [{**_conflict_row(each, bodies, posted), "title": names.title_of(*each.id)} for each in plan.conflicts]


def _conflict_row(each: Conflict, bodies: Mapping[str, Any], posted: Mapping[str, Any]) -> dict[str, Any]:
    path = f"{each.kind}/{each.key}"
    sides = []
    for side, digest, title in ((MINE, each.mine, "The draft"), (THEIRS, each.theirs, "The active version")):
        body, base = bodies.get(digest or ""), bodies.get(each.base or "")
        changes = [change.text for change in diff_bodies(each.kind, each.key, base, body)] if body and base else []
        sides.append(
            {
                "side": side,
                "title": title,
                "text": write_yaml(body) if body else "",
                "changes": changes,
                "is_chosen": posted.get(f"choice-{path}") == side,
            }
        )
    return {"path": path, "theirs": each.theirs or "", "sides": sides}


# Recertification


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def version_recertify(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """What recurs on the version in force, when it is due, and a Yes or No from whom it asks."""
    version = version_or_404(slug, number)
    if request.method != "POST":
        return _show_recertify(request, version)
    at = timezone.now()
    proven = proof(request, at)
    if proven is None:
        return _show_recertify(request, version, problems=[not_proven(request)], status=422)
    try:
        rows = recertify(
            version=version,
            decisions=list(answers_of(request).values()),
            signer=person(request),
            authentication=proven[0],
            authenticated_at=proven[1],
            at=at,
        )
    except InvalidError as error:
        return _show_recertify(request, version, problems=error.problems, status=422)
    except StaleSignoffError as error:
        return _show_recertify(request, version, problems=[str(error)], status=409)
    except (NotAllowedError, ConflictError) as error:
        return refused(request, error, back=request.path)
    for words in _signed_again(version, rows, at):
        messages.success(request, words)
    return redirect("frameworks:version_recertify", slug=slug, number=number)


def _signed_again(version: FrameworkVersion, rows: Sequence[Signoff], at: datetime) -> Iterator[str]:
    """What became of each requirement by these signatures, in words."""
    signed = {row.requirement_id: row for row in rows}
    for each in recertifications(version, at):
        row = signed.get(each.requirement.pk)
        if row and row.decision == Signoff.Decision.REJECT:
            yield f"Your No to {each.requirement.label} is kept. The version keeps serving."
        elif row and each.is_open:
            yield f"Signed again: {each.requirement.label}. Others still have to, by {day(each.due_at)}."
        elif row:
            yield f"Signed again: {each.requirement.label}. Next due on {day(each.due_at)}."


def _show_recertify(
    request: HttpRequest, version: FrameworkVersion, *, problems: list[str] | None = None, status: int = 200
) -> HttpResponse:
    at, user = timezone.now(), person(request)
    recurring = recertifications(version, at)
    labels = labels_of([each.requirement for each in recurring], Standings(version, at).manifest)
    items = [
        {
            "standing": each,
            "pk": each.requirement.pk,
            "title": each.requirement.label,
            "statement": recertification_statement(each, labels[each.requirement.pk], "approve"),
            "is_mine": any(one.pk == user.pk for one in each.answerable_by),
        }
        for each in recurring
    ]
    context = {
        "version": version,
        "framework": version.framework,
        "items": items,
        "mine": [item for item in items if item["is_mine"]],
        "problems": problems or [],
        "ways": ways_to_prove(request, at),
        "next": request.get_full_path(),
        "user_name": user.name,
    }
    return render(request, "frameworks/version_recertify.html", context, status=status)


# Delegation


# The day after the last one is reckoned with, and the calendar ends with the year 9999.
_IN_REACH = MaxValueValidator(date(9998, 12, 31), "Choose an earlier day.")


class DelegationForm(forms.Form):
    """Whole days: from the start of the first up to and including the last, in UTC."""

    delegate = forms.ModelChoiceField(queryset=User.objects.none(), label="Who signs for you?")
    first = forms.DateField(label="From", validators=[_IN_REACH], widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(
        label="Until and including", validators=[_IN_REACH], widget=forms.DateInput(attrs={"type": "date"})
    )
    reason = forms.CharField(max_length=500, label="Why?", help_text="Kept with every signature given in your place.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True, is_service=False).exclude(pk=user.pk)
        self.fields["delegate"].queryset = people.order_by("name", "pk")  # type: ignore[attr-defined]


def _start_of(day: Any, at: datetime) -> datetime:
    """A delegation that starts today starts now: nobody could have signed under it before."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return at if start.date() == at.date() else start


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delegations(request: HttpRequest) -> HttpResponse:
    """Whom I let sign for me, and for whom I may sign."""
    user, at = person(request), timezone.now()
    form = DelegationForm(request.POST or None, user=user)
    status = 200
    if request.method == "POST":
        try:
            if form.is_valid():
                return _delegate(request, form, at)
            status = 422
        except InvalidError as error:
            status = 422
            for problem in error.problems:
                form.add_error(None, problem)
        except (NotAllowedError, ConflictError) as error:
            return refused(request, error, back=request.path)
    rows = Delegation.objects.filter(Q(delegator=user) | Q(delegate=user)).select_related("delegator", "delegate")
    context = {"form": form, "rows": [(row, _standing_of(row, at)) for row in rows[:50]], "user_id": user.pk}
    return render(request, "frameworks/delegations.html", context, status=status)


def _delegate(request: HttpRequest, form: DelegationForm, at: datetime) -> HttpResponse:
    given = form.cleaned_data
    last = given["last"]
    made = delegate_signing(
        actor=person(request),
        delegate=given["delegate"],
        valid_from=_start_of(given["first"], at),
        valid_until=datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1),
        reason=given["reason"],
        at=at,
    )
    messages.success(request, f"{made.delegate} may sign for you. Both names are printed.")
    return redirect("frameworks:delegations")


def _standing_of(row: Delegation, at: datetime) -> str:
    if row.ended_at or row.valid_until <= at:
        return "over"
    return "in force" if row.valid_from <= at else "to come"


@act
def delegation_end(request: HttpRequest, uuid: str) -> HttpResponse:
    row = get_object_or_404(Delegation, uuid=uuid)
    end_delegation(delegation=row, actor=person(request), at=timezone.now())
    messages.success(request, "It is ended. What was signed stays signed.")
    return redirect("frameworks:delegations")
