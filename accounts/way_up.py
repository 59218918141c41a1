"""The panel of an account's page that says what would move the account one segment up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.utils import DataError

from accounts.evaluation.nearest import Nearest, ways_up
from accounts.evaluation.stages import FrameworkPlan
from accounts.evaluation.steps import Step, Turn
from accounts.models import Account
from frameworks.criteria.english import value_text
from frameworks.templatetags.cutline import number


@dataclass(frozen=True)
class Way:
    """One change that is enough, in words; `bars` has what is there and what is needed of each number.

    `lands` is the segment it leads to where that is not the next one but one above it. `is_by_numbers` where only
    numbers change: those are what people work on, an industry or a day is what it is.
    """

    words: str
    detail: str
    bars: tuple[tuple[Decimal, Decimal], ...]
    lands: str = ""
    is_by_numbers: bool = True


@dataclass(frozen=True)
class WayUp:
    """The next segment's name and the ways to it; where there is none, `tried` says what was tried."""

    dimension: str
    segment: str
    ways: tuple[Way, ...]
    tried: str = ""

    @property
    def by_numbers(self) -> Way | None:
        """The nearest way that changes numbers only."""
        return next((way for way in self.ways if way.is_by_numbers), None)


def way_up(
    *, account: Account, plan: FrameworkPlan, segments: Mapping[str, str | None], at: datetime
) -> dict[str, WayUp]:
    """By dimension, the way from its segment (by the rules) to the next one up.

    Without those at the top; nothing where values cannot be read.
    """
    try:
        found = ways_up(account=account, plan=plan, segments=segments, at=at)
    except DataError:
        return {}
    return {key: _way_up(plan, key, nearest) for key, nearest in found.items()}


def _way_up(plan: FrameworkPlan, dimension: str, nearest: Nearest) -> WayUp:
    known = plan.definition.labels[dimension]
    ways = tuple(
        _way(steps, "" if lands == nearest.segment else known.segments[lands])
        for steps, lands in zip(nearest.ways, nearest.lands, strict=True)
    )
    return WayUp(known.label, known.segments[nearest.segment], ways, "" if ways else tried_words(nearest))


def tried_words(nearest: Nearest) -> str:
    """What was tried in vain: no more than that is said to be not enough."""
    singles, pairs = nearest.singles, nearest.pairs
    if not singles:
        return "Its rules suggest no change to what is known of this account alone."
    if singles == 1:
        return "The one change that its rules suggest is not enough."
    one = f"None of the {singles:,} single changes tried is enough"
    if not pairs:
        return f"{one}." if nearest.is_complete else f"{one}; no two of them were tried together."
    if nearest.is_complete:
        return f"{one}, nor any two of them together."
    return f"{one}, nor any of the {pairs:,} nearest pairs; others were not tried."


def _way(steps: Sequence[Step | Turn], lands: str) -> Way:
    words = " and ".join(step_words(step) for step in steps)
    known = [step for step in steps if isinstance(step, Step) and step.before is not None and step.amount]
    return Way(
        words=words[:1].upper() + words[1:],
        detail="; ".join(_detail(step) for step in known),
        bars=tuple((step.before, step.after) for step in known if step.before is not None and step.amount > 0),
        lands=lands,
        is_by_numbers=all(isinstance(step, Step) for step in steps),
    )


def _detail(step: Step) -> str:
    attribute = step.attribute
    return f"{attribute.label} from {value_text(attribute, step.before)} to {value_text(attribute, step.after)}"


def step_words(step: Step | Turn) -> str:
    """ "12 more employees", "$1,400 more ARR", "health score 5 lower", "Industry: Mining"."""
    if isinstance(step, Turn):
        return step.words
    attribute, amount = step.attribute, abs(step.amount)
    if step.before is None:
        return f"{attribute.label} of {value_text(attribute, step.after)}, which nobody knows today"
    if not amount:
        return f"{attribute.label} seen again at {value_text(attribute, step.after)}"
    more = "more" if step.amount > 0 else "less"
    if attribute.data_type == "money":
        return f"{value_text(attribute, amount)} {more} {attribute.label}"
    label = attribute.label.casefold()
    is_count = attribute.data_type == "integer" and label.endswith("s")
    unit = attribute.unit or (label if is_count else "")
    if unit and label in {unit, f"number of {unit}", f"{unit.removesuffix('s')} count"}:
        fewer = more if step.amount > 0 else "fewer"
        return f"{number(amount)} {fewer} {unit.removesuffix('s') if amount == 1 else unit}"
    return f"{attribute.label} {value_text(attribute, amount)} {'higher' if step.amount > 0 else 'lower'}"
