"""What the rules leave open while somebody edits a dimension: places nobody is in yet, counted, on axes, accepted."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from frameworks.models import Kind, PartBody
from tests.accounts.test_preview import ask
from tests.frameworks.making import Company, segment, sent

REASON = "Nobody of that size buys from us below that amount."
HALF = Decimal("50000")


@pytest.fixture
def company(db: None) -> Company:
    return Company()


def with_gap(company: Company) -> dict[str, Any]:
    """SMB ends at $50,000; Enterprise begins at $100,000 and needs 1,000 employees."""
    return sent(company, smb=segment("SMB", ("lt", "arr", "50000")))


def without_waiver(company: Company) -> None:
    company.version.parts.filter(kind=Kind.WAIVER, key="gap__tier").delete()


def editor(client: Client, company: Company, person: str = "ravi") -> str:
    client.force_login(company.people[person])
    address = reverse("frameworks:dimension_edit", kwargs={"slug": "main", "number": 0, "key": "tier"})
    return client.get(address).content.decode()


def waive(client: Client, company: Company, person: str = "ravi", **data: str) -> Any:
    client.force_login(company.people[person])
    address = reverse("frameworks:checks_waive", kwargs={"slug": "main", "number": 0})
    return client.post(address, {"dimension": "tier", "reason": REASON, **data})


def seen_in(page: str) -> str:
    """The fingerprint that the form for accepting the first finding posts."""
    return page.partition('name="seen" value="')[2].partition('"')[0]


def test_gaps_without_an_account_come_with_a_cell_and_their_place_on_each_axis(
    client: Client, company: Company
) -> None:
    found = ask(client, company, "dimension_findings", with_gap(company))

    assert [(each["kind"], each["text"], each["ranges"], each["accounts"]) for each in found["places"]] == [
        ("gap", "ARR from $50,000 up to but not including $100,000", {"arr": [[50000, 100000]]}, 0),
        (
            "gap",
            "ARR of $50,000 or more, and under 1,000 employees",
            {"arr": [[50000, None]], "employee_count": [[None, 1000]]},
            0,
        ),
    ]
    assert found["html"].count("No account today") == 2
    assert "For example ARR $50,000 · Employees 0 employees: Unassigned (no rule matches)" in found["html"]


def test_accounts_in_a_place_are_counted_and_named_and_those_that_count_nowhere_are_not(
    client: Client, company: Company
) -> None:
    Account.objects.create(name="Acme", name_key="acme", arr=HALF, employee_count=2000)
    Account.objects.create(name="Trial", name_key="trial", arr=HALF, employee_count=2000, exclusion="test")

    found = ask(client, company, "dimension_findings", with_gap(company))

    assert [each["accounts"] for each in found["places"]] == [1, 0]
    assert "Acme</a>" in found["html"]
    assert "Trial" not in found["html"]


def test_overlap_names_both_segments_and_an_open_end(client: Client, company: Company) -> None:
    found = ask(client, company, "dimension_findings", sent(company, smb=segment("SMB", ("lt", "arr", "200000"))))

    (overlap,) = [each for each in found["places"] if each["kind"] == "overlap"]
    assert overlap["text"].endswith("Enterprise and SMB are both true")
    assert overlap["ranges"] == {"arr": [[100000, 200000]], "employee_count": [[1000, None]]}


def test_more_cells_than_an_answer_waits_for_are_sampled_and_it_says_so(
    client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.services.findings.CELLS_AT_MOST", 4)

    found = ask(client, company, "dimension_findings", with_gap(company))

    assert "4 of them were evaluated" in found["html"]


def test_editing_only_asks_and_the_list_stands_on_the_page_itself(client: Client, company: Company) -> None:
    without_waiver(company)
    before = PartBody.objects.count()

    client.force_login(company.ravi)
    address = reverse("accounts:dimension_findings", kwargs={"slug": "main", "number": 0, "key": "tier"})
    edited = client.post(address, json.dumps(with_gap(company)), content_type="application/json").json()["html"]
    page = editor(client, company)

    assert "Save the draft to accept this as it is." in edited
    assert "ARR of $100,000 or more, and under 1,000 employees" in page
    assert seen_in(page)
    assert PartBody.objects.count() == before


def test_finding_is_accepted_from_the_editor_and_the_page_says_so(client: Client, company: Company) -> None:
    without_waiver(company)

    answer = waive(client, company, seen=seen_in(editor(client, company)))

    assert answer.url == reverse("frameworks:dimension_edit", kwargs={"slug": "main", "number": 0, "key": "tier"})
    page = editor(client, company)
    assert f"Accepted: “{REASON}”" in page
    assert not seen_in(page)


@pytest.mark.parametrize(
    ("person", "data", "status"),
    [
        ("leah", {}, 403),
        ("ravi", {"seen": "0" * 64}, 409),
        ("ravi", {"dimension": "nowhere"}, 404),
        ("ravi", {"reason": "short"}, 422),
    ],
)
def test_waiver_from_the_editor_that_is_refused_changes_nothing(
    client: Client, company: Company, person: str, data: dict[str, str], status: int
) -> None:
    without_waiver(company)
    before = set(company.version.parts.values_list("kind", "key", "body_id"))

    answer = waive(client, company, person, **{"seen": seen_in(editor(client, company)), **data})

    assert answer.status_code == status
    assert set(company.version.parts.values_list("kind", "key", "body_id")) == before


def test_nobody_without_the_right_is_offered_to_accept_anything(client: Client, company: Company) -> None:
    without_waiver(company)

    page = editor(client, company, "leah")

    assert "ARR of $100,000 or more, and under 1,000 employees" in page
    assert not seen_in(page)


def test_rule_that_cannot_be_read_waits(client: Client, company: Company) -> None:
    half = sent(company, smb=segment("SMB", ("lt", "arr", "")))

    assert "wait" in ask(client, company, "dimension_findings", half, status=422)["detail"]
