"""Bad input to sign-off, S01 to S12, by page, API, admin, ORM and SQL where there is such a way; nothing is written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import Error
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from frameworks.models import Comment, Delegation, FrameworkVersion, Signoff, User
from frameworks.services.activation import flip_active_version
from frameworks.services.review import request_changes
from frameworks.standing import requirements_standing
from governance.models import AuditEntry
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import AT, Company
from tests.frameworks.pages import text, url

PASSWORD = "correct horse"


@pytest.fixture
def company(db: None) -> Company:
    company = Company()
    company.submit()
    return company


def held() -> tuple[Any, ...]:
    versions = list(FrameworkVersion.objects.order_by("pk").values_list("state", "state_reason", "round"))
    counts = [model.objects.count() for model in (Delegation, Comment, AuditEntry)]
    return versions, list(Signoff.objects.order_by("pk").values()), counts


def browser(user: User, **how: Any) -> Client:
    client = Client(**how)
    client.force_login(user)
    return client


def form(company: Company, code: str = "terms", key: str = "arr", answer: str = "yes", **fields: str) -> dict[str, str]:
    """What the page of somebody who is asked would post, by whoever posts it."""
    asked = company.requirement(code, key)
    digest = next(each.digest for each in requirements_standing(company.version, AT) if each.requirement == asked)
    given = {f"digest-{asked.pk}": digest, f"answer-{asked.pk}": answer, "impact": "", "password": PASSWORD}
    return {**given, f"reason-{asked.pk}": "Usage is not recurring.", **fields}


def post(company: Company, user: User, data: dict[str, str], query: str = "") -> Any:
    return browser(user).post(url(company, "signing") + query, data)


# S01: who is not on the list, deactivated, or removed after the list closed


def outsider(company: Company) -> User:
    return company.leah


def latecomer(company: Company) -> User:
    company.leah.groups.add(Group.objects.get(name="stakeholder"))
    return company.leah


def removed(company: Company) -> User:
    company.marcus.groups.clear()
    return company.marcus


@pytest.mark.parametrize(
    ("who", "said"),
    [(outsider, "signed by Stakeholder"), (latecomer, "not among the signers"), (removed, "signed by Stakeholder")],
)
def test_s01_signature_of_who_is_not_on_the_list_is_refused(
    company: Company, who: Callable[[Company], User], said: str
) -> None:
    user = who(company)
    before = held()

    answer = post(company, user, form(company))

    assert (answer.status_code, said in text(answer)) == (403, True)
    assert held() == before


def test_s01_deactivated_person_is_logged_out_and_signs_nothing(company: Company) -> None:
    client = browser(company.marcus)
    User.objects.filter(pk=company.marcus.pk).update(is_active=False)
    before = held()

    answer = client.post(url(company, "signing"), form(company))

    assert (answer.status_code, answer["Location"].startswith("/login/")) == (302, True)
    assert held() == before


@pytest.mark.parametrize("who", [outsider, latecomer])
def test_s01_row_of_who_is_not_on_the_list_is_refused_by_the_database(
    company: Company,
    who: Callable[[Company], User],
    application_role: Callable[[], AbstractContextManager[None]],
) -> None:
    signer, row = who(company), company.sign("priya")[0]
    fields = {field.attname: getattr(row, field.attname) for field in Signoff._meta.fields}
    before = held()

    with pytest.raises(Error), application_role():
        Signoff.objects.create(**{**fields, "id": None, "uuid": company.version.uuid, "signer_id": signer.pk})

    assert held() == before


# S02 and S12: what was edited meanwhile


def test_s02_digest_of_an_older_wording_conflicts_with_the_difference(company: Company) -> None:
    old = form(company)
    company.sign("nadia")
    request_changes(version=company.version, actor=company.nadia, at=AT, reason="Signed is not enough.")
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Yearly value of invoiced subscriptions."})
    company.submit()
    before = held()

    answer = post(company, company.marcus, old)

    assert (answer.status_code, "What you were about to sign changed" in text(answer)) == (409, True)
    assert held() == before
    standing = {str(each.requirement): len(each.approvals) for each in requirements_standing(company.version, AT)}
    assert (standing["Terms arr"], standing["Terms account"]) == (0, 1)


# S03: twice, and both ways


def test_s03_signing_twice_is_one_signature_and_the_opposite_conflicts(company: Company) -> None:
    yes = form(company)
    assert post(company, company.marcus, yes).status_code == 302
    before = held()

    again = post(company, company.marcus, yes)
    opposite = post(company, company.marcus, form(company, answer="no"))

    assert (again.status_code, opposite.status_code) == (302, 409)
    assert held() == before


# S04: taken back after activation


def test_s04_signature_taken_back_after_activation_is_an_objection(company: Company) -> None:
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    before = held()
    place = url(company, "signing_withdraw", requirement=company.requirement("terms", "arr").pk)

    answer = browser(company.nadia).post(place, {"reason": "Finance looks again.", "password": PASSWORD})

    after = held()
    assert (answer.status_code, after[0], after[1][:-1]) == (302, before[0], before[1])
    assert (after[1][-1]["decision"], after[1][-1]["meaning"]) == ("withdraw", "objection")


# S05: for another


@pytest.mark.parametrize("field", ["signer", "user", "on_behalf_of", "role", "printed_name", "answer-x"])
def test_s05_field_that_the_form_does_not_have_is_refused(company: Company, field: str) -> None:
    before = held()

    answer = post(company, company.marcus, form(company, **{field: str(company.priya.pk)}))

    assert (answer.status_code, "signs for themselves" in text(answer)) == (422, True)
    assert held() == before


def test_s05_in_the_place_of_who_did_not_ask_is_not_found(company: Company) -> None:
    before = held()

    answers = [
        post(company, user, form(company), f"?for={wanted}").status_code
        for user in (company.leah, company.ravi)
        for wanted in (company.priya.uuid, "x", "%00")
    ]

    assert (answers, held()) == ([404] * 6, before)


@pytest.mark.parametrize("number", ["9" * 18, "9" * 500, "٣", "-1", "0", ""])
def test_s05_number_of_no_requirement_is_refused(company: Company, number: str) -> None:
    before = held()

    answer = post(company, company.marcus, {f"answer-{number}": "yes", f"digest-{number}": "0", "password": PASSWORD})

    assert (answer.status_code, held()) == (422, before)


def test_s05_reason_that_no_text_can_be_is_refused(company: Company) -> None:
    company.sign("nadia")
    asked = company.requirement("terms", "arr")
    before = held()

    answers = [
        post(company, company.marcus, form(company, answer="no", **{f"reason-{asked.pk}": "a\x00b"})),
        browser(company.nadia).post(
            url(company, "signing_withdraw", requirement=asked.pk), {"reason": "a\x00b", "password": PASSWORD}
        ),
        browser(company.priya).post(url(company, "version_reject"), {"reason": "a\x00b"}),
        browser(company.priya).post(url(company, "comment_add"), {"text": "a\x00b", "part": "term/arr"}),
    ]

    assert ([answer.status_code for answer in answers], held()) == ([422] * 4, before)


# S06: without the form's token, and by looking


def test_s06_post_without_its_token_and_get_change_nothing(company: Company) -> None:
    strict = browser(company.marcus, enforce_csrf_checks=True)
    data, place = form(company), url(company, "signing")
    withdraw = url(company, "signing_withdraw", requirement=company.requirement("terms", "arr").pk)
    before = held()

    found = [
        strict.post(place, data).status_code,
        strict.get(place, data).status_code,
        strict.get(withdraw).status_code,
    ]

    assert (found, held()) == ([403, 200, 405], before)


def test_s06_no_token_of_the_api_and_no_page_of_the_admin_signs(company: Company) -> None:
    service = make_service()
    api = Api(make_token(service), Client())
    root = f"/api/v1/framework-versions/{company.version.uuid}"
    data = {"requirement": company.requirement("terms", "arr").pk, "decision": "approve", "signer": company.priya.pk}
    before = held()

    found = [api.post(f"{root}/{act}", data).status_code for act in ("sign", "signoffs", "decisions")]
    by_admin = browser(company.priya).post(reverse("admin:frameworks_signoff_add"), data).status_code

    assert (found, by_admin in (302, 403), held()) == ([404] * 3, True, before)


# S08: delegates


def day(days: int) -> str:
    return f"{timezone.now() + timedelta(days=days):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delegate": "priya"}, "Select a valid choice"),
        ({"delegate": "nobody"}, "Select a valid choice"),
        ({"first": day(-9), "last": day(-8)}, "lies in the past"),
        ({"last": day(200)}, "At most 92 days"),
        ({"last": "2026-02-30"}, "valid date"),
        ({"first": "9999-12-31", "last": "9999-12-31"}, "earlier day"),
        ({"reason": "  "}, "required"),
        ({"reason": "a\x00b"}, "Null characters"),
    ],
)
def test_s08_delegation_that_cannot_be_is_refused_on_the_page(
    company: Company, changes: dict[str, str], said: str
) -> None:
    wanted = {"delegate": "leah", "first": day(0), "last": day(7), "reason": "On leave.", **changes}
    found = company.people.get(wanted["delegate"])
    before = held()

    answer = browser(company.priya).post(
        reverse("frameworks:delegations"), {**wanted, "delegate": str(found.pk) if found else "x"}
    )

    assert (answer.status_code, said in text(answer)) == (422, True)
    assert held() == before


def delegate(company: Company, giver: str, taker: str, **changes: Any) -> None:
    times = {"valid_from": AT, "valid_until": timezone.now() + timedelta(days=7), **changes}
    people = {"delegator": company.people[giver], "delegate": company.people[taker]}
    Delegation.objects.create(**people, reason="On leave.", created_at=AT, **times)


@pytest.mark.parametrize(
    ("taker", "changes", "status"),
    [("ravi", {}, 403), ("leah", {"valid_until": AT + timedelta(days=1)}, 404), ("marcus", {}, 403)],
)
def test_s08_delegate_who_wrote_it_or_is_too_late_or_signs_it_too_is_refused(
    company: Company, taker: str, changes: dict[str, Any], status: int
) -> None:
    delegate(company, "priya", taker, **changes)
    if taker == "marcus":
        company.sign("marcus")
    before = held()

    answer = post(company, company.people[taker], form(company), f"?for={company.priya.uuid}")

    assert (answer.status_code, held()) == (status, before)


def test_s08_loop_of_delegates_passes_nothing_on(company: Company) -> None:
    for giver, taker in (("priya", "leah"), ("marcus", "priya"), ("nadia", "marcus")):
        delegate(company, giver, taker)
    before = held()

    answer = post(company, company.leah, form(company), f"?for={company.marcus.uuid}")

    assert (answer.status_code, held()) == (404, before)


# S10: the list emptied before activation


def test_s10_list_emptied_before_activation_blocks_it(company: Company) -> None:
    company.sign_all()
    for name in ("priya", "marcus", "nadia"):
        company.people[name].groups.remove(Group.objects.get(name="stakeholder"))
    before = held()

    place = reverse("governance:activate_version", args=["main", company.version.number])
    answer = browser(company.priya).post(place)

    assert (answer.status_code, "can no longer sign for Stakeholder" in text(answer)) == (409, True)
    assert held() == before


# S11: what people say


@pytest.mark.parametrize(
    ("words", "status"), [("x" * 100_000, 422), ("x" * 5_001, 422), ("x" * 5_000, 302), ("  ", 422)]
)
def test_s11_comment_has_five_thousand_characters_at_most(company: Company, words: str, status: int) -> None:
    before = held()

    answer = browser(company.marcus).post(url(company, "comment_add"), {"text": words, "part": "term/arr"})

    assert answer.status_code == status
    assert (held() == before) == (status == 422)


def test_s11_words_of_people_are_shown_as_text(company: Company) -> None:
    words = "<script>alert(1)</script> <a href='javascript:alert(1)'>look</a>"
    client = browser(company.marcus)
    client.post(url(company, "comment_add"), {"text": words, "part": "term/arr"})
    client.post(url(company, "signing"), {**form(company, answer="no"), f"reason-{asked(company)}": words})

    pages = [
        client.get(url(company, name)).content.decode()
        for name in ("version_discussion", "signing_manifest", "version_history", "version_detail")
    ] + [client.get(url(company, "term_detail", key="arr")).content.decode()]

    assert Signoff.objects.get().reason == words
    assert not any("<script>alert" in page or "href='javascript" in page for page in pages)
    assert "&lt;script&gt;" in pages[0] + pages[1]


def asked(company: Company) -> int:
    return company.requirement("terms", "arr").pk
