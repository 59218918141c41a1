"""From what a browser posted to a body, by the shapes of a schema. What cannot be read stays as it was typed:
the schema then refuses it at its place, and the form shows it again.

Names are paths: `coverage.accounts_per_csm`, `actions.2.title`, `expectations.0.key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict

from frameworks.errors import InvalidError
from frameworks.part_forms.shapes import Shape, shapes_of
from frameworks.parts.base import Piece, write_decimal
from frameworks.yaml_text import read_yaml

_INTEGER = re.compile("-?[0-9]{1,15}")
_GROUPED = re.compile("-?[0-9]{1,3}([, ][0-9]{3})+")
MAX_ROWS = 200


def read_body(model: type[Piece], data: QueryDict) -> dict[str, Any]:
    """The body as typed; rows in which nothing was filled in are left out."""
    return _read_piece(model, data, "")


def _read_piece(model: type[Piece], data: QueryDict, prefix: str) -> dict[str, Any]:
    found = {shape.name: _read(shape, data, f"{prefix}{shape.name}") for shape in shapes_of(model)}
    return {name: value for name, value in found.items() if value is not None}


def _read(shape: Shape, data: QueryDict, name: str) -> Any:
    """The value of one field; None when it was left empty."""
    if shape.widget == "fixed":
        return shape.choices[0][0]
    if shape.widget == "tick":
        return name in data
    if shape.widget == "ticks":
        return [value for value, _ in shape.choices if value in data.getlist(name)] or None
    if shape.widget in ("group", "rows", "pairs"):
        return _read_inside(shape, data, name)
    if shape.widget in ("lines", "integers"):
        # One text, or the ticks that stand for its lines.
        return _read_lines(shape, "\n".join(map(str, data.getlist(name))))
    return _read_text(shape, str(data.get(name, "")))


def _read_lines(shape: Shape, raw: str) -> list[Any] | None:
    lines = [line.strip() for line in raw.splitlines() if line.strip()]
    return [read_integer(line) if shape.widget == "integers" else line for line in lines] or None


def _read_text(shape: Shape, raw: str) -> Any:
    if not raw.strip():
        return None
    if shape.widget == "yaml":
        return _read_yaml(raw)
    readers = {"integer": read_integer, "number": read_number, "money": read_number, "share": read_share}
    reader = readers.get(shape.widget)
    if reader:
        return reader(raw.strip())
    # "all" or a number: what looks like a number is one.
    return int(raw) if shape.widget == "line" and shape.name == "minimum" and raw.strip().isdecimal() else raw


def _read_inside(shape: Shape, data: QueryDict, name: str) -> Any:
    if shape.widget == "group" and shape.model:
        return _without_blanks(shape.model, _read_piece(shape.model, data, f"{name}.")) or None
    if shape.widget == "pairs" and shape.inner:
        return _read_pairs(shape.inner, data, name)
    if shape.model is None:
        return None
    rows = [_read_piece(shape.model, data, f"{name}.{number}.") for number in row_numbers(data, name)]
    return [row for row in rows if _without_blanks(shape.model, row)] or None


def _without_blanks(model: type[Piece], piece: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody filled in: not the choice that stands there anyway, nor a box left unticked."""
    defaults = {shape.name: shape.default for shape in shapes_of(model)}
    return {
        name: value
        for name, value in piece.items()
        if value is not False and value != defaults[name] and value not in ({}, [])
    }


def _read_pairs(inner: Shape, data: QueryDict, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for number in row_numbers(data, name):
        key = str(data.get(f"{name}.{number}.key", "")).strip()
        value = _read(inner, data, f"{name}.{number}.value")
        if not key and value is None:
            continue
        # A name that stands there twice is refused as a name, so that neither line is lost.
        while key in found:
            key = f"{key} (again)"
        found[key] = value
    return found or None


def row_numbers(data: Iterable[str], name: str) -> list[int]:
    """The numbers of the rows posted under `name`, in their order on the page."""
    pattern = re.compile(rf"{re.escape(name)}\.([0-9]{{1,6}})\.")
    numbers = [int(match[1]) for each in data if (match := pattern.match(each))]
    return list(dict.fromkeys(numbers))[:MAX_ROWS]


def read_integer(raw: str) -> int | str:
    plain = re.sub("[, ]", "", raw) if _GROUPED.fullmatch(raw) else raw
    return int(plain) if _INTEGER.fullmatch(plain) else raw


def read_number(raw: str) -> str:
    return re.sub("[, ]", "", raw) if _GROUPED.fullmatch(raw) else raw


def read_share(raw: str) -> str:
    """A percentage as a share: "20 %" is "0.2"."""
    plain = raw.rstrip("%").strip()
    try:
        share = Decimal(plain) / 100
    except InvalidOperation:
        return raw
    return write_decimal(share) if share.is_finite() and len(plain) <= 24 else raw


def _read_yaml(raw: str) -> Any:
    try:
        return read_yaml(raw)
    except InvalidError:
        return raw


def change_rows(model: type[Piece], body: dict[str, Any], data: QueryDict) -> bool:
    """Carry out the button that adds, takes out or moves up a row, for pages without script; whether one was."""
    for act in ("_add", "_drop", "_up"):
        if path := str(data.get(act, "")):
            _change(model, body, act, path.split("."))
            return True
    return False


def _change(model: type[Piece], body: dict[str, Any], act: str, steps: list[str]) -> None:
    shape = next((each for each in shapes_of(model) if each.name == steps[0]), None)
    if shape is None:
        return
    if shape.widget == "group" and shape.model and len(steps) > 1:
        _change(shape.model, body.setdefault(shape.name, {}), act, steps[1:])
    elif shape.widget == "rows" and shape.model and len(steps) > 2 and steps[1].isdecimal():
        rows = body.get(shape.name, [])
        if int(steps[1]) < len(rows):
            _change(shape.model, rows[int(steps[1])], act, steps[2:])
    elif shape.widget == "rows":
        _change_list(body.setdefault(shape.name, []), act, steps[1:])
    elif shape.widget == "pairs":
        _change_pairs(body, shape.name, act, steps[1:])


def _change_list(rows: list[Any], act: str, place: list[str]) -> None:
    if act == "_add":
        rows.append({})
        return
    number = int(place[0]) if place and place[0].isdecimal() else len(rows)
    if number < len(rows):
        row = rows.pop(number)
        if act == "_up":
            rows.insert(max(0, number - 1), row)


def _change_pairs(body: dict[str, Any], name: str, act: str, place: list[str]) -> None:
    pairs: list[Any] = [list(pair) for pair in dict(body.get(name, {})).items()]
    _change_list(pairs, act, place)
    body[name] = dict(pair or ("", None) for pair in pairs)
