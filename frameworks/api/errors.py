"""Problems of the REST API: what is said, with which status, and where in the request the cause is.

Every answer that is not a success is `application/problem+json` (RFC 9457); `KINDS` is the whole list of
problem types, and what `/api/problems/<kind>` prints.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.exceptions import APIException

from frameworks.values import NOTHING

RECEIVED_CHARACTERS: Final = 100
ERRORS_SHOWN: Final = 100


@dataclass(frozen=True)
class Kind:
    """One problem type. `meaning` tells a developer what happened and what to do."""

    status: int
    title: str
    meaning: str


KINDS: Final[dict[str, Kind]] = {
    "malformed-request": Kind(
        400,
        "The request could not be read",
        "The body is not one JSON object in UTF-8 without repeated keys, NaN or more than 32 levels. Mend the sender.",
    ),
    "invalid-cursor": Kind(
        400,
        "The cursor is not valid",
        "Send cursors back exactly as they were received, with the same filters and by the same service account.",
    ),
    "invalid-idempotency-key": Kind(
        400,
        "The Idempotency-Key is not valid",
        "1 to 255 visible ASCII characters, bare or in double quotes.",
    ),
    "unauthenticated": Kind(
        401,
        "A valid token is needed",
        "Send `Authorization: Bearer cut_…` with a token that is neither expired nor revoked, of an active owner.",
    ),
    "forbidden": Kind(403, "This is not allowed", "The reasons are in the answer."),
    "insufficient-scope": Kind(
        403,
        "The token may not do this",
        "The token lacks the scope, or its owner lacks the right behind it. Ask for a token with the named scope.",
    ),
    "not-found": Kind(404, "There is nothing here", "The address is wrong, or the thing is not yours to see."),
    "method-not-allowed": Kind(405, "This method is not possible here", "The header Allow names what is."),
    "not-acceptable": Kind(
        406,
        "The API answers in JSON only",
        "Send `Accept: application/json`, for a framework file `Accept: application/yaml`, or no Accept header.",
    ),
    "conflict": Kind(
        409, "Things are not as you saw them", "Read the current state, then decide whether to try again."
    ),
    "precondition-failed": Kind(
        412,
        "It changed since you read it",
        "The header ETag has the state of today, if there is one. Read it, carry your change over, and try again.",
    ),
    "precondition-required": Kind(
        428,
        "Say which state you are changing",
        "Send `If-Match` with the ETag you read, or `If-None-Match: *` for something new.",
    ),
    "in-progress": Kind(
        409,
        "The same request is being worked on",
        "Another request with this Idempotency-Key has not ended. Try again after the seconds of Retry-After.",
    ),
    "cursor-expired": Kind(
        410,
        "The cursor is too old",
        "Read GET /assignments/changes/head and keep its cursor; page through GET /assignments and replace what you"
        " hold; then read GET /assignments/changes from the kept cursor.",
    ),
    "payload-too-large": Kind(413, "The body is too large", "4 MiB and 1,000 items at most. Send several requests."),
    "unsupported-media-type": Kind(
        415,
        "The body must be JSON",
        "Send `Content-Type: application/json` in UTF-8, not compressed; framework files as `application/yaml`.",
    ),
    "validation": Kind(
        422, "Some values were not accepted", "Every cause is in `errors`, with its place. Nothing was written."
    ),
    "idempotency-mismatch": Kind(
        422,
        "This Idempotency-Key was used for another request",
        "A key belongs to one request: method, address and body. Use a new key for a new request.",
    ),
    "quota-exceeded": Kind(429, "Too many requests", "Try again after the seconds of Retry-After."),
    "internal": Kind(500, "Something went wrong here", "It is our fault and has been logged under `request_id`."),
    "unavailable": Kind(503, "Not possible right now", "Try again after the seconds of Retry-After."),
}


@dataclass(frozen=True)
class Cause:
    """One cause of a problem: `place` is a JSON pointer into the body, the name of a parameter or of a header."""

    code: str
    detail: str
    place: str = ""
    place_kind: str = "pointer"
    received: Any = NOTHING
    node: str = ""

    def as_json(self) -> dict[str, Any]:
        said = {self.place_kind: self.place, "code": self.code, "detail": self.detail}
        if self.node:
            said["node"] = self.node
        return said if self.received is NOTHING else said | {"received": shortened(self.received)}


def shortened(value: Any) -> Any:
    """The value as it can be repeated to the sender: never longer than RECEIVED_CHARACTERS, always valid text."""
    text = json.dumps(value, default=str)
    if len(text) <= RECEIVED_CHARACTERS and not _has_surrogate(value):
        return json.loads(text)
    plain = value if isinstance(value, str) else text
    return plain[:RECEIVED_CHARACTERS].encode("utf-8", "replace").decode() + "…"


def _has_surrogate(value: Any) -> bool:
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


class ProblemError(APIException):
    """Ends a request with a problem. `kind` is a key of KINDS.

    `more` goes into the answer beside the usual members. `depends_on_state`: the same request may be answered
    otherwise later, so the answer is not to be kept.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        causes: Iterable[Cause] = (),
        headers: Mapping[str, str] | None = None,
        depends_on_state: bool = False,
    ) -> None:
        self.depends_on_state = depends_on_state
        self.more: dict[str, Any] = {}
        self.kind = kind
        self.status_code = KINDS[kind].status
        self.causes = tuple(causes)
        self.headers = dict(headers or {})
        self.said = detail or _summary(self.causes) or KINDS[kind].meaning
        super().__init__(self.said, code=kind)


def _summary(causes: tuple[Cause, ...]) -> str:
    if len(causes) == 1:
        return causes[0].detail
    return f"{len(causes)} problems in the request." if causes else ""


def refused(
    code: str, detail: str, *, place: str = "", place_kind: str = "pointer", kind: str = "validation"
) -> ProblemError:
    """A problem with one cause."""
    return ProblemError(kind, causes=[Cause(code, detail, place, place_kind)])
