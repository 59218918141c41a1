"""Accounts that differ in what rules read: values missing in every way, and around each cut; and what lies beside."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.accounts.vocabulary import (
    ATTRIBUTES,
    BLANKS,
    BOOLEAN,
    CURRENCIES,
    DATE,
    DATETIME,
    DETAILS,
    INTEGER,
    JSON,
    LISTS,
    LITERALS,
    NUMBERS,
    STAGES,
    TAGS,
    Attribute,
    Clock,
    nodes_of,
)
from tests.oracle import Body, Facts, Override, Signal, shifted
from tests.oracle.calendar import closed_end

Leaves = Sequence[Mapping[str, Any]]
# Around no change at all, a fifth more or less, a third, and from below zero.
_OBSERVED = ("0", "1", "3", "4", "80", "100", "119.9999", "120", "120.0001", "-100", "-80")


def pool(attribute: Attribute, leaves: Leaves, clock: Clock) -> list[Any]:
    """Values worth having, given the leaves that read the attribute: missing in every way, and around each cut."""
    kind = attribute.data_type
    if kind in NUMBERS:
        return [None, *_numbers(attribute, leaves)]
    if kind == BOOLEAN:
        return [None, True, False, "true", "false"]
    if kind in (DATE, DATETIME):
        return [None, *_moments(attribute, leaves, clock)]
    if kind == TAGS:
        return [None, [], *_tags(attribute, leaves)]
    return [None, *_words(attribute, leaves)]


def _written(leaves: Leaves) -> list[str]:
    singles = [leaf[name] for leaf in leaves for name in ("value", "ge", "gt", "lt", "le") if name in leaf]
    return [*singles, *(value for leaf in leaves for value in leaf.get("values", ()))]


def _numbers(attribute: Attribute, leaves: Leaves) -> list[Any]:
    cuts = [Decimal(text) for text in _written(leaves)] or [Decimal(1)]
    near = {cut + steps * attribute.step for cut in cuts for steps in (-1, 0, 1)} | {Decimal(0)}
    fits = [n.quantize(attribute.step) for n in sorted(near) if attribute.low is None or n >= attribute.low]
    fits = [n for n in fits if attribute.high is None or n <= attribute.high] or [Decimal(50)]
    if attribute.key not in JSON:
        return [int(n) if attribute.data_type == INTEGER else n for n in fits]
    strange = ["", "N/A", "unknown", "123456789012345678901234567890.5"]
    if attribute.data_type == INTEGER:
        return [*strange, *(int(n) for n in fits)]
    return [*strange, *(f"{cut - Decimal('0.000001'):f}" for cut in cuts), *(f"{n:f}" for n in fits)]


def _moments(attribute: Attribute, leaves: Leaves, clock: Clock) -> list[Any]:
    relative = [leaf for leaf in leaves if "n" in leaf]
    cuts = [shifted(clock.today, sign * leaf["n"], leaf["unit"]) for leaf in relative for sign in (-1, 1)]
    cuts += [date.fromisoformat(text[:10]) for text in _written(leaves)] + [clock.today]
    cuts += [closed_end(clock.today, leaf["period"], 1, -leaf["offset"]) for leaf in leaves if "offset" in leaf]
    days = [cut + timedelta(days=n) for cut in cuts for n in (-1, 0, 1)]
    if attribute.key not in JSON:
        return sorted(set(days))
    if attribute.data_type == DATE:
        return ["", "N/A", *(day.isoformat() for day in sorted(set(days)))]
    midnights = {clock.midnight(cut) + timedelta(days=n) for cut in cuts for n in (0, 1)}
    offsets = [timedelta(seconds=s) for s in (-3600, -1, 0, 1800, 3600)] + [timedelta(microseconds=-1)]
    moments = sorted({midnight + offset for midnight in midnights for offset in offsets})
    return ["", *(moment.isoformat().replace("+00:00", "Z") for moment in moments)]


def _words(attribute: Attribute, leaves: Leaves) -> list[Any]:
    if attribute.key == "stage":
        return list(STAGES)
    written = _written(leaves) or ["Acme"]
    if attribute.choices:
        blanks = [blank for blank in BLANKS if blank.isascii() or not blank.strip("\u00a0\u200b")]
        return [*blanks, "retired", *written, *(f" {word} " for word in written), *(word.upper() for word in written)]
    near = [change(word) for word in written for change in (str.upper, str.title, "The {} Co".format, " {} ".format)]
    return [*BLANKS, *written, *near, *(unicodedata.normalize("NFD", word) for word in written)]


def _tags(attribute: Attribute, leaves: Leaves) -> list[list[str]]:
    """One, some and all of what is asked for, written otherwise, and beside what nobody asks for."""
    asked = list(dict.fromkeys([*_written(leaves), *(attribute.choices or LITERALS)]))
    others = ["another"] if not attribute.choices else ["retired"]
    worded = [word.upper() for word in asked] if not attribute.choices else asked
    return [
        asked[:1],
        worded[:1],
        [*others, *asked[:1]],
        asked[:2],
        asked[1:3],
        asked,
        others,
        ["TBD"],
        ["N/A", *asked[:1]],
    ]


# --- accounts


@dataclass(frozen=True)
class _Read:
    """What the rules of some versions read: leaves by attribute, freshness limits, metrics by grain, segments."""

    leaves: Mapping[str, Leaves]
    limits: Mapping[str, int | None]
    metrics: Mapping[tuple[str, str], Leaves]
    segments: Mapping[str, Sequence[str]]
    start_months: Sequence[int]


def _read(versions: Sequence[Mapping[tuple[str, str], Body]]) -> _Read:
    leaves: dict[str, list[Mapping[str, Any]]] = {}
    metrics: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for root in (root for bodies in versions for root in _roots(bodies)):
        for node in nodes_of(root):
            for key in _inputs(node):
                leaves.setdefault(key, []).append(_on_input(node))
            for key, grain, leaf in _in_history(node):
                metrics.setdefault((key, grain), []).append(leaf)
    sources = {key: body for bodies in versions for (kind, key), body in bodies.items() if kind == "data_source"}
    segments = {key: body["segments"] for b in versions for (kind, key), body in b.items() if kind == "dimension"}
    months = [bodies["meta", "meta"].get("fiscal_year_start_month", 1) for bodies in versions]
    limits = {key: sources[key].get("freshness_days") for key in leaves}
    return _Read(leaves, limits, metrics, segments, months)


def _roots(bodies: Mapping[tuple[str, str], Body]) -> Iterator[Body]:
    for (kind, _), body in bodies.items():
        if kind == "segment":
            yield from (rule["criteria"]["root"] for rule in body["rules"])
            yield from (body[name]["root"] for name in ("move", "stay") if name in body)


def _inputs(node: Body) -> Sequence[str]:
    return ATTRIBUTES[node["attribute"]].inputs if "attribute" in node else ()


def _on_input(node: Body) -> Mapping[str, Any]:
    """A leaf as it concerns the stored attribute: so many days of age are a day so long ago."""
    derived = ATTRIBUTES[node["attribute"]].derived or {}
    if derived.get("kind") != "age_days":
        return node
    days = [int(text) for text in _written([node])]
    return {"n": days[0], "unit": "days"} if days else {}


def _in_history(node: Body) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    if node["op"] == "change":
        yield from ((key, node["grain"], {}) for key in _inputs(node))
    elif node["op"] == "sustained":
        yield from ((key, node["grain"], leaf) for leaf in nodes_of(node["item"]) for key in _inputs(leaf))
    elif "attribute" in node and (derived := ATTRIBUTES[node["attribute"]].derived or {}).get("grain"):
        yield from ((key, derived["grain"], {}) for key in _inputs(node))


@st.composite
def accounts(
    draw: st.DrawFn, versions: Sequence[Mapping[tuple[str, str], Body]], clock: Clock, *, most: int
) -> list[Facts]:
    """Accounts that differ in what the rules of any version read."""
    read = _read(versions)
    pools = {key: pool(ATTRIBUTES[key], leaves, clock) for key, leaves in sorted(read.leaves.items())}
    sizes = [size for size in (1, 3, 6, most) if size <= most]
    found = []
    for _ in range(draw(st.sampled_from(sizes))):
        facts = _facts(draw, clock, pools, read)
        parent = _facts(draw, clock, pools, read) if draw(st.sampled_from([False, False, True])) else None
        overrides = _overrides(draw, clock, read.segments) if draw(st.sampled_from([False, False, True])) else ()
        is_excluded = draw(st.sampled_from([False] * 9 + [True]))
        found.append(replace(facts, parent=parent, overrides=overrides, is_excluded=is_excluded))
    return found


def _facts(draw: st.DrawFn, clock: Clock, pools: Mapping[str, Sequence[Any]], read: _Read) -> Facts:
    values = {key: draw(st.sampled_from(options)) for key, options in pools.items()}
    if values.get("stage", "") is None:
        values["stage"] = "customer"
    observed = {}
    for key, limit in read.limits.items():
        if limit is not None:
            oldest = clock.midnight(clock.today - timedelta(days=limit))
            moments = [None, clock.as_of, oldest, *(oldest + timedelta(seconds=s) for s in (-3601, -1, 1))]
            observed[key] = draw(st.sampled_from(moments))
    return Facts(
        values=values,
        observed={key: moment for key, moment in observed.items() if moment},
        currency=draw(st.sampled_from(["USD", "USD", *CURRENCIES])),
        series=_series(draw, clock, read),
        signals=draw(st.lists(_signals(clock), max_size=4)),
        lists=draw(st.frozensets(st.sampled_from(LISTS))),
    )


def _series(draw: st.DrawFn, clock: Clock, read: _Read) -> dict[str, dict[str, dict[date, Decimal]]]:
    """The last closed periods and the open one; gaps where nothing was observed, also before the history begins."""
    found: dict[str, dict[str, dict[date, Decimal]]] = {}
    start = draw(st.sampled_from(read.start_months))
    for (key, grain), leaves in sorted(read.metrics.items()):
        near = _numbers(replace(ATTRIBUTES[key], key="annual_revenue", data_type="money"), leaves)
        options = [None, *(n for n in near if abs(n) < 10**15), *map(Decimal, _OBSERVED)]
        # Often the same twice: what holds in each of several periods is rare otherwise.
        few = draw(st.lists(st.sampled_from(options), min_size=2, max_size=3))
        values = draw(st.lists(st.sampled_from(few), min_size=6, max_size=6))[: draw(st.sampled_from([6, 6, 6, 2, 3]))]
        observed = {closed_end(clock.today, grain, start, back): value for back, value in enumerate(values)}
        found.setdefault(key, {})[grain] = {end: value for end, value in observed.items() if value is not None}
    return found


@st.composite
def _signals(draw: st.DrawFn, clock: Clock) -> Signal:
    days = draw(st.sampled_from([-1, 0, 1, 2, 29, 30, 31, 90, 91]))
    details = draw(st.sampled_from([*DETAILS, {"role": "sales ops", "level": "N/A"}, {"role": "STRASSE"}]))
    return Signal(draw(st.sampled_from(["hiring", "funding"])), clock.today - timedelta(days=days), details)


def _overrides(draw: st.DrawFn, clock: Clock, segments: Mapping[str, Sequence[str]]) -> tuple[Override, ...]:
    dimension = draw(st.sampled_from(sorted(segments)))
    start, end = draw(st.sampled_from([(-86400, 0), (-1, 1), (0, 86400), (1, 86400), (-86400, 86400)]))
    segment = draw(st.sampled_from(list(segments[dimension])))
    moments = (clock.as_of + timedelta(seconds=start), clock.as_of + timedelta(seconds=end))
    return (Override(dimension, segment, *moments),)
