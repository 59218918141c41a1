"""The transitions of an account as events that a person reads, newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.urls import reverse

from accounts.models import Account, Cause, Transition

SHOWN = 12
MOST = 500


@dataclass(frozen=True)
class Event:
    """One thing that happened to the account's segments; `url` leads to the run that did it."""

    title: str
    text: str
    at: datetime
    is_current: bool = False
    url: str = ""
    action: str = ""


def transition_events(account: Account, limit: int = SHOWN) -> tuple[list[Event], int]:
    """The newest events, and how many transitions there are in all. Of first assignments one event a moment."""
    rows = Transition.objects.filter(account=account)
    total = rows.count()
    newest = rows.select_related("dimension", "from_segment", "to_segment", "framework_version", "run").order_by("-pk")
    grouped = groupby(newest[:limit], key=_belongs_to)
    return [_event(list(group), is_current=place == 0) for place, (_, group) in enumerate(grouped)], total


def _belongs_to(row: Transition) -> tuple[object, ...]:
    is_initial = row.cause == Cause.INITIAL
    return (row.effective_at, row.run_id, None if is_initial else row.pk)


def _event(rows: list[Transition], *, is_current: bool) -> Event:
    first = rows[0]
    if first.cause == Cause.INITIAL:
        title = f"First assignment: {_segments(reversed(rows))}"
    else:
        title = f"{_name(first, 'from')} → {_name(first, 'to')}"
    return Event(
        title=title,
        text=_text(first),
        at=first.effective_at,
        is_current=is_current,
        url=reverse("accounts:run_detail", args=[first.run.uuid]) if first.run else "",
        action=str(first.run) if first.run else "",
    )


def _segments(rows: Iterable[Transition]) -> str:
    ordered = sorted(rows, key=lambda row: row.dimension.position)
    placed = [row.to_segment.name for row in ordered if row.to_segment]
    missing = len(ordered) - len(placed)
    return ", ".join([*placed, *([f"Unassigned in {missing}"] if missing else [])])


def _name(row: Transition, end: str) -> str:
    segment = row.from_segment if end == "from" else row.to_segment
    return segment.name if segment else "Unassigned"


def _text(row: Transition) -> str:
    """Dimension, cause and version: why it changed and under which rules."""
    cause = Cause(row.cause).label
    unplaced = "" if row.to_segment else f": {row.get_reason_display().lower()}"
    if row.cause == Cause.INITIAL:
        return f"Under {row.framework_version} of the framework"
    return f"{row.dimension.name}. {cause}{unplaced}, {row.framework_version}"
