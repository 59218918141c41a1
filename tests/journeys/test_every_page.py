"""Every page of the workspace over the whole demo: no serious axe finding, no sideways scrolling, no console error."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from governance.documents import PRINTABLES
from tests.journeys.conftest import log_in
from tests.journeys.prepared import running_site
from tests.journeys.site import Site

pytestmark = pytest.mark.browser

VERSION = "/frameworks/customer-segmentation/v1/"
MEETINGS = "/meetings/customer-segmentation/"
TABS = ("definitions", "dimensions", "playbooks", "data-sources", "checks", "history")
PAGES = {
    "ravi": [
        "/",
        "/accounts/",
        "/accounts/?q=walmart",
        "/accounts/{account}/",
        "/accounts/{overridden}/",
        "/lists/",
        "/runs/",
        "/runs/{run}/",
        "/imports/",
        "/imports/{import}/",
        "/requests/",
        "/requests/{request}/",
        "/frameworks/",
        "/frameworks/new/",
        "/frameworks/customer-segmentation/",
        VERSION,
        *(
            f"{VERSION}{tab}/"
            for tab in ("definitions", "dimensions", "playbooks", "data-sources", "checks", "history")
        ),
        f"{VERSION}dimensions/customer_tier/edit/",
        "/intake/",
        "/intake/customer-segmentation/",
        "/intake/customer-segmentation/scope/",
        "/intake/customer-segmentation/sign/",
        "/intake/customer-segmentation/fields/new/",
        "/intake/customer-segmentation/questions/{question}/",
        "/intake/customer-segmentation/gap-analysis/",
        "/fields/",
        "/fields/?show=used&sort=-share",
        f"{VERSION}checklist/",
        MEETINGS,
        f"{MEETINGS}new/",
        *(f"{MEETINGS}{place}/" for place in ("1", "1/changes", "2", "2/edit", "2/pack")),
        f"{MEETINGS}assumed/",
        f"{VERSION}invitations/",
        "/notifications/",
        "/notifications/settings/",
        f"{VERSION}dimensions/customer_tier/retire/",
        "/audit/",
        "/documents/",
        "/documents/customer-segmentation/v1/",
        *(f"/documents/customer-segmentation/v1/{slug}/" for slug in PRINTABLES),
        "/documents/customer-segmentation/v0/segment-distribution-report/",
        "/help/",
    ],
    "priya": ["/", f"{VERSION}sign/", "/sign-off/"],
    "leah": ["/", "/accounts/{account}/override/"],
    "": ["/login/"],
}
SUBJECTS = {
    "account": "SELECT uuid FROM accounts_account WHERE name = 'Walmart'",
    "overridden": "SELECT a.uuid FROM accounts_account a JOIN accounts_override o ON o.account_id = a.id LIMIT 1",
    "run": "SELECT uuid FROM accounts_assignmentrun ORDER BY id DESC LIMIT 1",
    "import": "SELECT uuid FROM accounts_import ORDER BY id DESC LIMIT 1",
    "question": "SELECT uuid FROM governance_businessquestion ORDER BY id LIMIT 1",
    "request": "SELECT uuid FROM governance_overriderequest ORDER BY id DESC LIMIT 1",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole demo."""
    with running_site("pages", tmp_path_factory.mktemp("pages"), stage="full") as site:
        yield site


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_is_accessible_and_fits(site: Site, browser: Browser, width: int, scheme: Any) -> None:
    subjects = {key: str(site.query(statement)[0][0]) for key, statement in SUBJECTS.items()}
    found: list[str] = []
    for name, paths in PAGES.items():
        context = browser.new_context(
            base_url=site.address, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        page = context.new_page()
        page.on("console", partial(_note, found))
        if name:
            log_in(page, name)
        for path in paths:
            found += _faults(page, path.format(**subjects), width)
        context.close()

    assert found == []


READING = ("/reading/", "/reading/definitions/", "/reading/changes/", "/reading/impact/")
INVITE = """
    INSERT INTO governance_invitation
        (uuid, version_id, person_id, note, invited_by_id, invited_at, expires_at, secret_hash)
    SELECT gen_random_uuid(), v.id, reader.id, '', v.author_id, now(), now() + interval '1 day', '{hash}'
    FROM frameworks_frameworkversion v, frameworks_user reader
    WHERE v.number = 1 AND starts_with(reader.name, 'Leah') LIMIT 1 RETURNING id
"""


def test_pages_behind_a_link_are_accessible_and_fit(site: Site, browser: Browser) -> None:
    """Nobody is logged in: the link alone opens them, and its own pages before and after it was used."""
    found: list[str] = []
    secret = secrets.token_urlsafe(32)
    assert site.query(INVITE.format(hash=hashlib.sha256(secret.encode()).hexdigest()))
    context = browser.new_context(base_url=site.address, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.on("console", partial(_note, found))

    found += _faults(page, f"/invited/{secret}/", 1440)
    page.locator("main form button").first.click()
    sizes: list[tuple[int, Any]] = [(1440, "light"), (360, "dark")]
    for width, scheme in sizes:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        for path in READING:
            found += _faults(page, path, width)
    context.close()

    assert found == []


def _note(found: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        found.append(f"{message.location['url']}: {message.text}")


def _faults(page: Page, path: str, width: int) -> list[str]:
    answer = page.goto(path)
    if answer is None or answer.status != 200:
        return [f"{path}: {answer and answer.status}"]
    faults = []
    if page.evaluate("document.documentElement.scrollWidth") > width:
        faults.append(f"{path}: wider than {width} px")
    if page.locator("h1").count() != 1:
        faults.append(f"{path}: {page.locator('h1').count()} h1")
    violations = Axe().run(page).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    return faults + [f"{path}: {each['id']} {each['nodes'][0]['target']}" for each in serious]
