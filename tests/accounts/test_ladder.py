"""In which dimensions "up" means something: those of the templates, and what decides it one by one."""

from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.evaluation.ladder import ladders
from accounts.evaluation.stages import compile_definition
from frameworks.definition import Definition
from frameworks.exchange.templates import load_template
from tests.accounts.activating import AT as NOW
from tests.accounts.activating import account, activate, signed_version
from tests.accounts.small import framework, leaf, rule
from tests.accounts.test_account_pages import words
from tests.accounts.test_runs import spread
from tests.frameworks.making import person

ALIKE = {"downgrade": "auto"}
FALLING = {"high": leaf("ge", "employee_count", "1000"), "low": leaf("ge", "employee_count", "10")}
RISING = {"high": leaf("lt", "employee_count", "10"), "low": leaf("ge", "employee_count", "10")}
KINDS = {"bank": leaf("eq", "industry", "Banking"), "shop": leaf("eq", "industry", "Retail")}
FLAGS = {"yes": leaf("is_true", "is_partner"), "no": leaf("is_false", "is_partner")}
REST = {"high": leaf("ge", "employee_count", "1000"), "low": {"op": "always"}}


def of_group(k: int) -> dict[str, Any]:
    return {"op": "at_least", "k": k, "items": [leaf("is_true", "is_partner"), leaf("ge", "health_score", "50")]}


def dimension(roots: dict[str, Any], **settings: Any) -> Any:
    return settings, {short: [rule(root)] for short, root in roots.items()}


def found(**dimensions: Any) -> frozenset[str]:
    return ladders(compile_definition(Definition(framework(dimensions))).dimensions)


@pytest.mark.parametrize(
    ("template", "ordered"),
    [
        ("firmographic_only", {"customer_tier"}),
        ("firmographic_value", {"customer_tier", "engagement"}),
        ("full_multi_dimensional", {"company_size", "customer_tier", "engagement"}),
        ("lifecycle", {"engagement"}),
        ("needs_based_signals", {"readiness"}),
        ("hypothesis_driven", {"fit", "value_band"}),
    ],
)
def test_tiers_sizes_and_degrees_are_ladders_but_industries_stages_and_needs_are_not(
    template: str, ordered: set[str]
) -> None:
    definition = Definition({(kind, key): body for kind, key, body in load_template(template).parts})

    assert ladders(compile_definition(definition).dimensions) == ordered


@pytest.mark.parametrize(
    ("roots", "settings", "is_ladder"),
    [
        (FALLING, ALIKE, True),
        (RISING, ALIKE, False),
        (REST, ALIKE, True),
        ({"high": of_group(2), "low": of_group(1)}, ALIKE, True),
        (FLAGS, ALIKE, False),
        (FLAGS, {}, True),
        (KINDS, {}, False),
        (KINDS, {**ALIKE, "max_step": 1}, True),
        (KINDS, {**ALIKE, "hit_policy": "raise_only"}, True),
        ({"high": {"op": "not", "item": FALLING["high"]}, "low": FALLING["low"]}, ALIKE, False),
    ],
)
def test_ladder_is_what_asks_for_more_or_speaks_of_ranks(
    roots: dict[str, Any], settings: dict[str, Any], is_ladder: bool
) -> None:
    assert found(d=dimension(roots, **settings)) == ({"d"} if is_ladder else set())


@pytest.mark.parametrize(("size", "is_ladder"), [(FALLING, True), (KINDS, False)])
def test_dimension_made_of_another_is_a_ladder_where_that_one_is(size: dict[str, Any], is_ladder: bool) -> None:
    high, low = size
    composite = {
        "top": {"op": "segment", "dimension": "size", "any_of": [high]},
        "rest": {"op": "segment", "dimension": "size", "any_of": [high, low]},
    }

    known = found(size=dimension(size, **ALIKE), tier=dimension(composite, **ALIKE))

    assert ("tier" in known) is is_ladder


@pytest.mark.django_db
def test_way_up_is_offered_where_there_is_an_up_and_says_so_where_there_is_none(client: Client) -> None:
    spread()
    given = account("Castellan", arr="490000.00", health_score=30)
    activate(signed_version())
    client.force_login(person("leah", "csm"))

    with time_machine.travel(NOW, tick=False):
        tier = client.get(f"/accounts/{given.uuid}/way-up/", {"dimension": "customer_tier"})
        industry = client.get(f"/accounts/{given.uuid}/way-up/", {"dimension": "industry"})

    assert "To become Strategic by the rules" in words(tier)
    assert "Industry Vertical:" not in words(tier)
    assert "Up in other dimensions" in words(industry)
    assert "The segments of Industry Vertical are kinds: none is above another." in words(industry)
    assert "Customer Tier: $10,000 more ARR" in words(industry)
    assert "To become" not in words(industry)
