"""The first page: what waits for the reader, what they wait for, and what changed."""

from dataclasses import dataclass
from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from governance.first_page import ending_overrides, first_steps, latest_changes, waits_of
from governance.inbox_item import KINDS, Item
from governance.services.due_dates import due_words
from governance.services.inbox import waiting_for
from governance.visitor import visitor

OVERDUE, THIS_WEEK, LATER, ANY_TIME = "Overdue", "Due within a week", "Later", "No due date"
WEEK = 7


@dataclass(frozen=True)
class Row:
    """An item as the page shows it: `due` in words, empty where nothing is asked."""

    item: Item
    due: str
    is_overdue: bool


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    user, now = visitor(request), timezone.now()
    today = timezone.localdate(now)
    items = waiting_for(user, now)
    kind = request.GET.get("kind", "")
    shown = [item for item in items if item.kind == kind] if kind in KINDS else items
    context = {
        "items": items,
        "overdue": sum(item.due_on is not None and item.due_on < today for item in items),
        "groups": by_due(shown, today),
        "tabs": _tabs(items, kind if kind in KINDS else ""),
        "waits": waits_of(user),
        "events": latest_changes(user),
        "ending": ending_overrides(now),
        "steps": first_steps(),
    }
    return render(request, "governance/inbox.html", context)


def by_due(items: list[Item], today: date) -> list[tuple[str, list[Row]]]:
    """Items in groups by when they are due, the overdue first; empty groups are left out."""
    groups: dict[str, list[Row]] = {label: [] for label in (OVERDUE, THIS_WEEK, LATER, ANY_TIME)}
    for item in items:
        words = due_words(item.due_on, today) if item.due_on else ""
        groups[_group(item, today)].append(Row(item, words, is_overdue=words.startswith("overdue")))
    return [(label, rows) for label, rows in groups.items() if rows]


def _group(item: Item, today: date) -> str:
    if item.due_on is None:
        return ANY_TIME
    if item.due_on < today:
        return OVERDUE
    return THIS_WEEK if (item.due_on - today).days <= WEEK else LATER


def _tabs(items: list[Item], current: str) -> list[dict[str, object]]:
    counts = [("", "Everything", len(items))]
    counts += [(kind, label, sum(item.kind == kind for item in items)) for kind, label in KINDS.items()]
    return [
        {"kind": kind, "label": label, "count": count, "is_current": kind == current}
        for kind, label, count in counts
        if count or not kind or kind == current
    ]
