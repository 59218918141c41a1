"""What others build on: the JSON Schema and the documentation's example."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from frameworks.criteria.ast import CLASS_BY_OPERATOR, json_schema
from frameworks.criteria.parsing import parse_criteria
from frameworks.criteria.text import parse_text
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS

PAGE = Path(__file__).parents[3] / "docs" / "criteria.md"


def test_schema_knows_every_operator():
    schema = json_schema()

    node = schema["properties"]["root"]
    assert set(node["discriminator"]["mapping"]) == set(CLASS_BY_OPERATOR)
    assert schema["properties"]["schema"]["const"] == "criteria/1"
    assert all(each.get("additionalProperties") is False for each in schema["$defs"].values())


def test_example_of_the_documentation_is_the_same_rule_in_both_forms():
    page = PAGE.read_text(encoding="utf-8")
    document = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    text = re.findall(r"```\n(employee_count.*?)\n```", page, re.DOTALL)[0]
    attributes = {**ATTRIBUTES, "employee_count": replace(ATTRIBUTES["employees"], key="employee_count")}

    rule = parse_criteria(document, attributes=attributes, dimensions=DIMENSIONS)
    typed = parse_text(text, previous=rule, attributes=attributes, dimensions=DIMENSIONS)

    assert rule.document() == document
    assert typed.document() == document


def test_schema_is_served_to_everyone(db, client):
    found = client.get("/schemas/criteria.json").json()

    assert found.pop("$id").endswith("/schemas/criteria.json")
    assert found == json_schema()
