"""A running site, and people with a browser each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.journeys.prepared import running_site
from tests.journeys.site import PASSWORD, Site

WIDE: ViewportSize = {"width": 1440, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}
Login = Callable[..., Page]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nothing but the schema, and the demo's people to log in as."""
    with running_site("journey", tmp_path_factory.mktemp("journey"), stage="people") as site:
        yield site


@pytest.fixture(scope="module")
def login(site: Site, browser: Browser) -> Iterator[Login]:
    """`login("ravi")` gives a page of that person; refusals of the content security policy fail the test at its end."""
    contexts: dict[tuple[str, bool], BrowserContext] = {}
    complaints: list[str] = []

    def open_page(name: str, *, phone: bool = False) -> Page:
        key = (name, phone)
        if key in contexts:
            return contexts[key].new_page()
        contexts[key] = browser.new_context(base_url=site.address, viewport=PHONE if phone else WIDE)
        contexts[key].set_default_timeout(15_000)
        contexts[key].on("console", lambda message: _note(message.type, message.text, complaints))
        page = contexts[key].new_page()
        log_in(page, name)
        return page

    yield open_page
    for context in contexts.values():
        context.close()
    assert complaints == []


def log_in(page: Page, name: str) -> None:
    page.goto("/login/")
    page.locator("input[name=login]").fill(f"{name}@demo.cutline.example")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)


def _note(kind: str, text: str, complaints: list[str]) -> None:
    if kind == "error" and "Content Security Policy" in text:
        complaints.append(text)
