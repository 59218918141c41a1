"""Two texts of one part, piece by piece: what each side changed, and the body that a person's choices make.

A piece is a field, a field inside a group, or one row of a list whose rows have an identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from frameworks.part_forms.nodes import written
from frameworks.part_forms.shapes import Shape, shapes_of
from frameworks.parts.base import Piece
from frameworks.yaml_text import write_yaml

Path = tuple[str, ...]
Side = Literal["mine", "theirs"]


@dataclass(frozen=True)
class Difference:
    """One piece that the two sides have differently. `preferred` is the side that alone changed it."""

    path: Path
    label: str
    mine: str
    theirs: str
    preferred: Side
    both_changed: bool

    @property
    def name(self) -> str:
        return "pick." + ".".join(self.path)


def differences(
    model: type[Piece], *, base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[Difference]:
    """What somebody has to choose between, in the order of the form."""
    sides = [_pieces(model, body, (), "", [mine, theirs, base]) for body in (base, mine, theirs)]
    found = []
    for path in {**sides[2], **sides[1]}:
        (label, shape), (was, ours, other) = _known(sides, path), [side.get(path, _NOTHING)[1] for side in sides]
        if ours == other:
            continue
        found.append(
            Difference(
                path=path,
                label=label,
                mine=_said(shape, ours),
                theirs=_said(shape, other),
                preferred="theirs" if ours == was else "mine",
                both_changed=ours != was and other != was,
            )
        )
    return found


def merged(
    model: type[Piece], *, mine: Mapping[str, Any], theirs: Mapping[str, Any], picks: Mapping[str, str]
) -> dict[str, Any]:
    """Theirs, with the pieces for which `picks` (by the difference's name) says "mine"."""
    ours = _pieces(model, mine, (), "", [mine, theirs])
    others = _pieces(model, theirs, (), "", [mine, theirs])
    body: dict[str, Any] = {}
    for path in {**others, **ours}:
        side = ours if picks.get("pick." + ".".join(path)) == "mine" else others
        value = side.get(path, _NOTHING)[1]
        if value is not None:
            _put(model, body, path, value)
    return body


_NOTHING: tuple[str, Any, Any] = ("", None, None)
_Pieces = dict[Path, tuple[str, Any, Shape]]


def _known(sides: list[_Pieces], path: Path) -> tuple[str, Shape]:
    label, _, shape = next(side[path] for side in sides if path in side)
    return label, shape


def _pieces(
    model: type[Piece], body: Mapping[str, Any], path: Path, prefix: str, all_sides: list[Mapping[str, Any]]
) -> _Pieces:
    found: _Pieces = {}
    for shape in shapes_of(model):
        value, here, label = body.get(shape.name), (*path, shape.name), f"{prefix}{shape.label}"
        inside = [side.get(shape.name) for side in all_sides]
        if shape.widget == "group" and shape.model:
            groups = [each if isinstance(each, Mapping) else {} for each in inside]
            own = value if isinstance(value, Mapping) else {}
            found |= _pieces(shape.model, own, here, f"{label}, ", groups)
        elif shape.widget == "rows" and shape.model and _are_comparable(shape.model, inside):
            for row in value or ():
                identity = str(row[shape.model.identity])
                found[*here, identity] = (f"{label}: {_row_label(row, identity)}", row, shape)
        else:
            found[here] = (label, value, shape)
    return found


def _are_comparable(model: type[Piece], sides: list[Any]) -> bool:
    """Whether the rows of every side have distinct identities, and those in common stand in one order."""
    orders = []
    for rows in sides:
        names = [row.get(model.identity) if isinstance(row, Mapping) else None for row in rows or ()]
        if not model.identity or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            return False
        orders.append(names)
    common = set(orders[0]).intersection(*orders[1:])
    return len({tuple(name for name in names if name in common) for names in orders}) == 1


def _row_label(row: Mapping[str, Any], identity: str) -> str:
    return str(row.get("label") or row.get("title") or identity)


def _said(shape: Shape, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return write_yaml(dict(value))
    if isinstance(value, list):
        return write_yaml(value) if any(isinstance(each, Mapping) for each in value) else "\n".join(map(str, value))
    text = written(shape.widget, value)
    return f"{text} %" if shape.widget == "share" and text else text


def _put(model: type[Piece], body: dict[str, Any], path: Path, value: Any) -> None:
    shape = next(each for each in shapes_of(model) if each.name == path[0])
    if len(path) == 1:
        body[shape.name] = value
    elif shape.widget == "rows":
        body.setdefault(shape.name, []).append(value)
    elif shape.model:
        _put(shape.model, body.setdefault(shape.name, {}), path[1:], value)
