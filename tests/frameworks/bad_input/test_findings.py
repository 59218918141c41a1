"""Frameworks that can be written down but not agreed on: the API lists why, the page refuses to submit them.

K04 to K07 and K14 to K16 of the list of bad input; a warning lets a version pass once somebody waived it.
"""

from typing import Any

import pytest

from accounts.models import Account
from frameworks.models import FrameworkVersion, Requirement
from tests.frameworks.making import Company, criteria, segment
from tests.frameworks.pages import text, url
from tests.frameworks.ways import Ways

Change = dict[tuple[str, str], dict[str, Any]]


def rule(short: str, *items: tuple[str, str, str]) -> Change:
    return {("segment", f"tier/{short}"): segment(short.title(), *items)}


TIER = {"label": "Customer Tier", "segments": ["enterprise", "smb"]}
ALL = ("ge", "arr", "0")
SMB = segment("SMB", ("lt", "arr", "100000"))
ODD = {"key": "odd", "basis": "value", "criteria": criteria(("lt", "arr", "100"), ("gt", "arr", "200"))}

# What is written over the framework of the tests, and what is found: severity, code and what it is about.
FOUND: dict[str, tuple[Change, tuple[str, str, str]]] = {
    "K04 ranges that meet, decided by order": (
        rule("enterprise", ("ge", "arr", "100000")) | rule("smb", ("le", "arr", "100000")),
        ("warning", "overlap", "tier"),
    ),
    "K04 ranges that meet, under unique": (
        rule("enterprise", ("ge", "arr", "100000"))
        | rule("smb", ("le", "arr", "100000"))
        | {("dimension", "tier"): {**TIER, "hit_policy": "unique"}},
        ("error", "overlap", "tier"),
    ),
    "K05 gap between two ranges": (
        rule("enterprise", ("gt", "arr", "100000")) | rule("smb", ("lt", "arr", "100000")),
        ("warning", "gap", "tier"),
    ),
    "K06 contradiction": (
        rule("smb", ("lt", "arr", "100"), ("gt", "arr", "200")),
        ("error", "unreachable", "tier/smb"),
    ),
    "K06 contradiction in one rule of two": (
        {("segment", "tier/smb"): {**SMB, "rules": [*SMB["rules"], ODD]}},
        ("warning", "unreachable", "tier/smb"),
    ),
    "K06 segment below one that takes everything": (
        rule("enterprise", ALL) | rule("smb", ALL, ("lt", "arr", "100000")),
        ("error", "unreachable", "tier/smb"),
    ),
    "K07 no segment for the rest": (
        rule("smb", ("lt", "arr", "5000")),
        ("warning", "gap", "tier"),
    ),
    "K07 two segments for the rest": (
        rule("enterprise", ALL) | rule("smb", ALL),
        ("error", "unreachable", "tier/smb"),
    ),
}


@pytest.fixture
def ways(company: Company) -> Ways:
    return Ways(company)


def found(ways: Ways) -> set[tuple[str, str, str]]:
    """Open findings as the API lists them."""
    address = f"/api/v1/framework-versions/{ways.company.version.uuid}/findings"
    rows = ways.api.get(address).json()["data"]
    return {(row["severity"], row["code"], row["part_key"]) for row in rows if not row["is_waived"]}


@pytest.mark.parametrize("row", FOUND)
def test_framework_with_a_finding_is_listed_by_the_api_and_refused_by_the_page(ways: Ways, row: str) -> None:
    changes, expected = FOUND[row]
    for (kind, key), body in changes.items():
        assert ways.send("api", kind, key, body).status_code == 200
    ways.company.confirm()
    before = ways.state()

    answer = ways.browser.post(url(ways.company, "version_submit"))

    assert answer.status_code == 422
    assert (ways.state(), FrameworkVersion.objects.get().state) == (before, "draft")
    assert not Requirement.objects.exists()
    assert expected in found(ways)


@pytest.mark.parametrize("row", FOUND)
def test_plan_of_a_file_names_what_its_rules_leave_open(ways: Ways, row: str) -> None:
    changes, expected = FOUND[row]
    address = "/api/v1/frameworks/main/files/plan"

    answer = ways.api.post(address, ways.file(changes), content_type="application/yaml")

    rows = answer.json()["findings"]
    assert expected in {(each["severity"], each["code"], each["part_key"]) for each in rows}
    assert ways.state() == ways.before


