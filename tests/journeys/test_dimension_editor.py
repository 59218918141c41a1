"""The dimension editor in a browser: cutlines by mouse and keys, rules as boxes and as text, saving, conflicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.journeys.conftest import Login, log_in
from tests.journeys.prepared import running_site
from tests.journeys.site import Site

pytestmark = pytest.mark.browser

EDITOR = "/frameworks/customer-segmentation/v0/dimensions/customer_tier/edit/"
SERIOUS = ("serious", "critical")
READY = "body[data-ready='1'][data-counted]"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """1,149 accounts of the demo and its draft v0."""
    with running_site("editor", tmp_path_factory.mktemp("editor"), stage="draft") as site:
        yield site


def opened(page: Page, name: str = "Enterprise") -> Page:
    page.goto(EDITOR)
    page.wait_for_selector(READY)
    page.get_by_role("button", name=re.compile(rf"^\d {name}$")).click()
    page.get_by_role("slider").first.wait_for()
    return page


def counted(page: Page, segment: str) -> str:
    return page.locator(f"[data-count={segment}] b").inner_text()


def wait_for_counts(page: Page, before: str) -> None:
    page.wait_for_function(
        "before => document.body.dataset.counted !== before && !document.querySelector('.hist-k.stale')", arg=before
    )
    page.wait_for_timeout(400)


def cutline(page: Page, value: str) -> str:
    return f"[role=slider][aria-valuetext='{value}']"


def test_cutline_is_dragged_and_moved_by_keys_and_counts_follow(login: Login) -> None:
    page = opened(login("ravi"))
    before, counts = counted(page, "strategic"), page.evaluate("document.body.dataset.counted")

    handle = page.locator(cutline(page, "$500,000"))
    box = handle.bounding_box()
    assert box
    page.mouse.move(box["x"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 60, steps=4)
    page.mouse.up()
    wait_for_counts(page, counts)
    dragged = counted(page, "strategic")
    counts = page.evaluate("document.body.dataset.counted")
    moved = page.locator(".cut.moved[role=slider]").first
    text = moved.get_attribute("aria-valuetext")
    moved.focus()
    page.keyboard.press("PageUp")
    wait_for_counts(page, counts)

    assert int(dragged.replace(",", "")) < int(before.replace(",", ""))
    assert page.locator(".cut.moved[role=slider]").first.get_attribute("aria-valuetext") != text
    assert page.locator(".cut.was").count() >= 1

    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator(cutline(page, "$500,000"))).to_have_count(1)
    expect(page.get_by_role("button", name="Save draft")).to_be_disabled()


def test_text_that_cannot_be_read_is_kept_and_never_saved(login: Login) -> None:
    page = opened(login("ravi"))
    page.get_by_role("button", name="Text", exact=True).click()
    box = page.get_by_label("Rule as text")
    text = box.input_value()
    expect(page.locator("#ed-say")).not_to_be_empty()

    box.fill(f"{text} and arr >")
    expect(page.locator("#rule-text-e")).to_contain_text("Line 1, column")
    page.keyboard.press("Control+s")

    expect(page.get_by_text("Nothing was saved", exact=False).first).to_be_visible()
    assert box.input_value() == f"{text} and arr >"
    page.get_by_role("button", name="Builder", exact=True).click()
    expect(page.get_by_text("The text cannot be read yet.")).to_be_visible()

    box.fill(text)
    expect(page.locator("#rule-text-e")).to_be_hidden()
    page.get_by_role("button", name="Builder", exact=True).click()
    expect(page.get_by_role("button", name="Save draft")).to_be_disabled()


def test_text_with_two_readings_is_said_beside_what_is_saved(login: Login) -> None:
    page = opened(login("ravi"))
    page.get_by_role("button", name="Text", exact=True).click()
    box = page.get_by_label("Rule as text")

    box.fill("arr > 1000 and employee_count > 5 or arr < 3")

    expect(page.locator("#ed-unclear")).to_contain_text('Write parentheses around "and"')
    expect(page.locator("#ed-unclear code")).to_contain_text("(arr > 1000 and employee_count > 5) or arr < 3")
    box.fill("(arr > 1000 and employee_count > 5) or arr < 3")
    expect(page.locator("#ed-unclear")).to_be_hidden()


def test_half_filled_condition_is_refused_at_its_field(login: Login) -> None:
    page = opened(login("ravi"))
    page.get_by_role("button", name="Condition").first.click()

    expect(page.locator(".f-err:visible").first).to_contain_text("needs a number")
    expect(page.locator("#ed-problems")).to_contain_text("node n")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Nothing was saved").first).to_be_visible()
    page.get_by_role("button", name="Discard changes").click()
    expect(page.locator("#ed-problems")).to_be_hidden()


def test_edit_is_saved_and_read_again_with_node_ids_kept(site: Site, login: Login) -> None:
    page = opened(login("ravi"))
    ids = node_ids(site)
    page.get_by_role("button", name="Text", exact=True).click()
    box = page.get_by_label("Rule as text")
    changed = box.input_value().replace("100000", "120000", 1)
    box.fill(changed)
    expect(page.locator("#ed-say ins").first).to_be_visible()
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("Saved.").first).to_be_visible()

    page = opened(page)
    expect(page.get_by_label("From, included, USD").first).to_have_value("120000")
    page.get_by_role("button", name="Text", exact=True).click()
    assert "120000" in page.get_by_label("Rule as text").input_value()
    assert node_ids(site) == ids


def node_ids(site: Site) -> object:
    return site.query(
        "SELECT jsonb_path_query_array(b.body, '$.rules[*].criteria.**.id') FROM frameworks_part p"
        " JOIN frameworks_partbody b ON b.digest = p.body_id JOIN frameworks_frameworkversion v ON v.id = p.version_id"
        " WHERE v.number = 0 AND p.key = 'customer_tier/enterprise' AND p.kind = 'segment'"
    )


def test_somebody_else_was_quicker_and_both_texts_are_shown(login: Login) -> None:
    first, second = opened(login("ravi"), "SMB"), opened(login("tomas"), "SMB")
    first.get_by_label("Name", exact=True).fill("Small business")
    second.get_by_label("Name", exact=True).fill("Small companies")
    first.get_by_role("button", name="Save draft").click()
    expect(first.get_by_text("Saved.").first).to_be_visible()
    second.get_by_role("button", name="Save draft").click()

    dialog = second.get_by_role("dialog")
    expect(dialog).to_contain_text("Small business")
    expect(dialog).to_contain_text("Small companies")
    dialog.get_by_role("button", name="Save yours over theirs").click()
    expect(second.get_by_text("Saved.").first).to_be_visible()


def test_leaving_with_changes_asks_first(login: Login) -> None:
    page = opened(login("ravi"), "Mid-Market")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label("Name", exact=True).fill("Somewhat small")
    page.get_by_role("link", name="v0 draft").click()
    page.wait_for_timeout(300)

    assert asked == ["beforeunload"]
    expect(page).to_have_url(re.compile("/edit/$"))


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_editor_is_accessible_and_fits_while_something_is_wrong(
    site: Site, browser: Browser, width: int, scheme: Any
) -> None:
    context = browser.new_context(base_url=site.address, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    log_in(page, "ravi")
    opened(page)
    page.get_by_role("button", name="Condition").first.click()
    expect(page.locator(".f-err:visible").first).to_be_visible()
    page.get_by_label("More for this node").first.click()

    violations = Axe().run(page).response["violations"]
    fits = page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()

    assert [(each["id"], each["nodes"][0]["target"]) for each in violations if each["impact"] in SERIOUS] == []
    assert fits


def test_reader_sees_the_editor_without_the_means_to_change(login: Login) -> None:
    page = login("leah")
    page.goto(EDITOR)
    page.wait_for_selector(READY)

    expect(page.get_by_text("Read only")).to_be_visible()
    assert page.get_by_role("button", name="Save draft").count() == 0
    assert page.locator("#ed-rule select:enabled").count() == 0
    violations = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["target"]) for each in violations if each["impact"] in SERIOUS] == []
