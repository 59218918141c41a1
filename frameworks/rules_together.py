"""What only several parts together can have wrong: circles, two rules for everybody, unknown segments, equal names.

Pure, over bodies by (kind, key); those that are being edited may still be malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frameworks.criteria.text_keys import matching_key
from frameworks.definition import Bodies
from frameworks.document import Document
from frameworks.models import Kind
from frameworks.parts import Issue
from frameworks.parts.errors import pointer


@dataclass(frozen=True)
class Clash:
    """One part that does not go with the others: where in its body, at which node of a rule, and why."""

    kind: str
    key: str
    issue: Issue
    node: str = ""


def placed_nodes(value: Any, at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every criteria node anywhere in a body with its JSON pointer, parents first."""
    if isinstance(value, Mapping):
        if "op" in value:
            yield at, value
        for name, inner in value.items():
            yield from placed_nodes(inner, at + pointer((name,)))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from placed_nodes(inner, f"{at}/{place}")


def nodes_on_dimensions(body: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those that look at another dimension."""
    return ((at, node) for at, node in placed_nodes(body) if isinstance(node.get("dimension"), str))


def clashes(bodies: Bodies) -> Iterator[Clash]:
    """Everything in a whole set of parts that does not go together."""
    reads = _reads(bodies)
    yield from _same_names(bodies, Kind.DIMENSION.value, _keys_of(bodies, Kind.DIMENSION))
    for kind, key in bodies:
        if kind == Kind.DIMENSION:
            yield from _unknown_segments(bodies, key)
            yield from _same_names(bodies, Kind.SEGMENT.value, _segments_of(bodies, key))
            yield from _second_catch_alls(bodies, key)
        elif kind == Kind.SEGMENT:
            yield from _circles(bodies, key, reads)


def clashes_of_segment(bodies: Bodies, key: str) -> Iterator[Clash]:
    """What of it a segment is part of."""
    yield from _circles(bodies, key, _reads(bodies))
    mine = {at for short, at, _ in _catch_alls(bodies, key.partition("/")[0]) if short == key}
    found = list(_second_catch_alls(bodies, key.partition("/")[0], last=key))
    yield from (clash for clash in found if clash.key == key and clash.issue.pointer in mine)
    named = _same_names(bodies, Kind.SEGMENT.value, _segments_of(bodies, key.partition("/")[0]), last=key)
    yield from (clash for clash in named if clash.key == key)


def clashes_of_dimension(bodies: Bodies, key: str) -> Iterator[Clash]:
    """Whether another dimension is called the same."""
    named = _same_names(bodies, Kind.DIMENSION.value, _keys_of(bodies, Kind.DIMENSION), last=key)
    yield from (clash for clash in named if clash.key == key)


# --- circles


def _reads(bodies: Bodies) -> dict[str, set[str]]:
    """Dimension → the dimensions that its rules look at."""
    found: dict[str, set[str]] = {}
    for (kind, key), body in bodies.items():
        if kind == Kind.SEGMENT:
            named = {node["dimension"] for _, node in nodes_on_dimensions(body)}
            found.setdefault(key.partition("/")[0], set()).update(named)
    return found


def _circles(bodies: Bodies, key: str, reads: Mapping[str, set[str]]) -> Iterator[Clash]:
    """Rules that read each other's dimensions in a circle have no order in which they could be decided."""
    own = key.partition("/")[0]
    for at, node in nodes_on_dimensions(bodies[Kind.SEGMENT.value, key]):
        if node["dimension"] != own and (way := _way(node["dimension"], own, reads)):
            document = Document(bodies)
            names = " → ".join(document.label_of(Kind.DIMENSION, each) for each in (own, *way))
            said = f"Dimensions read each other in a circle: {names}."
            yield Clash(Kind.SEGMENT.value, key, Issue(f"{at}/dimension", "cycle", said), str(node.get("id", "")))


def _way(start: str, end: str, reads: Mapping[str, set[str]]) -> list[str]:
    """The dimensions from one to another along what they read, both included; empty when there is no way."""
    waiting, seen = [[start]], {start}
    while waiting:
        path = waiting.pop()
        if path[-1] == end:
            return path
        for other in sorted(reads.get(path[-1], set()) - seen):
            seen.add(other)
            waiting.append([*path, other])
    return []


# --- rules for everybody


def _catch_alls(bodies: Bodies, dimension: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Key, place and node of every rule that takes every account; that of a nested segment takes its parent's only."""
    for short in bodies.get((Kind.DIMENSION.value, dimension), {}).get("segments", ()):
        body = bodies.get((Kind.SEGMENT.value, f"{dimension}/{short}"), {})
        if body.get("parent"):
            continue
        for at, node in placed_nodes(body):
            if node.get("op") == "always" and at.startswith("/rules/") and at.endswith("/criteria/root"):
                yield f"{dimension}/{short}", at, node


def _second_catch_alls(bodies: Bodies, dimension: str, last: str = "") -> Iterator[Clash]:
    """All but the first; rules of the segment `last` count as written after the others."""
    found = sorted(_catch_alls(bodies, dimension), key=lambda each: each[0] == last)
    for key, at, node in found[1:]:
        name = Document(bodies).label_of(Kind.SEGMENT, found[0][0])
        said = f"A rule of {name} takes every account already: a dimension has one rule “always” at most."
        yield Clash(Kind.SEGMENT.value, key, Issue(at, "second_catch_all", said), str(node.get("id", "")))


# --- segments


def _unknown_segments(bodies: Bodies, dimension: str) -> Iterator[Clash]:
    for place, short in enumerate(bodies[Kind.DIMENSION.value, dimension].get("segments", ())):
        if (Kind.SEGMENT.value, f"{dimension}/{short}") not in bodies:
            said = f"There is no segment part {dimension}/{short}."
            yield Clash(Kind.DIMENSION.value, dimension, Issue(f"/segments/{place}", "unknown_segment", said))


# --- names


def _keys_of(bodies: Bodies, kind: str) -> list[str]:
    return [key for of, key in bodies if of == kind]


def _segments_of(bodies: Bodies, dimension: str) -> list[str]:
    """The dimension's segments by rank, then those that it does not list yet."""
    ranked = [f"{dimension}/{short}" for short in bodies.get((Kind.DIMENSION.value, dimension), {}).get("segments", ())]
    there = [key for key in _keys_of(bodies, Kind.SEGMENT) if key.startswith(f"{dimension}/")]
    return [*(key for key in ranked if key in there), *(key for key in there if key not in ranked)]


def _same_names(bodies: Bodies, kind: str, keys: Iterable[str], last: str = "") -> Iterator[Clash]:
    """Parts that read like one before (letter case, spaces, composed characters): nobody could tell them apart.

    The part `last` counts as written after the others.
    """
    taken: dict[str, str] = {}
    for key in sorted(keys, key=lambda each: each == last):
        label = str(bodies[kind, key].get("label", ""))
        name = matching_key(label, missing_tokens=())
        if name and name in taken:
            said = f"There is a {kind} called {taken[name]} already."
            yield Clash(kind, key, Issue("/label", "same_name", said))
        elif name:
            taken[name] = label
