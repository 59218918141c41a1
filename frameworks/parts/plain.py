"""Untrusted JSON-like input, made plain: only what can be digested, in one spelling.

Everything that enters a part passes here first. Text becomes NFC with LF line ends (a browser's textarea
posts CRLF, and the same words must give the same digest); what has no single canonical spelling (floats,
huge integers, lone surrogates, control characters) is refused with its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TypeAlias

from frameworks.parts.errors import Issue, PartError, pointer

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
Path: TypeAlias = "tuple[str | int, ...]"

# A part is a page of content, not a data set: deeper or larger is an accident or an attack.
MAX_DEPTH = 48
MAX_TEXT = 20_000
# Beyond this, JSON readers that hold numbers as doubles (RFC 8785 assumes one) change the value.
MAX_INTEGER = 2**53 - 1
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def plain_json(value: object) -> Json:
    """A copy of `value` fit for digests. Raises PartError naming every place that is not."""
    issues: list[Issue] = []
    copied = _copy(value, (), issues)
    if issues:
        raise PartError(issues)
    return copied


def plain_text(text: str) -> str:
    """`text` in NFC with LF line ends."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _copy(value: object, path: Path, issues: list[Issue]) -> Json:
    if len(path) > MAX_DEPTH:
        issues.append(Issue(pointer(path), "too_deep", f"Nested more than {MAX_DEPTH} levels deep."))
        return None
    if isinstance(value, str):
        return _copy_text(value, path, issues)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _copy_integer(value, path, issues)
    if isinstance(value, Mapping):
        return _copy_object(value, path, issues)
    if isinstance(value, list | tuple):
        return [_copy(item, (*path, index), issues) for index, item in enumerate(value)]
    _refuse_type(value, path, issues)
    return None


def _copy_text(value: str, path: Path, issues: list[Issue]) -> str:
    if len(value) > MAX_TEXT:
        issues.append(Issue(pointer(path), "too_long", f"Longer than {MAX_TEXT:,} characters."))
        return ""
    if _UNPRINTABLE.search(value.replace("\r", "")):
        issues.append(Issue(pointer(path), "unprintable", "Contains a control character or half a symbol."))
        return ""
    return plain_text(value)


def _copy_integer(value: int, path: Path, issues: list[Issue]) -> int:
    if abs(value) > MAX_INTEGER:
        issues.append(Issue(pointer(path), "too_large", "Write numbers this large as text."))
        return 0
    return value


def _copy_object(value: Mapping[object, object], path: Path, issues: list[Issue]) -> Json:
    copied: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            issues.append(Issue(pointer(path), "key_not_text", f"The name {key!r} is not text."))
            continue
        name = _copy_text(key, path, issues)
        if name in copied:
            issues.append(Issue(pointer((*path, name)), "repeated_name", f"{name!r} occurs twice."))
        copied[name] = _copy(item, (*path, name), issues)
    return copied


def _refuse_type(value: object, path: Path, issues: list[Issue]) -> None:
    if isinstance(value, float):
        hint = f'Write the number as text, like "{value}": floating point has no exact spelling.'
        issues.append(Issue(pointer(path), "float", hint))
        return
    issues.append(Issue(pointer(path), "not_json", f"A {type(value).__name__} cannot stand in a part."))
