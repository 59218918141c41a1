"""Signing: one page a person can finish on a phone, the list of what waits, and the printable manifest."""

import re
from collections.abc import Mapping
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from frameworks import panels
from frameworks.authentication import proof, ways_to_prove
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleSignoffError
from frameworks.models import FrameworkVersion, Requirement, Signoff, User
from frameworks.querysets import asked_of
from frameworks.recertification import open_recertifications
from frameworks.services.delegation import principals_of
from frameworks.services.overruling import overrule_dissent, withdraw_overruling
from frameworks.services.signing import Answer, sign, withdraw_signoff
from frameworks.signing_page import Item, SigningPage
from frameworks.views.answers import act, person, refuse_unreadable, refused
from frameworks.views.versions import version_or_404

_FIELD = re.compile(r"(?:answer|reason|digest|seen)-[0-9]+|csrfmiddlewaretoken|impact|password|code")
# Longer ones are no id of a row.
_NUMBER = re.compile(r"[0-9]{1,18}")
DECISIONS = {"yes": Signoff.Decision.APPROVE, "no": Signoff.Decision.REJECT}


@login_required
@require_GET
def my_signing(request: HttpRequest) -> HttpResponse:
    """What waits for this person's signature, oldest first; what they may sign for others; what recurs."""
    user, at = person(request), timezone.now()
    asked = FrameworkVersion.objects.filter(pk__in=asked_of(user, at).order_by().values("version"))
    versions = list(asked.select_related("framework__active_version", "author").order_by("submitted_at", "pk"))
    signers = [user, *principals_of(user, at)]
    pages = [
        page
        for version in versions
        for signer in signers
        if (page := SigningPage(version, signer, at, hand=user)).waiting
    ]
    due = [each for each in open_recertifications(at) if any(one.pk == user.pk for one in each.missing)]
    return render(request, "frameworks/my_signing.html", {"pages": pages, "due": due})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def signing(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """`?for=` names the person in whose place a delegate signs."""
    version = version_or_404(slug, number)
    if request.method != "POST":
        return _show(request, _page(request, version, timezone.now()))
    try:
        return _sign(request, version)
    except StaleSignoffError as error:
        return _stale(request, version, error)
    except (NotAllowedError, ConflictError) as error:
        return refused(request, error, back=request.path)


def _page(request: HttpRequest, version: FrameworkVersion, at: datetime) -> SigningPage:
    user = person(request)
    return SigningPage(version, principal_of(request, at) or user, at, hand=user, sheet=request.GET.get("page"))


def principal_of(request: HttpRequest, at: datetime) -> User | None:
    """The person for whom this page is signed, if it is another one; 404 where nobody of that name asked."""
    wanted = request.GET.get("for", "")
    if not wanted:
        return None
    found = next((each for each in principals_of(person(request), at) if str(each.uuid) == wanted), None)
    if found is None:
        raise Http404("Nobody has asked you to sign in their place at this time.")
    return found


def _sign(request: HttpRequest, version: FrameworkVersion) -> HttpResponse:
    at, user = timezone.now(), person(request)
    principal = principal_of(request, at)
    answers = answers_of(request)
    if problems := _form_problems(request):
        return _again(request, version, at, problems)
    proven = proof(request, at)
    if proven is None:
        return _again(request, version, at, [not_proven(request)])
    method, moment = proven
    try:
        rows = sign(
            version=version,
            decisions=list(answers.values()),
            signer=user,
            on_behalf_of=principal,
            authentication=method,
            authenticated_at=moment,
            at=at,
            impact_digest=request.POST.get("impact", ""),
        )
    except InvalidError as error:
        return _again(request, version, at, error.problems)
    messages.success(request, _thanks(version, len(rows)))
    return redirect("frameworks:signing_manifest", slug=version.framework.slug, number=version.number)


def _form_problems(request: HttpRequest) -> list[str]:
    """A field this form does not have is no slip of the pen: somebody thinks it says who signs, or for whom."""
    foreign = sorted(name for name in request.POST if not _FIELD.fullmatch(name))
    if foreign:
        return [f"This form has no field “{foreign[0][:40]}”: everybody signs for themselves. Nothing was signed."]
    try:
        refuse_unreadable(request)
    except InvalidError as error:
        return error.problems
    return []


def not_proven(request: HttpRequest) -> str:
    """What to say when the form's password or code was missing or wrong."""
    if request.POST.get("code"):
        return "This code is not right, or was used already."
    if request.POST.get("password"):
        return "This is not your password."
    return "Give your password or a code: it signs all of them at once."


def _thanks(version: FrameworkVersion, count: int) -> str:
    signed = f"{count} decision{'' if count == 1 else 's'} signed." if count else "You had signed all of this already."
    if version.state == FrameworkVersion.State.APPROVED:
        return f"{signed} Yours was the last one needed: v{version.number} is approved."
    if version.is_emergency and version.ratified_at:
        return f"{signed} Yours was the last one needed: v{version.number} is ratified."
    return signed


def answers_of(request: HttpRequest) -> dict[int, Answer]:
    """What the form says, by requirement id: only points that were answered."""
    found = {}
    for name, value in request.POST.items():
        prefix, _, number = name.partition("-")
        if prefix != "answer" or not _NUMBER.fullmatch(number) or value not in DECISIONS:
            continue
        digest, reason = request.POST.get(f"digest-{number}", ""), request.POST.get(f"reason-{number}", "")
        found[int(number)] = Answer(int(number), digest, DECISIONS[value], reason if value == "no" else "")
    return found


def _again(request: HttpRequest, version: FrameworkVersion, at: datetime, problems: list[str]) -> HttpResponse:
    page = _page(request, version, at)
    _keep_answers(request, page)
    return _show(request, page, problems=problems, status=422)


def _stale(request: HttpRequest, version: FrameworkVersion, error: StaleSignoffError) -> HttpResponse:
    """409: what changed since the page was opened, with the other answers kept in the form, not signed."""
    page = _page(request, version, timezone.now())
    current = _keep_answers(request, page)
    seen = {
        item.pk: request.POST.get(f"seen-{posted}", "")
        for posted, item in current.items()
        if item.pk in error.requirement_ids
    }
    page.mark_stale(seen)
    return _show(request, page, conflict=error, status=409)


def _keep_answers(request: HttpRequest, page: SigningPage) -> Mapping[int, Item]:
    """Put the posted answers back into the form; the items of today by the id that was posted."""
    posted = answers_of(request)
    asked = Requirement.objects.filter(version=page.version).in_bulk(list(posted))
    today = {(each.requirement.code, each.path): each for each in page.items}
    current = {}
    for pk, requirement in asked.items():
        path = f"{requirement.part_kind}/{requirement.part_key}" if requirement.part_key else ""
        item = today.get((requirement.code, path))
        if item is not None:
            item.answer = "no" if posted[pk].decision == Signoff.Decision.REJECT else "yes"
            item.reason = posted[pk].reason
            current[pk] = item
    return current


def _show(
    request: HttpRequest,
    page: SigningPage,
    *,
    problems: list[str] | None = None,
    conflict: StaleSignoffError | None = None,
    status: int = 200,
) -> HttpResponse:
    has_impact = any(item.requirement.includes_impact for item in page.items)
    context = {
        "page": page,
        "version": page.version,
        "framework": page.version.framework,
        "problems": problems or [],
        "conflict": conflict,
        "ways": ways_to_prove(request, timezone.now()),
        "next": request.get_full_path(),
        "impact": panels.rendered(panels.VERSION_IMPACT, request, page.version) if has_impact else [],
        "minutes": max(1, round(len(page.items) * 0.5)),
        "others": _others(page),
    }
    return render(request, "frameworks/signing.html", context, status=status)


def _others(page: SigningPage) -> list[SigningPage]:
    """The pages of those in whose place the reader could sign this version, where something waits for them."""
    signers = [each for each in principals_of(page.hand, page.at) if each.pk != page.user.pk]
    pages = (SigningPage(page.version, signer, page.at, hand=page.hand) for signer in signers)
    return [each for each in pages if each.waiting]


@act
def signing_withdraw(request: HttpRequest, slug: str, number: int, requirement: int) -> HttpResponse:
    """Take one's own decision back."""
    version, at = version_or_404(slug, number), timezone.now()
    asked = get_object_or_404(Requirement.objects.select_related("version__framework"), pk=requirement, version=version)
    proven = proof(request, at)
    if proven is None:
        raise NotAllowedError("Taking a decision back needs your password or a code, as signing does.")
    method, moment = proven
    withdraw_signoff(
        requirement=asked,
        signer=person(request),
        reason=request.POST.get("reason", ""),
        authentication=method,
        authenticated_at=moment,
        at=at,
    )
    messages.success(request, "Your decision is taken back. It stays in the history.")
    return redirect("frameworks:signing", slug=slug, number=number)


def _proven(request: HttpRequest, at: datetime, what: str) -> tuple[str, datetime]:
    """How and when the person proved who they are. Raises NotAllowedError: `what` needs that."""
    proven = proof(request, at)
    if proven is None:
        raise NotAllowedError(f"{what} needs your password or a code, as signing does.")
    return proven


@act
def signing_overrule(request: HttpRequest, slug: str, number: int, requirement: int) -> HttpResponse:
    """Approve a definition over the No that stands on it, where the policy allows it."""
    version, at = version_or_404(slug, number), timezone.now()
    asked = get_object_or_404(Requirement.objects.select_related("version__framework"), pk=requirement, version=version)
    method, moment = _proven(request, at, "Approving over dissent")
    overrule_dissent(
        requirement=asked,
        expected_digest=request.POST.get("digest", ""),
        reason=request.POST.get("reason", ""),
        signer=person(request),
        authentication=method,
        authenticated_at=moment,
        at=at,
    )
    messages.success(request, "It is approved over the dissent, which stays printed beside it.")
    return redirect("frameworks:term_detail", slug=slug, number=number, key=asked.part_key)


@act
def overruling_withdraw(request: HttpRequest, slug: str, number: int, requirement: int) -> HttpResponse:
    """Take an approval over dissent back before activation; the No counts again."""
    version, at = version_or_404(slug, number), timezone.now()
    asked = get_object_or_404(Requirement.objects.select_related("version__framework"), pk=requirement, version=version)
    method, moment = _proven(request, at, "Taking it back")
    withdraw_overruling(
        requirement=asked,
        reason=request.POST.get("reason", ""),
        signer=person(request),
        authentication=method,
        authenticated_at=moment,
        at=at,
    )
    messages.success(request, "It is taken back: the No counts again.")
    return redirect("frameworks:term_detail", slug=slug, number=number, key=asked.part_key)


@login_required
@require_GET
def signing_manifest(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Every sign-off on this version, for paper: who said what, on which digest, proven how."""
    version = version_or_404(slug, number)
    signoffs = Signoff.objects.filter(version=version).order_by("pk")
    context = {
        "version": version,
        "framework": version.framework,
        "signoffs": signoffs,
        "waits": SigningPage(version, person(request), timezone.now()).waiting,
    }
    return render(request, "frameworks/signing_manifest.html", context)
