"""Pages of a framework cost as many queries for 500 parts as for 10, and show no more than somebody reads at once."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frameworks.models import User
from frameworks.standing_cache import forget
from tests.api.making import make_service, make_token
from tests.frameworks.large import addresses, make_large

FEW, MANY = 10, 500
LONGEST_PAGE = 150_000
"""Bytes; the version page of 500 parts has a fifth of that."""


def asked(parts: int) -> dict[str, tuple[int, Any]]:
    """By page, the queries of a first request and its answer; what was made for it is taken back."""
    with transaction.atomic():
        version = make_large(parts, 2)
        signer, program = Client(), Client(headers={"Authorization": f"Bearer {make_token(make_service())}"})
        signer.force_login(User.objects.get(email="marcus@x.example"))
        found = {}
        for page, address in addresses(version.number, str(version.uuid)).items():
            client = program if page == "api_parts" else signer
            client.get(address)
            forget()
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(address)
            found[page] = (len(captured), answer)
        transaction.set_rollback(True)
    return found


@pytest.fixture
def pages(db: None) -> tuple[dict[str, tuple[int, Any]], dict[str, tuple[int, Any]]]:
    return asked(FEW), asked(MANY)


def test_pages_take_the_same_queries_for_ten_parts_and_for_five_hundred(pages: Any) -> None:
    few, many = pages

    assert {page: answer.status_code for page, (_, answer) in many.items()} == dict.fromkeys(many, 200)
    assert {page: count for page, (count, _) in many.items()} == {page: count for page, (count, _) in few.items()}
    assert [page for page, (_, answer) in many.items() if len(answer.content) > LONGEST_PAGE] == []
