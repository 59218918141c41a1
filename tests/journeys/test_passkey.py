"""A passkey is registered and signs: with the browser's own authenticator, made virtual."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import log_in
from tests.journeys.prepared import running_site
from tests.journeys.site import PASSWORD, Site, wait_until

IMPACT_OF_V1 = """SELECT count(*) > 0
    FROM frameworks_versionimpact i JOIN frameworks_frameworkversion v ON v.id = i.version_id WHERE v.number = 1"""
SIGN = "/frameworks/customer-segmentation/v1/sign/"


def with_authenticator(browser: Browser, site: Site) -> Page:
    """A passkey belongs to a name, so the site is asked as localhost."""
    context = browser.new_context(base_url=site.address.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def register(page: Page) -> None:
    page.goto("/account/2fa/webauthn/add/")
    if "reauthenticate" in page.url:
        page.locator("input[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url(lambda url: "/add/" not in url)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole demo."""
    with running_site("passkey", tmp_path_factory.mktemp("passkey"), stage="full") as site:
        yield site


def test_passkey_is_registered_and_signs(browser: Browser, site: Site) -> None:
    page = with_authenticator(browser, site)
    log_in(page, "priya")
    register(page)
    assert site.query("select type from mfa_authenticator where type = 'webauthn'")

    # Figures that come while the page is open have to be read first.
    wait_until(site, IMPACT_OF_V1, seconds=120)
    page.goto(f"/account/2fa/webauthn/reauthenticate/?next={SIGN}")
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(f"**{SIGN}")

    expect(page.get_by_text("You confirmed who you are less than 5 minutes ago")).to_be_visible()
    for label in page.get_by_text("Yes, I agree").all():
        label.click()
    page.get_by_role("button", name="Sign all").click()
    page.wait_for_url("**/manifest/")
    assert site.query("select distinct authentication from frameworks_signoff where authentication = 'passkey'")
