"""Governance's lines in the sidebar."""

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
