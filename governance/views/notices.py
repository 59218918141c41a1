"""What a person was told, and what they want to be told."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.models import Mute, Notification
from governance.services.notifying import mark_read, may_mute, save_mutes
from governance.visitor import visitor

PER_PAGE = 50
Kind, Channel = Notification.Kind, Mute.Channel
ICONS = {
    Kind.ASKED: "signature",
    Kind.REMINDER: "clock",
    Kind.OVERDUE: "clock-exclamation",
    Kind.ESCALATION: "alert-triangle",
    Kind.MENTION: "at",
    Kind.VOID: "signature-off",
    Kind.VERSION: "versions",
    Kind.INVITATION: "mail-opened",
    Kind.HELP: "lifebuoy",
}


@login_required
@require_safe
def notification_list(request: HttpRequest) -> HttpResponse:
    """Newest first; `?show=unread`, `?kind=mention`."""
    rows = Notification.objects.shown_to(visitor(request))
    unread = rows.unread().count()
    show, kind = request.GET.get("show", ""), request.GET.get("kind", "")
    wanted = rows.filter(kind=kind) if kind in Kind.values else rows
    wanted = wanted.unread() if show == "unread" else wanted
    page = Paginator(wanted, PER_PAGE).get_page(request.GET.get("page"))
    for row in page.object_list:
        row.icon = ICONS[Kind(row.kind)]
    context = {
        "page": page,
        "unread": unread,
        "tabs": _tabs(rows.count(), unread, show),
        "empty_title": "Nothing unread" if show == "unread" else "Nothing yet",
    }
    return render(request, "governance/notification_list.html", context)


def _tabs(count: int, unread: int, show: str) -> list[dict[str, Any]]:
    here = reverse("governance:notification_list")
    return [
        {"label": "All", "count": count, "url": here, "is_current": show != "unread"},
        {"label": "Unread", "count": unread, "url": f"{here}?show=unread", "is_current": show == "unread"},
    ]


@login_required
@require_POST
def notification_read(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of the reader's own; another person's does not exist for them."""
    row = get_object_or_404(Notification.objects.shown_to(visitor(request)), uuid=uuid)
    mark_read(person=visitor(request), at=timezone.now(), only=row)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if is_ours else reverse("governance:notification_list"))


@login_required
@require_POST
def notification_read_all(request: HttpRequest) -> HttpResponse:
    count = mark_read(person=visitor(request), at=timezone.now())
    messages.success(request, f"{count} marked read.")
    return redirect("governance:notification_list")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def notification_settings(request: HttpRequest) -> HttpResponse:
    """Kinds by channels: ticked is told."""
    user = visitor(request)
    if request.method == "POST":
        muted = [
            (kind, channel)
            for kind in Kind.values
            for channel in Channel.values
            if may_mute(kind, channel) and f"{kind}-{channel}" not in request.POST
        ]
        save_mutes(person=user, muted=muted, at=timezone.now())
        messages.success(request, "Saved.")
        return redirect("governance:notification_settings")
    muted = list(Mute.objects.filter(person=user).values_list("kind", "channel"))
    rows = [{"label": kind.label, "cells": [_cell(kind, channel, muted) for channel in Channel]} for kind in Kind]
    return render(request, "governance/notification_settings.html", {"rows": rows})


def _cell(kind: Notification.Kind, channel: Mute.Channel, muted: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "name": f"{kind.value}-{channel.value}",
        "label": channel.label,
        "is_on": (kind.value, channel.value) not in muted,
        "is_fixed": not may_mute(kind, channel),
    }
