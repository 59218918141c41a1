"""What governance shows on the pages of lower apps."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.account_page import BANNER, SIDE
from accounts.models import Account
from accounts.services.overrides import overrides_in_force
from frameworks import panels
from frameworks.criteria.parsing import CriteriaError
from frameworks.models import Framework, FrameworkVersion
from frameworks.parts import PartError
from frameworks.version_contents import LARGE
from governance.checklist import checklist_of
from governance.documents import PRINTABLES
from governance.models import Invitation, Meeting, OverrideRequest
from governance.rounds import rounds_of
from governance.services.eligibility import awaited_roles, computed_segment, request_refusals
from governance.services.evidence import READ as READ_EVIDENCE
from governance.services.invitations import may_invite
from governance.visitor import visitor


def override_banner(request: HttpRequest, subject: object) -> SafeString | str:
    """Under an account's name: each override in force, what the rules would say, who asked and who decided."""
    if not isinstance(subject, Account):
        return ""
    overrides = overrides_in_force(timezone.now()).filter(account=subject).order_by("dimension__position")
    rows = overrides.select_related("segment", "dimension", "request__requested_by")
    found = [(row, computed_segment(subject, row.dimension)) for row in rows.prefetch_related("request__decisions")]
    if not found:
        return ""
    return render_to_string("governance/_override_banner.html", {"overrides": found}, request)


def account_requests(request: HttpRequest, subject: object) -> SafeString | str:
    """Beside an account: its open requests with whoever decides next, and the way to ask or why not."""
    if not isinstance(subject, Account):
        return ""
    rows = list(OverrideRequest.objects.filter(account=subject).open().with_people())
    awaited = awaited_roles(rows)
    context = {
        "account": subject,
        "rows": [(row, awaited.get(row.pk)) for row in rows],
        "refusals": request_refusals(visitor(request), subject),
    }
    return render_to_string("governance/_account_requests.html", context, request)


def version_evidence(request: HttpRequest, subject: object) -> SafeString | str:
    """Above a version's history, for those who may read the audit log: its evidence, to take along."""
    if not isinstance(subject, FrameworkVersion) or not visitor(request).has_perm(READ_EVIDENCE):
        return ""
    is_draft = subject.state == FrameworkVersion.State.DRAFT
    return render_to_string("governance/_version_evidence.html", {"version": subject, "is_draft": is_draft}, request)


def framework_progress(request: HttpRequest, subject: object) -> SafeString | str:
    """Under a framework's versions: ASSUMED → CONFIRMED by meeting, and the next meeting."""
    if not isinstance(subject, Framework):
        return ""
    context = {
        "framework": subject,
        "rounds": rounds_of(subject),
        "next": Meeting.objects.filter(framework=subject).planned().order_by("starts_at", "pk").first(),
        "may_run": visitor(request).has_perm("governance.run_meetings"),
    }
    return render_to_string("governance/_meetings_panel.html", context, request)


def version_checklist(request: HttpRequest, subject: object) -> SafeString | str:
    """Beside a version under way or in force: what of the strategic sign-off is open.

    A version of thousands of parts is read on the checklist's own page only.
    """
    state = FrameworkVersion.State
    if not isinstance(subject, FrameworkVersion) or subject.state in (state.REJECTED, state.WITHDRAWN):
        return ""
    if subject.superseded_at or subject.parts.count() > LARGE:
        return ""
    try:
        checklist = checklist_of(subject, timezone.now())
    except (PartError, CriteriaError):
        return ""
    return render_to_string("governance/_checklist_panel.html", {"checklist": checklist, "version": subject}, request)


def version_links(request: HttpRequest, subject: object) -> SafeString | str:
    """Under a version's requirements, for who may invite: how many links are out, and the way to them."""
    if not isinstance(subject, FrameworkVersion) or not may_invite(visitor(request), subject):
        return ""
    sent = Invitation.objects.filter(version=subject)
    context = {"version": subject, "open": sent.filter(used_at=None, revoked_at=None).count(), "sent": sent.count()}
    return render_to_string("governance/_version_links.html", context, request)


def version_documents(request: HttpRequest, subject: object) -> SafeString | str:
    """Beside a version: the way to its documents."""
    if not isinstance(subject, FrameworkVersion):
        return ""
    context = {"version": subject, "printables": PRINTABLES.values()}
    return render_to_string("governance/_version_documents.html", context, request)


def register() -> None:
    """Called once from `ready()`."""
    panels.register(panels.FRAMEWORK_BODY, framework_progress)
    panels.register(panels.VERSION_SIDE, version_checklist)
    panels.register(BANNER, override_banner)
    panels.register(SIDE, account_requests)
    panels.register(panels.VERSION_HISTORY, version_evidence)
    panels.register(panels.VERSION_SIDE, version_documents)
    panels.register(panels.VERSION_SIDE, version_links)
