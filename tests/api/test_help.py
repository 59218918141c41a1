"""What too few people can sign, and asking for help with it, by API."""

from typing import Any

import pytest
from django.test import Client

from frameworks.models import HelpRequest, User
from frameworks.roles import Role
from governance.models import AuditEntry, IdempotencyKey
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import Company

ASKED = {"code": "playbooks", "message": "Carol left.\nWho signs playbooks?"}


@pytest.fixture
def company(db: None) -> Company:
    company = Company()
    User.objects.filter(pk=company.carol.pk).update(is_active=False)
    return company


@pytest.fixture
def speaker(company: Company) -> Api:
    """A token whose owner may speak about versions."""
    owner = make_service("bot@example.com", Role.ARCHITECT)
    return Api(make_token(owner, "frameworks:read", "comments:write"), Client())


@pytest.fixture
def root(company: Company) -> str:
    return f"/api/v1/framework-versions/{company.version.uuid}"


def state() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (HelpRequest, AuditEntry, IdempotencyKey))


def test_shortages_say_why(speaker: Api, root: str) -> None:
    reason = "Playbooks has too few people who can sign: 0 of 1. The login of Carol is deactivated."

    assert speaker.get(f"{root}/shortages").json() == {
        "data": [{"code": "playbooks", "title": "Playbooks", "signers": "carol@x.example", "reason": reason}]
    }


def test_help_is_asked_once_a_day(speaker: Api, root: str) -> None:
    made = speaker.post(f"{root}/help-requests", ASKED)
    before = state()
    again = speaker.post(f"{root}/help-requests", ASKED)

    assert (made.status_code, made.json()["told"]) == (201, ["Ravi", "Tomas"])
    assert (made.json()["message"], made.json()["asked_by"]) == (ASKED["message"], "CRM sync")
    assert (again.status_code, state()) == (409, before)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        (ASKED | {"code": "terms"}, 409),
        (ASKED | {"message": " "}, 422),
        (ASKED | {"message": "x" * 2001}, 422),
        (ASKED | {"message": "\u0007"}, 422),
        (ASKED | {"code": 1}, 422),
        (ASKED | {"told": []}, 422),
    ],
)
def test_help_that_cannot_be_asked_is_refused_without_trace(
    speaker: Api, root: str, body: dict[str, Any], status: int
) -> None:
    before = state()

    assert speaker.post(f"{root}/help-requests", body).status_code == status
    assert state() == before


def test_help_needs_the_scope_and_the_right(company: Company, root: str) -> None:
    reader = Api(make_token(make_service("reader@example.com", Role.ARCHITECT), "frameworks:read"), Client())
    owner = make_service("was@example.com", Role.ARCHITECT)
    was = Api(make_token(owner, "comments:write"), Client())
    owner.groups.clear()
    before = state()

    answers = [each.post(f"{root}/help-requests", ASKED) for each in (reader, was)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert state() == before
    assert reader.get("/api/v1/framework-versions/00000000-0000-0000-0000-000000000000/shortages").status_code == 404
