"""Random frameworks with accounts that lie where their rules cut: at each threshold and one step beside it.

A framework is drawn as the bodies of its parts. Accounts are drawn as `oracle.Facts` over the attributes that its
rules read; what is stored for each is made in `storing.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.oracle import Facts, Override, shifted

Bodies = dict[tuple[str, str], dict[str, Any]]

# Zones in which midnight comes twice (Havana, Azores), not at all (Santiago, Cairo), or a day is missing (Apia).
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Atlantic/Azores",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
SPECIAL_DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        *("2011-12-29", "2011-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-09-08"),
        *("2024-10-27", "2024-11-03", "2025-02-28", "2025-03-09", "2025-03-30", "2025-04-25", "2025-10-26"),
        *("2025-11-02", "2025-12-31", "2026-01-01", "2028-02-29"),
    )
)

TEXT, CHOICE, INTEGER, DECIMAL, MONEY = "text", "choice", "integer", "decimal", "money"
DATE, DATETIME, BOOLEAN = "date", "datetime", "boolean"

STAGES = ("prospect", "customer", "churned")
PLANS = ("basic", "Pro, Inc", "unknown", "straße")


@dataclass(frozen=True)
class Attribute:
    """One attribute that rules may read; `low` and `high` are what its column takes."""

    key: str
    data_type: str
    scale: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()

    @property
    def step(self) -> Decimal:
        return Decimal(1).scaleb(-self.scale)


ATTRIBUTES = {
    attribute.key: attribute
    for attribute in (
        Attribute("employee_count", INTEGER, low=Decimal(0)),
        Attribute("health_score", INTEGER, low=Decimal(0), high=Decimal(100)),
        Attribute("arr", MONEY, 2, low=Decimal(0)),
        Attribute("annual_revenue", MONEY, 2),
        Attribute("weekly_active_share", DECIMAL, 2, low=Decimal(0), high=Decimal(100)),
        Attribute("last_activity_on", DATE),
        Attribute("contract_end_on", DATE),
        Attribute("industry", TEXT),
        Attribute("city", TEXT),
        Attribute("stage", CHOICE, choices=STAGES),
        Attribute("seats", INTEGER),
        Attribute("growth", DECIMAL, 4),
        Attribute("spend", MONEY, 2),
        Attribute("renewed_on", DATE),
        Attribute("seen_at", DATETIME),
        Attribute("plan", CHOICE, choices=PLANS),
        Attribute("is_partner", BOOLEAN),
        Attribute("motto", TEXT),
    )
}
JSON = frozenset({"seats", "growth", "spend", "renewed_on", "seen_at", "plan", "is_partner", "motto"})
NUMBERS = (INTEGER, DECIMAL, MONEY)

_THRESHOLDS: dict[str, tuple[str, ...]] = {
    "employee_count": ("0", "1", "200", "1000", "5000", "999999999999999999"),
    "health_score": ("0", "30", "60", "100", "32768"),
    "arr": ("0.00", "0.01", "25000.10", "25000", "100000.00", "500000"),
    "annual_revenue": ("-1", "0", "1000000.50", "99999999999999999.99"),
    "weekly_active_share": ("0", "0.01", "33.33", "50", "100"),
    "seats": ("-5", "0", "9", "80000", "999999999999999999"),
    "growth": ("-0.5", "0", "0.3333", "1.0001"),
    "spend": ("-0.01", "0", "25000.00", "24999.99"),
}
_LITERALS = (
    "straße", "STRASSE", "Caf\u00e9", "Smith, Jones & Co", "a%b_c", "a\\b", "New\u00a0York", "\ufb03",
    "\u0130stanbul", "9", "80000", "e", "null island", "\u039f\u03b4\u03cc\u03c2", "x\u200by",
)  # fmt: skip
_BLANKS = ("", " ", "\u00a0", "\u200b", "N/A", "n/a", "-", "Unknown", "\uff2e/\uff21", "TBD", " tbd ")
_OWN_TOKENS = {TEXT: ["tbd"], CHOICE: ["TBD"], INTEGER: ["-5", "99"], DECIMAL: ["100"], MONEY: ["0"],
               DATE: ["2025-12-31"]}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One framework, the instant it is evaluated at, and accounts that it cuts between."""

    bodies: Bodies
    as_of: datetime
    accounts: list[Facts]

    def node(self, dimension: str, rule: str, node_id: str) -> Mapping[str, Any]:
        """One node of a rule, named segment/rule as outcomes name it."""
        segment, _, key = rule.partition("/")
        rules = self.bodies["segment", f"{dimension}/{segment}"]["rules"]
        root = next(each for each in rules if each["key"] == key)["criteria"]["root"]
        return next(node for node in nodes_of(root) if node["id"] == node_id)


