"""JSON, read strictly: everything that a lenient parser lets pass and that then loses data is an error."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, Any, Final

from django.http import UnreadablePostError
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from frameworks.api.errors import Cause, ProblemError, refused
from frameworks.values import pointer_piece

DEPTH: Final = 32
# json.loads would run into Python's own limit of 4,300 digits, and no value of ours is that large.
_INTEGER_CHARACTERS: Final = 40
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class _Repeated(dict[str, Any]):
    """An object in which a key came twice."""

    key: str


class StrictJSONParser(BaseParser):
    """One JSON object in UTF-8, DEPTH levels at most, no repeated keys, no NaN, no control characters.

    Fractions and endless integers arrive as Decimal, so that nothing is rounded before it is refused.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        if parser_context is None:
            return read_object(stream.read())
        request = parser_context["request"]
        charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", media_type or "", re.IGNORECASE)
        if charset and charset.group(1).lower() not in _CHARSETS:
            raise UnsupportedMediaType(media_type or "", "The body must be in UTF-8.")
        try:
            return read_object(request._request.body)
        except UnreadablePostError:
            raise _malformed("The body ended before it was complete.") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The object in `body`. Raises ProblemError: 400 for what is not such JSON, 422 for characters we refuse."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed(f"Byte {error.start + 1:,} of the body is not UTF-8.") from None
    try:
        data = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg}: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _too_deep("") from None
    if not isinstance(data, dict):
        raise _malformed("The body must be one JSON object.")
    _check(data)
    return data


def _malformed(detail: str) -> ProblemError:
    return refused("malformed_json", detail, kind="malformed-request")


def _too_deep(pointer: str) -> ProblemError:
    return refused("too_deep", f"{DEPTH} levels at most.", place=pointer, kind="malformed-request")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    # Reported later, when it is known where in the document this object is.
    repeated = _Repeated(found)
    repeated.key = next(key for key in keys if keys.count(key) > 1)
    return repeated


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INTEGER_CHARACTERS else Decimal(digits)


def _refuse_constant(name: str) -> None:
    raise _malformed(f"{name} is not JSON.")


def _check(data: dict[str, Any]) -> None:
    """Walk the document without recursion; the shape first (400), then the characters (422), all of them."""
    causes: list[Cause] = []
    waiting: list[tuple[str, int, Any]] = [("", 1, data)]
    while waiting:
        pointer, depth, value = waiting.pop()
        if isinstance(value, str):
            causes.extend(_bad_characters(pointer, value))
        elif isinstance(value, dict | list):
            _check_shape(pointer, depth, value)
            causes.extend(cause for key in value if isinstance(value, dict) for cause in _bad_characters(pointer, key))
            waiting.extend((f"{pointer}/{name}", depth + 1, item) for name, item in _items(value))
    if causes:
        raise ProblemError("validation", causes=sorted(causes, key=lambda cause: cause.place))


def _check_shape(pointer: str, depth: int, value: dict[str, Any] | list[Any]) -> None:
    if depth > DEPTH:
        raise _too_deep(pointer)
    if isinstance(value, _Repeated):
        place = f"{pointer}/{_escaped(value.key)}"
        raise refused("duplicate_key", "This key stands there twice.", place=place, kind="malformed-request")


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((_escaped(key), item) for key, item in value.items())
    return ((str(index), item) for index, item in enumerate(value))


def _escaped(key: str) -> str:
    """A key as a piece of a JSON pointer; what can neither be sent nor stored is replaced."""
    return pointer_piece(_CONTROL.sub("\ufffd", _SURROGATE.sub("\ufffd", key)))


def _bad_characters(pointer: str, text: str) -> Iterator[Cause]:
    if text.isascii() and text.isprintable():
        return
    if _CONTROL.search(text):
        yield Cause("control_character", "Control characters are not accepted.", pointer)
    if _SURROGATE.search(text):
        yield Cause("lone_surrogate", "This is half of a character (a lone surrogate).", pointer)
