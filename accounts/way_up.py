"""The panel of an account's page that says what would move the account one segment up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.utils import DataError

from accounts.evaluation.nearest import Step, nearest_above
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account
from frameworks.criteria.english import value_text
from frameworks.templatetags.cutline import number


@dataclass(frozen=True)
class Way:
    """One change that is enough, in words; `bars` has what is there and what is needed of each number."""

    words: str
    detail: str
    bars: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True)
class WayUp:
    """The next segment's name and the ways to it; none where no one or two numbers are enough."""

    segment: str
    ways: tuple[Way, ...]


def way_up(*, account: Account, plan: FrameworkPlan, dimension: str, segment: str | None, at: datetime) -> WayUp | None:
    """The way from `segment` (by the rules) to the next one up. None at the top, or where values cannot be read."""
    d = next(each for each in plan.dimensions if each.key == dimension)
    try:
        found = nearest_above(account=account, plan=plan, d=d, segment=segment, at=at)
    except DataError:
        return None
    if found is None:
        return None
    label = plan.definition.labels[dimension].segments[found.segment]
    return WayUp(label, tuple(_way(steps) for steps in found.ways))


def _way(steps: Sequence[Step]) -> Way:
    words = " and ".join(step_words(step) for step in steps)
    known = [step for step in steps if step.before is not None and step.amount]
    return Way(
        words=words[:1].upper() + words[1:],
        detail="; ".join(_detail(step) for step in known),
        bars=tuple((step.before, step.after) for step in known if step.before is not None and step.amount > 0),
    )


def _detail(step: Step) -> str:
    attribute = step.attribute
    return f"{attribute.label} from {value_text(attribute, step.before)} to {value_text(attribute, step.after)}"


def step_words(step: Step) -> str:
    """ "12 more employees", "$1,400 more ARR", "health score 5 lower"."""
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
