"""What a field of a schema is edited with, read from its type."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from frameworks.part_forms.words import hint_of, label_of, option_label
from frameworks.parts.base import Piece, Shown

Widget = Literal[
    "line", "text", "integer", "number", "money", "share", "choice", "tick", "ticks", "lines", "integers",
    "group", "rows", "pairs", "fixed", "yaml",
]  # fmt: skip
PLAIN: frozenset[str] = frozenset({"line", "text", "integer", "number", "money", "share"})


@dataclass(frozen=True)
class Shape:
    """One field. `inner` describes what is inside a group, a row or the values of pairs."""

    name: str
    label: str
    widget: Widget
    hint: str = ""
    needed: bool = False
    default: Any = None
    choices: tuple[tuple[str, str], ...] = ()
    model: type[Piece] | None = None
    inner: Shape | None = None
    owner: str = ""

    @property
    def path(self) -> str:
        """Schema and field, as hints and options name it: "Action.role"."""
        return f"{self.owner}.{self.name}"

    @property
    def fields(self) -> tuple[Shape, ...]:
        return shapes_of(self.model) if self.model else ()


@dataclass
class _Type:
    """A type without its wrapping: what it is, its metadata, and whether it may be left out."""

    plain: list[Any]
    metadata: list[Any] = field(default_factory=list)
    may_be_none: bool = False

    @property
    def shown(self) -> str:
        return next((each.how for each in self.metadata if isinstance(each, Shown)), "")


@cache
def shapes_of(model: type[Piece]) -> tuple[Shape, ...]:
    """The fields of a schema in its own order, which is the order of the form."""
    return tuple(_shape(model, name, info) for name, info in model.model_fields.items())


def _shape(model: type[Piece], name: str, info: FieldInfo) -> Shape:
    found = _of_type(name, label_of(model.__name__, name), _unwrapped(info.annotation, info.metadata))
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    if found.widget == "ticks" and default:
        # Where the order says something, a list of ticks would lose it.
        found = Shape(found.name, found.label, "lines", choices=found.choices)
    return Shape(
        name=name,
        label=found.label,
        widget=found.widget,
        hint=hint_of(model.__name__, name, found.widget),
        needed=info.is_required(),
        default=default.value if isinstance(default, enum.Enum) else default,
        choices=found.choices,
        model=found.model,
        inner=found.inner,
        owner=model.__name__,
    )


def _unwrapped(annotation: Any, metadata: list[Any]) -> _Type:
    found = _Type([], list(metadata))
    waiting = [annotation]
    while waiting:
        each = waiting.pop(0)
        if get_origin(each) is Annotated:
            found.metadata += each.__metadata__
            waiting.insert(0, get_args(each)[0])
        elif get_origin(each) in (Union, types.UnionType):
            waiting[:0] = get_args(each)
        elif each is type(None):
            found.may_be_none = True
        else:
            found.plain.append(each)
    return found


def _of_type(name: str, label: str, kind: _Type) -> Shape:
    first = kind.plain[0]
    if len(kind.plain) > 1:
        return Shape(name, label, "line")
    origin = get_origin(first)
    if origin is list:
        return _of_list(name, label, _unwrapped(get_args(first)[0], []))
    if origin is dict:
        return _of_mapping(name, label, first)
    if isinstance(first, type) and issubclass(first, Piece):
        return Shape(name, label, "group", model=first)
    if choices := tuple(_choices(first)):
        # With one choice that may be left out, leaving it out is the other.
        is_fixed = len(choices) == 1 and not kind.may_be_none
        return Shape(name, label, "fixed" if is_fixed else "choice", choices=choices)
    return Shape(name, label, _scalar(first, kind.shown))


def _of_list(name: str, label: str, item: _Type) -> Shape:
    first = item.plain[0]
    if isinstance(first, type) and issubclass(first, Piece):
        return Shape(name, label, "rows", model=first)
    if choices := tuple(_choices(first)):
        return Shape(name, label, "ticks", choices=choices)
    return Shape(name, label, "integers" if first is int else "lines")


def _of_mapping(name: str, label: str, mapping: Any) -> Shape:
    values = _unwrapped(get_args(mapping)[1], [])
    if values.plain == [Any]:
        return Shape(name, label, "yaml")
    return Shape(name, label, "pairs", inner=_of_type("value", "Value", values))


def _choices(kind: Any) -> Iterator[tuple[str, str]]:
    if get_origin(kind) is Literal:
        yield from ((str(each), option_label(str(each))) for each in get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        yield from ((each.value, option_label(str(each.value))) for each in kind)


def _scalar(kind: Any, shown: str) -> Widget:
    by_type: dict[Any, Widget] = {bool: "tick", int: "integer", Decimal: "number"}
    if shown == "share":
        return "share"
    if shown == "money":
        return "money"
    if kind is str:
        return "text" if shown == "text" else "line"
    return by_type.get(kind, "yaml")
