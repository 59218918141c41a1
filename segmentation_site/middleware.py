"""What holds for every request: its id, the browser's rules, HTTPS for the API, the age of sessions."""

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render

from segmentation_site import health

GetResponse = Callable[[HttpRequest], HttpResponse]

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# How stale the session's expiry may get before it is written again: not a write per request.
_TOUCH_SECONDS = 600


class RequestIdMiddleware:
    """Give every request an id: the caller's, when it is one word, else our own. Logs and answers carry it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _ACCEPTABLE_ID.fullmatch(given) else uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ProbeMiddleware:
    """Answer probes before anything else looks at them: they come from inside, by address and over plain HTTP."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._probes = {"/healthz": health.healthz, "/readyz": health.readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = self._probes.get(request.path_info, self.get_response)
        return probe(request)


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """The strict policy everywhere, with the named exceptions under the prefixes that need them."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        exceptions: dict[str, dict[str, Any]] = settings.CONTENT_SECURITY_POLICY_EXCEPTIONS
        for prefix, directives in exceptions.items():
            if request.path_info.startswith(prefix):
                parts.replace = {**(parts.replace or {}), **directives}
        return parts


class SecureApiMiddleware:
    """Refuse the API over plain HTTP in production: by then a redirect would come after the token was sent."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and request.path_info.startswith("/api/") and not request.is_secure():
            problem = {"type": "about:blank", "title": "HTTPS is required", "status": 403}
            return JsonResponse(problem, status=403, content_type="application/problem+json")
        return self.get_response(request)


class WrongMethodMiddleware:
    """Say in a page what a browser gets where only a form may be sent: Django's own answer is empty."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or response.streaming or response.content or request.method != "GET":
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response.get("Allow", "")
        return page


class SessionLimitsMiddleware:
    """End a session after SESSION_COOKIE_AGE without a request, and after SESSION_ABSOLUTE_AGE in any case."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            now = int(time.time())
            began = request.session.setdefault("began_at", now)
            if now - began > settings.SESSION_ABSOLUTE_AGE:
                structlog.get_logger(__name__).info("session_too_old", user=request.user.pk)
                logout(request)
            elif now - request.session.get("seen_at", 0) > _TOUCH_SECONDS:
                request.session["seen_at"] = now
        return self.get_response(request)
