"""From a kind of part to its schema, and from untrusted input to a checked body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from frameworks.parts.base import PartSchema
from frameworks.parts.data_source import DataSource
from frameworks.parts.dimension import Dimension
from frameworks.parts.errors import Issue, PartError, pointer
from frameworks.parts.meta import Meta
from frameworks.parts.plain import Json, plain_json
from frameworks.parts.playbook import Playbook
from frameworks.parts.policy import (
    POLICIES,
    GuardPolicy,
    LimitsPolicy,
    OverridesPolicy,
    Policy,
    SignoffPolicy,
)
from frameworks.parts.segment import Segment
from frameworks.parts.term import Term
from frameworks.parts.waiver import Waiver

# In the order in which a framework is read, which is also the order of documents and diffs.
SCHEMAS: dict[str, type[PartSchema]] = {
    "meta": Meta,
    "policy": Policy,
    "dimension": Dimension,
    "segment": Segment,
    "playbook": Playbook,
    "term": Term,
    "data_source": DataSource,
    "waiver": Waiver,
}
KINDS = tuple(SCHEMAS)
_AnyPolicy = Annotated[SignoffPolicy | GuardPolicy | LimitsPolicy | OverridesPolicy, Field(discriminator="policy")]


def parse_body(kind: str, body: object) -> PartSchema:
    """The typed body of a part. Raises PartError naming every place that is wrong."""
    plain = plain_json(body)
    if not isinstance(plain, dict):
        raise PartError([Issue("", "not_an_object", "A body is an object with named fields.")])
    try:
        return _schema(kind, plain).model_validate(plain)
    except ValidationError as error:
        raise PartError(_issues(error)) from error


def parse_part(kind: str, key: str, body: object) -> PartSchema:
    """Like `parse_body`, and the key must be one that a part with this body can have."""
    schema = parse_body(kind, body)
    schema.check_key(key)
    return schema


def to_body(schema: PartSchema) -> dict[str, Any]:
    """The body as JSON values: quantities as text, counts as integers, nothing empty.

    `parse_body(kind, to_body(schema))` gives the same body again.
    """
    return schema.model_dump(mode="json")


def json_schema(kind: str) -> dict[str, Any]:
    """The published JSON Schema of a kind; `x-materiality` on each field is its level."""
    if kind == "policy":
        published: dict[str, Any] = TypeAdapter(_AnyPolicy).json_schema()
    else:
        published = _known(kind).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **published, "title": kind}


def _known(kind: str) -> type[PartSchema]:
    if kind not in SCHEMAS:
        raise PartError([Issue("", "kind", f"{kind!r} is no kind of part: {', '.join(KINDS)}.")])
    return SCHEMAS[kind]


def _schema(kind: str, body: Mapping[str, Json]) -> type[PartSchema]:
    schema = _known(kind)
    if schema is not Policy:
        return schema
    named = body.get("policy")
    if not isinstance(named, str) or named not in POLICIES:
        message = f"Say which policy this is: {', '.join(POLICIES)}."
        raise PartError([Issue("/policy", "policy", message)])
    return POLICIES[named]


# What pydantic calls the commonest mistakes, in words for the person who made them.
_WORDS = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field.",
    "string_too_short": "This must not be empty.",
    "too_short": "Give at least one.",
    "string_type": "Write text here.",
    "int_type": "Write a whole number here, without quotes.",
    "bool_type": "Write true or false here.",
    "list_type": "Write a list here.",
    "dict_type": "Write named values here.",
    "model_type": "Write named fields here.",
}


def _issues(error: ValidationError) -> list[Issue]:
    return [
        Issue(pointer(_location(item["loc"])), item["type"], _WORDS.get(item["type"], item["msg"]))
        for item in error.errors(include_url=False, include_context=False)
    ]


def _location(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    # pydantic names the key of a mapping "[key]" after the key itself.
    return location[:-1] if location and location[-1] == "[key]" else location
