"""Definition alignment: who said Yes or No to which term, the wordings before, and what uses a term."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frameworks.alignment import matrix, terms_about, voices_on, wordings_of
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.review import request_changes
from frameworks.standing_cache import overview_of
from tests.frameworks.making import AT, LATER, Company, segment
from tests.frameworks.pages import text, url

USED = {"attributes": ["arr"], "segments": ["tier/smb"], "dimensions": ["gone"]}


def answer(company: Company, name: str, key: str, decision: str, reason: str = "") -> None:
    wanted = company.requirement("terms", key).pk
    company.sign(name, [each for each in company.answers(name, decision, reason) if each.requirement_id == wanted])


def test_voices_are_yes_no_and_open(company: Company) -> None:
    company.submit()
    answer(company, "marcus", "arr", "reject", "Usage is not recurring.")
    answer(company, "nadia", "arr", "approve")

    found = voices_on(overview_of(company.version, AT).by_part["term", "arr"])

    assert [(voice.name, voice.said, voice.reason) for voice in found] == [
        ("Marcus", "no", "Usage is not recurring."),
        ("Nadia", "yes", ""),
        ("Priya", "open", ""),
    ]


def test_matrix_has_a_cell_for_each_person_and_term(company: Company) -> None:
    company.submit()
    answer(company, "marcus", "arr", "approve")

    people, rows = matrix(company.version, overview_of(company.version, AT).by_part, ["account", "arr", "nothing"])

    assert [name for _, name in people] == ["Marcus", "Nadia", "Priya"]
    assert [(row.key, [cell.said if cell else None for cell in row.cells]) for row in rows] == [
        ("account", ["open", "open", "open"]),
        ("arr", ["yes", "open", "open"]),
    ]


def test_kept_standing_changes_with_a_signature_and_with_a_lost_role(company: Company) -> None:
    company.submit()
    assert overview_of(company.version, AT) is overview_of(company.version, AT)
    answer(company, "marcus", "arr", "approve")
    signed = overview_of(company.version, AT)
    assert [given.printed_name for given in signed.by_part["term", "arr"][0].approvals] == ["Marcus"]

    company.marcus.groups.clear()

    assert overview_of(company.version, AT).by_part["term", "arr"][0].approvals == ()


def test_wordings_are_told_once_each_with_the_versions_they_stood_in(company: Company) -> None:
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)
    old = company.body("term", "arr")["wording"]
    company.save("term", "arr", {"label": "ARR", "wording": "Reworded."})

    assert [(each.version.number, each.text, each.before) for each in wordings_of(company.version, "arr")] == [
        (1, "Reworded.", old),
        (0, old, ""),
    ]
    (same,) = wordings_of(company.version, "account")
    assert (same.version.number, same.until.number) == (0, 1)


def test_term_and_what_uses_it_lead_to_each_other(company: Company, login: Any) -> None:
    company.save("term", "arr", {**company.body("term", "arr"), "used_by": USED})
    page = login(company.leah)

    said = text(page.get(url(company, "term_detail", key="arr")))

    assert ("Customer Tier / SMB" in said, "is not part of this version" in said) == (True, True)
    assert terms_about(company.version, "segment", "tier/smb") == [("arr", "ARR")]
    assert terms_about(company.version, "policy", "signoff") == []
    assert "Defined by ARR" in text(page.get(url(company, "version_detail"), {"part": "data_source/arr"}))


def test_pages_show_answers_reasons_and_what_is_aligned(company: Company, login: Any) -> None:
    company.submit()
    answer(company, "marcus", "arr", "reject", "Usage is not recurring.")
    for name in ("marcus", "nadia", "priya"):
        answer(company, name, "account", "approve")
    page = login(company.leah)

    term = text(page.get(url(company, "term_detail", key="arr")))
    table = text(page.get(url(company, "version_alignment")))

    assert ("0 of 3 Yes" in term, "“Usage is not recurring.”" in term, "no answer yet" in term) == (True, True, True)
    assert "1 of 2 terms aligned" in table
    assert table.index("ARR") < table.index("Account", table.index("Term Marcus"))
    assert page.get(url(company, "term_detail", key="nothing")).status_code == 404


def test_draft_says_what_it_carries_from_the_version_it_is_based_on(company: Company, login: Any) -> None:
    page = login(company.leah)
    assert "0 of 2 terms aligned Nobody is asked yet." in text(page.get(url(company, "version_alignment")))
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)
    assert "2 of 2 terms aligned, 2 carried from v0" in text(page.get(url(company, "version_alignment")))

    company.save("term", "arr", {"label": "ARR", "wording": "Reworded."})

    table = text(page.get(url(company, "version_alignment")))
    assert "1 of 2 terms aligned, 1 carried from v0" in table
    assert "ARR open open open" in table
    assert not company.version.requirements.exists()
    company.submit()
    assert "1 of 2 terms aligned, 1 carried from v0" in text(page.get(url(company, "version_alignment")))


def test_draft_that_was_sent_back_carries_what_was_signed_before(company: Company, login: Any) -> None:
    company.submit()
    company.sign_all()
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="ARR is not right yet.")

    said = text(login(company.leah).get(url(company, "version_alignment")))

    assert "2 of 2 terms aligned, 2 carried from what was signed before" in said


@pytest.mark.parametrize("name", ["version_alignment", "term_detail"])
def test_pages_take_the_same_queries_for_few_terms_and_for_many(company: Company, login: Any, name: str) -> None:
    page, place = login(company.leah), {"key": "arr"} if name == "term_detail" else {}

    def queries() -> int:
        page.get(url(company, name, **place))
        with CaptureQueriesContext(connection) as captured:
            assert page.get(url(company, name, **place)).status_code == 200
        return len(captured)

    few = queries()
    for number in range(4):
        company.save("term", f"t{number}", {"label": f"T {number}", "wording": f"Wording {number}."})

    assert queries() == few


def test_term_of_a_draft_says_what_was_said_of_the_same_words_before(company: Company, login: Any) -> None:
    page, place = login(company.leah), {"key": "arr"}
    assert "0 of 3 Yes" in text(page.get(url(company, "term_detail", **place)))
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version = start_draft(framework=company.version.framework, actor=company.ravi, at=LATER)
    assert "3 of 3 Yes, carried over" in text(page.get(url(company, "term_detail", **place)))

    company.save("term", "arr", {"label": "ARR", "wording": "Reworded."})

    said = text(page.get(url(company, "term_detail", **place)))
    assert "0 of 3 Yes" in said
    assert said.count("is asked when the draft is submitted") == 3


def test_draft_page_counts_who_will_really_be_asked_and_shows_a_no_that_stands(company: Company, login: Any) -> None:
    page = login(company.leah)
    assert "carried over" not in text(page.get(url(company, "version_detail")))
    company.submit()
    answer(company, "marcus", "arr", "reject", "Usage is not recurring.")
    for name in ("nadia", "priya", "tomas", "carol"):
        company.sign(name)
    answer(company, "marcus", "account", "approve")
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="Not yet.")
    company.save("segment", "tier/smb", segment("SMB", ("lt", "arr", "90000")))

    said = text(page.get(url(company, "version_detail")))

    asked = said.partition("Who will be asked")[2]
    assert "1 of 2 carried over. Marcus said No to ARR. " in asked
    assert "1 of 3 parts" in asked
    assert "2 of 3 carried over. Will be asked: Tomas." in asked
    assert "Carried over, signed by Carol: nobody is asked." in asked
    assert "1 No" in said.partition("Who will be asked")[0]
