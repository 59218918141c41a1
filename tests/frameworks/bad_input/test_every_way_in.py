"""Bad frameworks are refused by the page, the API and as a file alike, and nothing is half-written."""

import json
from typing import Any

import pytest
from django.urls import reverse

from frameworks.yaml_text import write_yaml
from tests.frameworks.bad_input.cases import BODIES, RULES, derived
from tests.frameworks.making import Company, put_in_force
from tests.frameworks.ways import Ways

WAYS = ("page", "api", "plan", "apply", "upload")


@pytest.fixture
def ways(company: Company) -> Ways:
    """With attributes in two currencies, one that is derived, and one that may become so."""
    plain = {"label": "Margin", "data_type": "decimal", "scale": 2, "system": "ERP"}
    money = {"label": "Cost", "data_type": "money", "scale": 2, "currency": "EUR", "system": "ERP"}
    company.save("data_source", "cost", money)
    company.save("data_source", "margin", plain)
    company.save("data_source", "each", derived("ratio", "decimal", ["cost", "employee_count"]) | {"label": "Each"})
    return Ways(company)


def _smb(company: Company, root: Any) -> dict[str, Any]:
    body = json.loads(json.dumps(company.body("segment", "tier/smb")))
    body["rules"][0]["criteria"]["root"] = {"id": "root", "op": "all", "items": [root]}
    return dict(body)


def test_good_body_is_taken_by_every_way(ways: Ways) -> None:
    body = _smb(ways.company, {"id": "n1", "op": "lt", "attribute": "arr", "value": "90000"})

    answers = {way: ways.send(way, "segment", "tier/smb", body).status_code for way in ("plan", "api", "apply")}

    assert answers == {"plan": 200, "api": 200, "apply": 200}


@pytest.mark.parametrize("way", ["page", "api"])
def test_attribute_derived_from_stored_ones_is_taken(ways: Ways, way: str) -> None:
    body = derived("ratio", "decimal", ["arr", "employee_count"])

    answer = ways.send(way, "data_source", "margin", body)

    assert (answer.status_code, ways.company.body("data_source", "margin")["derived"]["of"]) == (
        302 if way == "page" else 200,
        ["arr", "employee_count"],
    )


@pytest.mark.parametrize("row", RULES)
def test_rule_that_cannot_be_is_refused_by_every_way(ways: Ways, row: str) -> None:
    body = _smb(ways.company, RULES[row])

    answers = {way: ways.send(way, "segment", "tier/smb", body) for way in WAYS}

    assert {way: answer.status_code for way, answer in answers.items()} == dict.fromkeys(WAYS, 422)
    assert all(cause["pointer"] for way in ("api", "plan", "apply") for cause in answers[way].json()["errors"])
    assert ways.state() == ways.before


@pytest.mark.parametrize("row", BODIES)
def test_body_that_cannot_be_is_refused_by_every_way(ways: Ways, row: str) -> None:
    kind, key, change = BODIES[row]
    body = change(ways.company.body(kind, key))

    answers = {way: ways.send(way, kind, key, body) for way in WAYS}

    assert {way: answer.status_code for way, answer in answers.items()} == dict.fromkeys(WAYS, 422)
    assert ways.state() == ways.before


@pytest.mark.parametrize(
    "header", [{"format": "cutline-framework/2"}, {"schema": 1}, {"parts": []}, {"parts": {"rule": {}}}, {"format": 1}]
)
@pytest.mark.parametrize("way", ["plan", "apply"])
def test_file_of_another_shape_is_refused(ways: Ways, way: str, header: dict[str, Any]) -> None:
    text = ways.file({}, **header)

    answer = ways.api.post(f"/api/v1/frameworks/main/files/{way}", text, content_type="application/yaml")

    assert (answer.status_code, ways.state()) == (422, ways.before)


def test_frozen_version_is_not_edited(ways: Ways) -> None:
    """K18; a file makes a new draft instead."""
    put_in_force(ways.company.version)
    before = ways.state()

    answers = [
        ways.send(way, kind, key, ways.company.body(kind, key) | {"label": "Other"}).status_code
        for way in ("page", "api")
        for kind, key in (("segment", "tier/smb"), ("term", "arr"))
    ]

    assert (answers, ways.state()) == ([409] * 4, before)


def test_second_of_two_editors_is_told(ways: Ways) -> None:
    """K21."""
    body = ways.company.body("term", "arr")
    stale = ways.company.part("term", "arr").body_id
    ways.company.save("term", "arr", body | {"wording": "By somebody quicker."})
    before = ways.state()
    root = f"/api/v1/framework-versions/{ways.company.version.uuid}/parts/term/arr"
    edit = reverse("frameworks:part_edit", kwargs={"slug": "main", "number": 0, "kind": "term", "key": "arr"})
    mine = body | {"wording": "Mine."}

    by_api = ways.api.send("PUT", root, mine, **{"If-Match": f'"{stale}"'})
    by_page = ways.browser.post(f"{edit}?as=text", {"key": "arr", "digest": stale, "text": write_yaml(mine)})

    assert (by_api.status_code, by_page.status_code, ways.state()) == (412, 409, before)


@pytest.mark.parametrize("act", ["signoffs", "submission", "activation", "schedule", "emergency", "confirmations"])
def test_no_token_signs_submits_or_activates(ways: Ways, act: str) -> None:
    """S05 and S06: there is no such address, whatever the token may do."""
    answer = ways.api.post(f"/api/v1/framework-versions/{ways.company.version.uuid}/{act}", {"user": "priya@x.example"})

    assert (answer.status_code, ways.state()) == (404, ways.before)
