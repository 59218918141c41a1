"""Fields of a request's body: an allow-list with a reader each, like parameters; every wrong one is named."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from frameworks import values
from frameworks.api.errors import Cause, ProblemError
from frameworks.values import NOTHING, RefusedValueError

Reader = Callable[[Any], Any]


def read_body(
    body: Mapping[str, Any],
    readers: Mapping[str, Reader],
    *,
    needed: Collection[str] = (),
    read_only: Collection[str] = (),
) -> dict[str, Any]:
    """The fields that were sent, read. Raises ProblemError (422) with a pointer to every wrong or missing one."""
    found: dict[str, Any] = {}
    causes = [Cause("missing", "This is needed.", f"/{name}") for name in needed if name not in body]
    for name, value in body.items():
        try:
            found[name] = _reader(name, readers, read_only)(value)
        except RefusedValueError as refusal:
            received = NOTHING if refusal.code in ("unknown_field", "read_only") else value
            causes.append(Cause(refusal.code, refusal.detail, f"/{values.pointer_piece(name)}", received=received))
    if causes:
        raise ProblemError("validation", causes=causes)
    return found


def _reader(name: str, readers: Mapping[str, Reader], read_only: Collection[str]) -> Reader:
    if name in read_only:
        raise RefusedValueError("read_only", "This is decided here and cannot be sent.")
    if name not in readers:
        raise RefusedValueError("unknown_field", values.suggestion(name, readers) or "There is no such field.")
    return readers[name]
