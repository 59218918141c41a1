"""Asking for an override by token; deciding is for people."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from frameworks.models import User
from governance.models import AuditEntry, OverrideRequest
from tests.api.making import Api, Model, assign, make_account

PATH = "/api/v1/override-requests"


@pytest.fixture
def asked(model: Model) -> dict[str, Any]:
    account = make_account()
    assign(account, model, "smb")
    return {
        "account": {"source": "crm", "external_id": "A-1"},
        "dimension": "tier",
        "segment": "mid_market",
        "reason_code": "strategic",
        "reason": "Signed a group-wide rollout.",
        "valid_until": (timezone.now() + timedelta(days=70)).isoformat(),
    }


def test_override_asked_for_waits_for_a_person(api: Api, asked: dict[str, Any]) -> None:
    answer = api.post(PATH, asked)

    request = OverrideRequest.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"{PATH}/{request.uuid}"
    body = answer.json()
    assert (body["state"], body["segment"], body["computed"], body["framework"]) == (
        "submitted",
        "mid_market",
        "smb",
        "customers",
    )
    assert body["account"]["external_ids"] == {"crm": "A-1"}
    assert api.get(answer["Location"]).json() == body
    assert api.get(f"{PATH}?state=submitted").json()["data"] == [body]
    assert api.get(f"{PATH}?state=approved").json()["data"] == []
    assert AuditEntry.objects.get(action="override.requested").actor_kind == "token"


def test_override_asked_for_twice_is_a_conflict(api: Api, asked: dict[str, Any]) -> None:
    api.post(PATH, asked)

    assert api.post(PATH, asked).status_code == 409
    assert OverrideRequest.objects.count() == 1


def test_override_asked_for_by_our_id(api: Api, asked: dict[str, Any]) -> None:
    uuid = api.get("/api/v1/accounts").json()["data"][0]["id"]

    assert api.post(PATH, asked | {"account": {"id": uuid}}).status_code == 201


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"state": "approved"}, "/state", "read_only"),
    ({"approved_by": "x"}, "/approved_by", "read_only"),
    ({"requested_by": "x"}, "/requested_by", "read_only"),
    ({"decided_at": "2026-01-01T00:00:00Z"}, "/decided_at", "read_only"),
    ({"reson": "x"}, "/reson", "unknown_field"),
    ({"account": "A-1"}, "/account", "wrong_type"),
    ({"account": {}}, "/account", "invalid_id"),
    ({"account": {"id": "../etc"}}, "/account", "invalid_id"),
    ({"account": {"source": "crm", "external_id": "nobody"}}, "/account", "not_found"),
    ({"dimension": "teir"}, "/dimension", "not_found"),
    ({"framework": "other"}, "/dimension", "not_found"),
    ({"segment": "mid-market"}, "/segment", "not_found"),
    ({"valid_until": "2027-01-01T00:00:00"}, "/valid_until", "timezone_required"),
    ({"valid_until": "2020-01-01T00:00:00Z"}, "", "invalid"),
    ({"valid_until": "2099-01-01T00:00:00Z"}, "", "invalid"),
    ({"reason": "x"}, "", "invalid"),
    ({"reason": "\u200b" * 30}, "", "invalid"),
    ({"reason": "x" * 5001}, "/reason", "too_long"),
    ({"reason": 15}, "/reason", "wrong_type"),
    ({"reason": "Signed a group-wide \x1b[31m rollout."}, "/reason", "control_character"),
]


@pytest.mark.parametrize(("changes", "pointer", "code"), WRONG)
def test_override_asked_for_wrongly_is_422_and_nothing_is_asked(
    api: Api, asked: dict[str, Any], changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = api.post(PATH, asked | changes)

    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [(pointer, code)])
    assert not OverrideRequest.objects.exists()


@pytest.mark.parametrize("name", ["account", "dimension", "segment", "reason_code", "reason", "valid_until"])
def test_override_asked_for_without_a_needed_field_is_422(api: Api, asked: dict[str, Any], name: str) -> None:
    del asked[name]

    answer = api.post(PATH, asked)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")
    assert not OverrideRequest.objects.exists()


def test_override_asked_for_by_an_owner_without_the_right_is_403(
    api: Api, asked: dict[str, Any], service: User
) -> None:
    service.groups.clear()

    assert api.post(PATH, asked).status_code == 403
    assert not OverrideRequest.objects.exists()


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_request_cannot_be_changed_by_a_token(api: Api, asked: dict[str, Any], method: str) -> None:
    path = api.post(PATH, asked)["Location"]

    assert api.send(method, path, {"state": "approved"}).status_code == 405
    assert OverrideRequest.objects.get().state == "submitted"


def test_requests_list_needs_as_many_statements_for_three_rows_as_for_one(
    api: Api, asked: dict[str, Any], model: Model, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    api.post(PATH, asked)
    api.get(PATH)
    with CaptureQueriesContext(connection) as one:
        api.get(PATH)
    for n in (2, 3):
        assign(make_account(f"Account {n}", f"A-{n}"), model, "smb")
        assert api.post(PATH, asked | {"account": {"source": "crm", "external_id": f"A-{n}"}}).status_code == 201
    with CaptureQueriesContext(connection) as three:
        api.get(PATH)

    assert len(one) == len(three)
