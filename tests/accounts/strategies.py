"""Random frameworks with accounts that lie where their rules cut: at each threshold and one step beside it.

A framework is drawn as the bodies of its parts. Accounts are drawn as `oracle.Facts` over what its rules read; what is
stored for each is made in `storing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.accounts.pools import accounts
from tests.accounts.trees import Trees
from tests.accounts.vocabulary import ATTRIBUTES, DECIMAL, MONEY, OWN_TOKENS, Attribute, Clock, clocks, nodes_of
from tests.oracle import Facts

__all__ = (
    "ATTRIBUTES",
    "Bodies",
    "Example",
    "Step",
    "Story",
    "clocks",
    "examples",
    "frameworks",
    "nodes_of",
    "stories",
)

Bodies = dict[tuple[str, str], dict[str, Any]]
_BASES = ("value", "behavioural", "needs", "lifecycle", "technographic", "firmographic", "geographic")


@dataclass(frozen=True)
class Example:
    """One framework, the instant it is evaluated at, and accounts that it cuts between."""

    bodies: Bodies
    as_of: datetime
    accounts: list[Facts]

    def node(self, dimension: str, rule: str, node_id: str) -> Mapping[str, Any]:
        """One node of a candidate, named segment/rule, segment/move or segment/stay as outcomes name it."""
        short, _, key = rule.partition("/")
        segment = self.bodies["segment", f"{dimension}/{short}"]
        criteria = next((each["criteria"] for each in segment["rules"] if each["key"] == key), segment.get(key, {}))
        return next(node for node in nodes_of(criteria["root"]) if node["id"] == node_id)


@dataclass(frozen=True)
class Step:
    """The next evaluation: when, under which version, who has whose facts, whose facts count as new, who is let go."""

    as_of: datetime
    version: int
    places: list[int]
    is_new: list[bool]
    releases: bool


@dataclass(frozen=True)
class Story:
    """Accounts under versions of one framework, evaluated again and again."""

    versions: list[Bodies]
    accounts: list[Facts]
    steps: list[Step]


@st.composite
def frameworks(draw: st.DrawFn, clock: Clock, *, most_dimensions: int = 4) -> Bodies:
    """The parts of a framework: dimensions that read each other without a circle, in no order of their names."""
    keys = draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), min_size=1, max_size=6, unique=True))
    trees = Trees(draw, clock, keys)
    stored = {key for read in keys for key in ATTRIBUTES[read].inputs} | set(keys)
    bodies: Bodies = {
        ("meta", "meta"): _meta(trees, clock),
        **{("data_source", key): source(ATTRIBUTES[key], trees) for key in sorted(stored)},
    }
    names = draw(st.permutations(["alpha", "beta", "gamma", "delta"]))[: draw(st.integers(1, most_dimensions))]
    below: dict[str, list[str]] = {}
    for name in names:
        segments = draw(st.permutations(["s1", "s2", "s3", "s4", "s5"]))[: draw(st.integers(1, 5))]
        bodies["dimension", name] = _dimension(trees, name, segments)
        is_plain = trees.pick(True, False, False)
        for segment in segments:
            bodies["segment", f"{name}/{segment}"] = _segment(trees, name, segment, below)
            if not is_plain:
                bodies["segment", f"{name}/{segment}"] |= _refined(trees, segments, segment, below)
        below[name] = segments
    return bodies


def _meta(trees: Trees, clock: Clock) -> dict[str, Any]:
    return {
        "name": "Random",
        "company": "Random",
        "time_zone": clock.zone.key,
        **trees.pick({}, {"fiscal_year_start_month": trees.pick(2, 4, 7, 11)}),
        **trees.pick(
            {},
            {"exchange_rates": {"EUR": "1.0834"}},
            {"exchange_rates": {"EUR": "2", "GBP": "0.1"}},
            {"currency": "EUR", "exchange_rates": {"USD": "3"}},
        ),
    }


def _segment(trees: Trees, dimension: str, key: str, below: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    rules = [
        {"key": f"r{number}", "basis": trees.pick(*_BASES), "criteria": trees.document(below)}
        for number in range(trees.pick(0, 1, 1, 1, 2, 3))
    ]
    return {"label": key.upper(), "dimension": dimension, "rules": rules}


def _refined(trees: Trees, segments: Sequence[str], segment: str, below: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Nested in another, with `move`, with `stay`.

    Nested only in one of an earlier name, so never in a circle; names are in no order of rank, so a segment may rank
    above or below what it is nested in.
    """
    others = [other for other in segments if other < segment]
    found: dict[str, Any] = {name: trees.document(below) for name in ("move", "stay") if trees.pick(0, 0, 0, 1)}
    if others and trees.pick(0, 0, 1):
        found["parent"] = trees.pick(*others)
    return found


