"""Signing in somebody's place: for a time, printed on the signature, with both people's conflicts."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import Error, transaction
from django.urls import reverse
from django.utils import timezone

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import Delegation, Signoff, User
from frameworks.services.delegation import delegate_signing, end_delegation, principals_of
from frameworks.services.signing import sign
from frameworks.standing import requirements_standing
from governance.models import AuditEntry
from tests.frameworks.making import AT, LATER, Company, person
from tests.frameworks.pages import text, url

WEEK = timedelta(days=7)


def stand_in(company: Company, delegator: str = "priya", delegate: str = "leah", **changes: Any) -> Delegation:
    given: dict[str, Any] = {"valid_from": AT, "valid_until": AT + WEEK, "reason": "On leave.", "at": AT} | changes
    return delegate_signing(actor=company.people[delegator], delegate=company.people[delegate], **given)


def sign_for(company: Company, delegator: str, delegate: str, at: Any = AT) -> list[Signoff]:
    rows: list[Signoff] = sign(
        version=company.version,
        decisions=company.answers(delegator),
        signer=company.people[delegate],
        on_behalf_of=company.people[delegator],
        authentication="password",
        authenticated_at=at,
        at=at,
    )
    return rows


def test_delegate_signs_and_both_names_are_printed(company: Company) -> None:
    company.submit()
    stand_in(company)

    rows = sign_for(company, "priya", "leah")

    assert {(row.printed_name, row.on_behalf_of_name, row.signed_by) for row in rows} == {
        ("Leah", "Priya", "Leah for Priya")
    }
    approvals = [each for standing in requirements_standing(company.version, AT) for each in standing.approvals]
    assert {(each.signer_id, each.printed_name) for each in approvals} == {(company.priya.pk, "Leah for Priya")}
    assert AuditEntry.objects.get(action="version.signed").after["on_behalf_of"] == "Priya"


def test_delegated_signature_outlives_the_delegation_but_not_the_delegates_login(company: Company) -> None:
    company.submit()
    delegation = stand_in(company)
    sign_for(company, "priya", "leah")
    end_delegation(delegation=delegation, actor=company.priya, at=LATER)

    def given() -> int:
        return sum(len(each.approvals) for each in requirements_standing(company.version, LATER))

    assert given() == 2
    User.objects.filter(pk=company.leah.pk).update(is_active=False)
    assert given() == 0


def wrote(company: Company) -> None:
    company.people["leah"] = person("walt", "architect")
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Another text."}, actor=company.leah)


def is_gone(company: Company) -> None:
    User.objects.filter(pk=company.leah.pk).update(is_active=False)


def delegator_is_gone(company: Company) -> None:
    User.objects.filter(pk=company.priya.pk).update(is_active=False)


def delegator_left_the_role(company: Company) -> None:
    company.priya.groups.clear()


def signs_anyway(company: Company) -> None:
    company.people["leah"] = company.marcus


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (wrote, None, "You wrote or changed parts"),
        (None, is_gone, "deactivated"),
        (None, delegator_left_the_role, "This is signed by Stakeholder"),
        (None, delegator_is_gone, "The login of Priya is deactivated"),
        (signs_anyway, None, "one person counts once"),
    ],
)
def test_delegate_inherits_both_peoples_conflicts(
    company: Company,
    before: Callable[[Company], None] | None,
    after: Callable[[Company], None] | None,
    said: str,
) -> None:
    if before:
        before(company)
    company.submit()
    stand_in(company)
    answers = company.answers("priya")
    if after:
        after(company)

    with pytest.raises(NotAllowedError, match=said):
        sign(
            version=company.version,
            decisions=answers,
            signer=company.leah,
            on_behalf_of=company.priya,
            authentication="password",
            authenticated_at=AT,
            at=AT,
        )

    assert Signoff.objects.count() == 0


@pytest.mark.parametrize("at", [AT - timedelta(seconds=1), AT + WEEK])
def test_outside_its_time_nobody_signs_for_another(company: Company, at: Any) -> None:
    company.submit()
    stand_in(company, at=AT - timedelta(days=1))

    with pytest.raises(NotAllowedError, match="has not asked you"):
        sign_for(company, "priya", "leah", at)

    assert Signoff.objects.count() == 0
    assert principals_of(company.leah, at) == []


def test_database_refuses_a_signature_for_another_without_a_delegation(company: Company) -> None:
    company.submit()
    row = company.sign("marcus")[0]
    row.pk, row.uuid, row.signer, row.on_behalf_of, row.on_behalf_of_name = (
        None,
        "7a6b1c3e-0000-4000-8000-000000000001",
        company.leah,
        company.priya,
        "Priya",
    )

    with pytest.raises(Error, match="without a delegation"), transaction.atomic():
        row.save(force_insert=True)

    assert Signoff.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"valid_until": AT}, "The end lies"),
        ({"valid_until": AT + timedelta(days=200)}, "At most 92 days"),
        ({"reason": " "}, "Say why"),
        ({"delegate": "priya"}, "Nobody stands in for themselves"),
    ],
)
def test_delegation_that_cannot_be_is_refused(company: Company, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        stand_in(company, **changes)

    assert Delegation.objects.count() == 0


def test_delegation_by_somebody_who_signs_nothing_is_refused(company: Company) -> None:
    company.people["root"] = person("root", is_superuser=True)

    for name in ("leah", "root"):
        with pytest.raises(NotAllowedError):
            stand_in(company, name, "marcus")

    assert Delegation.objects.count() == 0


def test_second_delegation_for_the_same_time_conflicts_and_the_database_refuses_it(company: Company) -> None:
    first = stand_in(company)

    with pytest.raises(ConflictError, match="Leah stands in for you"):
        stand_in(company, delegate="marcus")
    with pytest.raises(Error), transaction.atomic():
        Delegation.objects.create(
            delegator=company.priya,
            delegate=company.marcus,
            valid_from=AT,
            valid_until=AT + WEEK,
            reason="x",
            created_at=AT,
        )

    end_delegation(delegation=first, actor=company.leah, at=AT)
    stand_in(company, delegate="marcus")
    with pytest.raises(ConflictError, match="over already"):
        end_delegation(delegation=first, actor=company.priya, at=AT)


def test_delegation_is_ended_by_the_people_concerned_only_and_never_deleted(company: Company) -> None:
    delegation = stand_in(company)

    with pytest.raises(NotAllowedError):
        end_delegation(delegation=delegation, actor=company.marcus, at=AT)
    with pytest.raises(Error), transaction.atomic():
        Delegation.objects.all().delete()
    with pytest.raises(Error), transaction.atomic():
        Delegation.objects.update(valid_until=AT + timedelta(days=400))

    assert Delegation.objects.get().ended_at is None


def test_delegate_reads_on_their_own_page_for_whom_they_may_sign(company: Company, login: Any) -> None:
    company.submit()
    assert "in their place" not in text(login(company.leah).get(url(company, "signing")))
    now = timezone.now()
    stand_in(company, at=now, valid_from=now, valid_until=now + WEEK)
    here = url(company, "signing")
    there = f"{here}?for={company.priya.uuid}"

    own, others = login(company.leah).get(here), login(company.leah).get(there)

    assert "2 points wait for Priya , who lets you sign in their place." in text(own)
    assert there in own.content.decode()
    assert "who lets you sign" not in text(others)
    company.sign("priya")
    assert "who lets you sign" not in text(login(company.leah).get(here))


def test_whoever_lets_another_sign_reads_who_answered(company: Company, login: Any) -> None:
    company.submit()
    stand_in(company)
    sign_for(company, "priya", "leah")

    said = text(login(company.priya).get(url(company, "signing")))

    assert "You answered, or somebody in your place" in said
    assert said.count("Leah for Priya, ") == 2


def test_list_of_delegations_names_the_last_day(company: Company, login: Any) -> None:
    row = stand_in(company, valid_until=datetime(2026, 12, 11, tzinfo=UTC))

    said = text(login(company.priya).get(reverse("frameworks:delegations")))

    assert row.last_day == date(2026, 12, 10)
    assert ("10 Dec 2026" in said, "11 Dec 2026" in said) == (True, False)
