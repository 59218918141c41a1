"""What differs between two versions: by digests, typed, since the reader signed; on the page and by the API."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frameworks.comparison import between, differences, digests_at, digests_of
from frameworks.definition import bodies_of
from frameworks.models import FrameworkVersion
from frameworks.parts.diff import diff_parts
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import delete_part, save_part, start_draft
from frameworks.services.review import request_changes
from tests.frameworks.making import AT, LATER, Company, playbook, segment
from tests.frameworks.pages import text


@pytest.fixture
def changed(company: Company) -> tuple[FrameworkVersion, FrameworkVersion]:
    """Version 0 in force, and draft 1 with one change of each sort."""
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    old = company.version
    company.version = start_draft(framework=old.framework, actor=company.ravi, at=LATER)
    company.save("segment", "tier/smb", segment("SMB", ("lt", "arr", "80000")))
    company.save("playbook", "tier/smb", playbook("Call them"))
    company.save("term", "arr", {**company.body("term", "arr"), "label": "Recurring revenue"})
    company.save("term", "nrr", {"label": "NRR", "wording": "Net retention."})
    part = company.part("term", "account")
    delete_part(
        version=company.version,
        kind="term",
        key="account",
        expected_digest=part.body_id,
        actor=company.ravi,
        at=LATER,
        source="page",
    )
    return old, company.version


def test_differences_by_digest_are_those_of_the_bodies_with_their_materiality(changed: Any) -> None:
    old, new = changed

    found = differences(old, new)

    typed = diff_parts(bodies_of(old), bodies_of(new))
    assert [(each.kind, each.key, each.change, each.level) for each in found] == [
        (each.kind, each.key, each.change, each.level.value) for each in typed
    ]
    assert [(each.key, each.change, each.level) for each in found] == [
        ("tier/smb", "changed", "semantic"),
        ("tier/smb", "changed", "operational"),
        ("account", "removed", "semantic"),
        ("arr", "changed", "cosmetic"),
        ("nrr", "added", "semantic"),
    ]


def test_version_does_not_differ_from_itself(changed: Any) -> None:
    assert differences(changed[0], changed[0]) == []


def test_digests_at_a_moment_take_later_contributions_back(company: Company) -> None:
    before = digests_of(company.version)
    signed_at = company.version.created_at
    edited = {"arr": {"label": "ARR", "wording": "Other."}, "x": {"label": "X", "wording": "Y."}}
    for key, body in edited.items():
        stored = company.version.parts.filter(kind="term", key=key).first()
        digest = stored.body_id if stored else None
        save_part(
            version=company.version,
            kind="term",
            key=key,
            body=body,
            expected_digest=digest,
            actor=company.ravi,
            at=signed_at.replace(year=2100),
            source="page",
        )

    assert digests_at(company.version, signed_at) == before
    assert {each.key for each in between(before, digests_of(company.version))} == {"arr", "x"}


def test_page_compares_any_two_versions_and_filters(changed: Any, company: Company, login: Any) -> None:
    page = login(company.leah)

    said = text(page.get("/frameworks/main/diff/", {"from": "0", "to": "1"}))
    only = text(page.get("/frameworks/main/diff/", {"from": "0", "to": "1", "level": "cosmetic", "view": "texts"}))
    back = text(page.get("/frameworks/main/diff/", {"from": "1", "to": "0"}))

    assert "ARR &lt; $100,000 → &lt; $80,000" in said
    assert "5 parts differ" in said
    assert ("Definition Recurring revenue" in only, "Segment Customer Tier / SMB" in only) == (True, False)
    assert "ARR &lt; $80,000 → &lt; $100,000" in back
    assert page.get("/frameworks/main/diff/", {"from": "0", "to": "9"}).status_code == 404
    assert page.get("/frameworks/main/diff/").status_code == 200


@pytest.fixture
def signed_and_edited(company: Company) -> Company:
    """A draft that Marcus signed all of, before one definition was edited."""
    company.submit()
    company.sign("marcus")
    request_changes(version=company.version, actor=company.ravi, at=LATER, reason="Usage is not recurring.")
    save_part(
        version=company.version,
        kind="term",
        key="arr",
        body={"label": "ARR", "wording": "Yearly value of signed contracts.", "owner": "Finance"},
        expected_digest=company.part("term", "arr").body_id,
        actor=company.ravi,
        at=LATER,
        source="page",
    )
    return company


def test_since_you_signed_shows_what_was_edited_after(signed_and_edited: Company, login: Any) -> None:
    said = text(login(signed_and_edited.marcus).get("/frameworks/main/diff/", {"since": "signed"}))

    assert ("Since you signed" in said, "1 part differs" in said, "Definition ARR" in said) == (True, True, True)


def test_diff_page_takes_the_same_queries_for_few_changes_and_for_many(
    changed: Any, company: Company, login: Any
) -> None:
    page = login(company.leah)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page.get("/frameworks/main/diff/", {"from": "0", "to": "1"})
        return len(captured)

    queries()
    few = queries()
    for number in range(20):
        company.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})

    assert queries() == few
