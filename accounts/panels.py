"""What accounts shows on the pages of lower apps."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from accounts.impact_page import ImpactPage
from frameworks import panels
from frameworks.models import FrameworkVersion
from frameworks.transitions import UNDER_WAY
from frameworks.views.answers import person


def version_impact(request: HttpRequest, subject: object) -> SafeString | str:
    """On a version that is not in force yet: what it would change, in one line with the way to the figures."""
    if not isinstance(subject, FrameworkVersion):
        return ""
    if subject.state not in (FrameworkVersion.State.DRAFT, *UNDER_WAY):
        return ""
    context = {"page": ImpactPage(subject, person(request)), "version": subject}
    return render_to_string("accounts/_version_impact.html", context, request)


def register() -> None:
    """Called once from `ready()`."""
    panels.register(panels.VERSION_IMPACT, version_impact)
