"""The first page: what waits for the reader, what they wait for, and what changed."""

from datetime import datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from governance.services.inbox import (
    KINDS,
    Item,
    ending_overrides,
    first_steps,
    latest_changes,
    waiting_for,
    waits_of,
)
from governance.visitor import visitor

AGES = (("More than a week", timedelta(days=7)), ("More than a day", timedelta(days=1)), ("New", timedelta(0)))


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    user, now = visitor(request), timezone.now()
    items = waiting_for(user, now)
    kind = request.GET.get("kind", "")
    shown = [item for item in items if item.kind == kind] if kind in KINDS else items
    context = {
        "items": items,
        "groups": by_age(shown, now),
        "tabs": _tabs(items, kind if kind in KINDS else ""),
        "waits": waits_of(user),
        "events": latest_changes(user),
        "ending": ending_overrides(now),
        "steps": first_steps(),
    }
    return render(request, "governance/inbox.html", context)


def by_age(items: list[Item], now: datetime) -> list[tuple[str, list[Item]]]:
    """Items in groups by how long they have waited, oldest group first; empty groups are left out."""
    groups: dict[str, list[Item]] = {label: [] for label, _ in AGES}
    for item in items:
        label = next((label for label, age in AGES if now - item.since >= age), AGES[-1][0])
        groups[label].append(item)
    return [(label, rows) for label, rows in groups.items() if rows]


def _tabs(items: list[Item], current: str) -> list[dict[str, object]]:
    counts = [("", "Everything", len(items))]
    counts += [(kind, label, sum(item.kind == kind for item in items)) for kind, label in KINDS.items()]
    return [
        {"kind": kind, "label": label, "count": count, "is_current": kind == current}
        for kind, label, count in counts
        if count or not kind or kind == current
    ]
