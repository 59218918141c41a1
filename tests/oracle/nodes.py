"""The verdict on every node of a rule. Unknown is None."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.calendar import number_of, shifted
from tests.oracle.facts import Body, Verdict
from tests.oracle.values import Values, folded

SegmentOf = Callable[[str], str | None]
_BOUNDS = {"before": "lt", "on_or_before": "le", "after": "gt", "on_or_after": "ge"}
_ORDERS = ("lt", "le", "gt", "ge")


class Asking:
    """Asks the nodes of one dimension's rules; `segment_of` gives the segment that counts in another dimension."""

    def __init__(self, values: Values, segment_of: SegmentOf) -> None:
        self.values = values
        self.segment_of = segment_of

    def verdict(self, node: Body, trace: dict[str, Verdict]) -> Verdict:
        """Of a node and, in `trace`, of everything under it; under `sustained` as at the newest closed period."""
        if node["op"] == "sustained":
            self._at(node["item"], node["grain"], 1, trace)
            found = self._sustained(node)
        else:
            items = [self.verdict(item, trace) for item in children(node)]
            found = combined(node, items) if items else _or_stated(node, self._leaf(node))
        trace[node["id"]] = found
        return found

    def _leaf(self, node: Body) -> Verdict:
        if node["op"] == "always":
            return True
        if "dimension" in node:
            return _of_dimension(node, self.segment_of(node["dimension"]))
        if node["op"] == "signal":
            return self._counted(node) >= int(node["at_least"])
        if node["op"] == "on_list":
            return node["list"] in self.values.holder(node.get("of", "self")).lists
        if node["op"] == "change":
            return self._changed(node)
        value = self.values.value(node["attribute"], node.get("of", "self"))
        return self._of_value(node, value)

    def _of_value(self, node: Body, value: Any) -> Verdict:
        if node["op"] in ("is_missing", "is_present"):
            return (value is None) is (str(node["op"]) == "is_missing")
        if value is None:
            return None
        kind = self.values.sources[node["attribute"]]["data_type"]
        if kind == "boolean":
            return bool(value) is (str(node["op"]) == "is_true")
        if kind == "tags":
            return _tagged(node, value)
        if kind in ("date", "datetime"):
            return self._dated(node, value)
        if kind in ("text", "choice"):
            return _worded(node, value, is_text=kind == "text")
        return _numbered(node, value)

    # --- days

    def _dated(self, node: Body, value: date) -> bool:
        if node["op"] == "in_period":
            return self._in_period(node, self.values.day(value))
        if "n" in node:
            return self._relative(node, self.values.day(value))
        for op, side in _BOUNDS.items():
            written = node.get("value") if node["op"] == op else node.get(side) if node["op"] == "range" else None
            if written is not None and not self._beside(value, op, written):
                return False
        return True

    def _in_period(self, node: Body, day: date) -> bool:
        grain, start = node["period"], self.values.start_month
        return number_of(day, grain, start) == number_of(self.values.today, grain, start) + int(node["offset"])

    def _beside(self, value: date, op: str, written: str) -> bool:
        """A written day is compared with the local day, a written instant with the instant."""
        if "T" in written:
            assert isinstance(value, datetime)
            return _ordered(value, _BOUNDS[op], datetime.fromisoformat(written))
        return _ordered(self.values.day(value), _BOUNDS[op], date.fromisoformat(written))

    def _relative(self, node: Body, day: date) -> bool:
        today = self.values.today
        if node["op"] == "within_next":
            return today <= day <= shifted(today, node["n"], node["unit"])
        first = shifted(today, -node["n"], node["unit"])
        return day < first if node["op"] == "older_than" else first <= day <= today

    # --- signals and closed periods

    def _counted(self, node: Body) -> int:
        asked = {name: folded(text) for name, text in (node.get("details") or {}).items()}
        first = shifted(self.values.today, -node["within_days"], "days")
        return sum(
            signal.kind == node["kind"]
            and first <= signal.day <= self.values.today
            and asked.items() <= {name: folded(text) for name, text in signal.details.items()}.items()
            for signal in self.values.facts.signals
        )

    def _sustained(self, node: Body) -> Verdict:
        """The item in each of the periods; a hole, with something of it observed before, goes by `missing_period`.

        Where nothing was observed before, the history has not begun yet: it is too short, not broken.
        """
        periods, how = list(range(1, node["periods"] + 1)), node.get("missing_period", "unknown")
        holes = [back for back in periods if not self._is_observed(node, back) and self._has_begun(node, back)]
        if how == "breaks" and holes:
            return False
        if how == "skip" and holes:
            periods = [back for back in [*periods, len(periods) + 1] if back != holes[0]]
        return combined({"op": "all"}, [self._at(node["item"], node["grain"], back, {}) for back in periods])

    def _is_observed(self, node: Body, back: int) -> bool:
        return any(
            self.values.at_period(metric, node["grain"], back) is not None for metric in self._metrics_under(node)
        )

    def _has_begun(self, node: Body, back: int) -> bool:
        """Whether anything of it was observed in a period before that one."""
        return any(self.values.began_before(metric, node["grain"], back) for metric in self._metrics_under(node))

    def _metrics_under(self, node: Body) -> set[str]:
        return {metric for each in walk(node["item"]) for metric in self._metrics(each)}

    def _metrics(self, node: Body) -> list[str]:
        return self.values.metrics(node["attribute"]) if "attribute" in node else []

    def _at(self, node: Body, grain: str, back: int, trace: dict[str, Verdict]) -> Verdict:
        items = [self._at(item, grain, back, trace) for item in children(node)]
        if items:
            found = combined(node, items)
        else:
            found = _or_stated(node, self._of_value(node, self.values.at_period(node["attribute"], grain, back)))
        trace[node["id"]] = found
        return found

    def _changed(self, node: Body) -> Verdict:
        """Exactly: a percentage is compared without dividing."""
        newest = self.values.at_period(node["attribute"], node["grain"], 1)
        earlier = self.values.at_period(node["attribute"], node["grain"], 1 + node["periods"])
        if newest is None or earlier is None:
            return None
        asked = Decimal(node["value"])
        if node["measure"] == "absolute":
            return _ordered(newest - earlier, node["compare"], asked)
        return None if not earlier else _ordered((newest - earlier) * 100, node["compare"], asked * abs(earlier))

    # --- what a rule would have needed

    def lacking(self, root: Body) -> Iterator[str]:
        """What the rule reads and does not have: attributes, dimensions, and `history:` metrics of closed periods."""
        if root["op"] in ("sustained", "change") or self._is_growth(root):
            if self.verdict(root, {}) is None:
                yield from (f"history:{metric}" for each in walk(root) for metric in self._metrics(each))
            return
        if "attribute" in root and self.values.value(root["attribute"], root.get("of", "self")) is None:
            yield root["attribute"]
        if "dimension" in root and self.segment_of(root["dimension"]) is None:
            yield root["dimension"]
        for child in children(root):
            yield from self.lacking(child)

    def _is_growth(self, node: Body) -> bool:
        source = self.values.sources[node["attribute"]] if "attribute" in node else {}
        return bool(source.get("derived", {}).get("kind") == "growth")


