"""Every error of the API as `application/problem+json` (RFC 9457), whatever raised it."""

from typing import Any, Final, cast

import psycopg
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_standardized_errors.formatter import flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks.api.errors import ERRORS_SHOWN, KINDS, Cause, ProblemError
from frameworks.content import RefusedContentError
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.exchange.reading import FileError

CONTENT_TYPE: Final = "application/problem+json"
_KIND_BY_STATUS: Final = {
    400: "malformed-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "precondition-failed",
    413: "payload-too-large",
    415: "unsupported-media-type",
    422: "validation",
    428: "precondition-required",
    429: "quota-exceeded",
    503: "unavailable",
}
# The statement gave up waiting for somebody else's lock, or lost a deadlock: the same request works in a moment.
_BUSY: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled)
_RETRY_SECONDS: Final = "2"


def exception_handler(exc: Exception, context: Any) -> Response | None:
    """DRF's EXCEPTION_HANDLER."""
    return ProblemHandler(exc, context).run()


class ProblemHandler(ExceptionHandler):
    """Turns what services and DRF raise into problems; what nobody foresaw is a 500 that is logged."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        return as_problem(exc) or exc

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        return exc if isinstance(exc, ProblemError) else ProblemError("internal")

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        return problem_body(
            cast(Request, self.context["request"])._request, as_problem(exc) or ProblemError("internal")
        )

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        headers = getattr(exc, "headers", {})
        return Response(data, status=exc.status_code, headers=headers, content_type=CONTENT_TYPE)


def as_problem(exc: Exception) -> ProblemError | None:
    """The problem that an expected exception means; None for one that nobody expects."""
    if isinstance(exc, ProblemError):
        return exc
    if isinstance(exc, FileError):
        causes = [Cause(each.code, f"Line {each.line}: {each.message}", each.path) for each in exc.found]
        return ProblemError("validation", causes=causes)
    if isinstance(exc, RefusedContentError):
        return ProblemError("validation", causes=[Cause(code, said, at) for at, code, said in exc.issues])
    if isinstance(exc, InvalidError):
        return ProblemError("validation", causes=[Cause("invalid", problem) for problem in exc.problems])
    if isinstance(exc, ConflictError):
        causes = [Cause(exc.code, reason) for reason in (exc.reasons or [exc.message])]
        return ProblemError("conflict", exc.message, causes=causes)
    if isinstance(exc, OperationalError) and isinstance(exc.__cause__, _BUSY):
        return ProblemError(
            "unavailable", "Others are busy with the same data.", headers={"Retry-After": _RETRY_SECONDS}
        )
    if isinstance(exc, exceptions.APIException):
        return _from_rest_framework(exc)
    return _from_django(exc)


def _from_django(exc: Exception) -> ProblemError | None:
    if isinstance(exc, NotAllowedError):
        return ProblemError("forbidden", causes=[Cause("forbidden", reason) for reason in exc.reasons])
    if isinstance(exc, PermissionDenied):
        return ProblemError("forbidden")
    if isinstance(exc, Http404):
        return ProblemError("not-found")
    if isinstance(exc, SuspiciousOperation | BadRequest):
        return ProblemError("malformed-request")
    return None


def _from_rest_framework(exc: exceptions.APIException) -> ProblemError:
    headers = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = str(exc.auth_header)  # type: ignore[attr-defined]
    if getattr(exc, "wait", None):
        headers["Retry-After"] = f"{exc.wait:.0f}"  # type: ignore[attr-defined]
    if isinstance(exc, exceptions.ValidationError):
        causes = [
            Cause(error.code, error.detail, "/" + error.attr.replace(".", "/") if error.attr else "")
            for error in flatten_errors(exc.detail)
        ]
        return ProblemError("validation", causes=causes)
    kind = _KIND_BY_STATUS.get(exc.status_code, "internal")
    code = str(exc.get_codes()) if isinstance(exc.get_codes(), str) else kind
    return ProblemError(kind, str(exc.detail), causes=[Cause(code, str(exc.detail))], headers=headers)


def problem_body(request: HttpRequest, problem: ProblemError) -> dict[str, Any]:
    kind = KINDS[problem.kind]
    causes = problem.causes or (Cause(problem.kind.replace("-", "_"), problem.said),)
    return {
        "type": f"{settings.SITE_URL}/api/problems/{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.said,
        "instance": request.path,
        "request_id": request.META.get("HTTP_X_REQUEST_ID", ""),
        "errors": [cause.as_json() for cause in causes[:ERRORS_SHOWN]],
        **problem.more,
    }


def problem_response(request: HttpRequest, problem: ProblemError) -> JsonResponse:
    """The same outside of DRF."""
    body = problem_body(request, problem)
    return JsonResponse(body, status=problem.status_code, content_type=CONTENT_TYPE, headers=problem.headers)


# The URL table's handlers of errors: problems below /api/, Django's pages elsewhere.


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return problem_response(request, ProblemError("malformed-request"))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return problem_response(request, as_problem(exception) or ProblemError("forbidden"))
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return problem_response(request, ProblemError("not-found"))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return problem_response(request, ProblemError("internal"))
    return defaults.server_error(request)


def nothing_here(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """The last address below /api/: whatever no other one took."""
    return problem_response(request, ProblemError("not-found"))


nothing_here.csrf_exempt = True  # type: ignore[attr-defined]


def explain(request: HttpRequest, kind: str) -> HttpResponse:
    """What a problem's `type` points to: the kind in words."""
    if kind not in KINDS:
        return nothing_here(request)
    known = KINDS[kind]
    text = f"{known.status} {known.title}\n\n{known.meaning}\n"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