@dataclass(frozen=True)
class Clock:
    """The instant of an evaluation, seen from the framework's zone."""

    zone: ZoneInfo
    as_of: datetime

    @property
    def today(self) -> date:
        return self.as_of.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """About when the day begins; on days with two midnights, the second."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone, fold=1).astimezone(UTC)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    day = draw(st.sampled_from(SPECIAL_DAYS))
    seconds = draw(st.sampled_from([-3601, -1, 0, 1, 1800, 3600, 43200]))
    return Clock(zone, Clock(zone, datetime.now(UTC)).midnight(day) + timedelta(seconds=seconds))


# --- rules


class _Trees:
    """Draws rules of one framework; numbers their nodes."""

    def __init__(self, draw: st.DrawFn, clock: Clock, keys: Sequence[str]) -> None:
        self.draw = draw
        self.days = [*SPECIAL_DAYS, *(clock.today + timedelta(days=n) for n in (-91, -90, -30, -1, 0, 1, 30, 120))]
        self.clock = clock
        self.keys = keys
        self.count = 0

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def some(self, options: Sequence[Any], most: int) -> list[Any]:
        return self.draw(st.lists(st.sampled_from(options), min_size=1, max_size=most, unique=True))

    def document(self, below: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        self.count = 0
        return {"schema": "criteria/1", "root": self.node(below, self.pick(1, 2, 3, 4))}

    def node(self, below: Mapping[str, Sequence[str]], depth: int) -> dict[str, Any]:
        self.count += 1
        node_id = f"n{self.count}"
        if depth == 1 or self.count > 30:
            return {"id": node_id, **self.leaf(below)}
        op = self.pick("all", "any", "not", "at_least", "leaf")
        if op == "leaf":
            return {"id": node_id, **self.leaf(below)}
        if op == "not":
            return {"id": node_id, "op": op, "item": self.node(below, depth - 1)}
        items = [self.node(below, depth - 1) for _ in range(self.pick(1, 2, 2, 3))]
        counted = {"k": self.draw(st.integers(1, len(items)))} if op == "at_least" else {}
        return {"id": node_id, "op": op, **counted, "items": items}

    def leaf(self, below: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        kind = self.pick(*["attribute"] * 8, "always", *["dimension"] * (4 if below else 0))
        if kind == "always":
            return {"op": "always"}
        if kind == "dimension":
            return self.on_dimension(below)
        attribute = ATTRIBUTES[self.pick(*self.keys)]
        leaf = {**self.on_attribute(attribute), "attribute": attribute.key}
        return leaf if leaf["op"].startswith("is_m") or leaf["op"] == "is_present" else {**leaf, **self.default()}

    def default(self) -> dict[str, str]:
        stated: dict[str, str] = self.pick({}, {}, {}, {"missing": "true"}, {"missing": "false"})
        return stated

    def on_dimension(self, below: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        dimension = self.pick(*sorted(below))
        form = self.pick("any_of", "none_of", "is_unassigned")
        if form == "is_unassigned":
            return {"op": form, "dimension": dimension}
        return {"op": "segment", "dimension": dimension, form: self.some(below[dimension], 3), **self.default()}

    def on_attribute(self, attribute: Attribute) -> dict[str, Any]:
        if self.pick(*range(8)) == 0:
            return {"op": self.pick("is_missing", "is_present")}
        if attribute.data_type == BOOLEAN:
            return {"op": self.pick("is_true", "is_false")}
        if attribute.data_type in NUMBERS:
            return self.on_number(_THRESHOLDS[attribute.key])
        if attribute.data_type in (DATE, DATETIME):
            return self.on_date(has_time=attribute.data_type == DATETIME)
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
        low, high = sorted(
            self.draw(st.lists(st.sampled_from(distinct), min_size=2, max_size=2, unique=True)), key=typed
        )
        return {self.pick("ge", "gt"): low, self.pick("lt", "le"): high}

    def on_date(self, *, has_time: bool) -> dict[str, Any]:
        written = [day.isoformat() for day in self.days]
        op = self.pick(
            "before", "on_or_before", "after", "on_or_after", "range", "within_last", "within_next", "older_than"
        )
        if op == "range":
            return {"op": op, **self.bounds(written, date.fromisoformat)}
        if op in ("within_last", "within_next", "older_than"):
            n = self.pick(1, 1, 2, 3, 30, 90)
            return {"op": op, "n": n, "unit": self.pick("days", "weeks", "months", "quarters")}
        if has_time and self.pick(0, 1):
            written = [moment.isoformat() for moment in map(self.clock.midnight, self.days)]
        return {"op": op, "value": self.pick(*written)}

    def on_words(self, attribute: Attribute) -> dict[str, Any]:
        values = attribute.choices or _LITERALS
        op = self.pick("eq", "ne", "in", "not_in", *([] if attribute.choices else _PATTERNS))
        exact = {} if attribute.choices else self.pick({}, {}, {"match": "exact"})
        if op in ("in", "not_in"):
            return {"op": op, "values": self.some(values, 3), **exact}
        return {"op": op, "value": self.pick(*values), **exact}


_PATTERNS = ("starts_with", "ends_with", "contains")
_BASES = ("value", "behavioural", "needs", "lifecycle", "technographic", "firmographic", "geographic")


# --- frameworks


@st.composite
def frameworks(draw: st.DrawFn, clock: Clock, *, most_dimensions: int = 4) -> Bodies:
    """The parts of a framework: dimensions that read each other without a circle, in no order of their names."""
    keys = draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), min_size=1, max_size=6, unique=True))
    trees = _Trees(draw, clock, keys)
    bodies: Bodies = {
        ("meta", "meta"): {"name": "Random", "company": "Random", "time_zone": clock.zone.key},
        **{("data_source", key): _source(trees, ATTRIBUTES[key]) for key in keys},
    }
    names = draw(st.permutations(["alpha", "beta", "gamma", "delta"]))[: draw(st.integers(1, most_dimensions))]
    below: dict[str, list[str]] = {}
    for name in names:
        segments = draw(st.permutations(["s1", "s2", "s3", "s4", "s5"]))[: draw(st.integers(1, 5))]
        bodies["dimension", name] = _dimension(trees, name, segments)
        for segment in segments:
            rules = [
                {"key": f"r{number}", "basis": trees.pick(*_BASES), "criteria": trees.document(below)}
                for number in range(trees.pick(0, 1, 1, 1, 2, 3))
            ]
            bodies["segment", f"{name}/{segment}"] = {"label": segment.upper(), "dimension": name, "rules": rules}
        below[name] = segments
    return bodies


def _dimension(trees: _Trees, name: str, segments: list[str]) -> dict[str, Any]:
    return {
        "label": name.title(),
        "segments": segments,
        "hit_policy": trees.pick("ranked", "unique", "basis_precedence"),
        "basis_order": trees.some(_BASES, len(_BASES)),
        "undetermined_higher": trees.pick("provisional", "unassigned"),
        **trees.pick({}, {"fallback": segments[-1]}),
    }


def _source(trees: _Trees, attribute: Attribute) -> dict[str, Any]:
    body: dict[str, Any] = {"label": attribute.key.replace("_", " "), "data_type": attribute.data_type}
    if attribute.data_type in (DECIMAL, MONEY):
        body["scale"] = attribute.scale
    if attribute.data_type == MONEY:
        body["currency"] = "USD"
    if attribute.choices:
        body["choices"] = [{"id": choice, "label": f"The {choice}"} for choice in attribute.choices]
    if trees.pick(0, 0, 1):
        body["missing_tokens"] = _OWN_TOKENS.get(attribute.data_type, ["tbd"])
    if trees.pick(0, 0, 0, 1):
        body["freshness_days"] = trees.pick(1, 30, 90)
    return body


# --- accounts


def pool(attribute: Attribute, leaves: Sequence[Mapping[str, Any]], clock: Clock) -> list[Any]:
    """Values worth having, given the leaves that read the attribute: missing in every way, and around each cut."""
    kind = attribute.data_type
    if kind in NUMBERS:
        return [None, *_numbers(attribute, leaves)]
    if kind == BOOLEAN:
        return [None, True, False, "true", "false"]
    if kind in (DATE, DATETIME):
        return [None, *_moments(attribute, leaves, clock)]
    return [None, *_words(attribute, leaves)]


def _written(leaves: Sequence[Mapping[str, Any]]) -> list[str]:
    singles = [leaf[name] for leaf in leaves for name in ("value", "ge", "gt", "lt", "le") if name in leaf]
    return [*singles, *(value for leaf in leaves for value in leaf.get("values", ()))]


def _numbers(attribute: Attribute, leaves: Sequence[Mapping[str, Any]]) -> list[Any]:
    cuts = [Decimal(text) for text in _written(leaves)] or [Decimal(1)]
    near = {cut + steps * attribute.step for cut in cuts for steps in (-1, 0, 1)} | {Decimal(0)}
    fits = [n for n in sorted(near) if (attribute.low is None or n >= attribute.low)]
    fits = [n for n in fits if attribute.high is None or n <= attribute.high] or [Decimal(50)]
    if attribute.key not in JSON:
        return [int(n) if attribute.data_type == INTEGER else n for n in fits]
    strange = ["", "N/A", "unknown", "123456789012345678901234567890.5"]
    if attribute.data_type == INTEGER:
        return [*strange, *(int(n) for n in fits)]
    return [*strange, *(f"{cut - Decimal('0.000001'):f}" for cut in cuts), *(f"{n:f}" for n in fits)]


def _moments(attribute: Attribute, leaves: Sequence[Mapping[str, Any]], clock: Clock) -> list[Any]:
    relative = [leaf for leaf in leaves if "n" in leaf]
    cuts = [shifted(clock.today, sign * leaf["n"], leaf["unit"]) for leaf in relative for sign in (-1, 1)]
    cuts += [date.fromisoformat(text[:10]) for text in _written(leaves)] + [clock.today]
    days = [cut + timedelta(days=n) for cut in cuts for n in (-1, 0, 1)]
    if attribute.key not in JSON:
        return sorted(set(days))
    if attribute.data_type == DATE:
        return ["", "N/A", *(day.isoformat() for day in sorted(set(days)))]
    midnights = {clock.midnight(cut) + timedelta(days=n) for cut in cuts for n in (0, 1)}
    offsets = [timedelta(seconds=s) for s in (-3600, -1, 0, 1800, 3600)] + [timedelta(microseconds=-1)]
    moments = sorted({midnight + offset for midnight in midnights for offset in offsets})
    return ["", *(moment.isoformat().replace("+00:00", "Z") for moment in moments)]


def _words(attribute: Attribute, leaves: Sequence[Mapping[str, Any]]) -> list[Any]:
    if attribute.key == "stage":
        return list(STAGES)
    written = _written(leaves) or ["Acme"]
    if attribute.choices:
        blanks = [blank for blank in _BLANKS if blank.isascii() or not blank.strip("\u00a0\u200b")]
        return [*blanks, "retired", *written, *(f" {word} " for word in written), *(word.upper() for word in written)]
    near = [change(word) for word in written for change in (str.upper, str.title, "The {} Co".format, " {} ".format)]
    return [*_BLANKS, *written, *near, *(unicodedata.normalize("NFD", word) for word in written)]


@st.composite
def accounts(draw: st.DrawFn, bodies: Bodies, clock: Clock, *, most: int) -> list[Facts]:
    """Accounts that differ in what the framework's rules read."""
    read: dict[str, list[Mapping[str, Any]]] = {}
    for (kind, _), body in bodies.items():
        for rule in body["rules"] if kind == "segment" else ():
            for node in nodes_of(rule["criteria"]["root"]):
                if "attribute" in node:
                    read.setdefault(node["attribute"], []).append(node)
    pools = {key: pool(ATTRIBUTES[key], leaves, clock) for key, leaves in sorted(read.items())}
    limits = {key: bodies["data_source", key].get("freshness_days") for key in pools}
    segments = {key: body["segments"] for (kind, key), body in bodies.items() if kind == "dimension"}
    sizes = [size for size in (1, 3, 6, most) if size <= most]
    return [_facts(draw, clock, pools, limits, segments) for _ in range(draw(st.sampled_from(sizes)))]


