"""What a made-up account must have in other tables for a condition to hold: closed periods, signals, list entries,
an ultimate parent, and the stored attributes behind a derived one.

For every condition a few rows are tried, and the engine says which of them meet it: nothing here knows an operator's
meaning. Rows of several conditions are put together where they do not contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import islice, product
from typing import Any

from django.utils import timezone

from accounts.checking.cells import BATCH, LIMITS, row_of
from accounts.checking.live import with_questions
from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.checks.inputs import Input, Moment, Value, input_of, shifted
from frameworks.checks.isolation import Alias
from frameworks.criteria.ast import leaves
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.periods import closed_period_end
from frameworks.criteria.types import AttributeType, Grain
from frameworks.definition import Definition

KEPT = 16
"""Ways to meet one condition that are remembered, in case one contradicts another condition."""
TRIED = 240
COMBINED = 256
_USUAL = Decimal(1000)
_MONTHS_AROUND = range(-18, 19)

Period = tuple[str, str, str]
"""Metric, grain and last day."""


@dataclass(frozen=True)
class Fragment:
    """Some of what an account has. `parent` is what its ultimate parent has."""

    facts: Mapping[str, tuple[Input, Value]] = field(default_factory=dict)
    series: Mapping[Period, str] = field(default_factory=dict)
    signals: tuple[Mapping[str, Any], ...] = ()
    lists: frozenset[str] = frozenset()
    parent: Mapping[str, tuple[Input, Value]] = field(default_factory=dict)

    def plus(self, other: Fragment) -> Fragment | None:
        """Both at once; None where they contradict each other."""
        if _clash(self.series, other.series) or _unlike(self.facts, other.facts) or _unlike(self.parent, other.parent):
            return None
        return Fragment(
            {**self.facts, **other.facts},
            {**self.series, **other.series},
            (*self.signals, *other.signals),
            self.lists | other.lists,
            {**self.parent, **other.parent},
        )

    def row(self, as_of: datetime) -> dict[str, Any]:
        """The account as `evaluate_rows` takes it."""
        row = row_of(list(self.facts.values()), as_of)
        series: dict[str, dict[str, dict[str, str]]] = {}
        for (metric, grain, end), value in self.series.items():
            series.setdefault(metric, {}).setdefault(grain, {})[end] = value
        row |= {"series": series, "signals": list(self.signals), "lists": sorted(self.lists)}
        if self.parent:
            row["parent"] = row_of(list(self.parent.values()), as_of)
        return row


def _clash(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return any(key in one and one[key] != value for key, value in other.items())


def _unlike(one: Mapping[str, tuple[Input, Value]], other: Mapping[str, tuple[Input, Value]]) -> bool:
    return any(key in one and one[key][1] != value for key, (_, value) in other.items())


class Maker:
    """Finds fragments for the conditions of one definition; `prepare` asks the engine about all of them at once."""

    def __init__(self, definition: Definition, as_of: datetime) -> None:
        self.definition = definition
        self.as_of = as_of
        self.moment = Moment(timezone.localdate(as_of, definition.zone), definition.zone)
        self._found: dict[tuple[str, bool | None], list[Fragment]] = {}
        self._metrics: dict[str, set[Decimal]] = {}
        self._wanted: dict[tuple[str, str], set[Decimal]] = {}

    def prepare(self, aliases: Iterable[Alias]) -> None:
        """Learn how each of these conditions is met, not met, or unknown."""
        asked = {alias.kind: dict(alias.stands_for) for alias in aliases if alias.kind != "segment"}
        if not asked:
            return
        for node in asked.values():
            self._note_metrics(node)
        tried = [(place, each) for place, node in enumerate(asked.values()) for each in self._candidates(node)]
        bare = Definition({key: body for key, body in self.definition.bodies.items() if key[0] in _FLAT})
        plan = compile_definition(with_questions(bare, [{**node, "id": "n1"} for node in asked.values()]))
        kinds = list(asked)
        for start in range(0, len(tried), BATCH):
            batch = tried[start : start + BATCH]
            rows = [fragment.row(self.as_of) for _, fragment in batch]
            for (place, fragment), outcome in zip(
                batch, evaluate_rows(plan=plan, rows=rows, as_of=self.as_of), strict=True
            ):
                verdicts = {name: said for each in outcome.values() for name, said in each.verdicts.items()}
                found = self._found.setdefault((kinds[place], verdicts[f"asked/q{place}"]), [])
                if len(found) < KEPT and fragment not in found:
                    found.append(fragment)

    def ways(self, alias: Alias, *, verdict: bool | None) -> Sequence[Fragment]:
        """Fragments for which the condition is true, false or unknown; empty where none was found."""
        return self._found.get((alias.kind, verdict), ())

    def derived(
        self, attribute: AttributeType, value: Value, known: Mapping[str, tuple[Input, Value]]
    ) -> list[Fragment]:
        """What can be stored of an account whose derived attribute has this value, beside what is `known` of it."""
        kind = attribute.derived.kind if attribute.derived else ""
        if value is None:
            return [Fragment()]
        if kind == "growth":
            return list(self._grown(attribute, Decimal(str(value))))
        if kind == "age_days":
            return [Fragment({each.key: (self._plain(each), self._day_ago(value)) for each in _inputs_of(attribute)})]
        one, other = _inputs_of(attribute)
        amounts = {key: _amount(known[key][1]) for key in (one.key, other.key) if key in known}
        pairs = _parts_of(attribute, Decimal(str(value)), amounts.get(one.key), amounts.get(other.key))
        return [
            Fragment({one.key: (self._plain(one), first), other.key: (self._plain(other), second)})
            for pair in pairs
            if (first := _fitting(one, pair[0])) is not None and (second := _fitting(other, pair[1])) is not None
        ]

    def _day_ago(self, value: Value) -> Value:
        return shifted(self.moment.today, -int(value), "days") if isinstance(value, int | Decimal) else None

    def _grown(self, attribute: AttributeType, percent: Decimal) -> Iterator[Fragment]:
        derived = attribute.derived
        if derived is None or derived.grain is None or derived.periods is None:
            return
        (of,) = derived.inputs
        newest, oldest = ((of.key, derived.grain, self._end(derived.grain, n)) for n in (1, derived.periods + 1))
        for earlier in (_USUAL, *sorted(self._metrics.get(of.key, ()))):
            now = earlier * (100 + percent) / 100
            if now >= 0 and earlier > 0:
                yield Fragment(series={newest: _text(now), oldest: _text(earlier)})
        for now in sorted(self._metrics.get(of.key, ())):
            if percent > -100 and now > 0:
                yield Fragment(series={newest: _text(now), oldest: _text(now * 100 / (100 + percent))})

    def _plain(self, attribute: AttributeType) -> Input:
        return input_of(attribute, [], moment=self.moment, limits=LIMITS)

    def _end(self, grain: Grain, back: int) -> str:
        return closed_period_end(self.moment.today, grain, self.definition.start_month, back).isoformat()

    # --- rows to try

    def _candidates(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        yield Fragment()
        makers = {
            "signal": self._signals,
            "on_list": self._listed,
            "in_period": self._in_period,
            "change": self._changes,
            "sustained": self._sustained,
        }
        yield from islice(makers[node["op"]](node), TRIED)

    def _signals(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        signal = {
            "kind": node["kind"],
            "occurred_on": self.moment.today.isoformat(),
            "details": node.get("details") or {},
        }
        yield Fragment(signals=(signal,) * node["at_least"])

    def _listed(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        yield Fragment(lists=frozenset({node["list"]}))

    def _in_period(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        attribute = self.definition.attributes[node["attribute"]]
        for months in _MONTHS_AROUND:
            day: Value = shifted(self.moment.today, months, "months")
            if attribute.data_type == "datetime" and isinstance(day, date):
                day = datetime(day.year, day.month, day.day, 12, tzinfo=self.moment.zone)
            yield Fragment({attribute.key: (self._plain(attribute), day)})

    def _changes(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        """Changes around the one that is asked for, none, and those that other conditions on the metric ask for."""
        metric, grain, wanted = node["attribute"], node["grain"], Decimal(node["value"])
        newest, oldest = ((metric, grain, self._end(grain, back)) for back in (1, node["periods"] + 1))
        others = sorted(self._wanted.get((metric, node["measure"]), ()))
        steps = [wanted, wanted + 1, wanted - 1, Decimal(0), *others]
        for now in sorted({*self._metrics.get(metric, ()), _USUAL}):
            for more in dict.fromkeys(steps):
                earlier = _earlier(now, more, node["measure"])
                if earlier is not None:
                    yield Fragment(series={newest: _text(now), oldest: _text(earlier)})

    def _sustained(self, node: Mapping[str, Any]) -> Iterator[Fragment]:
        """The same values in every period, one row for each combination of values that the condition tells apart.

        And one with nothing in the newest period: where a hole breaks the run, values alone may never do so.
        """
        inputs = self._inputs(node)
        ends = [self._end(node["grain"], back) for back in range(1, node["periods"] + 2)]
        series: dict[Period, str] = {}
        for picked in product(*([value for value in each.values if value is not None] for each in inputs)):
            for stored in product(*(_stored_values(each.attribute, v) for each, v in zip(inputs, picked, strict=True))):
                whole = {key: value for each in stored for key, value in each.items()}
                series = {(key, node["grain"], end): value for key, value in whole.items() for end in ends}
                yield Fragment(series=series)
        if node.get("missing_period") == "breaks":
            yield Fragment(series={place: value for place, value in series.items() if place[2] != ends[0]})

    def _inputs(self, node: Mapping[str, Any]) -> list[Input]:
        found: dict[str, list[AttributeLeaf]] = {}
        dimension = next(iter(self.definition.dimensions))
        root = self.definition.criteria_of(dimension, {"schema": "criteria/1", "root": {**node, "id": "n1"}}).root
        for leaf in leaves(root):
            if isinstance(leaf, AttributeLeaf):
                found.setdefault(leaf.attribute, []).append(leaf)
        attributes = self.definition.attributes
        return [input_of(attributes[key], of, moment=self.moment, limits=LIMITS) for key, of in found.items()]

    def _note_metrics(self, node: Mapping[str, Any]) -> None:
        """Amounts and changes that some condition tells apart: others are tried at them, so that both can hold."""
        if node["op"] == "sustained":
            for each in self._inputs(node):
                numbers = {Decimal(value) for value in each.values if isinstance(value, int | Decimal)}
                self._metrics.setdefault(each.key, set()).update(numbers)
        if node["op"] == "change":
            wanted = Decimal(node["value"])
            known = self._wanted.setdefault((node["attribute"], node["measure"]), set())
            known |= {wanted, wanted + 1, wanted - 1}


_FLAT = ("meta", "data_source")


def _earlier(now: Decimal, more: Decimal, measure: str) -> Decimal | None:
    """The amount from which `now` is `more` away."""
    if measure == "absolute":
        earlier = now - more
    elif more <= -100 or now == 0:
        return None
    else:
        earlier = (now * 100 / (100 + more)).quantize(Decimal("0.0001"))
    return earlier if earlier >= 0 else None


def _inputs_of(attribute: AttributeType) -> tuple[AttributeType, ...]:
    return attribute.derived.inputs if attribute.derived else ()


def _amount(value: Value) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) else None


def _parts_of(
    attribute: AttributeType, value: Decimal, first: Decimal | None = None, second: Decimal | None = None
) -> Iterator[tuple[Decimal, Decimal]]:
    """Amounts whose ratio or difference is `value`, one of them as it is known already."""
    is_ratio = attribute.derived is not None and attribute.derived.kind == "ratio"
    if second is not None:
        yield (value * second if is_ratio else value + second), second
    if first is not None and (value or not is_ratio):
        yield first, (first / value if is_ratio else first - value)
    if is_ratio:
        yield from ((value * many, Decimal(many)) for many in (1, 10, 100, 1000))
    else:
        low = max(Decimal(0), -value)
        yield value + low, low


def _fitting(attribute: AttributeType, amount: Decimal) -> Value:
    """The amount as the attribute stores it; None where it cannot."""
    scale = 0 if attribute.data_type == "integer" else attribute.scale
    rounded = amount.quantize(Decimal(1).scaleb(-scale))
    if rounded != amount or (attribute.minimum is not None and amount < attribute.minimum):
        return None
    return int(rounded) if attribute.data_type == "integer" else rounded


def _stored_values(attribute: AttributeType, value: Value) -> list[dict[str, str]]:
    """Ways to store an attribute, or what it is derived from: metric and value as text."""
    if attribute.derived is None:
        return [{attribute.key: _text(Decimal(str(value)))}]
    one, other = _inputs_of(attribute)
    return [
        {one.key: _text(first), other.key: _text(second)}
        for first, second in _parts_of(attribute, Decimal(str(value)), second=_USUAL)
    ]


def _text(amount: Decimal) -> str:
    """The one spelling of an amount as the history stores it."""
    return f"{amount.quantize(Decimal('0.0001')).normalize():f}"


def combined(options: Sequence[Sequence[Fragment]]) -> Fragment | None:
    """One fragment of each, all at once; None where every choice tried contradicts itself."""
    for picked in islice(product(*options), COMBINED):
        whole: Fragment | None = Fragment()
        for each in picked:
            whole = whole.plus(each) if whole else None
        if whole is not None:
            return whole
    return None
