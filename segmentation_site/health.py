"""Probes: is the process alive, and can it serve?"""

from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches nothing else, so that a database outage restarts no web process."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Pages can be served: the database answers and has this code's schema. The broker may be away."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = _missing_migrations()
    except DatabaseError:
        return _unavailable("The database does not answer.")
    if missing:
        return _unavailable(f"{missing} migrations are not applied.")
    return JsonResponse({"status": "ok"})


def _missing_migrations() -> int:
    """How many migrations of this code the database lacks; asked until it is none."""
    try:
        return _require_schema()
    except _SchemaBehind as behind:
        return behind.missing


class _SchemaBehind(Exception):  # noqa: N818 - not an error, an answer that must not be cached
    def __init__(self, missing: int) -> None:
        self.missing = missing


@cache
def _require_schema() -> int:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        raise _SchemaBehind(missing)
    return 0


def _unavailable(detail: str) -> HttpResponse:
    problem = {"type": "about:blank", "title": "Not ready", "status": 503, "detail": detail}
    headers = {"Retry-After": "5"}
    return JsonResponse(problem, status=503, content_type="application/problem+json", headers=headers)
