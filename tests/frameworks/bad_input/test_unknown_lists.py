"""A list that there is not takes nobody, and its opposite everybody: typed it is refused, of a file it is an error.

A file may come before its lists do; until they are there, its draft is not submitted.
"""

import json
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from frameworks.models import AccountList, FrameworkVersion
from tests.frameworks.making import Company, sent
from tests.frameworks.pages import text, url
from tests.frameworks.ways import Ways

SAID = 'There is no list "fortun": make it under Lists first, it may be empty. Did you mean "fortune"?'
PLACE = "/rules/0/criteria/root/items/0/list"


@pytest.fixture
def ways(company: Company) -> Ways:
    AccountList.objects.create(key="fortune", label="Fortune 2000")
    return Ways(company)


def naming(company: Company, key: str, *, of: str = "rule") -> dict[str, Any]:
    """The segment SMB with a rule on the list, or with it as its anti-ICP list."""
    body = json.loads(json.dumps(company.body("segment", "tier/smb")))
    if of == "rule":
        items = [{"id": "listed", "op": "on_list", "list": key}]
        body["rules"][0]["criteria"]["root"] = {"id": "root", "op": "all", "items": items}
    else:
        body["anti_icp"] = [key]
    return dict(body)


@pytest.mark.parametrize(("of", "place", "node"), [("rule", PLACE, "listed"), ("anti_icp", "/anti_icp/0", "")])
def test_list_that_there_is_not_is_refused_where_it_is_typed(ways: Ways, of: str, place: str, node: str) -> None:
    body = naming(ways.company, "fortun", of=of)

    page, api = (ways.send(way, "segment", "tier/smb", body) for way in ("page", "api"))

    assert (page.status_code, api.status_code, ways.state()) == (422, 422, ways.before)
    (problem,) = page.json()["problems"]
    assert (problem["pointer"], problem["node"], problem["message"]) == (place, node, SAID)
    (cause,) = api.json()["errors"]
    assert (cause["pointer"], cause.get("node", ""), cause["code"], cause["detail"]) == (
        place,
        node,
        "unknown_list",
        SAID,
    )


def test_list_that_there_is_not_is_refused_in_text_with_its_column(ways: Ways) -> None:
    edit = sent(ways.company)
    edit["texts"] = {"smb": {"rules/0": "arr < 5 and not (on_list(fortun))"}}
    at = f"/frameworks/main/v{ways.company.version.number}/dimensions/tier"

    answers = [
        ways.browser.post(f"{at}/{act}/", json.dumps(edit), content_type="application/json")
        for act in ("check", "save")
    ]

    for answer in answers:
        (problem,) = answer.json()["problems"]
        assert (problem["line"], problem["column"], problem["message"]) == (1, 26, SAID)
    assert ways.state() == ways.before


@pytest.mark.parametrize("of", ["rule", "anti_icp"])
@pytest.mark.parametrize("way", ["page", "api", "apply"])
def test_list_that_there_is_is_taken(ways: Ways, of: str, way: str) -> None:
    AccountList.objects.update(is_live=False)

    answer = ways.send(way, "segment", "tier/smb", naming(ways.company, "fortune", of=of))

    assert answer.status_code in (200, 201)
    newest = FrameworkVersion.objects.latest("pk")
    assert "fortune" in json.dumps(newest.parts.get(kind="segment", key="tier/smb").body.body)


@pytest.mark.parametrize(("of", "place"), [("rule", f"{PLACE} (node listed)"), ("anti_icp", "/anti_icp/0")])
def test_file_before_its_list_is_an_error_of_plan_and_draft_until_the_list_is_there(
    ways: Ways, tmp_path: Path, of: str, place: str
) -> None:
    body = naming(ways.company, "fortun", of=of)
    said = f"Customer Tier / SMB: {SAID} It is named at {place}."
    file = tmp_path / "main.yaml"
    file.write_text(ways.file({("segment", "tier/smb"): body}))
    out = StringIO()

    planned = ways.send("plan", "segment", "tier/smb", body)
    with pytest.raises(SystemExit):
        call_command("framework", "plan", str(file), stdout=out)
    applied = ways.send("apply", "segment", "tier/smb", body)

    named = [each for each in planned.json()["findings"] if each["code"] == "unknown_list"]
    assert [(each["severity"], each["text"], each["part_key"]) for each in named] == [("error", said, "tier/smb")]
    assert f"error unknown_list: {said}" in out.getvalue()
    assert applied.status_code == 201
    ways.company.version = FrameworkVersion.objects.latest("pk")
    ways.company.confirm()
    assert said in unescape(text(ways.browser.post(url(ways.company, "version_submit"))))
    AccountList.objects.create(key="fortun", label="Fortun")
    assert said not in unescape(text(ways.browser.post(url(ways.company, "version_submit"))))


def test_draft_of_a_file_is_edited_beside_its_missing_list(ways: Ways) -> None:
    ways.send("apply", "segment", "tier/smb", naming(ways.company, "fortun"))
    ways.company.version = FrameworkVersion.objects.latest("pk")
    other = {**ways.company.body("segment", "tier/enterprise"), "label": "Large"}

    answers = [ways.send(way, "segment", "tier/enterprise", other).status_code for way in ("page", "api")]

    assert answers == [200, 200]
