"""Live figures for the dimension editor: counts of rules saved nowhere, the histogram, gaps and overlaps."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Assignment, Override, Transition
from frameworks.dimension_edit import EditRefusedError, read_edit
from frameworks.models import Contribution, Dimension, PartBody
from frameworks.services.editing import save_dimension
from tests.frameworks.making import AT, Company, segment, sent

ARR = ["5000", "50000", "99999.99", "100000", "250000", None]


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def accounts(company: Company) -> list[Account]:
    """Six accounts by ARR with 2,000 employees each, and three that count nowhere."""
    made = [_account(f"a{place}", arr) for place, arr in enumerate(ARR)]
    _account("test", "500000", exclusion="test")
    _account("merged", "500000", exclusion="merged", merged_into=made[0])
    _account("deleted", "500000", deleted_at="2026-01-01T00:00:00Z")
    return made


def _account(name: str, arr: str | None, **fields: Any) -> Account:
    amount = Decimal(arr) if arr else None
    return Account.objects.create(name=name, name_key=name, arr=amount, employee_count=2000, **fields)


def ask(client: Client, company: Company, name: str, body: object, status: int = 200) -> Any:
    client.force_login(company.leah)
    address = reverse(f"accounts:{name}", kwargs={"slug": "main", "number": 0, "key": "tier"})
    answer = client.post(address, json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def counts(answer: Any, side: str = "after") -> dict[str, int]:
    return {key: figure["accounts"] for key, figure in answer[side]["segments"].items()}


def test_preview_counts_saved_rules_and_edited_ones(client: Client, company: Company, accounts: list[Account]) -> None:
    edited = sent(company, smb=segment("SMB", ("lt", "arr", "50000")))

    stored = ask(client, company, "dimension_preview", {**sent(company), "before": True})
    after = ask(client, company, "dimension_preview", edited)

    assert counts(stored) == counts(stored, "before") == {"smb": 3, "enterprise": 2, "": 1}
    assert counts(after) == {"smb": 1, "enterprise": 2, "": 3}
    assert {each["reason"]: each["accounts"] for each in after["after"]["reasons"]} == {
        "no_match": 2,
        "missing_data": 1,
    }
    assert stored["after"]["segments"]["enterprise"]["arr"] == "350000.00"


def test_preview_of_a_new_segment_needs_no_saving(client: Client, company: Company, accounts: list[Account]) -> None:
    edited = sent(company)
    edited["segments"].insert(0, {"key": "huge", "digest": "", "body": segment("Huge", ("ge", "arr", "200000"))})

    assert counts(ask(client, company, "dimension_preview", edited)) == {"huge": 1, "enterprise": 1, "smb": 3, "": 1}


def test_preview_writes_nothing(client: Client, company: Company, accounts: list[Account]) -> None:
    before = (PartBody.objects.count(), Assignment.objects.count(), Transition.objects.count())

    ask(client, company, "dimension_preview", sent(company, smb=segment("SMB", ("lt", "arr", "50000"))))

    assert (PartBody.objects.count(), Assignment.objects.count(), Transition.objects.count()) == before


def test_preview_waits_while_a_rule_cannot_be_read(client: Client, company: Company, accounts: list[Account]) -> None:
    half = sent(company, smb=segment("SMB", ("lt", "arr", "")))

    assert "wait" in ask(client, company, "dimension_preview", half, status=422)["detail"]


def test_gaps_and_overlaps_come_with_examples(client: Client, company: Company, accounts: list[Account]) -> None:
    edited = sent(company, smb=segment("SMB", ("lt", "arr", "50000"), ("ge", "arr", "10")))
    edited["segments"].append({"key": "mid", "digest": "", "body": segment("Mid", ("ge", "arr", "100000"))})
    asked = {**edited, "attribute": "arr", "cuts": [10, 50000, 100000]}

    found = ask(client, company, "dimension_stretches", asked)["stretches"]

    gap = next(each for each in found if each["kind"] == "gap")
    overlap = next(each for each in found if each["kind"] == "overlap")
    assert (gap["accounts"], gap["low"], gap["high"]) == (2, 50000.0, 99999.99)
    assert [each["name"] for each in gap["examples"]] == ["a1", "a2"]
    assert (overlap["segment"], overlap["losers"], overlap["accounts"]) == ("enterprise", ["mid"], 2)


def test_choices_for_missing_values_say_how_many_each_moves(
    client: Client, company: Company, accounts: list[Account]
) -> None:
    asked = {**sent(company), "segment": "smb", "place": "rules/0", "node": "n1"}

    moved = ask(client, company, "dimension_choices", asked)["moved"]

    # The first rule stays unknown: as met, the account is SMB (provisionally); as not met, it stays Unassigned.
    assert moved == {"": 0, "true": 1, "false": 0}


def test_histogram_has_every_account_with_a_value(client: Client, company: Company, accounts: list[Account]) -> None:
    drawn = ask(client, company, "attribute_histogram", {"attribute": "arr"})

    assert (drawn["accounts"], drawn["present"]) == (6, 5)
    assert sum(count for *_, count in drawn["bars"]) == 5
    assert all(low < high for low, high, _ in drawn["bars"])


def test_histogram_of_one_value_and_of_none(client: Client, company: Company) -> None:
    nothing = ask(client, company, "attribute_histogram", {"attribute": "arr"})
    _account("only", "70000")
    one = ask(client, company, "attribute_histogram", {"attribute": "arr"})

    assert (nothing["present"], nothing["bars"]) == (0, [])
    assert sum(count for *_, count in one["bars"]) == 1


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("attribute_histogram", {"attribute": "owner.password"}),
        ("dimension_stretches", {"attribute": "arr", "cuts": ["1); DROP TABLE"]}),
        ("dimension_stretches", {"attribute": "arr", "cuts": [1e308 * 10]}),
        ("dimension_stretches", {"attribute": "nobody"}),
        ("dimension_choices", {"segment": "nobody", "node": "n1", "place": "rules/0"}),
    ],
)
def test_bad_questions_are_refused(client: Client, company: Company, name: str, extra: dict[str, Any]) -> None:
    ask(client, company, name, {**sent(company), **extra}, status=422)


def test_figures_are_for_people_who_are_logged_in(client: Client, company: Company) -> None:
    address = reverse("accounts:dimension_preview", kwargs={"slug": "main", "number": 0, "key": "tier"})

    assert client.post(address, "{}", content_type="application/json").status_code == 302


def test_segment_that_an_override_points_to_cannot_leave_the_draft(company: Company, accounts: list[Account]) -> None:
    dimension = Dimension.objects.get(key="tier")
    Override.objects.create(
        account=accounts[0],
        dimension=dimension,
        segment=dimension.segments.get(key="smb"),
        valid_from=AT,
        valid_until=AT + timedelta(days=30),
        reason="Agreed with the customer.",
        created_by=company.ravi,
        created_at=AT,
    )
    edit = sent(company)
    edit["removed"] = [{"kind": "segment", "key": "tier/smb", "digest": edit["segments"].pop()["digest"]}]

    with pytest.raises(EditRefusedError, match=r"Say first where smb goes, .* 1 override points to it"):
        save_dimension(
            version=company.version,
            edit=read_edit("tier", edit),
            actor=company.ravi,
            at=AT,
            source=Contribution.Source.PAGE,
        )
    assert company.version.parts.filter(key="tier/smb").exists()