def test_k14_attribute_few_accounts_have_is_found_with_its_share(ways: Ways) -> None:
    for number in range(10):
        Account.objects.create(name=f"A{number}", name_key=f"a{number}", arr="10.00" if number < 7 else None)
    ways.company.confirm()
    before = ways.state()

    answer = ways.browser.post(url(ways.company, "version_submit"))

    assert (answer.status_code, "less than 80 %" in text(answer)) == (422, True)
    assert ("warning", "coverage", "arr") in found(ways)
    assert ways.state() == before


def test_k15_more_segments_than_the_guidance_is_a_warning(ways: Ways) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        ways.company.save("segment", f"tier/{name}", {**segment(name, ("lt", "arr", "5")), "label": name})
    ways.company.save("dimension", "tier", {**TIER, "segments": ["enterprise", "smb", *names]})
    ways.company.confirm()
    before = ways.state()

    answer = ways.browser.post(url(ways.company, "version_submit"))

    assert (answer.status_code, "the policy warns above 5" in text(answer)) == (422, True)
    assert ways.state() == before


WAYS = ("page", "api", "plan", "apply", "upload")
SAME = "There is a segment called Enterprise already."


@pytest.mark.parametrize("label", ["Enterprise", "ENTERPRISE", "Enterprise ", "Ｅnterprise", "Enter\u200bprise"])
def test_k16_two_segments_of_one_name_are_refused(ways: Ways, label: str) -> None:
    body = {**ways.company.body("segment", "tier/smb"), "label": label}

    answers = [ways.send(way, "segment", "tier/smb", body) for way in WAYS]

    assert [(answer.status_code, SAME in answer.content.decode()) for answer in answers] == [(422, True)] * len(WAYS)
    assert ways.state() == ways.before


@pytest.mark.parametrize("label", ["Customer Tier", " customer  TIER "])
def test_k16_two_dimensions_of_one_name_are_refused(ways: Ways, label: str) -> None:
    region = {"label": "Region", "segments": ["north"]}
    ways.company.save("dimension", "region", region)
    ways.company.save("segment", "region/north", {**segment("North", ("ge", "arr", "1")), "dimension": "region"})
    before = ways.state()

    answers = [ways.send(way, "dimension", "region", {**region, "label": label}) for way in WAYS]

    said = "There is a dimension called"
    assert [(answer.status_code, said in answer.content.decode()) for answer in answers] == [(422, True)] * len(WAYS)
    assert ways.state() == before


def test_k16_segments_of_one_name_from_before_keep_a_version_from_review(ways: Ways) -> None:
    ways.send("orm", "segment", "tier/smb", {**ways.company.body("segment", "tier/smb"), "label": "ENTERPRISE"})
    ways.company.confirm()
    before = ways.state()

    answer = ways.browser.post(url(ways.company, "version_submit"))

    assert (answer.status_code, "have the same name" in text(answer)) == (422, True)
    assert ways.state() == before


def test_k19_version_with_assumed_parts_is_refused_naming_them(ways: Ways) -> None:
    answer = ways.browser.post(url(ways.company, "version_submit"))

    assert (answer.status_code, "still ASSUMED" in text(answer)) == (422, True)
    assert ways.state() == ways.before


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> [look](javascript:alert(1)) [site](https://x.example)"


def test_k23_script_in_a_playbook_is_shown_as_text_and_its_links_lead_nowhere(ways: Ways) -> None:
    for kind, key, field in (("playbook", "tier/smb", "summary"), ("term", "arr", "wording")):
        body = {**ways.company.body(kind, key), field: HOSTILE}
        assert ways.send("api", kind, key, body).status_code == 200

    for name in ("version_playbooks", "version_definitions", "version_detail", "version_history"):
        page = ways.browser.get(url(ways.company, name)).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'href="javascript:' not in page


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "soon",
        "2026-02-30T10:00",
        "2020-01-01T00:00",
        "9999-12-31T23:59",
        "10000-01-01T00:00",
        "2027-03-28T02:30+99:00",
    ],
)
def test_k24_moment_that_cannot_be_is_refused(company: Company, moment: str) -> None:
    company.submit()
    company.sign_all()
    ways = Ways(company)
    ways.browser.force_login(company.priya)

    answer = ways.browser.post(url(company, "version_schedule"), {"moment": moment})

    assert (answer.status_code, FrameworkVersion.objects.get().state) == (422, "approved")
    assert ways.state() == ways.before
