"""What was measured of an account, period by period, as tables and charts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.models import Account, MetricObservation
from frameworks.criteria.ast import Comparison, Node, Range, walk
from frameworks.criteria.types import AttributeType
from frameworks.definition import Definition
from frameworks.templatetags.cutline import money, money_short, number

PERIODS = 12
METRICS = 4
_READ = 400
FAR = 2


@dataclass(frozen=True)
class MetricHistory:
    """One metric over its closed periods, oldest first; of a restated period the newest value."""

    metric: str
    label: str
    currency: str
    grain: str
    points: list[tuple[str, Decimal]]
    source: str
    cutlines: list[tuple[Decimal, str]]

    @property
    def is_money(self) -> bool:
        return bool(self.currency)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Period and value in words, newest first, for the table beside the chart."""
        return [(period, self.words(value)) for period, value in reversed(self.points)]

    def words(self, value: Decimal) -> str:
        return money(value, self.currency) if self.is_money else number(value)

    @property
    def latest(self) -> str:
        value = self.points[-1][1]
        return money_short(value, self.currency) if self.is_money else number(value)

    @property
    def cutline(self) -> tuple[Decimal, str] | None:
        """The cutline nearest to the newest value. A far one would squeeze the values into a line; it is left out."""
        now = self.points[-1][1]
        near = [cut for cut in self.cutlines if now / FAR <= cut[0] <= now * FAR]
        return min(near, key=lambda cut: abs(cut[0] - now), default=None)

    @property
    def chart(self) -> dict[str, Any]:
        """For charts.js, "spark"."""
        values = [float(value) for _, value in self.points]
        cut = self.cutline
        shown = [*values, float(cut[0])] if cut else values
        room = (max(shown) - min(shown)) * 0.15 or max(abs(shown[0]) * 0.1, 1)
        drawn = {"cut": float(cut[0]), "cutName": cut[1]} if cut else {}
        return {
            "unit": "usd" if self.currency == "USD" else "n",
            "min": min(shown) - room,
            "max": max(shown) + room,
            "x": [period for period, _ in self.points],
            "y": values,
            **drawn,
        }

    @property
    def sentence(self) -> str:
        """What the chart shows, for who does not see it."""
        (first, was), (last, now) = self.points[0], self.points[-1]
        if len(self.points) == 1:
            return f"{self.label} was {self.words(now)} in {last}"
        verb = "rose" if now > was else "fell" if now < was else "stayed"
        cut = f"; cutline: {self.cutline[1]}" if self.cutline else ""
        return f"{self.label} {verb} from {self.words(was)} in {first} to {self.words(now)} in {last}{cut}"

    @property
    def growth(self) -> str:
        """ "up 9 % since 2020": the newest period against the one before; "" with only one."""
        if len(self.points) < 2 or not self.points[-2][1]:
            return ""
        period, was = self.points[-2]
        change = (self.points[-1][1] - was) / was
        if not change:
            return f"as in {period}"
        return f"{'Up' if change > 0 else 'Down'} {abs(change):.1%} since {period}".replace("%", "\u00a0%")


def metric_histories(account: Account, definitions: Sequence[Definition]) -> list[MetricHistory]:
    """The account's metrics with their newest PERIODS periods each, METRICS of them at most. One query."""
    rows = MetricObservation.objects.filter(account=account, is_closed=True).order_by("-period_end_on", "pk")[:_READ]
    series: dict[tuple[str, str], dict[str, MetricObservation]] = {}
    for row in rows:
        series.setdefault((row.metric, row.grain), {})[row.period] = row
    found = [_history(account, metric, grain, periods, definitions) for (metric, grain), periods in series.items()]
    return sorted(found, key=lambda history: history.label)[:METRICS]


def _history(
    account: Account,
    metric: str,
    grain: str,
    periods: Mapping[str, MetricObservation],
    definitions: Sequence[Definition],
) -> MetricHistory:
    known: dict[str, AttributeType] = {}
    for definition in definitions:
        known |= definition.attributes
    attribute = known.get(metric)
    newest = list(periods.values())[:PERIODS]
    return MetricHistory(
        metric=metric,
        label=attribute.label if attribute else metric.replace("_", " ").capitalize(),
        currency=(attribute.currency or account.currency) if attribute and attribute.data_type == "money" else "",
        grain=MetricObservation.Grain(grain).label,
        points=[(row.period, row.value) for row in reversed(newest)],
        source=newest[0].source,
        cutlines=[cut for definition in definitions for cut in _cutlines(definition, metric)],
    )


def _cutlines(definition: Definition, metric: str) -> Iterator[tuple[Decimal, str]]:
    """Where rules begin to hold on this attribute: the value and the words on the line."""
    attribute = definition.attributes.get(metric)
    if attribute is None:
        return
    for key, labels in definition.labels.items():
        for candidate in definition.candidates(key):
            for node in walk(candidate.criteria.root):
                bound = _lower_bound(node, metric)
                if bound is not None:
                    said = money_short(bound, attribute.currency) if attribute.currency else number(bound)
                    yield bound, f"{labels.segments[candidate.segment_key]} from {said}"


def _lower_bound(node: Node, metric: str) -> Decimal | None:
    if isinstance(node, Comparison) and node.attribute == metric and node.op in ("ge", "gt"):
        return Decimal(node.value)
    if isinstance(node, Range) and node.attribute == metric:
        return Decimal(node.lower[1])
    return None
