"""What the criteria language and the dimensions mean, said a second time: slowly, in plain Python.

Written from the definition of the language, for comparison with the engine; it shares no code with the compiler or
the evaluation. Rules are read as the JSON they are stored as, numbers are Decimals, a day is a day on the
framework's calendar. Unknown is None.

Where the definition leaves a choice, this is the choice:

- `missing` of an outcome lists what the open rules read and do not have: under `provisional` the rules that could
  still win over the winner, under `missing_data` all rules that could still win.
- A rule of the winner's own segment is no rival of the winner. Under `unique` every other segment is a rival.
- A value without a moment of observation is not fresh where the attribute has a freshness limit.
- A choice that the framework declares is a value: a missing token that reads like its id is none.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

Verdict = bool | None
Body = Mapping[str, Any]

DEFAULT_TOKENS = ("N/A", "#N/A", "null", "-", "unknown")
DEFAULT_BASES = ("value", "behavioural", "needs", "lifecycle", "technographic", "firmographic", "geographic")


@dataclass(frozen=True)
class Override:
    """An account counts as `segment` in `dimension` from `start` until just before `end`."""

    dimension: str
    segment: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Facts:
    """One account. `values` and `observed` by attribute key; values as stored: typed, or as JSON keeps them."""

    values: Mapping[str, Any]
    observed: Mapping[str, datetime] = field(default_factory=dict)
    is_excluded: bool = False
    overrides: Sequence[Override] = ()


@dataclass
class Outcome:
    """One dimension of one account. `trace` has the verdict of every node by rule key and node id."""

    segment: str | None
    effective: str | None
    until: datetime | None
    reason: str
    rule: str = ""
    missing: list[str] = field(default_factory=list)
    losers: list[str] = field(default_factory=list)
    trace: dict[str, dict[str, Verdict]] = field(default_factory=dict)


def evaluate(bodies: Mapping[tuple[str, str], Body], facts: Facts, *, as_of: datetime) -> dict[str, Outcome]:
    """The outcome of every dimension, by its key."""
    account = _Account(bodies, facts, as_of)
    return {key: account.outcome(key) for key in account.dimensions}


@dataclass(frozen=True)
class _Rule:
    segment: str
    key: str
    root: Body
    verdict: Verdict


class _Account:
    def __init__(self, bodies: Mapping[tuple[str, str], Body], facts: Facts, as_of: datetime) -> None:
        self.bodies = bodies
        self.facts = facts
        self.dimensions = {key: body for (kind, key), body in bodies.items() if kind == "dimension"}
        self.sources = {key: body for (kind, key), body in bodies.items() if kind == "data_source"}
        self.zone = ZoneInfo(bodies.get(("meta", "meta"), {}).get("time_zone", "UTC"))
        self.as_of = as_of
        self.today = as_of.astimezone(self.zone).date()
        self.outcomes: dict[str, Outcome] = {}

    # --- dimensions

    def outcome(self, key: str) -> Outcome:
        if key not in self.outcomes:
            self.outcomes[key] = self._outcome(key)
        return self.outcomes[key]

    def _outcome(self, key: str) -> Outcome:
        trace: dict[str, dict[str, Verdict]] = {}
        rules = []
        for segment, body in self._rules(key):
            name, root = f"{segment}/{body['key']}", body["criteria"]["root"]
            trace[name] = {}
            rules.append(_Rule(segment, name, root, self.verdict(root, trace[name])))
        found = self._decided(self.dimensions[key], rules)
        found.trace = trace
        self._replaced(key, found)
        return found

    def _rules(self, dimension: str) -> list[tuple[str, Body]]:
        """The rules with their segments, in the order in which they are asked."""
        body = self.dimensions[dimension]
        ranked = [
            (segment, rule)
            for segment in body["segments"]
            for rule in self.bodies[("segment", f"{dimension}/{segment}")].get("rules", ())
        ]
        if body.get("hit_policy", "basis_precedence") != "basis_precedence":
            return ranked
        order = [*body.get("basis_order", DEFAULT_BASES)]
        asked = [pair for basis in order for pair in ranked if pair[1]["basis"] == basis]
        return asked + [pair for pair in ranked if pair[1]["basis"] not in order]

    def _decided(self, body: Body, rules: list[_Rule]) -> Outcome:
        if self.facts.is_excluded:
            return Outcome(None, None, None, "excluded")
        is_unique = body.get("hit_policy") == "unique"
        true_segments = {rule.segment for rule in rules if rule.verdict is True}
        true = [segment for segment in dict.fromkeys(rule.segment for rule in rules) if segment in true_segments]
        if is_unique and len(true) > 1:
            return Outcome(None, None, None, "conflict", losers=true)
        place = next((place for place, rule in enumerate(rules) if rule.verdict is True), None)
        if place is None:
            return self._without_winner(body, [rule for rule in rules if rule.verdict is None])
        winner = rules[place]
        asked = rules if is_unique else rules[:place]
        rivals = [rule for rule in asked if rule.verdict is None and rule.segment != winner.segment]
        missing = self._missing(rivals)
        if rivals and body.get("undetermined_higher", "provisional") == "unassigned":
            return Outcome(None, None, None, "missing_data", missing=missing)
        losers = [segment for segment in true if segment != winner.segment]
        reason = "provisional" if rivals else "matched"
        return Outcome(winner.segment, winner.segment, None, reason, winner.key, missing, losers)

    def _without_winner(self, body: Body, unknown: list[_Rule]) -> Outcome:
        if unknown:
            return Outcome(None, None, None, "missing_data", missing=self._missing(unknown))
        fallback = body.get("fallback")
        return Outcome(fallback, fallback, None, "fallback" if fallback else "no_match")

    def _missing(self, rules: list[_Rule]) -> list[str]:
        nodes = [node for rule in rules for node in _walk(rule.root)]
        attributes = {node["attribute"] for node in nodes if "attribute" in node}
        dimensions = {node["dimension"] for node in nodes if "dimension" in node}
        absent = {key for key in attributes if self.value(key) is None}
        return sorted(absent | {key for key in dimensions if self.outcome(key).effective is None})

    def _replaced(self, dimension: str, found: Outcome) -> None:
        """An exclusion counts before an override, an override in force before the rules."""
        if self.facts.is_excluded:
            return
        for override in self.facts.overrides:
            if override.dimension == dimension and override.start <= self.as_of < override.end:
                found.effective, found.until = override.segment, override.end

    # --- nodes

    def verdict(self, node: Body, trace: dict[str, Verdict]) -> Verdict:
        """Of a node and, in `trace`, of everything under it."""
        items = [self.verdict(item, trace) for item in _children(node)]
        found = _combined(node, items) if items else self._leaf(node)
        if found is None and "missing" in node:
            found = str(node["missing"]) == "true"
        trace[node["id"]] = found
        return found

    def _leaf(self, node: Body) -> Verdict:
        if node["op"] == "always":
            return True
        if "dimension" in node:
            return _of_dimension(node, self.outcome(node["dimension"]).effective)
        value = self.value(node["attribute"])
        if node["op"] in ("is_missing", "is_present"):
            return (value is None) is (str(node["op"]) == "is_missing")
        if value is None:
            return None
        return self._compared(node, value)

    def _compared(self, node: Body, value: Any) -> bool:
        kind = self.sources[node["attribute"]]["data_type"]
        if kind == "boolean":
            return bool(value) is (str(node["op"]) == "is_true")
        if kind in ("date", "datetime"):
            return self._dated(node, value)
        if kind in ("text", "choice"):
            return _worded(node, value, is_text=kind == "text")
        return _counted(node, value)

    def _dated(self, node: Body, value: date) -> bool:
        if "n" in node:
            return self._relative(node, self._day(value))
        for op, side in _BOUNDS.items():
            written = node.get("value") if node["op"] == op else node.get(side) if node["op"] == "range" else None
            if written is not None and not self._beside(value, op, written):
                return False
        return True

    def _beside(self, value: date, op: str, written: str) -> bool:
        """A written day is compared with the local day, a written instant with the instant."""
        if "T" in written:
            assert isinstance(value, datetime)
            return _ordered(value, _BOUNDS[op], datetime.fromisoformat(written))
        return _ordered(self._day(value), _BOUNDS[op], date.fromisoformat(written))

    def _relative(self, node: Body, day: date) -> bool:
        if node["op"] == "within_next":
            return self.today <= day <= shifted(self.today, node["n"], node["unit"])
        first = shifted(self.today, -node["n"], node["unit"])
        return day < first if node["op"] == "older_than" else first <= day <= self.today

    def _day(self, value: date) -> date:
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    # --- values

    def value(self, key: str) -> Any:
        """The attribute's value in its type; None when it is missing, in whatever way."""
        source, raw = self.sources[key], self.facts.values.get(key)
        if raw is None or self._is_stale(key, source):
            return None
        tokens = [*DEFAULT_TOKENS, *source.get("missing_tokens", ())]
        declared = {folded(choice["id"]) for choice in source.get("choices", ())}
        if isinstance(raw, str) and folded(raw) in {"", *map(folded, tokens)} - declared:
            return None
        typed = _typed(source["data_type"], raw)
        return None if typed in [_token(source["data_type"], token) for token in tokens] else typed

    def _is_stale(self, key: str, source: Body) -> bool:
        limit = source.get("freshness_days")
        if limit is None:
            return False
        observed = self.facts.observed.get(key)
        return observed is None or self._day(observed) < self.today - timedelta(days=limit)


