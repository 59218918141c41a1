"""Frameworks of a few rules, written in a line, and what the engine says about a few accounts under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from frameworks.models import User
from tests import oracle
from tests.accounts import storing, strategies
from tests.accounts.strategies import ATTRIBUTES, Bodies
from tests.oracle import Facts, Outcome

AT = datetime(2026, 3, 31, 10, tzinfo=UTC)


def source(key: str, **changes: Any) -> dict[str, Any]:
    return {**strategies.source(ATTRIBUTES[key]), **changes}


def rule(root: Mapping[str, Any], basis: str = "value", key: str = "r") -> dict[str, Any]:
    counter = iter(range(1, 100))

    def numbered(node: Mapping[str, Any]) -> dict[str, Any]:
        named = {"id": f"n{next(counter)}", **node}
        if "item" in node:
            named["item"] = numbered(node["item"])
        if "items" in node:
            named["items"] = [numbered(item) for item in node["items"]]
        return named

    return {"key": key, "basis": basis, "criteria": {"schema": "criteria/1", "root": numbered(root)}}


def framework(
    dimensions: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Sequence[dict[str, Any]]]]],
    *,
    zone: str = "UTC",
    sources: Mapping[str, Mapping[str, Any]] | None = None,
) -> Bodies:
    """`dimensions`: settings, and rules by segment, highest first."""
    bodies: Bodies = {("meta", "meta"): {"name": "Small", "company": "Small", "time_zone": zone}}
    for key in ATTRIBUTES:
        bodies["data_source", key] = source(key, **(sources or {}).get(key, {}))
    for key, (settings, segments) in dimensions.items():
        bodies["dimension", key] = {"label": key, "hit_policy": "ranked", "segments": [*segments], **settings}
        for short, rules in segments.items():
            bodies["segment", f"{key}/{short}"] = {"label": short, "dimension": key, "rules": list(rules)}
    return bodies


def one_rule(root: Mapping[str, Any], **how: Any) -> Bodies:
    return framework({"d": ({}, {"yes": [rule(root)]})}, **how)


def evaluated(bodies: Bodies, accounts: Sequence[Facts], author: User, at: datetime = AT) -> list[dict[str, Outcome]]:
    """What the engine says, which must be what the oracle says."""
    version = storing.store_framework(bodies, author)
    rows = storing.store_accounts(accounts, version.framework, author, at)
    ids = [row.pk for row in rows]
    storing.apply(version, ids, at)
    assigned, traces = storing.assigned(ids), storing.traced(version, ids, at)
    found = [{key: replace(outcome, trace=traces[pk][key]) for key, outcome in assigned[pk].items()} for pk in ids]
    assert found == [oracle.evaluate(bodies, facts, as_of=at) for facts in accounts]
    return found


def segments(bodies: Bodies, values: Sequence[Mapping[str, Any]], author: User, at: datetime = AT) -> list[str]:
    """The segment in dimension d, or the reason there is none, for accounts with these values."""
    found = evaluated(bodies, [Facts(value) for value in values], author, at)
    return [outcomes["d"].segment or outcomes["d"].reason for outcomes in found]


def verdicts(
    root: Mapping[str, Any], values: Sequence[Mapping[str, Any]], author: User, at: datetime = AT, **how: Any
) -> list[bool | None]:
    """The verdict on one rule for accounts with these values."""
    found = evaluated(one_rule(root, **how), [Facts(value) for value in values], author, at)
    return [outcomes["d"].trace["yes/r"]["n1"] for outcomes in found]


def leaf(op: str, attribute: str, value: Any = None, **fields: Any) -> dict[str, Any]:
    given = {} if value is None else {"values" if isinstance(value, list) else "value": value}
    return {"op": op, "attribute": attribute, **given, **fields}


def bands(attribute: str, cuts: Sequence[str]) -> Bodies:
    """Half-open bands that meet at the cuts, the highest first."""
    lowest = {"b0": [rule(leaf("lt", attribute, cuts[0]))]}
    middle = {
        f"b{n}": [rule(leaf("range", attribute, ge=low, lt=high))] for n, (low, high) in enumerate(pairwise(cuts), 1)
    }
    top = {f"b{len(cuts)}": [rule(leaf("ge", attribute, cuts[-1]))]}
    return framework({"d": ({"hit_policy": "unique"}, dict(reversed((lowest | middle | top).items())))})
