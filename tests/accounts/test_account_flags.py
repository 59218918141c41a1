"""The page of an account: flagged where it is unwanted, and no values that accounts do not store."""

from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from frameworks.models import Dimension, Segment, User
from tests.accounts import storing
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.test_account_pages import words
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


def bodies_of_two() -> Any:
    high, low = [rule(leaf("ge", "employee_count", "1000"))], [rule({"op": "always"})]
    bodies = framework({"d": ({}, {"high": high, "low": low})})
    bodies["segment", "d/high"]["anti_icp"] = ["fortune"]
    derived = {"kind": "ratio", "of": ["arr", "employee_count"]}
    ratio = {"label": "ARR per head", "data_type": "decimal", "scale": 2, "derived": derived}
    bodies["data_source", "arr_per_head"] = ratio
    return bodies


def page_of(facts: Facts, author: User, client: Client) -> str:
    version = storing.store_framework(bodies_of_two(), author)
    (row,) = storing.store_accounts([facts], version.framework, author, AT)
    storing.apply(version, [row.pk], AT)
    Dimension.objects.update(is_live=True)
    Segment.objects.update(is_live=True)
    with time_machine.travel(AT, tick=False):
        client.force_login(author)
        return words(client.get(f"/accounts/{row.uuid}/"))


@pytest.mark.parametrize(("employees", "is_flagged"), [(2_000, True), (500, False)])
def test_account_on_an_anti_icp_list_of_its_segment_is_flagged_there_and_stays(
    author: User, client: Client, employees: int, is_flagged: bool
) -> None:
    said = page_of(Facts({"employee_count": employees}, lists=frozenset({"fortune"})), author, client)

    assert ("Anti-ICP here: fortune" in said) == is_flagged


def test_account_on_no_such_list_is_not_flagged(author: User, client: Client) -> None:
    said = page_of(Facts({"employee_count": 2_000}, lists=frozenset({"logos"})), author, client)

    assert "Anti-ICP here" not in said


def test_attribute_that_follows_from_others_is_no_missing_value(author: User, client: Client) -> None:
    said = page_of(Facts({"employee_count": 2_000, "arr": Decimal(5_000)}), author, client)

    assert "ARR per head" not in said