_BOUNDS = {"before": "lt", "on_or_before": "le", "after": "gt", "on_or_after": "ge"}
_ORDERS = ("lt", "le", "gt", "ge")


def folded(text: str) -> str:
    """What two texts have in common when people call them the same."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", visible.casefold())).strip()


def shifted(day: date, count: int, unit: str) -> date:
    """A day later or earlier; a month later is the same day of the month, or its last where there is none."""
    if unit in ("days", "weeks"):
        return day + timedelta(days=count * {"days": 1, "weeks": 7}[unit])
    year, month = divmod(day.year * 12 + day.month - 1 + count * {"months": 1, "quarters": 3}[unit], 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _children(node: Body) -> list[Body]:
    return [node["item"]] if "item" in node else list(node.get("items", ()))


def _walk(node: Body) -> Iterator[Body]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _combined(node: Body, items: list[Verdict]) -> Verdict:
    if node["op"] == "not":
        return None if items[0] is None else not items[0]
    needed = {"all": len(items), "any": 1}.get(node["op"]) or node["k"]
    if items.count(True) >= needed:
        return True
    return None if items.count(True) + items.count(None) >= needed else False


def _of_dimension(node: Body, segment: str | None) -> Verdict:
    if node["op"] == "is_unassigned":
        return segment is None
    if segment is None:
        return None
    return segment in node["any_of"] if "any_of" in node else segment not in node["none_of"]


def _ordered(value: Any, op: str, bound: Any) -> bool:
    return bool({"lt": value < bound, "le": value <= bound, "gt": value > bound, "ge": value >= bound}[op])


def _counted(node: Body, value: Decimal) -> bool:
    if "values" in node:
        return (value in [Decimal(text) for text in node["values"]]) is (str(node["op"]) == "in")
    if node["op"] in ("eq", "ne"):
        return (value == Decimal(node["value"])) is (str(node["op"]) == "eq")
    if node["op"] == "range":
        return all(_ordered(value, op, Decimal(node[op])) for op in _ORDERS if node.get(op) is not None)
    return _ordered(value, node["op"], Decimal(node["value"]))


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


def _typed(data_type: str, raw: Any) -> Any:
    """A stored value in its type. Raises ValueError or InvalidOperation for what is none of it."""
    if data_type == "boolean":
        return raw if isinstance(raw, bool) else {"true": True, "false": False}[raw]
    if data_type == "choice":
        return raw.strip()
    if data_type == "text" or not isinstance(raw, str):
        return Decimal(raw) if isinstance(raw, int) else raw
    if data_type == "date":
        return date.fromisoformat(raw)
    if data_type == "datetime":
        return datetime.fromisoformat(raw).astimezone(UTC)
    return Decimal(raw)


def _token(data_type: str, token: str) -> Any:
    """A missing token in the attribute's type, such as 9999-12-31; a value that nothing equals where it is none."""
    if data_type in ("text", "choice", "boolean"):
        return NotImplemented
    try:
        return _typed(data_type, token)
    except (ValueError, InvalidOperation):
        return NotImplemented
