"""GET /api/v1/frameworks/{slug}/diff: typed changes, filters, pages, and what is refused."""

from typing import Any

import pytest

from tests.frameworks.making import Company
from tests.frameworks.test_diff import changed, signed_and_edited

__all__ = ["changed", "signed_and_edited"]


@pytest.fixture
def company(db: None) -> Company:
    return Company()


ADDRESS = "/api/v1/frameworks/main/diff"


def test_diff_is_typed_and_in_words(changed: Any, api: Any) -> None:
    found = api.get(f"{ADDRESS}?from=0&to=1").json()

    assert found["page"] == {"next_cursor": None, "has_more": False}
    first = found["data"][0]
    assert (first["kind"], first["key"], first["change"], first["level"]) == (
        "segment", "tier/smb", "changed", "semantic",
    )  # fmt: skip
    assert [change["text"] for change in first["fields_changed"]] == ["ARR < $100,000 → < $80,000"]
    assert len(first["before"]) == len(first["after"]) == 64


def test_diff_is_narrowed_and_paged(changed: Any, api: Any) -> None:
    terms = api.get(f"{ADDRESS}?from=0&to=1&kind=term&level=semantic").json()["data"]
    assert [each["key"] for each in terms] == ["account", "nrr"]

    seen, address = [], f"{ADDRESS}?from=0&to=1&limit=2"
    page = api.get(address).json()
    while True:
        seen += [each["key"] for each in page["data"]]
        if not page["page"]["has_more"]:
            break
        page = api.get(f"{address}&cursor={page['page']['next_cursor']}").json()

    assert seen == ["tier/smb", "tier/smb", "account", "arr", "nrr"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("from=0", 422), ("from=0&to=9", 422), ("from=x&to=1", 422), ("from=0&to=1&kind=nothing", 422)],
)
def test_wrong_parameters_are_refused(changed: Any, api: Any, query: str, status: int) -> None:
    assert api.get(f"{ADDRESS}?{query}").status_code == status


def test_unknown_framework_is_not_found(changed: Any, api: Any) -> None:
    assert api.get("/api/v1/frameworks/nothing/diff?from=0&to=1").status_code == 404


def test_diff_since_a_person_signed_is_that_of_the_page(signed_and_edited: Company, api: Any) -> None:
    found = api.get(f"{ADDRESS}?since_signed_by=MARCUS@x.example&to=0").json()["data"]

    assert [(each["kind"], each["key"], each["change"]) for each in found] == [("term", "arr", "changed")]
    assert "signed contracts" in found[0]["fields_changed"][0]["text"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since_signed_by=leah@x.example&to=0", "nothing_signed"),
        ("since_signed_by=nobody@x.example&to=0", "nothing_signed"),
        ("since_signed_by=marcus@x.example&from=0&to=0", "mutually_exclusive"),
        ("since_signed_by=marcus@x.example", "missing"),
    ],
)
def test_since_somebody_who_signed_nothing_is_refused(
    signed_and_edited: Company, api: Any, query: str, code: str
) -> None:
    answer = api.get(f"{ADDRESS}?{query}")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
