"""How pages answer what a service refuses: the reasons in words, what was kept, and where to go on."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import User

View = Callable[..., HttpResponse]


def refused(
    request: HttpRequest, error: Exception, *, back: str, help_links: Iterable[Mapping[str, str]] = ()
) -> HttpResponse:
    """The page for a refusal: 403, 409 or 422 with every reason, and where help is asked for (label, url)."""
    status, title, reasons = refusal_of(error)
    context = {"title": title, "reasons": reasons, "back": back, "help_links": help_links}
    return render(request, "frameworks/refused.html", context, status=status)


def refusal_of(error: Exception) -> tuple[int, str, list[str]]:
    """Status, title and reasons of what a service refused; raises what is no refusal."""
    if isinstance(error, NotAllowedError):
        return 403, "You may not do this", error.reasons
    if isinstance(error, ConflictError):
        return 409, error.message, error.reasons
    if isinstance(error, InvalidError):
        return 422, "This cannot be done yet", error.problems
    raise error


def act(view: View) -> View:
    """A view that changes something: by a person, by POST only; what the service refuses becomes a page."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            refuse_unreadable(request)
            return view(request, *args, **kwargs)
        except (NotAllowedError, ConflictError, InvalidError) as error:
            return refused(request, error, back=_back(request))

    return login_required(require_POST(answered))


def refuse_unreadable(request: HttpRequest) -> None:
    """PostgreSQL holds no text with a NUL; it is refused before a service looks at it. Raises InvalidError."""
    if any("\x00" in value for name in request.POST for value in (name, *request.POST.getlist(name))):
        raise InvalidError(
            ["The form holds a character that no text can have. Type it again, or paste it as plain text."]
        )


def _back(request: HttpRequest) -> str:
    """Where the form stood, if that is a page of ours."""
    referer = request.META.get("HTTP_REFERER", "")
    ours = url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()})
    return referer if ours else reverse("frameworks:framework_list")


def person(request: HttpRequest) -> User:
    """The person of a request that passed `login_required`."""
    if not isinstance(request.user, User):
        raise NotAllowedError("Log in first.")
    return request.user
