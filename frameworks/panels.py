"""Slots on pages that higher apps fill: a lower app defines the slot, a higher one registers a provider.

A provider gets the request and the page's subject and answers markup that a template rendered, or "" for nothing.
It runs in the same request as the page around it, and is registered once, in its app's `ready()`.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.safestring import SafeString

Provider = Callable[[HttpRequest, object], SafeString | str]

VERSION_IMPACT = "version.impact"
"""On the version page and above the sign-off form: what the version would change. Subject: FrameworkVersion."""
VERSION_SIDE = "version.side"
"""In the version page's right column, under the requirements. Subject: FrameworkVersion."""
VERSION_HISTORY = "version.history"
"""Above the version's history: what can be taken along of it. Subject: FrameworkVersion."""
FRAMEWORK_BODY = "framework.body"
"""On the framework page, under its versions. Subject: Framework."""

_providers: dict[str, list[Provider]] = {}


def register(slot: str, provider: Provider) -> None:
    """Show what `provider` answers in `slot`, after those registered before."""
    _providers.setdefault(slot, []).append(provider)


def rendered(slot: str, request: HttpRequest, subject: object) -> list[SafeString | str]:
    """What the providers of a slot have to say; those with nothing to say are left out."""
    return [markup for provider in _providers.get(slot, []) if (markup := provider(request, subject))]
