"""Governance's lines in the workspace's sidebar, and the sections of the admin's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from frameworks import navigation as nav
from frameworks.models import User
from governance.models import OverrideRequest


def open_requests(user: User) -> int:
    """How many requests are open for anybody."""
    return OverrideRequest.objects.visible_to(user).open().count()


def register() -> None:
    """Called once from `ready()`."""
    nav.register(
        nav.NavEntry(nav.MAIN, "Inbox", "inbox", "governance:inbox", order=10, key="i", on_phone=True),
        nav.NavEntry(
            nav.MAIN,
            "Requests",
            "git-pull-request",
            "governance:request_list",
            order=40,
            key="q",
            on_phone=True,
            count=open_requests,
        ),
        nav.NavEntry(
            nav.OPERATE,
            "Audit",
            "shield-check",
            "governance:audit_log",
            permission="governance.view_audit",
            order=90,
            key="l",
        ),
        nav.NavEntry(nav.FOOT, "Help", "help-circle", "governance:help", order=10),
    )


ADMIN_SECTIONS: dict[str, dict[str, str]] = {
    "Decide": {
        "governance.overriderequest": "rule",
        "accounts.override": "alt_route",
        "governance.decision": "gavel",
    },
    "People and programs": {
        "frameworks.user": "group",
        "auth.group": "badge",
        "governance.apitoken": "key",
    },
    "Frameworks": {
        "frameworks.framework": "account_tree",
        "frameworks.frameworkversion": "history",
        "frameworks.part": "extension",
        "frameworks.attribute": "data_object",
        "frameworks.requirement": "checklist",
        "frameworks.signoff": "draw",
        "frameworks.contribution": "edit_note",
    },
    "Accounts": {
        "accounts.account": "apartment",
        "accounts.assignmentrun": "play_circle",
        "accounts.transition": "swap_vert",
    },
    "Watch": {
        "governance.auditentry": "verified_user",
        "governance.heartbeat": "monitor_heart",
        "django_celery_beat.periodictask": "schedule",
        "django_celery_beat.intervalschedule": "timelapse",
        "django_celery_beat.crontabschedule": "event_repeat",
    },
}
"""Section → model ("app.name") → icon. A test finds a model of the admin that is missing here."""


def admin_sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The admin's sidebar: what is decided first, and only what the person may see."""
    models = {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}
    sections = []
    for title, icons in ADMIN_SECTIONS.items():
        items = [
            _admin_item(label, icon)
            for label, icon in icons.items()
            if label in models and models[label].has_module_permission(request)
        ]
        if items:
            sections.append({"title": title, "separator": True, "items": items})
    return sections


def _admin_item(label: str, icon: str) -> dict[str, Any]:
    model = next(model for model in admin.site._registry if model._meta.label_lower == label)
    meta = model._meta
    link = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    item: dict[str, Any] = {"title": str(meta.verbose_name_plural).capitalize(), "icon": icon, "link": link}
    if model is OverrideRequest:
        item["badge"] = str(OverrideRequest.objects.open().count())
    return item
