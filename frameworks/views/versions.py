"""One version: what changed, what it says, who signed, and what comes next."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from frameworks import panels
from frameworks.alignment import terms_about
from frameworks.authentication import ways_to_prove
from frameworks.discussion_page import threads_about
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.forms import EvidenceForm, ReasonForm
from frameworks.models import Confirmation, Contribution, FrameworkVersion, Kind, Part, Signoff
from frameworks.naming import names_of
from frameworks.querysets import confirmations_of
from frameworks.services import review
from frameworks.services.drafting import confirm_parts
from frameworks.version_page import VersionPage
from frameworks.views.answers import act, person, refusal_of, refused
from frameworks.yaml_text import write_yaml

TABS = (
    ("version_detail", "Changes", None),
    ("version_definitions", "Definitions", Kind.TERM),
    ("version_dimensions", "Dimensions", Kind.DIMENSION),
    ("version_playbooks", "Playbooks", Kind.PLAYBOOK),
    ("version_data_sources", "Data sources", Kind.DATA_SOURCE),
    ("version_checks", "Checks", None),
    ("version_discussion", "Discussion", None),
    ("version_history", "History", None),
)
HISTORY_ROWS = 100
PARTS_PER_SHEET = 60
DIMENSIONS_PER_SHEET = 10
CHANGES_PER_SHEET = 50


def version_or_404(slug: str, number: int) -> FrameworkVersion:
    versions = FrameworkVersion.objects.select_related(
        *("framework__active_version", "base_version", "author", "rollback_of", "scheduled_by")
    )
    return get_object_or_404(versions, framework__slug=slug, number=number)


def page_of(request: HttpRequest, slug: str, number: int) -> VersionPage:
    """The version as this person sees it. Raises Http404."""
    return VersionPage(version_or_404(slug, number), person(request), timezone.now())


def render_tab(
    request: HttpRequest, page: VersionPage, tab: str, *, current: str = "", status: int = 200, **context: Any
) -> HttpResponse:
    """One tab of the version page, with its head and the other tabs; `current` for a page that belongs to a tab."""
    tabs = [
        {
            "label": label if tab_name != "version_detail" or page.version.base_version_id else "Overview",
            "url": page.url(tab_name),
            "count": page.counts[kind] if kind else page.thread_count if tab_name == "version_discussion" else None,
            "is_current": tab_name == (current or tab),
        }
        for tab_name, label, kind in TABS
    ]
    state = FrameworkVersion.State
    common = {
        "page": page,
        "version": page.version,
        "framework": page.version.framework,
        "tabs": tabs,
        "is_draft": page.version.state == state.DRAFT,
        "may_edit": page.version.state == state.DRAFT and page.may("edit_draft"),
    }
    return render(request, f"frameworks/{tab}.html", {**common, **context}, status=status)


@login_required
@require_GET
def version_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Changes since the base version, or everything for a first version; one part with `?part=kind/key`."""
    return _detail(request, page_of(request, slug, number))


def _detail(request: HttpRequest, page: VersionPage, *, status: int = 200, **more: Any) -> HttpResponse:
    kind, _, key = request.GET.get("part", "").partition("/")
    document = page.read([(kind, key)]) if kind else None
    part = document.part(kind, key) if document else None
    if kind and part is None:
        raise Http404("There is no such part in this version.")
    found = [each for each in page.differences if not part or each.id == part.id]
    sheet = Paginator(found, CHANGES_PER_SHEET).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "part": part,
        "rail": page.rail(part.id if part else None),
        "changes": page.changes(list(sheet)),
        "sheet": sheet,
        "plain_body": write_yaml(document.bodies[part.id]) if document and part else "",
        "part_standings": page.standings_about(part.id) if part else [],
        "terms_about": terms_about(page.version, *part.id) if part else [],
        "confirmations": confirmations_of(page.version, *part.id) if part else [],
        "threads": threads_about(page, *part.id) if part else [],
        "may_comment": page.may("comment_version"),
        "impact": panels.rendered(panels.VERSION_IMPACT, request, page.version) if not part else [],
        "side": panels.rendered(panels.VERSION_SIDE, request, page.version),
        "activate_url": _activation_url(page.version, "activate_version"),
        "emergency_url": _activation_url(page.version, "activate_in_emergency"),
        "ways": ways_to_prove(request, page.at),
        "next": request.get_full_path(),
        "evidence_form": EvidenceForm(),
        "reason_form": ReasonForm(),
        "versions": page.version.framework.versions.order_by("-number")[:6],
        "i_signed": page.version.framework.signoffs.filter(signer=page.user, decision="approve").exists(),
    }
    return render_tab(request, page, "version_detail", status=status, **{**context, **more})


