"""The workspace's navigation: a registry that each app fills in `ready()`, and the context of every page.

A lower app may not know a higher one, so the sidebar is built from entries that name URLs. An entry whose
URL does not reverse is a programming error; a test over all entries finds it. At request time it is left
out and logged, because one wrong entry must not take every page down.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from frameworks.models import Framework, FrameworkVersion, User
from frameworks.querysets import mentions_waiting_for
from frameworks.roles import roles_of

logger = logging.getLogger(__name__)

MAIN, FRAMEWORK, OPERATE, FOOT = "", "Framework", "Operate", "foot"
GROUPS = (MAIN, FRAMEWORK, OPERATE, FOOT)
THEMES = ("light", "dark")

Count = Callable[[User], int | str | None]


@dataclass(frozen=True)
class NavEntry:
    """One line of the sidebar.

    `count` gets the user and answers what stands at the end of the line; one cheap query at most, None or
    zero shows nothing. `key` is the letter after "g" that goes there, of no other line. `on_phone` puts it in the
    bottom bar.
    """

    group: str
    label: str
    icon: str
    url_name: str
    permission: str | None = None
    count: Count | None = None
    order: int = 100
    key: str = ""
    on_phone: bool = False
    staff_only: bool = False


@dataclass(frozen=True)
class NavItem:
    """An entry as one person sees it on one page."""

    entry: NavEntry
    url: str
    count: int | str | None
    is_current: bool


@dataclass(frozen=True)
class Bell:
    """The bell in the top bar: where it leads, and how many things the person has not read."""

    url: str
    count: int


_entries: dict[str, NavEntry] = {}
_bell: list[tuple[str, Callable[[User], int]]] = []


def register(*entries: NavEntry) -> None:
    """Add entries to the sidebar, from an app's `ready()`; the same URL name replaces the older entry."""
    for entry in entries:
        if entry.group not in GROUPS:
            raise ValueError(f"{entry.label}: no navigation group is called {entry.group!r}")
        taken = [each.label for each in _entries.values() if entry.key and each.key == entry.key]
        if taken and entry.url_name not in _entries:
            raise ValueError(f"{entry.label}: “g {entry.key}” goes to {taken[0]} already")
        _entries[entry.url_name] = entry


def register_bell(url_name: str, unread: Callable[[User], int]) -> None:
    """Put a bell into the top bar, from an app's `ready()`; `unread` is one cheap query."""
    _bell[:] = [(url_name, unread)]


def registered_entries() -> list[NavEntry]:
    """All entries in the order of the sidebar."""
    return sorted(_entries.values(), key=lambda entry: (GROUPS.index(entry.group), entry.order, entry.label))


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: what `base.html` needs. Nothing is queried until a template asks for it."""
    theme = request.COOKIES.get("cutline_theme", "")
    return {
        "nav": SimpleLazyObject(lambda: _groups_for(request)),
        "nav_bell": SimpleLazyObject(lambda: _bell_for(request)),
        "nav_place": SimpleLazyObject(lambda: _framework_in_force(request)),
        "nav_emergencies": SimpleLazyObject(lambda: _emergencies(request)),
        "nav_role": SimpleLazyObject(lambda: _role_of(request)),
        "palette_url": _url("governance:palette"),
        "theme": theme if theme in THEMES else "",
        "csp_nonce": getattr(request, "csp_nonce", None),
        "demo": settings.DEMO,
        "demo_password": SimpleLazyObject(lambda: str(getattr(settings, "DEMO_PASSWORD", ""))),
        "demo_people": SimpleLazyObject(_demo_people),
    }


def _groups_for(request: HttpRequest) -> dict[str, list[NavItem]]:
    """The items a person may see by group, and those of the phone's bottom bar under "phone"."""
    user = request.user
    if not isinstance(user, User):
        return {}
    entries = [entry for entry in registered_entries() if _may_see(user, entry)]
    urls = {entry.url_name: _url(entry.url_name) for entry in entries}
    current = _current(request.path, [url for url in urls.values() if url])
    items = [_item(entry, url, user, current) for entry in entries if (url := urls[entry.url_name])]
    groups = {group or "main": [item for item in items if item.entry.group == group] for group in GROUPS}
    groups["phone"] = [item for item in items if item.entry.on_phone][:4]
    return groups


def _bell_for(request: HttpRequest) -> Bell | None:
    user = request.user
    if not isinstance(user, User) or not _bell:
        return None
    url_name, unread = _bell[0]
    return Bell(_url(url_name), unread(user))


def _item(entry: NavEntry, url: str, user: User, current: str) -> NavItem:
    count = entry.count(user) if entry.count else None
    return NavItem(entry, url, count or None, is_current=url == current)


def _may_see(user: User, entry: NavEntry) -> bool:
    if entry.staff_only and not user.is_staff:
        return False
    return entry.permission is None or user.has_perm(entry.permission)


def _current(path: str, urls: list[str]) -> str:
    """The longest entry the path lies under; "/" only stands for itself."""
    under = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    return max(under, key=len, default="")


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        logger.error("navigation names a page that does not exist", extra={"url_name": name})
        return ""


def _framework_in_force(request: HttpRequest) -> Framework | None:
    """The framework named in the page's top line; with several, the first by name."""
    if not request.user.is_authenticated:
        return None
    return Framework.objects.select_related("active_version").order_by("name", "pk").first()


def _emergencies(request: HttpRequest) -> list[FrameworkVersion]:
    """Versions in force that nobody has ratified yet: every page says so. One query."""
    if not request.user.is_authenticated:
        return []
    rows = FrameworkVersion.objects.filter(
        state=FrameworkVersion.State.ACTIVATED, is_emergency=True, ratified_at=None, superseded_at=None
    )
    return list(rows.select_related("framework", "base_version").order_by("pk"))


def _role_of(request: HttpRequest) -> str:
    user = request.user
    if not isinstance(user, User):
        return ""
    roles = roles_of(user)
    return roles[0].label if roles else user.title


def _demo_people() -> list[User]:
    """People to log in as, for the log-in page of a demo; nobody elsewhere."""
    if not settings.DEMO:
        return []
    people = User.objects.filter(is_active=True, is_service=False).prefetch_related("groups")
    return list(people.order_by("pk")[:20])


def _mentions(user: User) -> int:
    return mentions_waiting_for(user).count()


register(
    NavEntry(FRAMEWORK, "Versions", "versions", "frameworks:framework_list", order=10, key="v", on_phone=True),
    NavEntry(FRAMEWORK, "Sign-off", "signature", "frameworks:my_signing", order=40, key="s"),
    NavEntry(FOOT, "Mentions", "at", "frameworks:my_mentions", count=_mentions, order=5),
    NavEntry(FOOT, "Administration", "settings", "admin:index", order=20, staff_only=True),
)