def children(node: Body) -> list[Body]:
    return [node["item"]] if "item" in node else list(node.get("items", ()))


def walk(node: Body) -> Iterator[Body]:
    yield node
    for child in children(node):
        yield from walk(child)


def combined(node: Body, items: list[Verdict]) -> Verdict:
    """Of a group, from the verdicts on its items."""
    if node["op"] == "not":
        return None if items[0] is None else not items[0]
    needed = {"all": len(items), "any": 1}.get(node["op"]) or node["k"]
    if items.count(True) >= needed:
        return True
    return None if items.count(True) + items.count(None) >= needed else False


def _or_stated(node: Body, verdict: Verdict) -> Verdict:
    """What the leaf says of a missing value, where it says something."""
    return str(node["missing"]) == "true" if verdict is None and "missing" in node else verdict


def _of_dimension(node: Body, segment: str | None) -> Verdict:
    if node["op"] == "is_unassigned":
        return segment is None
    if segment is None:
        return None
    return segment in node["any_of"] if "any_of" in node else segment not in node["none_of"]


def _ordered(value: Any, op: str, bound: Any) -> bool:
    return bool({"lt": value < bound, "le": value <= bound, "gt": value > bound, "ge": value >= bound}[op])


def _numbered(node: Body, value: Decimal) -> bool:
    if "values" in node:
        return (value in [Decimal(text) for text in node["values"]]) is (str(node["op"]) == "in")
    if node["op"] in ("eq", "ne"):
        return (value == Decimal(node["value"])) is (str(node["op"]) == "eq")
    if node["op"] == "range":
        return all(_ordered(value, op, Decimal(node[op])) for op in _ORDERS if node.get(op) is not None)
    return _ordered(value, node["op"], Decimal(node["value"]))


def _tagged(node: Body, tags: set[str]) -> bool:
    asked = {folded(text) for text in node["values"]}
    return {"has_any": bool(asked & tags), "has_all": asked <= tags, "has_none": not asked & tags}[node["op"]]


def _worded(node: Body, value: str, *, is_text: bool) -> bool:
    def same(text: str) -> str:
        return folded(text) if is_text and node.get("match") != "exact" else text

    seen = same(value)
    if "values" in node:
        return (seen in [same(text) for text in node["values"]]) is (str(node["op"]) == "in")
    asked = same(node["value"])
    if node["op"] in ("eq", "ne"):
        return (seen == asked) is (str(node["op"]) == "eq")
    return {
        "starts_with": seen.startswith(asked),
        "ends_with": seen.endswith(asked),
        "contains": asked in seen,
    }[node["op"]]
