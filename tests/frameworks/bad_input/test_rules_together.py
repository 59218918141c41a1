"""Rules that are right by themselves, not together: two that take everybody, dimensions in a circle, lost segments."""

import json
from typing import Any

import pytest

from frameworks.models import FrameworkVersion
from tests.frameworks.making import Company, segment, sent
from tests.frameworks.ways import Ways

Body = dict[str, Any]
WAYS = ("page", "api", "plan", "apply", "upload")


@pytest.fixture
def ways(company: Company) -> Ways:
    return Ways(company)


def with_root(body: Body, root: Body) -> Body:
    found: Body = json.loads(json.dumps(body))
    found["rules"][0]["criteria"]["root"] = root
    return found


def always(company: Company, short: str) -> Body:
    return with_root(company.body("segment", f"tier/{short}"), {"id": "all", "op": "always"})


def problems(way: str, answer: Any) -> list[tuple[str, str, str]]:
    """Place, node and words; a file names no node, and its places begin with the part."""
    if way == "page":
        return [(each["pointer"], each["node"], each["message"]) for each in answer.json()["problems"]]
    lead = "/parts/segment/tier~1smb"
    return [
        (each["pointer"].removeprefix(lead), each.get("node", ""), each["detail"]) for each in answer.json()["errors"]
    ]


def test_second_rule_for_everybody_is_refused_by_every_way(ways: Ways) -> None:
    """K07."""
    ways.company.save("segment", "tier/enterprise", always(ways.company, "enterprise"))
    before = ways.state()

    answers = {way: ways.send(way, "segment", "tier/smb", always(ways.company, "smb")) for way in WAYS}

    assert {way: answer.status_code for way, answer in answers.items()} == dict.fromkeys(WAYS, 422)
    assert ways.state() == before
    said = (
        "A rule of Customer Tier / Enterprise takes every account already: a dimension has one rule “always” at most."
    )
    for way in ("page", "api"):
        assert problems(way, answers[way]) == [("/rules/0/criteria/root", "all", said)]
    for way in ("plan", "apply"):
        ((place, _, words),) = problems(way, answers[way])
        assert (place, said in words) == ("/rules/0/criteria/root", True)


def test_one_rule_for_everybody_and_one_for_all_of_a_parent_are_taken(ways: Ways) -> None:
    ways.company.save("segment", "tier/enterprise", always(ways.company, "enterprise"))

    answer = ways.send("api", "segment", "tier/smb", {**always(ways.company, "smb"), "parent": "enterprise"})

    assert answer.status_code == 200


@pytest.mark.parametrize("way", ["page", "api", "plan", "apply", "upload"])
def test_circle_of_dimensions_is_refused_at_the_condition_that_closes_it(ways: Ways, way: str) -> None:
    company = ways.company
    company.save("dimension", "care", {"label": "Care", "segments": ["low"]})
    low = {**segment("Low"), "dimension": "care"}
    company.save(
        "segment", "care/low", with_root(low, {"id": "n1", "op": "segment", "dimension": "tier", "any_of": ["smb"]})
    )
    before = ways.state()
    root = {"id": "n7", "op": "segment", "dimension": "care", "any_of": ["low"]}

    answer = ways.send(way, "segment", "tier/smb", with_root(company.body("segment", "tier/smb"), root))

    assert (answer.status_code, ways.state()) == (422, before)
    if way != "upload":
        place = "/rules/0/criteria/root/dimension"
        assert any(
            at == place and "Dimensions read each other in a circle: Customer Tier → Care → Customer Tier." in said
            for at, _, said in problems(way, answer)
        )


@pytest.mark.parametrize("way", ["plan", "apply", "upload"])
def test_file_whose_dimension_lists_a_segment_without_part_is_refused(ways: Ways, way: str) -> None:
    body = {**ways.company.body("dimension", "tier"), "segments": ["enterprise", "mid", "smb"]}

    answer = ways.send(way, "dimension", "tier", body)

    assert (answer.status_code, ways.state(), FrameworkVersion.objects.count()) == (422, ways.before, 1)
    if way != "upload":
        (cause,) = answer.json()["errors"]
        assert (cause["pointer"], cause["code"]) == ("/parts/dimension/tier/segments/1", "unknown_segment")


@pytest.mark.parametrize(
    "text", ['employee_count > "5"', 'arr in ["1", 5)', 'arr in {1, "2"}', 'arr change over 1 months > "5"']
)
def test_number_in_quotes_is_a_text_and_refused(ways: Ways, text: str) -> None:
    edit = sent(ways.company)
    edit["texts"] = {"smb": {"rules/0": text}}

    answer = ways.browser.post(
        "/frameworks/main/v0/dimensions/tier/save/", json.dumps(edit), content_type="application/json"
    )

    assert (answer.status_code, ways.state()) == (422, ways.before)
    (problem,) = answer.json()["problems"]
    assert (problem["line"], problem["column"]) == (1, text.index('"') + 1)
    assert "write it without quotes" in problem["message"]
