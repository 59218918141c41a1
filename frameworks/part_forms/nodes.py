"""A body as a tree of form fields: names, values as people write them, choices, and what is wrong where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from frameworks.part_forms.shapes import Shape, shapes_of
from frameworks.parts.base import Piece, write_decimal
from frameworks.parts.errors import Issue
from frameworks.parts.wording import humanise
from frameworks.yaml_text import write_yaml

Options = Mapping[str, Sequence[tuple[str, str]]]
"""What is offered by schema and field ("Action.role"), as (value, label)."""

BLANK = "__row__"
"""Stands for the number of a row that the page will add."""
TICKS_AT_MOST = 60
_ERRORS = {
    "share": "Write a percentage from 0 to 100.",
    "negative": "This must not be negative.",
    "literal_error": "Choose one of them.",
}


@dataclass
class Row:
    """One of several: its number in names, and its fields."""

    number: str
    title: str
    fields: list[Node]
    errors: list[str] = field(default_factory=list)


@dataclass
class Node:
    """One field of the form."""

    shape: Shape
    name: str
    value: str = ""
    chosen: tuple[str, ...] = ()
    widget: str = ""
    choices: Sequence[tuple[str, str]] = ()
    fields: list[Node] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    blank: Row | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"f-{self.name.replace('.', '-')}"

    @property
    def options(self) -> list[tuple[str, str, bool]]:
        return [(value, label, value in self.chosen or value == self.value) for value, label in self.choices]

    @property
    def is_filled(self) -> bool:
        """Whether there is anything in it: an empty group is shown folded."""
        inside = [*self.fields, *(each for row in self.rows for each in row.fields)]
        own = self.value not in ("", str(self.shape.default or "")) or bool(self.chosen)
        return own or bool(self.errors) or any(each.is_filled for each in inside)


def build(model: type[Piece], body: Mapping[str, Any], *, options: Options, issues: Iterable[Issue] = ()) -> Tree:
    """The form of a body, also of one that is not valid."""
    tree = Tree([], {}, options)
    tree.fields = [tree.node(shape, body.get(shape.name), "", ()) for shape in shapes_of(model)]
    for issue in issues:
        tree.place(issue)
    return tree


@dataclass
class Tree:
    """All fields; `problems` are those that belong to no field."""

    fields: list[Node]
    places: dict[tuple[str, ...], Node | Row]
    options: Options
    problems: list[str] = field(default_factory=list)

    @property
    def error_count(self) -> int:
        return sum(len(each.errors) for each in self.places.values()) + len(self.problems)

    def place(self, issue: Issue) -> None:
        """Put what is wrong at the innermost field that its pointer names."""
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in issue.pointer.split("/")[1:])
        words = _ERRORS.get(issue.code, issue.message)
        for length in range(len(steps), 0, -1):
            if steps[:length] in self.places:
                self.places[steps[:length]].errors.append(words)
                return
        self.problems.append(words)

    def node(self, shape: Shape, value: Any, prefix: str, path: tuple[str, ...]) -> Node:
        found = Node(shape, f"{prefix}{shape.name}", widget=shape.widget, choices=shape.choices)
        here = (*path, shape.name)
        self.places[here] = found
        if shape.widget == "group":
            inside = value if isinstance(value, Mapping) else {}
            found.fields = self._inside(shape.fields, inside, f"{found.name}.", here)
        elif shape.widget == "rows":
            found.rows = self._rows(shape, value if isinstance(value, list) else [], found.name, here)
            found.blank = Row(BLANK, "", _blank_fields(shape.fields, f"{found.name}.{BLANK}.", self.options))
        elif shape.widget == "pairs":
            self._pairs(found, value if isinstance(value, Mapping) else {}, here)
        else:
            self._plain(found, shape.default if value is None else value)
        return found

    def _inside(
        self, shapes: Iterable[Shape], body: Mapping[str, Any], prefix: str, path: tuple[str, ...]
    ) -> list[Node]:
        return [self.node(shape, body.get(shape.name), prefix, path) for shape in shapes]

    def _rows(self, shape: Shape, rows: list[Any], name: str, path: tuple[str, ...]) -> list[Row]:
        found = []
        for number, body in enumerate(rows):
            body = body if isinstance(body, Mapping) else {}
            fields = self._inside(shape.fields, body, f"{name}.{number}.", (*path, str(number)))
            title = str(body.get("label") or body.get("title") or body.get("department") or "")
            row = Row(str(number), title, fields)
            self.places[(*path, str(number))] = row
            found.append(row)
        return found

    def _pairs(self, node: Node, pairs: Mapping[str, Any], path: tuple[str, ...]) -> None:
        inner = node.shape.inner or Shape("value", "Value", "line")
        for number, (key, value) in enumerate(pairs.items()):
            name = f"{node.name}.{number}."
            fields = [_key_node(name, key), self.node(inner, value, name, (*path, key))]
            row = Row(str(number), key, fields)
            self.places[(*path, key)] = row
            node.rows.append(row)
        name = f"{node.name}.{BLANK}."
        node.blank = Row(BLANK, "", [_key_node(name, ""), Node(inner, f"{name}{inner.name}", widget=inner.widget)])

    def _plain(self, node: Node, value: Any) -> None:
        offered = self.options.get(node.shape.path, ())
        if node.widget == "ticks":
            node.chosen = tuple(map(str, value or ()))
        elif node.widget == "lines" and offered and len(offered) <= TICKS_AT_MOST and not node.shape.choices:
            node.widget, node.chosen = "ticks", tuple(map(str, value or ()))
            # What is chosen comes first and in its stored order: saving the form untouched changes nothing.
            labels = dict(offered)
            chosen = [(key, labels.pop(key, key)) for key in node.chosen]
            node.choices = [*chosen, *labels.items()]
        else:
            node.value = written(node.widget, value)
            if node.widget == "line" and offered:
                # What is stored and not offered any more stays to be chosen: saving untouched changes nothing.
                stored = [] if not node.value or node.value in dict(offered) else [(node.value, humanise(node.value))]
                node.widget, node.choices = "choice", [*offered, *stored]


def _key_node(prefix: str, key: str) -> Node:
    return Node(Shape("key", "Name", "line", needed=True), f"{prefix}key", value=key, widget="line")


def _blank_fields(shapes: Iterable[Shape], prefix: str, options: Options) -> list[Node]:
    """The fields of a row that is added by script; rows within rows are added after it was saved."""
    scratch = Tree([], {}, options)
    return [scratch.node(shape, None, prefix, ()) for shape in shapes]


def written(widget: str, value: Any) -> str:
    """A value as somebody types it into the field."""
    if value is None:
        return ""
    if widget in ("lines", "integers") and isinstance(value, list):
        return "\n".join(map(str, value))
    if widget == "share":
        return _percentage(value)
    if widget == "tick":
        return "on" if value is True else ""
    if widget == "yaml" and not isinstance(value, str):
        return write_yaml(value)
    return write_decimal(value) if isinstance(value, Decimal) else str(value)


def _percentage(value: Any) -> str:
    try:
        return write_decimal(Decimal(str(value)) * 100)
    except InvalidOperation:
        return str(value)
