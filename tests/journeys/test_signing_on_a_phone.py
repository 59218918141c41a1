"""A stakeholder answers ten definitions on a phone in at most 14 taps: the bar the sign-off page is built to."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator

from tests.journeys.conftest import Login
from tests.journeys.site import PASSWORD, Site

pytestmark = pytest.mark.browser

TAPS_AT_MOST = 14
TEN_TERMS = """
from django.utils import timezone
from frameworks.models import User
from frameworks.services.drafting import assumed_parts, confirm_parts, create_framework, delete_part
from frameworks.services.review import submit_version
ravi, at = User.objects.get(email__startswith="ravi"), timezone.now()
version = create_framework(name="Ten terms", slug="ten", template="firmographic_value", actor=ravi, at=at)
terms = list(version.parts.filter(kind="term").order_by("key"))
for part in terms[10:]:
    delete_part(version=version, kind="term", key=part.key, expected_digest=part.body_id, actor=ravi, at=at,
                source="command")
evidence = "Agreed in the kickoff."
confirm_parts(version=version, parts=assumed_parts(version), evidence=evidence, actor=ravi, at=at)
submit_version(version=version, actor=ravi, at=at)
"""


class Thumb:
    """Taps, counted."""

    def __init__(self) -> None:
        self.taps = 0

    def tap(self, where: Locator) -> None:
        where.scroll_into_view_if_needed()
        where.click()
        self.taps += 1


def test_ten_terms_are_signed_on_a_phone_in_at_most_14_taps(site: Site, login: Login) -> None:
    site.manage("shell", "-c", TEN_TERMS)
    page, thumb = login("marcus", phone=True), Thumb()
    page.goto("/frameworks/ten/v0/sign/")
    points = page.locator("[data-term]")
    assert points.count() == 11  # ten definitions, and the framework as a whole
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    for number in range(points.count()):
        thumb.tap(points.nth(number).locator(".yn label").first)
    secret = page.locator("[data-signoff-secret]")
    if secret.count():
        thumb.tap(secret)
        page.keyboard.type(PASSWORD)
    thumb.tap(page.locator("[data-signoff-submit]"))
    page.wait_for_url(lambda url: "/sign/" not in url or "#" in url, timeout=15_000)

    signed = site.query(
        "SELECT count(*) FROM frameworks_signoff s JOIN frameworks_framework f ON f.id = s.framework_id"
        " JOIN frameworks_user u ON u.id = s.signer_id WHERE f.slug = 'ten' AND u.email LIKE 'marcus%%'"
    )
    assert signed == [(11,)]
    assert thumb.taps <= TAPS_AT_MOST
