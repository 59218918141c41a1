"""What changed between two criteria documents, leaf by leaf.

Leaves are paired by node id, then by what they look like, because a document that came through its text
form may have new ids. A difference that no pair explains is still told: as a rearrangement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from frameworks.parts.canonical import strip_node_ids
from frameworks.parts.wording import Names, humanise, listed

Node = Mapping[str, Any]


@dataclass(frozen=True)
class CriteriaChange:
    """One difference: the nodes of both sides (None where there is none), and words."""

    old: Node | None
    new: Node | None
    text: str


@dataclass(eq=False)
class _Place:
    """A node with the place of its parent."""

    node: Node
    parent: _Place | None
    shape: bytes
    partner: _Place | None = None

    @property
    def is_group(self) -> bool:
        return "items" in self.node or "item" in self.node

    def said(self, name: str) -> str:
        return str(self.node.get(name))

    @property
    def own(self) -> dict[str, Any]:
        """The node without its id and children."""
        return {name: value for name, value in self.node.items() if name not in ("id", "items", "item")}


def diff_criteria(old: Node, new: Node, names: Names) -> list[CriteriaChange]:
    """The differences of two `criteria/1` documents; none exactly when they are equal but for node ids."""
    if strip_node_ids(old) == strip_node_ids(new):
        return []
    olds, news = list(_places(old.get("root"), None)), list(_places(new.get("root"), None))
    _pair(olds, news)
    found = [*_gone(olds, names), *_kept_or_added(news, names)]
    return found or [CriteriaChange(old.get("root"), new.get("root"), "conditions rearranged")]


def _places(node: object, parent: _Place | None) -> Iterator[_Place]:
    if not isinstance(node, Mapping):
        return
    place = _Place(node, parent, rfc8785.dumps(strip_node_ids(node)))
    yield place
    items = node.get("items")
    for child in [*(items if isinstance(items, list) else []), node.get("item")]:
        yield from _places(child, place)


def _pair(olds: list[_Place], news: list[_Place]) -> None:
    """Mark which place became which: same id and a comparable node, same shape, same attribute, same operator."""
    keys: list[Callable[[_Place], object]] = [
        lambda place: (place.said("id"), place.is_group, place.said("attribute")),
        lambda place: place.shape,
        lambda place: (place.said("id"), place.is_group),
        lambda place: (place.is_group, place.said("attribute"), place.said("op")),
        lambda place: (place.is_group, place.said("attribute"), place.parent is None),
    ]
    for key in keys:
        free: dict[object, list[_Place]] = {}
        for place in olds:
            if place.partner is None:
                free.setdefault(key(place), []).append(place)
        for place in news:
            same = free.get(key(place))
            if place.partner is None and same:
                place.partner = same.pop(0)
                place.partner.partner = place


def _gone(olds: list[_Place], names: Names) -> Iterator[CriteriaChange]:
    for place in olds:
        if place.partner is None:
            yield CriteriaChange(place.node, None, f"removed: {_said(place.node, names)}")


def _kept_or_added(news: list[_Place], names: Names) -> Iterator[CriteriaChange]:
    for place in news:
        before = place.partner
        if before is None:
            yield CriteriaChange(None, place.node, f"added: {_said(place.node, names)}")
            continue
        if before.own != place.own:
            yield CriteriaChange(before.node, place.node, _changed(before.node, place.node, names))
        if _has_moved(before, place):
            group = place.parent.node if place.parent else {}
            text = f"{_said(place.node, names)} moved into “{_group(group)}”"
            yield CriteriaChange(before.node, place.node, text)


def _has_moved(before: _Place, after: _Place) -> bool:
    if after.parent is None:
        return False
    return before.parent is None or before.parent is not after.parent.partner


def _changed(old: Node, new: Node, names: Names) -> str:
    if "attribute" not in old or old.get("attribute") != new.get("attribute"):
        return f"{_said(old, names)} → {_said(new, names)}"
    if isinstance(old.get("values"), list) and isinstance(new.get("values"), list):
        return _changed_list(old, new, names)
    subject = names.attribute(str(new["attribute"]))
    return f"{subject} {_predicate(old, names)} → {_predicate(new, names)}"


def _changed_list(old: Node, new: Node, names: Names) -> str:
    attribute = str(new["attribute"])
    added = [names.value(attribute, value) for value in new["values"] if value not in old["values"]]
    removed = [names.value(attribute, value) for value in old["values"] if value not in new["values"]]
    told = [f"{verb} {listed(items)}" for verb, items in (("added", added), ("removed", removed)) if items]
    rest = {**strip_node_ids(old), "values": 0} != {**strip_node_ids(new), "values": 0}
    if rest or not told:
        return f"{_said(old, names)} → {_said(new, names)}"
    return f"{names.attribute(attribute)} {_LISTS.get(str(new['op']), new['op'])}: {', '.join(told)}"


_LISTS = {
    "in": "one of", "not_in": "none of",
    "has_any": "has any of", "has_all": "has all of", "has_none": "has none of",
}  # fmt: skip
_SIGNS = {
    "eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥",
    "before": "before", "on_or_before": "on or before", "after": "after", "on_or_after": "on or after",
    "starts_with": "starts with", "ends_with": "ends with", "contains": "contains",
}  # fmt: skip
_ALONE = {"is_true": "is yes", "is_false": "is no", "is_missing": "is missing", "is_present": "is present"}
_WINDOWS = {"within_last": "within the last", "within_next": "within the next", "older_than": "older than"}
_KNOWN = frozenset({"id", "op", "attribute", "value", "values", "ge", "gt", "le", "lt", "n", "missing", "of", "match"})
_KNOWN_OF = {
    "change": frozenset({"grain", "periods", "measure", "compare"}),
    "in_period": frozenset({"period", "offset"}),
}
_ABSENT = {"breaks": "not met when the history has a gap", "skip": "one missing period is skipped"}


def _said(node: Node, names: Names) -> str:
    if "items" in node or "item" in node:
        return f"group “{_group(node)}”"
    if "attribute" in node:
        return f"{names.attribute(str(node['attribute']))} {_predicate(node, names)}"
    if node.get("op") in _OTHERS:
        return _OTHERS[str(node["op"])](node, names)
    return " ".join([str(node.get("op")).replace("_", " "), *_rest(node)])


def _predicate(node: Node, names: Names) -> str:
    return " ".join([_condition(node, names), *_modifiers(node)])


def _condition(node: Node, names: Names) -> str:
    attribute, op = str(node["attribute"]), str(node.get("op"))
    if op in _ALONE:
        return _ALONE[op]
    if op in _CONDITIONS:
        return _CONDITIONS[op](node, names)
    if isinstance(node.get("values"), list):
        return f"{_LISTS.get(op, op)} {', '.join(names.value(attribute, value) for value in node['values'])}"
    return f"{_SIGNS.get(op, op)} {names.value(attribute, node.get('value'))}"


def _window(node: Node, names: Names) -> str:
    return f"{_WINDOWS[str(node['op'])]} {node.get('n')} {node.get('unit', '')}".strip()


def _bounds(node: Node, names: Names) -> str:
    attribute = str(node["attribute"])
    bounds = [(name, node[name]) for name in ("ge", "gt", "lt", "le") if node.get(name) is not None]
    return " and ".join(f"{_SIGNS[name]} {names.value(attribute, bound)}" for name, bound in bounds)


def _fiscal(node: Node, names: Names) -> str:
    period, offset = str(node.get("period")).replace("_", " "), node.get("offset")
    near = {-1: "last", 0: "current", 1: "next"}
    if isinstance(offset, int) and offset in near:
        return f"in the {near[offset]} {period}"
    return f"in the {period} {offset} periods from the current one"


def _change(node: Node, names: Names) -> str:
    value = node.get("value")
    amount = f"{value} %" if node.get("measure") == "percent" else names.value(str(node["attribute"]), value)
    return f"change over {_periods(node)} {_SIGNS.get(str(node.get('compare')), '?')} {amount}"


def _periods(node: Node) -> str:
    count, grain = node.get("periods"), str(node.get("grain")).replace("_", " ")
    return f"{count} closed {grain}{'' if count == 1 else 's'}"


_CONDITIONS: dict[str, Callable[[Node, Names], str]] = {
    **dict.fromkeys(_WINDOWS, _window), "range": _bounds, "in_period": _fiscal, "change": _change,
}  # fmt: skip


def _modifiers(node: Node) -> list[str]:
    words = []
    if node.get("of") == "ultimate_parent":
        words.append("at the ultimate parent")
    if node.get("match") == "exact":
        words.append("to the letter")
    if node.get("missing") is not None:
        words.append(f"(missing counts as {node['missing']})")
    if node.get("op") in _WINDOWS:
        return words
    known = _KNOWN | _KNOWN_OF.get(str(node.get("op")), frozenset())
    return [*words, *_rest({name: value for name, value in node.items() if name not in known})]


def _rest(node: Node) -> list[str]:
    return [f"{name} {value}" for name, value in sorted(node.items()) if name not in ("id", "op")]


def _segment_test(node: Node, names: Names) -> str:
    dimension = str(node.get("dimension"))
    excluded = node.get("none_of") is not None
    keys = node.get("none_of") if excluded else node.get("any_of")
    segments = " or ".join(names.segment(dimension, str(key)) for key in (keys if isinstance(keys, list) else []))
    return " ".join([names.dimension(dimension), "is not" if excluded else "is", segments, *_modifiers_of_test(node)])


def _unassigned(node: Node, names: Names) -> str:
    return f"{names.dimension(str(node.get('dimension')))} is Unassigned"


def _list_test(node: Node, names: Names) -> str:
    words = ["on the list", humanise(str(node.get("list")))]
    return " ".join([*words, *(["at the ultimate parent"] if node.get("of") == "ultimate_parent" else [])])


def _signal_test(node: Node, names: Names) -> str:
    details = node.get("details")
    said = ", ".join(f"{name} {text}" for name, text in sorted(details.items())) if isinstance(details, Mapping) else ""
    kind = str(node.get("kind")).replace("_", " ")
    counted = f"at least {node.get('at_least')} {kind} signals{f' ({said})' if said else ''}"
    return f"{counted} within the last {node.get('within_days')} days"


_OTHERS: dict[str, Callable[[Node, Names], str]] = {
    "segment": _segment_test, "is_unassigned": _unassigned, "on_list": _list_test, "signal": _signal_test,
}  # fmt: skip


def _modifiers_of_test(node: Node) -> list[str]:
    return [] if node.get("missing") is None else [f"(missing counts as {node['missing']})"]


def _group(node: Node) -> str:
    op = str(node.get("op", ""))
    words = {"all": "all of", "any": "any of", "at_least": f"at least {node.get('k')} of"}
    if op in words:
        return words[op]
    if op == "sustained":
        absent = _ABSENT.get(str(node.get("missing_period")))
        return f"for {_periods(node)}{f', {absent}' if absent else ''}"
    return " ".join([op.replace("_", " "), *_rest({k: v for k, v in node.items() if k not in ("items", "item")})])
