"""Digests of parts: what a signature covers.

Two bodies have the same digest exactly when a reader could not tell them apart: the order of names, the
spelling of accents and line ends, trailing zeros, empty fields and the ids of criteria nodes are not
content. A level digest covers only the fields of that materiality and above.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import rfc8785

from frameworks.parts.base import Level, PartSchema, Piece, level_of
from frameworks.parts.registry import parse_body, to_body

_DIGEST = re.compile("[0-9a-f]{64}")


def canonical(kind: str, body: object) -> bytes:
    """The RFC 8785 text of `{"body": …, "kind": …}`, without node ids. Raises PartError."""
    return _envelope(kind, to_body(parse_body(kind, body)))


def body_digest(kind: str, body: object) -> str:
    """SHA-256 (hex) over everything in the body, cosmetic fields too. Raises PartError."""
    return hashlib.sha256(canonical(kind, body)).hexdigest()


def level_digest(kind: str, body: object, level: Level | str) -> str:
    """SHA-256 (hex) over the fields at `level` and above; at cosmetic it equals the body digest."""
    return schema_level_digest(parse_body(kind, body), Level(level))


def level_digests(kind: str, body: object) -> dict[str, str]:
    """The digest at every level, by the level's name, reading the body once."""
    return schema_digests(parse_body(kind, body))


def schema_digests(schema: PartSchema) -> dict[str, str]:
    """`level_digests` of a body that is already parsed."""
    body = strip_node_ids(to_body(schema))
    return {level.value: _projected_digest(schema, body, level) for level in Level}


def schema_level_digest(schema: PartSchema, level: Level) -> str:
    """`level_digest` of a body that is already parsed."""
    return _projected_digest(schema, strip_node_ids(to_body(schema)), level)


def _projected_digest(schema: PartSchema, body: Mapping[str, Any], level: Level) -> str:
    projected = project(schema, body, level, Level.COSMETIC)
    return hashlib.sha256(rfc8785.dumps({"kind": schema.kind, "body": projected})).hexdigest()


def combine_digests(pairs: Iterable[tuple[str, str, str]]) -> str:
    """One digest for a set of parts, from (kind, key, digest) in any order.

    Raises ValueError for a repeated part or something that is no digest.
    """
    rows = sorted(pairs)
    if len({(kind, key) for kind, key, _ in rows}) != len(rows):
        raise ValueError("a part occurs twice in the set")
    if not all(_DIGEST.fullmatch(digest) for _, _, digest in rows):
        raise ValueError("not a SHA-256 digest in hex")
    return hashlib.sha256(rfc8785.dumps([list(row) for row in rows])).hexdigest()


def strip_node_ids(value: Any) -> Any:
    """A copy of a JSON value in which no criteria node (an object with an `op`) has an `id`."""
    if isinstance(value, Mapping):
        is_node = "op" in value
        return {name: strip_node_ids(item) for name, item in value.items() if not (is_node and name == "id")}
    if isinstance(value, list | tuple):
        return [strip_node_ids(item) for item in value]
    return value


def project(piece: Piece, body: Mapping[str, Any], at_least: Level, inherited: Level) -> dict[str, Any]:
    """The fields of `body` (the dump of `piece`) whose level is `at_least` or above."""
    kept: dict[str, Any] = {}
    for name, field in type(piece).model_fields.items():
        if name not in body:
            continue
        level = level_of(field, inherited)
        value = _project_value(getattr(piece, name), body[name], at_least, level)
        if value not in (None, {}, []):
            kept[name] = value
    return kept


def _project_value(value: object, dumped: Any, at_least: Level, level: Level) -> Any:
    if isinstance(value, Piece):
        return project(value, dumped, at_least, level)
    if isinstance(value, list) and value and isinstance(value[0], Piece):
        projected = [project(item, part, at_least, level) for item, part in zip(value, dumped, strict=True)]
        return projected if any(projected) else []
    return dumped if level.rank >= at_least.rank else None


def _envelope(kind: str, body: Mapping[str, Any]) -> bytes:
    return rfc8785.dumps({"kind": kind, "body": strip_node_ids(body)})


@cache
def empty_digest(kind: str) -> str:
    """The level digest of a body without content at that level."""
    return hashlib.sha256(_envelope(kind, {})).hexdigest()
