"""Parts: the typed content of a framework version, its digests, and what changed between two of them."""

from frameworks.parts.base import Level, PartSchema
from frameworks.parts.canonical import (
    body_digest,
    canonical,
    combine_digests,
    level_digest,
    level_digests,
    schema_digests,
    strip_node_ids,
)
from frameworks.parts.errors import Issue, PartError
from frameworks.parts.registry import KINDS, SCHEMAS, json_schema, parse_body, parse_part, to_body

__all__ = [
    "KINDS",
    "SCHEMAS",
    "Issue",
    "Level",
    "PartError",
    "PartSchema",
    "body_digest",
    "canonical",
    "combine_digests",
    "json_schema",
    "level_digest",
    "level_digests",
    "parse_body",
    "parse_part",
    "schema_digests",
    "strip_node_ids",
    "to_body",
]
