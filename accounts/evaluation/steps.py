"""Changes that the rules of a segment suggest to an account that is to come there. Suggestions only: see nearest.py."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DivisionByZero, InvalidOperation
from typing import Any, cast

from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.altering import Alteration, Happened, Listed, Measured, ValueSet
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.intake.targets import Target, importable_targets
from frameworks.criteria.ast import (
    Change,
    InPeriod,
    ListTest,
    Node,
    RelativeDate,
    SignalTest,
    Sustained,
    TagTest,
    dimensions_used,
    thresholds,
    walk,
)
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.english import value_text
from frameworks.criteria.periods import closed_period_end, next_period_start, period_of, period_start
from frameworks.criteria.types import NUMERIC, TEMPORAL, AttributeType, Grain, LiteralError, parse_literal
from frameworks.criteria.uses import is_on_history
from frameworks.models import AccountList

SIGNALS_MOST = 5
_DAYS = {"days": 1, "weeks": 7, "months": 31, "quarters": 92}


@dataclass(frozen=True)
class Step:
    """One number changed. `before` is None where none is known; equal to `after` where it only must be seen again."""

    attribute: AttributeType
    before: Decimal | None
    after: Decimal

    @property
    def key(self) -> str:
        """What it is about: two steps about the same never stand in one way."""
        return self.attribute.key

    @property
    def amount(self) -> Decimal:
        """How far, with its sign; a value that nobody knows yet counts whole."""
        return self.after - (self.before or Decimal(0))

    @property
    def effort(self) -> Decimal:
        """How far, against what is there. What nobody knows has only to be found out: that comes first."""
        if self.before is None:
            return Decimal(0)
        return abs(self.amount) / max(abs(self.before or self.after), Decimal(1))

    @property
    def changes(self) -> tuple[Alteration, ...]:
        is_whole = self.attribute.data_type == "integer"
        return (ValueSet(self.key, self.attribute.data_type, int(self.after) if is_whole else f"{self.after:f}"),)


@dataclass(frozen=True)
class Turn:
    """Something else changed: another word, day, list, signal or closed period. `words` tell it whole."""

    key: str
    words: str
    changes: tuple[Alteration, ...]
    effort: Decimal = Decimal(1)

    def __hash__(self) -> int:
        return hash((self.key, self.words))


class Suggesting:
    """What the rules of one plan suggest to the account of these facts at one moment."""

    def __init__(self, plan: FrameworkPlan, facts: Mapping[str, Any], at: datetime) -> None:
        self.plan = plan
        self.facts = facts
        self.definition = plan.definition
        self.today = at.astimezone(plan.definition.zone).date()
        self.targets: dict[str, Target] = importable_targets()
        self.has_parent = facts.get("parent") is not None
        self._labels: dict[str, str] | None = None

    def towards(self, d: DimensionPlan, segments: Sequence[str]) -> list[Step | Turn]:
        """Every change that the rules leading to one of the segments suggest, each once."""
        roots = dict.fromkeys(id(root) for segment in segments for root in self._roots(d, segment))
        by_id = {id(root): root for segment in segments for root in self._roots(d, segment)}
        return list(dict.fromkeys(step for key in roots for step in self._of(by_id[key])))

    def _roots(self, d: DimensionPlan, target: str) -> Iterator[Node]:
        """The segment's own criteria, those of what it is nested in, and of every dimension that any of them reads."""
        leading = {target, *d.ancestors[target]}
        pending = [each.criteria.root for each in d.candidates if each.segment_key in leading]
        by_key = {each.key: each for each in self.plan.dimensions}
        seen = {d.key}
        while pending:
            root = pending.pop()
            yield root
            for key in sorted(dimensions_used(root) - seen):
                seen.add(key)
                pending += [each.criteria.root for each in by_key[key].candidates]

    def _of(self, node: Node) -> Iterator[Step | Turn]:
        if isinstance(node, Sustained):
            yield from self._sustained(node)
            return
        if isinstance(node, ListTest):
            yield from self._listed(node)
        elif isinstance(node, SignalTest):
            yield from self._signalled(node)
        elif isinstance(node, AttributeLeaf):
            yield from self._on_history(node) if is_on_history(cast(Node, node)) else self._on_value(node)
        for child in node.children:
            yield from self._of(child)

    # --- the value of today

    def _on_value(self, leaf: AttributeLeaf) -> Iterator[Step | Turn]:
        if leaf.holder != "self" and self.has_parent:
            return  # The parent's values are not the account's to change.
        attribute = leaf.type
        if attribute.derived is not None:
            yield from self._derived(leaf)
        elif attribute.data_type in NUMERIC:
            unit = Decimal(1).scaleb(-attribute.scale)
            cuts = [Decimal(str(each.value)) for each in thresholds(cast(Node, leaf))]
            yield from self._numbers(attribute, {cut + side for cut in cuts for side in (0, unit, -unit)})
        elif attribute.data_type in TEMPORAL:
            yield from (self._turn(attribute, each.isoformat(), each) for each in sorted(self._days(leaf)))
        elif leaf.op != "is_present":
            yield from self._words(leaf)
        if leaf.op == "is_missing":
            yield Turn(attribute.key, f"{attribute.label} without a value", (self._set(attribute, None),))

    def _numbers(self, attribute: AttributeType, wanted: Iterable[Decimal]) -> Iterator[Step]:
        """The values that the account can have; the one it has only where it may have been seen too long ago."""
        before = self._number(attribute)
        if attribute.data_type == "money" and self.facts.get("currency") != attribute.currency:
            return  # The difference would be in a currency that the threshold is not in.
        after = set(wanted) - {before}
        if before is not None and attribute.freshness_days is not None:
            after.add(before)
        yield from (Step(attribute, before, each) for each in sorted(after) if self._fits(attribute, each))

    def _fits(self, attribute: AttributeType, value: Decimal) -> bool:
        """Whether the account's row takes the value: nobody is told to reach a health of 120."""
        target = self.targets.get(attribute.key)
        lows = [low for low in (attribute.minimum, target.minimum if target else None) if low is not None]
        if any(value < low for low in lows):
            return False
        if target is None:
            return True
        is_within = target.maximum is None or value <= target.maximum
        return is_within and abs(value) < Decimal(10) ** target.digits and value == round(value, target.scale)

    def _number(self, attribute: AttributeType) -> Decimal | None:
        value = self._stored(attribute)
        return None if value is None else Decimal(str(value))

    def _stored(self, attribute: AttributeType) -> Any:
        key = attribute.key
        stored = self.facts.get(key) if key in CORE_ATTRIBUTES else self.facts["attributes"].get(key)
        try:
            return None if stored is None else parse_literal(attribute, str(stored))
        except LiteralError:
            return None

    def _days(self, leaf: AttributeLeaf) -> set[date]:
        """The days at which a condition on a day turns, and those beside them."""
        cuts = [each.value for each in thresholds(cast(Node, leaf))]
        days = {cut.date() if isinstance(cut, datetime) else cut for cut in cuts if isinstance(cut, date)}
        if isinstance(leaf, RelativeDate):
            span = timedelta(days=leaf.n * _DAYS[leaf.unit] + 1)
            days |= {self.today, self.today - span, self.today + span - timedelta(days=2)}
        elif isinstance(leaf, InPeriod):
            first = period_start(self.today, leaf.period, self.definition.start_month)
            for _ in range(leaf.offset):
                first = next_period_start(first, leaf.period, self.definition.start_month)
            for _ in range(-leaf.offset):
                first = period_start(first - timedelta(days=1), leaf.period, self.definition.start_month)
            days.add(first)
        return {day + timedelta(days=side) for day in days for side in (-1, 0, 1)}

    def _words(self, leaf: AttributeLeaf) -> Iterator[Turn]:
        attribute, asked = leaf.type, [str(each.value) for each in thresholds(cast(Node, leaf))]
        if attribute.data_type == "boolean":
            yield from (self._turn(attribute, value, value) for value in (True, False))
        elif isinstance(leaf, TagTest):
            yield from self._tags(leaf, asked)
        else:
            others = [choice for choice, _ in attribute.choices if choice not in asked]
            wanted = others if leaf.op in ("ne", "not_in") else asked
            yield from (self._turn(attribute, value, value) for value in wanted)

    def _tags(self, leaf: TagTest, asked: list[str]) -> Iterator[Turn]:
        have = self.facts["attributes"].get(leaf.attribute) or []
        have = have if isinstance(have, list) else []
        label, labels = leaf.type.label, dict(leaf.type.choices)
        if leaf.op == "has_none":
            left = [tag for tag in have if tag not in asked]
            yield Turn(leaf.attribute, f"{label} without what is asked not to be there", (self._set(leaf.type, left),))
        for new in [asked] if leaf.op == "has_all" else [[tag] for tag in asked] if leaf.op == "has_any" else []:
            said = " and ".join(labels.get(tag, tag) for tag in new if tag not in have)
            if said:
                yield Turn(leaf.attribute, f"{said} among {label}", (self._set(leaf.type, [*have, *new]),))

    def _turn(self, attribute: AttributeType, stored: Any, value: Any) -> Turn:
        words = f"{attribute.label}: {value_text(attribute, value).strip('“”')}"
        return Turn(attribute.key, words, (self._set(attribute, stored),))

    def _set(self, attribute: AttributeType, stored: Any) -> ValueSet:
        return ValueSet(attribute.key, attribute.data_type, stored)

    def _derived(self, leaf: AttributeLeaf) -> Iterator[Step | Turn]:
        """What either input would have to be for the derived value to be at a threshold."""
        derived = leaf.type.derived
        assert derived is not None  # noqa: S101 - asked before
        for each in thresholds(cast(Node, leaf)):
            cut = Decimal(str(each.value))
            if derived.kind == "age_days":
                days = [self.today - timedelta(days=int(cut) + side) for side in (-1, 0, 1)]
                yield from (self._turn(derived.inputs[0], day.isoformat(), day) for day in days)
                continue
            one, other = derived.inputs
            first, second = self._number(one), self._number(other)
            if second is not None:
                yield from self._numbers(one, _around(one, cut * second if derived.kind == "ratio" else cut + second))
            if first is not None:
                wanted = _divided(first, cut) if derived.kind == "ratio" else first - cut
                yield from self._numbers(other, [] if wanted is None else _around(other, wanted))

    # --- lists and signals

    def _listed(self, node: ListTest) -> Iterator[Turn]:
        if node.holder != "self" and self.has_parent:
            return
        if self._labels is None:
            self._labels = dict(AccountList.objects.values_list("key", "label"))
        is_on = node.list in self.facts["lists"]
        words = f"{'Off' if is_on else 'On'} the list {self._labels.get(node.list, node.list)}"
        yield Turn(f"list:{node.list}", words, (Listed(node.list, not is_on),))

    def _signalled(self, node: SignalTest) -> Iterator[Turn]:
        details = tuple(sorted((node.details or {}).items()))
        said = f" ({', '.join(text for _, text in details)})" if details else ""
        for count in sorted({*range(1, min(node.at_least, SIGNALS_MOST) + 1), node.at_least}):
            words = f"{count} more {node.kind.replace('_', ' ')} signal{'' if count == 1 else 's'}{said}"
            change = Happened(node.kind, self.today, details, count)
            yield Turn(f"signal:{node.kind}", words, (change,), Decimal(count))

    # --- closed periods

    def _sustained(self, node: Sustained) -> Iterator[Turn]:
        """Each of the periods at a threshold: those below raised to it, or those above brought down to it."""
        leaves = [each for each in walk(node.item) if isinstance(each, AttributeLeaf)]
        for leaf in (each for each in leaves if each.type.data_type in NUMERIC and each.type.derived is None):
            unit = Decimal(1).scaleb(-leaf.type.scale)
            cuts = [Decimal(str(each.value)) for each in thresholds(cast(Node, leaf))]
            for cut in sorted({cut + side for cut in cuts for side in (Decimal(0), unit, -unit)}):
                for nearer in (max, min):
                    yield from self._measured(leaf.type, node.grain, range(1, node.periods + 1), cut, nearer)

    def _on_history(self, leaf: AttributeLeaf) -> Iterator[Turn]:
        """The newest closed period so much above the earlier one as is asked for."""
        if isinstance(leaf, Change):
            if leaf.type.derived is not None:
                return
            amount = Decimal(str(parse_literal(leaf.value_type, leaf.value)))
            metric, grain, span, is_percent = leaf.type, leaf.grain, leaf.periods, leaf.measure == "percent"
            amounts = [amount]
        else:
            derived = leaf.type.derived
            if derived is None or derived.grain is None or derived.periods is None:
                return
            metric, grain, span, is_percent = derived.inputs[0], derived.grain, derived.periods, True
            amounts = [Decimal(str(each.value)) for each in thresholds(cast(Node, leaf))]
        base = self._observed(metric, grain, span + 1)
        if base is None:
            return
        for amount in amounts:
            wanted = base + abs(base) * amount / 100 if is_percent else base + amount
            for cut in _around(metric, wanted):
                yield from self._measured(metric, grain, [1], cut, lambda old, new: new)

    def _observed(self, metric: AttributeType, grain: Grain, back: int) -> Decimal | None:
        end = closed_period_end(self.today, grain, self.definition.start_month, back)
        found = self.facts["series"].get(metric.key, {}).get(grain, {}).get(end.isoformat())
        return None if found is None else Decimal(found)

    def _measured(
        self, metric: AttributeType, grain: Grain, backs: Iterable[int], cut: Decimal, nearer: Any
    ) -> Iterator[Turn]:
        if not self._fits(metric, cut):
            return
        start, changes = self.definition.start_month, []
        for back in backs:
            old = self._observed(metric, grain, back)
            new = cut if old is None else nearer(old, cut)
            if new != old:
                changes.append(Measured(metric.key, grain, closed_period_end(self.today, grain, start, back), new))
        if changes:
            periods = " and ".join(period_of(each.end_on, grain, start) for each in changes)
            words = f"{metric.label} of {value_text(metric, cut)} at the end of {periods}"
            far = abs(cut - (self._observed(metric, grain, 1) or Decimal(0))) / max(abs(cut), Decimal(1))
            yield Turn(f"{metric.key}:{grain}", words, tuple(changes), far + len(changes))


def _around(attribute: AttributeType, value: Decimal) -> set[Decimal]:
    """The values at the attribute's precision next to one that may lie between two of them."""
    unit = Decimal(1).scaleb(-attribute.scale)
    try:
        near = {value.quantize(unit, rounding=rounding) for rounding in (ROUND_FLOOR, ROUND_CEILING)}
    except InvalidOperation:
        return set()
    return {each + side for each in near for side in (Decimal(0), unit, -unit)}


def _divided(value: Decimal, by: Decimal) -> Decimal | None:
    try:
        return value / by
    except (DivisionByZero, InvalidOperation):
        return None