def nodes_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The node and everything under it."""
    items = [*node.get("items", ()), *([node["item"]] if "item" in node else [])]
    return [node, *(each for item in items for each in nodes_of(item))]


def _facts(
    draw: st.DrawFn,
    clock: Clock,
    pools: Mapping[str, Sequence[Any]],
    limits: Mapping[str, int | None],
    segments: Mapping[str, Sequence[str]],
) -> Facts:
    values = {key: draw(st.sampled_from(options)) for key, options in pools.items()}
    if values.get("stage", "") is None:
        values["stage"] = "customer"
    observed = {}
    for key, limit in limits.items():
        if limit is not None:
            oldest = clock.midnight(clock.today - timedelta(days=limit))
            moments = [None, clock.as_of, oldest, *(oldest + timedelta(seconds=s) for s in (-3601, -1, 1))]
            observed[key] = draw(st.sampled_from(moments))
    return Facts(
        values=values,
        observed={key: moment for key, moment in observed.items() if moment},
        is_excluded=draw(st.sampled_from([False] * 9 + [True])),
        overrides=_overrides(draw, clock, segments) if draw(st.sampled_from([False, False, True])) else (),
    )


def _overrides(draw: st.DrawFn, clock: Clock, segments: Mapping[str, Sequence[str]]) -> tuple[Override, ...]:
    dimension = draw(st.sampled_from(sorted(segments)))
    start, end = draw(st.sampled_from([(-86400, 0), (-1, 1), (0, 86400), (1, 86400), (-86400, 86400)]))
    segment = draw(st.sampled_from(list(segments[dimension])))
    moments = (clock.as_of + timedelta(seconds=start), clock.as_of + timedelta(seconds=end))
    return (Override(dimension, segment, *moments),)


@st.composite
def examples(draw: st.DrawFn, *, most_accounts: int = 10, most_dimensions: int = 4) -> Example:
    """A framework, a moment and accounts."""
    clock = draw(clocks())
    bodies = draw(frameworks(clock, most_dimensions=most_dimensions))
    return Example(bodies, clock.as_of, draw(accounts(bodies, clock, most=most_accounts)))