def _sheet(request: HttpRequest, page: VersionPage, kind: str, size: int = PARTS_PER_SHEET) -> Page[Any]:
    """The sheet of a long list that `?page=` asks for, its parts readable."""
    sheet: Page[Any] = Paginator(page.keys_of(kind), size).get_page(request.GET.get("page"))
    wanted = list(sheet.object_list)
    document = page.read(wanted)
    sheet.object_list = [part for each in wanted if (part := document.part(*each))]
    return sheet


def _activation_url(version: FrameworkVersion, name: str) -> str:
    """Activation evaluates accounts, so it is a page of an app above; empty where that app is not installed."""
    try:
        return reverse(f"governance:{name}", kwargs={"slug": version.framework.slug, "number": version.number})
    except NoReverseMatch:
        return ""


@login_required
@require_GET
def version_definitions(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    terms = _sheet(request, page, Kind.TERM)
    return render_tab(request, page, "version_definitions", terms=terms)


@login_required
@require_GET
def version_dimensions(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    size = page.dimensions_at_once(DIMENSIONS_PER_SHEET)
    sheet = Paginator(page.keys_of(Kind.DIMENSION), size).get_page(request.GET.get("page"))
    dimensions = [(each["part"], each["segments"]) for each in page.dimensions_among(list(sheet.object_list))]
    return render_tab(request, page, "version_dimensions", dimensions=dimensions, sheet=sheet)


@login_required
@require_GET
def version_playbooks(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    sheet = _sheet(request, page, Kind.PLAYBOOK)
    names = page.names(part.id for part in sheet)
    playbooks = [(part, names.label_of(part.kind, part.key)) for part in sheet]
    return render_tab(request, page, "version_playbooks", playbooks=playbooks, sheet=sheet)


@login_required
@require_GET
def version_data_sources(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    sources = _sheet(request, page, Kind.DATA_SOURCE)
    return render_tab(request, page, "version_data_sources", sources=sources)


@login_required
@require_GET
def version_history(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    page = page_of(request, slug, number)
    along = panels.rendered(panels.VERSION_HISTORY, request, page.version)
    return render_tab(request, page, "version_history", events=_events(page.version), along=along)


def _events(version: FrameworkVersion) -> list[dict[str, Any]]:
    """Who did what to this version, newest first; what one person did to many parts at once is one line."""
    contributions = Contribution.objects.filter(version=version).select_related("contributed_by").order_by("-pk")
    signoffs = Signoff.objects.filter(version=version).order_by("-pk")
    confirmations = Confirmation.objects.filter(
        framework=version.framework, confirmed_at__gte=version.created_at
    ).order_by("-pk")
    wrote, confirmed = list(contributions[:HISTORY_ROWS]), list(confirmations[:HISTORY_ROWS])
    names = names_of(
        version, [*((each.kind, each.key) for each in wrote), *((each.kind, each.key) for each in confirmed)]
    )
    done: dict[tuple[Any, ...], list[str]] = {}
    for each in wrote:
        act = (each.contributed_at, each.contributed_by.name, "saved" if each.body_id else "took out", "")
        done.setdefault(act, []).append(names.phrase_of(each.kind, each.key))
    for said in confirmed:
        verb = "confirmed the removal of" if said.state == Confirmation.State.REMOVED else "confirmed"
        act = (said.confirmed_at, said.printed_name, verb, f" “{said.evidence}”")
        done.setdefault(act, []).append(names.phrase_of(said.kind, said.key))
    events = [
        {"title": name, "text": f"{verb} {_counted(parts)}.{more}", "at": at}
        for (at, name, verb, more), parts in done.items()
    ]
    events += [
        {"title": each.printed_name, "text": _signed_words(each), "at": each.signed_at}
        for each in signoffs[:HISTORY_ROWS]
    ]
    events.sort(key=lambda event: event["at"], reverse=True)
    return events


def _counted(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{len(parts)} parts, such as {parts[-1]}"


def _signed_words(signoff: Signoff) -> str:
    reason = f" “{signoff.reason}”" if signoff.reason else ""
    return f"{signoff.get_decision_display()}: {signoff.statement}{reason}"


# What changes a version


@act
def parts_confirm(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Bulk: each ticked part is posted as kind/key with the digest that the page showed.

    What is refused is said in the dialog, with what was typed and ticked still in it.
    """
    version = version_or_404(slug, number)
    try:
        confirmed = confirm_parts(
            version=version,
            parts=_ticked(request, version),
            evidence=_evidence(request),
            actor=person(request),
            at=timezone.now(),
        )
    except (NotAllowedError, ConflictError, InvalidError) as error:
        return _confirm_again(request, page_of(request, slug, number), error)
    messages.success(request, _confirmed_words(confirmed))
    return redirect("frameworks:version_detail", slug=slug, number=number)


def _evidence(request: HttpRequest) -> str:
    form = EvidenceForm(request.POST)
    if not form.is_valid():
        raise InvalidError(["Say how you know, in 10 to 4,000 characters."])
    return str(form.cleaned_data["evidence"])


def _confirm_again(request: HttpRequest, page: VersionPage, error: Exception) -> HttpResponse:
    """The draft with its dialog open; a page of its own where there is no such dialog for this person."""
    if page.version.state != FrameworkVersion.State.DRAFT or not (page.to_confirm and page.may("confirm_part")):
        return refused(request, error, back=page.url("version_detail"))
    status, title, reasons = refusal_of(error)
    return _detail(
        request,
        page,
        status=status,
        evidence_form=EvidenceForm(initial={"evidence": request.POST.get("evidence", "")}),
        confirm_refused=reasons or [title],
        ticked=request.POST.getlist("part"),
        next=page.url("version_detail"),
    )


def _confirmed_words(confirmed: Sequence[Confirmation]) -> str:
    gone = sum(each.state == Confirmation.State.REMOVED for each in confirmed)
    parts = len(confirmed) - gone
    words = [f"{parts} part{'' if parts == 1 else 's'} CONFIRMED."] if parts or not gone else []
    return " ".join([*words, *([f"{gone} removal{'' if gone == 1 else 's'} confirmed."] if gone else [])])


def _ticked(request: HttpRequest, version: FrameworkVersion) -> list[Part]:
    parts = []
    for value in request.POST.getlist("part"):
        kind, _, rest = value.partition("/")
        key, _, digest = rest.rpartition("@")
        parts.append(Part(version=version, kind=kind, key=key, body_id=digest))
    if not parts:
        raise InvalidError(["Tick at least one part."])
    return parts


@act
def version_submit(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    try:
        version = review.submit_version(version=version_or_404(slug, number), actor=person(request), at=timezone.now())
    except InvalidError as error:
        page = page_of(request, slug, number)
        return refused(request, error, back=page.url("version_detail"), help_links=page.help_links)
    messages.success(request, f"v{version.number} is frozen and in review, round {version.round}.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


@act
def version_reopen(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    review.reopen_version(version=version_or_404(slug, number), actor=person(request), at=timezone.now())
    messages.success(request, "This version is a draft again.")
    return redirect("frameworks:version_detail", slug=slug, number=number)


@act
def version_return(request: HttpRequest, slug: str, number: int, to: str) -> HttpResponse:
    """Out of review, with a reason: changes requested, withdrawn or rejected."""
    services = {"changes": review.request_changes, "withdraw": review.withdraw_version, "reject": review.reject}
    version = services[to](
        version=version_or_404(slug, number),
        actor=person(request),
        at=timezone.now(),
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, f"v{version.number} is {version.is_now} now.")
    return redirect("frameworks:version_detail", slug=slug, number=number)
