"""The sidebar: every entry leads somewhere, and a person sees only what they may open."""

import pytest
from django.test import RequestFactory
from django.urls import reverse

from frameworks import navigation
from frameworks.models import User
from frameworks.navigation import MAIN, NavEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return User.objects.create_user("leah@example.com", "pass-word-1", name="Leah Kim")


@pytest.fixture
def entries(monkeypatch):
    """An empty registry of the test's own."""
    monkeypatch.setattr(navigation, "_entries", {})


def items_for(user, path="/"):
    request = RequestFactory().get(path)
    request.user = user
    return navigation.navigation(request)["nav"]


def test_every_registered_entry_has_a_page():
    names = [entry.url_name for entry in navigation.registered_entries()]

    assert names
    for name in [*names, "governance:palette"]:
        assert reverse(name)


def test_no_shortcut_goes_to_two_pages():
    keys = [entry.key for entry in navigation.registered_entries() if entry.key]

    assert sorted(keys) == sorted(set(keys))


def test_shortcut_that_is_taken_is_refused(entries):
    navigation.register(NavEntry(MAIN, "Log in", "login", "account_login", key="l"))

    with pytest.raises(ValueError, match="Secret: “g l” goes to Log in already"):
        navigation.register(NavEntry(MAIN, "Secret", "lock", "account_logout", key="l"))

    navigation.register(NavEntry(MAIN, "Log in again", "login", "account_login", key="l"))
    assert [(entry.label, entry.key) for entry in navigation.registered_entries()] == [("Log in again", "l")]


def test_entry_without_permission_is_not_shown(entries, person):
    navigation.register(
        NavEntry(MAIN, "Log in", "login", "account_login"),
        NavEntry(MAIN, "Secret", "lock", "account_logout", permission="frameworks.activate_version"),
        NavEntry(MAIN, "Admin", "settings", "admin:index", staff_only=True),
    )

    assert [item.entry.label for item in items_for(person)["main"]] == ["Log in"]


def test_entry_under_whose_address_the_page_lies_is_current(entries, person):
    navigation.register(
        NavEntry(MAIN, "Log in", "login", "account_login", order=1),
        NavEntry(MAIN, "Admin", "settings", "admin:index", order=2),
    )

    items = items_for(person, path="/admin/frameworks/user/")["main"]

    assert [(item.entry.label, item.is_current) for item in items] == [("Log in", False), ("Admin", True)]


def test_count_of_zero_is_not_shown(entries, person):
    navigation.register(
        NavEntry(MAIN, "None", "x", "account_login", count=lambda _: 0, order=1),
        NavEntry(MAIN, "Nine", "x", "account_logout", count=lambda _: 9, order=2),
    )

    assert [item.count for item in items_for(person)["main"]] == [None, 9]


def test_entry_without_a_page_is_left_out(entries, person):
    navigation.register(NavEntry(MAIN, "Nowhere", "x", "nowhere:at_all"))

    assert items_for(person)["main"] == []


def test_unknown_group_is_refused(entries):
    with pytest.raises(ValueError, match="no navigation group"):
        navigation.register(NavEntry("Elsewhere", "X", "x", "account_login"))


@pytest.mark.parametrize(("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("<script>", ""), ("", "")])
def test_theme_comes_only_from_a_known_cookie(cookie, theme, person):
    request = RequestFactory().get("/")
    request.user = person
    request.COOKIES["cutline_theme"] = cookie

    assert navigation.navigation(request)["theme"] == theme
