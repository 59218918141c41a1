"""If-Match and If-None-Match: a part is written only over the state that its writer has read (RFC 9110, 13.1), and a
thread is settled only as it was read."""

import re
from typing import Final

from rest_framework.request import Request

from frameworks.api.errors import Cause, ProblemError, refused

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


def entity_tag(digest: str) -> str:
    """The strong ETag of a body: its digest."""
    return f'"{digest}"'


def check_precondition(request: Request, stored: str | None, *, creates: bool) -> None:
    """Refuse the request unless its headers name the state there is.

    `stored` is today's digest, None where nothing is. `creates`: `If-None-Match: *` is understood. Raises
    ProblemError: 428 without a header, 400 for one that cannot be read, 412 where the state is another one.
    """
    match = request.META.get("HTTP_IF_MATCH")
    none_match = request.META.get("HTTP_IF_NONE_MATCH") if creates else None
    if match is None and none_match is None:
        raise ProblemError("precondition-required", causes=[_cause("If-Match", "missing", "This is needed.")])
    if match is not None and none_match is not None:
        raise _unreadable("If-None-Match", "Send this or If-Match, not both.")
    if none_match is not None:
        if none_match.strip() != "*":
            raise _unreadable("If-None-Match", "Only * is understood here: the part is new.")
        if stored is not None:
            raise failed("If-None-Match", stored)
    # A weak tag never matches: it does not say that the content is the same to the byte.
    elif stored is None or entity_tag(stored) not in _tags(match or ""):
        raise failed("If-Match", stored)


def failed(header: str, stored: str | None) -> ProblemError:
    """412, with the ETag of today where something is stored."""
    said = "There is such a part already." if header == "If-None-Match" else "This is not what you read."
    headers = {"ETag": entity_tag(stored)} if stored else {}
    return ProblemError("precondition-failed", causes=[_cause(header, "stale", said)], headers=headers)


def _tags(text: str) -> list[str]:
    found = [tag.strip() for tag in text.split(",")]
    if not all(_TAG.fullmatch(tag) for tag in found):
        raise _unreadable("If-Match", "One ETag as it was given, in double quotes, or several; * is not taken here.")
    return found


def _unreadable(header: str, said: str) -> ProblemError:
    return refused("invalid_precondition", said, place=header, place_kind="header", kind="malformed-request")


def _cause(header: str, code: str, said: str) -> Cause:
    return Cause(code, said, header, "header")
