"""Random criteria: every node of the language, on the attributes of one framework, at values worth asking about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.accounts.vocabulary import (
    ATTRIBUTES,
    BOOLEAN,
    DATE,
    DATETIME,
    DETAILS,
    HISTORIC,
    LISTS,
    LITERALS,
    NUMBERS,
    SPECIAL_DAYS,
    TAGS,
    THRESHOLDS,
    Attribute,
    Clock,
)

Below = Mapping[str, Sequence[str]]
"""The dimensions that a rule may read, each with its segments."""

GRAINS = ("month", "fiscal_quarter", "fiscal_year")
CHANGES = ("-20", "0", "20", "33.3333", "100")
_PATTERNS = ("starts_with", "ends_with", "contains")


class Trees:
    """Draws rules of one framework; numbers their nodes."""

    def __init__(self, draw: st.DrawFn, clock: Clock, keys: Sequence[str]) -> None:
        self.draw = draw
        self.days = [*SPECIAL_DAYS, *(clock.today + timedelta(days=n) for n in (-91, -90, -30, -1, 0, 1, 30, 120))]
        self.clock = clock
        self.keys = keys
        self.historic = [key for key in keys if key in HISTORIC]
        self.count = 0

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def some(self, options: Sequence[Any], most: int) -> list[Any]:
        return self.draw(st.lists(st.sampled_from(options), min_size=1, max_size=most, unique=True))

    def document(self, below: Below) -> dict[str, Any]:
        self.count = 0
        return {"schema": "criteria/1", "root": self.node(below, self.pick(1, 2, 3, 4))}

    def node(self, below: Below, depth: int, *, is_past: bool = False) -> dict[str, Any]:
        """`is_past`: inside `sustained`."""
        self.count += 1
        node_id = f"n{self.count}"
        op = "leaf" if depth == 1 or self.count > 30 else self.pick("all", "any", "not", "at_least", "leaf")
        if op == "leaf":
            return {"id": node_id, **(self.past_leaf() if is_past else self.leaf(below))}
        if op == "not":
            return {"id": node_id, "op": op, "item": self.node(below, depth - 1, is_past=is_past)}
        items = [self.node(below, depth - 1, is_past=is_past) for _ in range(self.pick(1, 2, 2, 3))]
        counted = {"k": self.draw(st.integers(1, len(items)))} if op == "at_least" else {}
        return {"id": node_id, "op": op, **counted, "items": items}

    def leaf(self, below: Below) -> dict[str, Any]:
        past = ["sustained", "change"] if self.historic else []
        kind = self.pick(*["attribute"] * 8, "always", "fact", *past, *["dimension"] * (4 if below else 0))
        if kind == "always":
            return {"op": "always"}
        if kind == "dimension":
            return self.on_dimension(below)
        if kind == "attribute":
            return self.on_any_attribute()
        return {"fact": self.on_fact, "sustained": self.sustained, "change": self.change}[kind]()

    def on_any_attribute(self) -> dict[str, Any]:
        attribute = ATTRIBUTES[self.pick(*self.keys)]
        leaf = {**self.on_attribute(attribute), "attribute": attribute.key}
        is_own = (attribute.derived or {}).get("kind") == "growth"
        of = {} if is_own else self.pick({}, {}, {}, {}, {"of": "ultimate_parent"})
        return {**self.with_default(leaf), **of}

    def with_default(self, leaf: dict[str, Any]) -> dict[str, Any]:
        if leaf["op"] in ("is_missing", "is_present"):
            return leaf
        stated: dict[str, str] = self.pick({}, {}, {}, {"missing": "true"}, {"missing": "false"})
        return {**leaf, **stated}

    def on_dimension(self, below: Below) -> dict[str, Any]:
        dimension = self.pick(*sorted(below))
        form = self.pick("any_of", "none_of", "is_unassigned")
        if form == "is_unassigned":
            return {"op": form, "dimension": dimension}
        return self.with_default({"op": "segment", "dimension": dimension, form: self.some(below[dimension], 3)})

    # --- beside the account's row

    def on_fact(self) -> dict[str, Any]:
        if self.pick(0, 1):
            return {"op": "on_list", "list": self.pick(*LISTS), **self.pick({}, {}, {"of": "ultimate_parent"})}
        details = self.pick(*DETAILS, {"role": " SALES  ops"})
        asked = {"kind": self.pick("hiring", "funding"), "at_least": self.pick(1, 1, 2, 3)}
        return {
            "op": "signal",
            **asked,
            "within_days": self.pick(1, 30, 90),
            **({"details": details} if details else {}),
        }

    def sustained(self) -> dict[str, Any]:
        how = self.pick({}, {}, {"missing_period": "breaks"}, {"missing_period": "skip"})
        periods = {"periods": self.pick(1, 2, 2, 3), "grain": self.pick(*GRAINS)}
        return {"op": "sustained", **periods, **how, "item": self.node({}, self.pick(1, 1, 2), is_past=True)}

    def past_leaf(self) -> dict[str, Any]:
        key = self.pick(*self.historic)
        if self.pick(*range(8)) == 0:
            return {"op": self.pick("is_missing", "is_present"), "attribute": key}
        return self.with_default({**self.on_number(THRESHOLDS[key]), "attribute": key})

    def change(self) -> dict[str, Any]:
        key, measure = self.pick(*self.historic), self.pick("absolute", "percent")
        scale = ATTRIBUTES[key].scale if measure == "absolute" else 4
        values = [value for value in CHANGES if -int(Decimal(value).as_tuple().exponent) <= scale]
        asked = {"grain": self.pick(*GRAINS), "periods": self.pick(1, 1, 2, 4), "measure": measure}
        compared = {"compare": self.pick("gt", "ge", "lt", "le"), "value": self.pick(*values)}
        return self.with_default({"op": "change", "attribute": key, **asked, **compared})

    # --- on the account's row

    def on_attribute(self, attribute: Attribute) -> dict[str, Any]:
        if self.pick(*range(8)) == 0:
            return {"op": self.pick("is_missing", "is_present")}
        if attribute.data_type == BOOLEAN:
            return {"op": self.pick("is_true", "is_false")}
        if attribute.data_type in NUMBERS:
            return self.on_number(THRESHOLDS[attribute.key])
        if attribute.data_type in (DATE, DATETIME):
            return self.on_date(has_time=attribute.data_type == DATETIME)
        if attribute.data_type == TAGS:
            values = self.some(attribute.choices or LITERALS, 3)
            return {"op": self.pick("has_any", "has_all", "has_none"), "values": values}
        return self.on_words(attribute)

    def on_number(self, values: Sequence[str]) -> dict[str, Any]:
        op = self.pick("eq", "ne", "lt", "le", "gt", "ge", "range", "range", "in", "not_in")
        if op == "range":
            return {"op": op, **self.bounds(values, Decimal)}
        if op in ("in", "not_in"):
            return {"op": op, "values": self.some(values, 3)}
        return {"op": op, "value": self.pick(*values)}

    def bounds(self, values: Sequence[str], typed: Any) -> dict[str, str]:
        distinct = list({typed(value): value for value in values}.values())
        two = st.lists(st.sampled_from(distinct), min_size=2, max_size=2, unique=True)
        low, high = sorted(self.draw(two), key=typed)
        return {self.pick("ge", "gt"): low, self.pick("lt", "le"): high}

    def on_date(self, *, has_time: bool) -> dict[str, Any]:
        written = [day.isoformat() for day in self.days]
        relative = ("within_last", "within_next", "older_than")
        op = self.pick("before", "on_or_before", "after", "on_or_after", "range", *relative, "in_period")
        if op == "in_period":
            return {"op": op, "period": self.pick(*GRAINS[1:]), "offset": self.pick(-4, -1, 0, 0, 1, 4)}
        if op == "range":
            return {"op": op, **self.bounds(written, date.fromisoformat)}
        if op in relative:
            n = self.pick(1, 1, 2, 3, 30, 90)
            return {"op": op, "n": n, "unit": self.pick("days", "weeks", "months", "quarters")}
        if has_time and self.pick(0, 1):
            written = [moment.isoformat() for moment in map(self.clock.midnight, self.days)]
        return {"op": op, "value": self.pick(*written)}

    def on_words(self, attribute: Attribute) -> dict[str, Any]:
        values = attribute.choices or LITERALS
        op = self.pick("eq", "ne", "in", "not_in", *([] if attribute.choices else _PATTERNS))
        exact = {} if attribute.choices else self.pick({}, {}, {"match": "exact"})
        if op in ("in", "not_in"):
            return {"op": op, "values": self.some(values, 3), **exact}
        return {"op": op, "value": self.pick(*values), **exact}
