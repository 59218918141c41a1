"""Pages of a framework cost as many queries for 500 parts as for 10, and show no more than somebody reads at once."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frameworks import signing_page
from frameworks.models import Signoff, User
from frameworks.services.signing import withdraw_signoff
from frameworks.signing_page import SigningPage
from frameworks.standing_cache import forget
from frameworks.version_page import VersionPage
from tests.api.making import make_service, make_token
from tests.frameworks.large import addresses, make_large
from tests.frameworks.making import AT, Company

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
    assert many["signing"][1].content.count(b'id="back-p-') == signing_page.ANSWERED


@pytest.mark.parametrize("block", [1, 2, 500])
def test_signing_page_lists_answers_newest_first_however_they_are_read(
    company: Company, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_page, "BLOCK", block)
    monkeypatch.setattr(signing_page, "ANSWERED", 1)
    company.submit()
    first, second = company.answers("marcus")
    company.sign("marcus", [second])
    company.sign("marcus", [first])
    asked = company.requirement("terms", "arr")
    proof: dict[str, Any] = {"authentication": "password", "authenticated_at": AT, "at": AT}
    withdraw_signoff(requirement=asked, signer=company.marcus, reason="I was too quick.", **proof)
    company.sign("marcus", [each for each in (first, second) if each.requirement_id == asked.pk])

    sheets = [SigningPage(company.version, company.marcus, AT, sheet=sheet) for sheet in ("1", "2", "no number")]

    newest = Signoff.objects.filter(signer=company.marcus, decision="approve").order_by("-pk")
    (last,), (other,), (again,) = (page.answered for page in sheets)
    assert (last[0].pk, last[1].pk, again[1].pk) == (asked.pk, newest[0].pk, newest[0].pk)
    assert {last[0].pk, other[0].pk} == {first.requirement_id, second.requirement_id}
    assert last[1].pk > other[1].pk


def test_dimensions_of_many_segments_are_fewer_to_a_sheet(company: Company) -> None:
    page = VersionPage(company.version, company.leah, AT)

    page.counts = {**page.counts, "dimension": 40, "segment": 1000}
    many = page.dimensions_at_once(10)
    page.counts = {**page.counts, "dimension": 5, "segment": 25}

    assert (many, page.dimensions_at_once(10)) == (4, 10)


def test_counts_of_a_large_version_are_written_as_everywhere(company: Company) -> None:
    page = VersionPage(company.version, company.ravi, AT)
    page.__dict__["counts"] = {**page.counts, "term": 5_959}

    labels = [row["label"] for group in page.rail() for row in group["parts"]]

    assert [label for label in labels if "more" in label or label.startswith("All ")] == ["5,957 more"]