def _dimension(trees: Trees, name: str, segments: list[str]) -> dict[str, Any]:
    return {
        "label": name.title(),
        "segments": segments,
        "hit_policy": trees.pick("ranked", "unique", "basis_precedence", "raise_only", "manual_review"),
        "basis_order": trees.some(_BASES, len(_BASES)),
        "undetermined_higher": trees.pick("provisional", "unassigned"),
        **trees.pick({}, {"fallback": segments[-1]}),
        **trees.pick({}, {"base_basis": trees.pick(*_BASES)}),
        **trees.pick({}, {"upgrade": trees.pick("review", "notify")}),
        **trees.pick({}, {"downgrade": trees.pick("auto", "notify")}),
        **trees.pick({}, {}, {"min_dwell_days": trees.pick(1, 30)}),
        **trees.pick({}, {}, {"max_step": trees.pick(1, 2)}),
        **trees.pick({}, {}, {"basis_of": "computed"}),
    }


def source(attribute: Attribute, trees: Trees | None = None) -> dict[str, Any]:
    """The body of an attribute's data source; with `trees`, with missing tokens and a freshness limit at random."""
    body: dict[str, Any] = {"label": attribute.key.replace("_", " "), "data_type": attribute.data_type}
    if attribute.data_type in (DECIMAL, MONEY):
        body["scale"] = attribute.scale
    if attribute.data_type == MONEY:
        body["currency"] = "USD"
    if attribute.choices:
        body["choices"] = [{"id": choice, "label": f"The {choice}"} for choice in attribute.choices]
    if attribute.derived:
        return {**body, "derived": dict(attribute.derived)}
    if trees and trees.pick(0, 0, 1):
        body["missing_tokens"] = OWN_TOKENS.get(attribute.data_type, ["tbd"])
    if trees and trees.pick(0, 0, 0, 1):
        body["freshness_days"] = trees.pick(1, 30, 90)
    return body


@st.composite
def examples(draw: st.DrawFn, *, most_accounts: int = 10, most_dimensions: int = 4) -> Example:
    """A framework, a moment and accounts."""
    clock = draw(clocks())
    bodies = draw(frameworks(clock, most_dimensions=most_dimensions))
    return Example(bodies, clock.as_of, draw(accounts([bodies], clock, most=most_accounts)))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Up to four evaluations under up to two versions, the accounts taking each other's facts in between."""
    clock = draw(clocks())
    versions = [draw(frameworks(clock, most_dimensions=2)) for _ in range(draw(st.sampled_from([1, 1, 2])))]
    rows = draw(accounts(versions, clock, most=6))
    places, steps, at, version = list(range(len(rows))), [], clock.as_of, 0
    for number in range(draw(st.integers(2, 4))):
        is_new = [True] * len(rows)
        if number:
            at += timedelta(hours=draw(st.sampled_from([0, 1, 13, 24, 24 * 31, 24 * 100])))
            version = draw(st.integers(version, len(versions) - 1))
            places = draw(st.one_of(st.just(places), st.permutations(places)))
            is_new = draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
        steps.append(Step(at, version, places, is_new, draw(st.booleans())))
    return Story(versions, rows, steps)
