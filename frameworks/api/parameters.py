"""Query parameters: an allow-list with a reader each. A typo must not widen a result, so it is an error."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.http import QueryDict

from frameworks import values
from frameworks.api.errors import Cause, ProblemError
from frameworks.api.pagination import LIMIT_DEFAULT, LIMIT_MOST
from frameworks.values import NOTHING, RefusedValueError

Reader = Callable[[str], Any]

_DIGITS: Final = re.compile(r"[0-9]{1,9}")
TEXT_CHARACTERS: Final = 255


def read_parameters(query: QueryDict, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The values of the parameters that were sent, read. Raises ProblemError (422) naming every one refused."""
    found: dict[str, Any] = {}
    causes: list[Cause] = []
    for name, sent in query.lists():
        try:
            found[name] = _read(name, sent, readers)
        except RefusedValueError as refusal:
            received: Any = sent[0] if len(sent) == 1 else sent
            if refusal.code == "unknown_parameter":
                received = NOTHING
            place = name[:TEXT_CHARACTERS].encode("utf-8", "replace").decode()
            causes.append(Cause(refusal.code, refusal.detail, place, "parameter", received))
    if causes:
        raise ProblemError("validation", causes=causes)
    return found


def _read(name: str, sent: list[str], readers: Mapping[str, Reader]) -> Any:
    if name not in readers:
        hint = values.suggestion(name[:TEXT_CHARACTERS], readers)
        raise RefusedValueError("unknown_parameter", hint or "There is no such parameter.")
    if len(sent) > 1:
        raise RefusedValueError("repeated_parameter", "Send it once.")
    return readers[name](sent[0])


def limit(value: str) -> int:
    if not _DIGITS.fullmatch(value) or not 1 <= int(value) <= LIMIT_MOST:
        raise RefusedValueError("out_of_range", f"A whole number from 1 to {LIMIT_MOST}; {LIMIT_DEFAULT} if not sent.")
    return int(value)


def text(value: str) -> str:
    return values.line(value, most=TEXT_CHARACTERS)


def cursor(value: str) -> str:
    """Any text: what is wrong with a cursor is said where it is read."""
    return value


def moment(value: str) -> datetime:
    try:
        return values.moment(value)
    except RefusedValueError as refusal:
        # An unescaped "+" of the offset arrives as a space: the commonest slip, so it is named.
        hint = ' Write "+" as "%2B".' if " " in value else ""
        raise RefusedValueError(refusal.code, refusal.detail + hint) from None
