"""Idempotency-Key: a repeated request gets the first answer and changes nothing a second time.

The key's row is written in the transaction of the change it stands for. A crash rolls both back, so no key is
ever stuck "in progress"; a parallel request simply waits on the unique index, for WAIT_MILLISECONDS at most.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, cast

import psycopg
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from frameworks.api.errors import ProblemError, refused
from frameworks.api.views import ApiView
from frameworks.models import User
from governance.api.problems import CONTENT_TYPE, problem_body
from governance.models import IdempotencyKey

LIFE: Final = timedelta(hours=24)
WAIT_MILLISECONDS: Final = 2000
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = ("ETag", "Location")
# Problems of the request itself: whoever sends the same again gets the same again.
_OF_CONTENT: Final = frozenset({"malformed-request", "validation"})


def idempotent(view: type[ApiView]) -> type[ApiView]:
    """The view, with changing methods that know Idempotency-Key; a view that only reads stays as it is."""
    changing = {name: getattr(view, name) for name in ("post", "put", "patch", "delete") if hasattr(view, name)}
    if not changing:
        return view
    members = {name: _once(method) for name, method in changing.items()}
    return type(view.__name__, (view,), {**members, "__doc__": view.__doc__, "__module__": view.__module__})


def _once(method: Callable[..., Response]) -> Callable[..., Response]:
    @functools.wraps(method)
    def answer(self: ApiView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = read_key(request)
        if key is None:
            return method(self, request, *args, **kwargs)
        return answer_once(request, key, lambda: method(self, request, *args, **kwargs))

    return answer


def read_key(request: Request) -> str | None:
    """The key, bare or quoted, None when none was sent. Raises ProblemError (400)."""
    sent: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if sent is None:
        return None
    key = sent[1:-1] if len(sent) > 1 and sent[0] == sent[-1] == '"' else sent
    if not _KEY.fullmatch(key):
        detail = "1 to 255 visible ASCII characters, bare or in double quotes."
        place = {"place": "Idempotency-Key", "place_kind": "header"}
        raise refused("invalid_idempotency_key", detail, kind="invalid-idempotency-key", **place)
    return key


def answer_once(request: Request, key: str, run: Callable[[], Response]) -> Response:
    """Run the change and keep its answer under the key, or give the answer kept before."""
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        row, is_ours = _claim(cast(User, request.user), key, fingerprint, timezone.now())
        if not is_ours:
            return _replay(row, fingerprint)
        response = _run(request, run)
        row.status = response.status_code
        row.body = {} if response.data is None else json.loads(JSONRenderer().render(response.data))
        row.headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
        row.save(update_fields=["status", "body", "headers"])
    return response


def _run(request: Request, run: Callable[[], Response]) -> Response:
    """A problem of the content is an answer to keep; every other one rolls the key back with the change."""
    try:
        with transaction.atomic():
            return run()
    except ProblemError as problem:
        if problem.kind not in _OF_CONTENT or problem.depends_on_state:
            raise
        body = problem_body(request._request, problem)
        return Response(body, status=problem.status_code, content_type=CONTENT_TYPE)


def _fingerprint(request: Request) -> str:
    parts = [request.method or "", request.get_full_path(), request.META.get("HTTP_IF_MATCH", "")]
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request._request.body).hexdigest()


def _claim(user: User, key: str, fingerprint: str, now: datetime) -> tuple[IdempotencyKey, bool]:
    """The key's row, and whether the change is ours to make."""
    fresh = {"fingerprint": fingerprint, "created_at": now}
    before = _lock_timeout(f"{WAIT_MILLISECONDS}ms")
    try:
        row, is_ours = IdempotencyKey.objects.get_or_create(principal=user, key=key, defaults=fresh)
        if not is_ours and row.created_at < now - LIFE:
            row = IdempotencyKey.objects.select_for_update().get(pk=row.pk)
            is_ours = row.created_at < now - LIFE
            if is_ours:
                row.fingerprint, row.created_at = fingerprint, now
                row.save(update_fields=["fingerprint", "created_at"])
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise ProblemError("in-progress", headers={"Retry-After": "1"}) from error
        raise
    _lock_timeout(before)
    return row, is_ours


def _lock_timeout(value: str) -> str:
    """Set it for the rest of the transaction; returns what it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        before: str = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [value])
    return before


def _replay(row: IdempotencyKey, fingerprint: str) -> Response:
    if row.fingerprint != fingerprint:
        place = {"place": "Idempotency-Key", "place_kind": "header"}
        detail = "This key was used for another request in the last 24 hours."
        raise refused("idempotency_mismatch", detail, kind="idempotency-mismatch", **place)
    headers = {**row.headers, "Idempotency-Replayed": "true"}
    content_type = CONTENT_TYPE if row.status >= 400 else None
    body = None if row.status == 204 else row.body
    return Response(body, status=row.status, headers=headers, content_type=content_type)


def delete_old_keys(*, at: datetime) -> int:
    """Forget the answers nobody may ask for again; returns how many. For the nightly maintenance."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=at - LIFE).delete()
    return deleted
