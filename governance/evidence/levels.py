"""Which fields of a body count at which level, as a table: for programs without our schemas."""

from typing import Any, get_args

from pydantic.fields import FieldInfo

from frameworks.parts.base import Level, Piece, level_of
from frameworks.parts.policy import POLICIES
from frameworks.parts.registry import SCHEMAS

Table = dict[str, Any]


def level_table() -> Table:
    """By kind ("policy/signoff" for a policy): each field's level, and the fields inside it."""
    schemas: dict[str, type[Piece]] = {kind: schema for kind, schema in SCHEMAS.items() if kind != "policy"}
    schemas |= {f"policy/{name}": schema for name, schema in POLICIES.items()}
    return {name: _fields(schema, Level.COSMETIC) for name, schema in sorted(schemas.items())}


def _fields(piece: type[Piece], inherited: Level) -> Table:
    return {name: _field(field, level_of(field, inherited)) for name, field in piece.model_fields.items()}


def _field(field: FieldInfo, level: Level) -> Table:
    inner = _piece_in(field.annotation)
    return {"level": level.value} | ({"fields": _fields(inner, level)} if inner else {})


def _piece_in(annotation: Any) -> type[Piece] | None:
    """The piece that a field holds, alone or in a list; a mapping of names is one value."""
    if isinstance(annotation, type) and issubclass(annotation, Piece):
        return annotation
    if getattr(annotation, "__origin__", None) is dict:
        return None
    found = [piece for each in get_args(annotation) if (piece := _piece_in(each))]
    return found[0] if found else None
