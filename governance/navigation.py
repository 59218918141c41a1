"""Governance's lines in the workspace's sidebar, and the sections of the admin's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from frameworks import navigation as nav
from frameworks.models import User
from governance.models import Notification, OverrideRequest


def open_requests(user: User) -> int:
    """How many requests are open for anybody."""
    return OverrideRequest.objects.visible_to(user).open().count()


def unread_notifications(user: User) -> int:
    """How many notifications the person has not read."""
    return Notification.objects.filter(person=user).unread().count()


def register() -> None:
    """Called once from `ready()`."""
    nav.register_bell("governance:notification_list", unread_notifications)
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
        nav.NavEntry(nav.FRAMEWORK, "Meetings", "users-group", "governance:meetings", order=60, key="m"),
        nav.NavEntry(
            nav.OPERATE,
            "Audit",
            "shield-check",
            "governance:audit_log",
            permission="governance.view_audit",
            order=90,
            key="u",
        ),
        nav.NavEntry(nav.FRAMEWORK, "Intake", "clipboard-list", "governance:intake_list", order=5, key="n"),
        nav.NavEntry(nav.OPERATE, "Fields", "columns-3", "governance:field_inventory", order=25, key="f"),
        nav.NavEntry(nav.FRAMEWORK, "Documents", "book", "governance:document_index", order=90),
        nav.NavEntry(nav.FOOT, "Help", "help-circle", "governance:help", order=10),
    )


ADMIN_SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Decide": {
        "governance.overriderequest": ("rule", "Override requests"),
        "accounts.override": ("alt_route", "Overrides"),
        "governance.transitionreview": ("swap_vert", "Transition reviews"),
        "governance.decision": ("gavel", "Decisions"),
    },
    "People and programs": {
        "frameworks.user": ("group", "People"),
        "auth.group": ("badge", "Roles"),
        "governance.apitoken": ("key", "API tokens"),
    },
    "Frameworks": {
        "frameworks.framework": ("account_tree", "Frameworks"),
        "frameworks.frameworkversion": ("history", "Versions"),
        "frameworks.part": ("extension", "Parts"),
        "frameworks.attribute": ("data_object", "Attributes"),
        "frameworks.requirement": ("checklist", "Requirements"),
        "frameworks.signoff": ("draw", "Sign-offs"),
        "frameworks.delegation": ("switch_account", "Delegations"),
        "frameworks.versionimpact": ("insights", "Impacts"),
        "frameworks.contribution": ("edit_note", "Contributions"),
    },
    "Accounts": {
        "accounts.account": ("apartment", "Accounts"),
        "accounts.assignmentrun": ("play_circle", "Runs"),
        "accounts.transition": ("swap_vert", "Transitions"),
    },
    "Watch": {
        "governance.auditentry": ("verified_user", "Audit log"),
        "governance.heartbeat": ("monitor_heart", "Heartbeats"),
        "django_celery_beat.periodictask": ("schedule", "Schedule"),
        "django_celery_beat.intervalschedule": ("timelapse", "Intervals"),
        "django_celery_beat.crontabschedule": ("event_repeat", "Times of day"),
    },
}
"""Section → model ("app.name") → icon and title. A test finds a model of the admin that is missing here."""


def admin_sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The admin's sidebar: what is decided first, and only what the person may see."""
    models = {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}
    sections = []
    for section, entries in ADMIN_SECTIONS.items():
        items = [
            _admin_item(label, icon, title)
            for label, (icon, title) in entries.items()
            if label in models and models[label].has_module_permission(request)
        ]
        if items:
            sections.append({"title": section, "separator": True, "items": items})
    return sections


def _admin_item(label: str, icon: str, title: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{label.replace('.', '_')}_changelist"),
    }
    waiting = OverrideRequest.objects.open().count() if label == OverrideRequest._meta.label_lower else 0
    return item | ({"badge": str(waiting)} if waiting else {})
