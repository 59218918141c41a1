"""Findings over live accounts: sizes, dominance, Unassigned, populated attributes, thresholds nobody is near, and
segments that behave alike. Pure: the figures are passed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import asin, exp, inf, sqrt
from typing import Any

from accounts.checking.live import Answer, Live, Moments, SegmentFigures
from accounts.models import Reason
from frameworks.checks.findings import Finding
from frameworks.checks.static import readers
from frameworks.criteria.ast import thresholds
from frameworks.criteria.english import value_text
from frameworks.criteria.types import format_literal
from frameworks.definition import Definition
from frameworks.parts.policy import GuardPolicy, LimitsPolicy

WARN_ACCOUNTS, MIN_ACCOUNTS = 30, 20
WARN_DOMINANCE, MAX_UNASSIGNED, MIN_POPULATED = Decimal("0.7"), Decimal("0.25"), Decimal("0.8")
SEEN_AT_LEAST = 30
# Two-sided, 5 %.
_SIGNIFICANT = 1.96
_UNASSIGNED = (
    Reason.NO_MATCH,
    Reason.MISSING_DATA,
    Reason.INSUFFICIENT_HISTORY,
    Reason.CONFLICT,
    Reason.ERROR,
    Reason.FALLBACK,
)


@dataclass(frozen=True)
class Question:
    """A criteria node asked of all accounts: how many have a value, or are on one side of a threshold."""

    attribute: str
    op: str
    value: Any = None

    def node(self, definition: Definition, number: int) -> dict[str, Any]:
        node: dict[str, Any] = {"id": f"n{number}", "op": self.op, "attribute": self.attribute}
        if self.value is not None:
            node["value"] = format_literal(definition.attributes[self.attribute], self.value)
        return node


def questions(definition: Definition) -> list[Question]:
    """What coverage and the range of thresholds need to know."""
    used = [key for key in readers(definition) if key in definition.attributes]
    found = [Question(key, "is_present") for key in used]
    for key, values in _cuts(definition).items():
        found += [Question(key, op, value) for value in values for op in ("le", "ge")]
    return found


def _cuts(definition: Definition) -> dict[str, list[Any]]:
    found: dict[str, set[Any]] = {}
    for dimension in definition.dimensions:
        for candidate in definition.candidates(dimension):
            for cut in thresholds(candidate.criteria.root):
                if definition.attributes[cut.attribute].data_type in ("integer", "decimal", "money"):
                    found.setdefault(cut.attribute, set()).add(cut.value)
    return {key: sorted(values) for key, values in found.items()}


def live_findings(definition: Definition, live: Live, answers: Mapping[Question, Answer]) -> list[Finding]:
    """Everything live accounts give away; nothing where there are none."""
    if not live.accounts:
        return []
    return [
        *_sizes(definition, live),
        *_coverage(definition, live, answers),
        *_ranges(definition, answers),
        *_alike(definition, live),
    ]


def _sizes(definition: Definition, live: Live) -> Iterator[Finding]:
    limits, guard = definition.policy("limits"), definition.policy("guard")
    warn = limits.warn_segment_accounts if isinstance(limits, LimitsPolicy) else WARN_ACCOUNTS
    least = limits.min_segment_accounts if isinstance(limits, LimitsPolicy) else MIN_ACCOUNTS
    dominance = guard.warn_dominance if isinstance(guard, GuardPolicy) else WARN_DOMINANCE
    unassigned = guard.max_unassigned if isinstance(guard, GuardPolicy) else MAX_UNASSIGNED
    expected = guard.expectations if isinstance(guard, GuardPolicy) else {}
    for key, body in definition.dimensions.items():
        for short, segment in definition.segments[key].items():
            count = _count(live, key, short)
            name, part = f"{body.label} / {segment.label}", f"{key}/{short}"
            if count < warn:
                limit = least if count < least else warn
                text = f"{name} would have {count:,} accounts: fewer than {limit} are too few to act on."
                yield Finding("small_segment", "warning", text, "segment", part, (f"under {limit}",))
            most = max(dominance, expected.get(part, dominance))
            if count > most * live.accounts:
                text = f"{name} would have {_share(count, live.accounts)} of all accounts, more than {_percent(most)}."
                yield Finding("dominant_segment", "warning", text, "segment", part, (f"over {_percent(most)}",))
        nowhere = sum(live.reasons[key].get(reason.value, 0) for reason in _UNASSIGNED)
        if nowhere > unassigned * live.accounts:
            text = (
                f"{body.label}: {_share(nowhere, live.accounts)} of all accounts would be Unassigned or in the"
                f" fallback, more than {_percent(unassigned)}."
            )
            yield Finding("too_unassigned", "warning", text, "dimension", key, (f"over {_percent(unassigned)}",))


def _count(live: Live, dimension: str, segment: str) -> int:
    figures = live.figures[dimension].get(segment)
    return figures.accounts if figures else 0


def _coverage(definition: Definition, live: Live, answers: Mapping[Question, Answer]) -> Iterator[Finding]:
    limits = definition.policy("limits")
    least = limits.min_populated if isinstance(limits, LimitsPolicy) else MIN_POPULATED
    for key, segments in readers(definition).items():
        found = answers.get(Question(key, "is_present"))
        if found is not None and found.accounts < least * live.accounts:
            noun = "segment reads" if len(segments) == 1 else "segments read"
            text = (
                f"{definition.attributes[key].label} is known for {_share(found.accounts, live.accounts)} of all"
                f" accounts, less than {_percent(least)}; {len(segments)} {noun} it."
            )
            yield Finding("coverage", "warning", text, "data_source", key, (f"under {_percent(least)}",))


def _ranges(definition: Definition, answers: Mapping[Question, Answer]) -> Iterator[Finding]:
    for key, values in _cuts(definition).items():
        attribute = definition.attributes[key]
        if answers[Question(key, "is_present")].accounts < SEEN_AT_LEAST:
            continue
        above = [value for value in values if not answers[Question(key, "ge", value)].accounts]
        below = [value for value in values if not answers[Question(key, "le", value)].accounts]
        below = [value for value in below if value != attribute.minimum]
        said = [f"no account reaches {value_text(attribute, value)}" for value in above]
        said += [f"no account is as low as {value_text(attribute, value)}" for value in below]
        if said:
            text = f"{attribute.label}: thresholds outside what the data shows: {'; '.join(said)}."
            yield Finding("out_of_range", "warning", text, "data_source", key, tuple(said))


# --- segments that behave alike


@dataclass(frozen=True)
class Comparison:
    """One outcome of two segments: whether it differs, how much (`effect`), and of how many accounts it is known.

    `effect` is Cohen's h for churn and Cohen's d for the others, on the scale that is tested.
    """

    outcome: str
    differs: bool
    effect: float
    shown: tuple[str, str]
    known: tuple[int, int]

    @property
    def words(self) -> str:
        sign = "h" if self.outcome == "churn" else "d"
        one, other = self.known
        return f"{self.outcome} ({' and '.join(self.shown)}, {sign} = {self.effect:.2f}, n = {one:,} and {other:,})"


def _alike(definition: Definition, live: Live) -> Iterator[Finding]:
    """Pairs of segments that no known outcome tells apart; one finding per dimension."""
    for key, body in definition.dimensions.items():
        labels = definition.labels[key].segments
        pairs = []
        for one, other in combinations(definition.segments[key], 2):
            tested = comparisons(live.figures[key].get(one), live.figures[key].get(other))
            if tested and not any(each.differs for each in tested):
                pairs.append((one, other, ", ".join(each.words for each in tested)))
        if pairs:
            said = "; ".join(f"{labels[one]} and {labels[other]} do not differ in {what}" for one, other, what in pairs)
            text = f"{body.label}: {said}."
            items = tuple(f"{one} + {other}" for one, other, _ in pairs)
            yield Finding("not_distinct", "warning", text, "dimension", key, items)


def comparisons(one: SegmentFigures | None, other: SegmentFigures | None) -> list[Comparison]:
    """How two segments differ, by outcome; an outcome of which too few are known is left out.

    Churn by a two-proportion z test where anybody churned; ARR and NRR by Welch's test on their logarithms (NRR on
    each account's own ratio); win rate by Welch's test. Each is compared with the critical value of 5 %, two-sided:
    from SEEN_AT_LEAST values on, Welch's t is normal enough, and no p-value is computed.
    """
    if not one or not other or min(one.accounts, other.accounts) < SEEN_AT_LEAST:
        return []
    found = [
        _churn(one, other),
        _means("ARR", one.arr, other.arr, (f"{_typical(one.arr)}", f"{_typical(other.arr)}")),
        _means("NRR", one.retention, other.retention, (f"{one.nrr:.0%}", f"{other.nrr:.0%}")),
        _means(
            "win rate", one.win_rate, other.win_rate, (f"{one.win_rate.mean:.1f} %", f"{other.win_rate.mean:.1f} %")
        ),
    ]
    return [each for each in found if each]


def _typical(arr: Moments) -> str:
    """The geometric mean, which is what logarithms are about."""
    return f"typically {exp(arr.mean) - 1:,.0f}"


def _churn(one: SegmentFigures, other: SegmentFigures) -> Comparison | None:
    if not one.churned and not other.churned:
        return None
    shares = one.churned / one.accounts, other.churned / other.accounts
    pooled = (one.churned + other.churned) / (one.accounts + other.accounts)
    error = sqrt(pooled * (1 - pooled) * (1 / one.accounts + 1 / other.accounts))
    angles = [2 * asin(sqrt(share)) for share in shares]
    return Comparison(
        "churn",
        abs(shares[0] - shares[1]) > _SIGNIFICANT * error,
        abs(angles[0] - angles[1]),
        (f"{shares[0]:.1%}", f"{shares[1]:.1%}"),
        (one.accounts, other.accounts),
    )


def _means(outcome: str, one: Moments, other: Moments, shown: tuple[str, str]) -> Comparison | None:
    if min(one.count, other.count) < SEEN_AT_LEAST:
        return None
    error = sqrt(one.variance / one.count + other.variance / other.count)
    within = (one.count - 1) * one.variance + (other.count - 1) * other.variance
    spread = sqrt(within / (one.count + other.count - 2))
    distance = abs(one.mean - other.mean)
    # Floats of equal values differ in their last digits; that is no difference.
    differs = distance > max(_SIGNIFICANT * error, 1e-9)
    effect = distance / spread if spread > 1e-9 else (inf if differs else 0.0)
    return Comparison(outcome, differs, effect, shown, (one.count, other.count))


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.1f} %)"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"
