"""What every address has in common: the body, parameters, headers, problems."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone

from accounts.models import Account
from frameworks.api.errors import KINDS
from governance.api.idempotency import idempotent
from governance.api.scopes import TokenMay
from segmentation_site import api as table
from tests.api.making import UPSERT, Api

NOTE = "/items/0/attributes/note"
GOOD = '{"items":[{"source":"crm","external_id":"A","name":"A"%s}]}'


def nested(levels: int) -> str:
    return '{"items":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


BODIES: list[tuple[str, str | bytes, int, str | None, str]] = [
    ("no JSON", "{", 400, "", "malformed_json"),
    ("single quotes", "{'items': []}", 400, "", "malformed_json"),
    ("trailing garbage", GOOD % "" + "x", 400, "", "malformed_json"),
    ("two documents", "{}{}", 400, "", "malformed_json"),
    ("empty", "", 400, "", "malformed_json"),
    ("white space", "  ", 400, "", "malformed_json"),
    ("a string", '"x"', 400, "", "malformed_json"),
    ("null", "null", 400, "", "malformed_json"),
    ("a list", "[]", 400, "", "malformed_json"),
    ("Latin-1", GOOD.encode() % b"" + b"\xe9", 400, "", "malformed_json"),
    ("UTF-16", (GOOD % "").encode("utf-16"), 400, "", "malformed_json"),
    ("NaN", GOOD % ',"employee_count":NaN', 400, "", "malformed_json"),
    ("Infinity", GOOD % ',"employee_count":-Infinity', 400, "", "malformed_json"),
    ("control character unescaped", GOOD % ',"city":"a\x01"', 400, "", "malformed_json"),
    ("33 levels", nested(33), 400, "/items" + "/0" * 31, "too_deep"),
    ("1,000 levels", nested(1000), 400, None, "too_deep"),
    ("100,000 levels", nested(100_000), 400, None, "too_deep"),
    ("a key twice", GOOD % ',"arr":"1","arr":"2"', 400, "/items/0/arr", "duplicate_key"),
    ("a key twice at the top", '{"items":[],"items":[]}', 400, "/items", "duplicate_key"),
    ("NUL in text", GOOD % ',"city":"a\\u0000b"', 422, "/items/0/city", "control_character"),
    ("NUL in an own attribute", GOOD % ',"attributes":{"note":"\\u0000"}', 422, NOTE, "control_character"),
    ("NUL in a key", GOOD % ',"attributes":{"a\\u0000":1}', 422, "/items/0/attributes", "control_character"),
    ("escape in text", GOOD % ',"city":"\\u001b[31m"', 422, "/items/0/city", "control_character"),
    ("lone surrogate", GOOD % ',"city":"\\ud800"', 422, "/items/0/city", "lone_surrogate"),
    ("lone surrogate in an own attribute", GOOD % ',"attributes":{"note":"\\udfff"}', 422, NOTE, "lone_surrogate"),
    ("lone surrogate in a key", GOOD % ',"\\ud800":1', 422, "/items/0", "lone_surrogate"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "pointer", "code"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES])
def test_body_that_is_not_strict_json_is_refused_and_nothing_written(
    api: Api, own_attributes: None, body: Any, status: int, pointer: str | None, code: str
) -> None:
    answer = api.post(UPSERT, body)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert pointer is None or error["pointer"] == pointer
    assert answer["Content-Type"] == "application/problem+json"
    assert not Account.objects.exists()


def test_body_with_a_byte_order_mark_is_accepted(api: Api) -> None:
    assert api.post(UPSERT, b"\xef\xbb\xbf" + (GOOD % "").encode()).status_code == 200


def test_body_of_32_levels_is_read(api: Api) -> None:
    answer = api.post(UPSERT, nested(32))

    assert answer.json()["errors"][0]["code"] == "wrong_type"


def test_body_over_4_mib_is_413(api: Api) -> None:
    answer = api.post(UPSERT, (GOOD % "") + " " * (4 * 2**20))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "too_large")
    assert not Account.objects.exists()


def test_body_of_nearly_4_mib_is_read(api: Api) -> None:
    text = GOOD % ""

    assert api.post(UPSERT, text + " " * (4 * 2**20 - len(text))).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("multipart/form-data; boundary=x", {}),
        ("application/json; charset=utf-7", {}),
        ("application/json; charset=latin-1", {}),
        ("application/xml", {}),
        ("application/json", {"Content-Encoding": "gzip"}),
    ],
)
def test_body_of_another_type_is_415(api: Api, content_type: str, headers: dict[str, str]) -> None:
    answer = api.post(UPSERT, GOOD % "", content_type=content_type, **headers)

    assert answer.status_code == 415
    assert answer["Content-Type"] == "application/problem+json"
    assert not Account.objects.exists()


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", 'application/json; charset="utf-8"'])
def test_body_in_utf_8_by_name_is_accepted(api: Api, content_type: str) -> None:
    assert api.post(UPSERT, GOOD % "", content_type=content_type).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_accept_of_anything_but_json_is_406(api: Api, accept: str) -> None:
    answer = api.get("/api/v1/accounts", Accept=accept)

    assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*;q=0.5, text/html", "text/html, */*"])
def test_accept_that_includes_json_is_answered(api: Api, accept: str) -> None:
    assert api.get("/api/v1/accounts", Accept=accept).status_code == 200


PARAMETERS: list[tuple[str, str, str]] = [
    ("limit=0", "limit", "out_of_range"),
    ("limit=-1", "limit", "out_of_range"),
    ("limit=abc", "limit", "out_of_range"),
    ("limit=1e9", "limit", "out_of_range"),
    ("limit=1.5", "limit", "out_of_range"),
    ("limit=501", "limit", "out_of_range"),
    ("limit=%D9%A1", "limit", "out_of_range"),
    ("limit=", "limit", "out_of_range"),
    ("limit=1&limit=2", "limit", "repeated_parameter"),
    ("lmit=1", "lmit", "unknown_parameter"),
    ("format=xml", "format", "unknown_parameter"),
    ("ordering=owner__password", "ordering", "unknown_parameter"),
    ("owner__password__startswith=p", "owner__password__startswith", "unknown_parameter"),
    ("_connector=OR", "_connector", "unknown_parameter"),
    ("attrs__x'--=1", "attrs__x'--", "unknown_parameter"),
    ("name__regex=(a%2B)%2B$", "name__regex", "unknown_parameter"),
    ("fields=id,name", "fields", "unknown_parameter"),
    ("updated_since=2026-11-21T18:30:00", "updated_since", "timezone_required"),
    ("updated_since=yesterday", "updated_since", "invalid_datetime"),
    ("updated_since=2026-11-21T18:30:00+01:00", "updated_since", "invalid_datetime"),
    ("source=%00", "source", "control_character"),
    ("source=", "source", "blank"),
    ("source=" + "x" * 300, "source", "too_long"),
]


@pytest.mark.parametrize(("query", "name", "code"), PARAMETERS)
def test_parameter_that_is_unknown_or_wrong_is_422(api: Api, query: str, name: str, code: str) -> None:
    answer = api.get(f"/api/v1/accounts?{query}")

    errors = [(error["parameter"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [(name, code)])


def test_parameter_misspelt_gets_a_suggestion(api: Api) -> None:
    answer = api.get("/api/v1/accounts?lmit=1")

    assert answer.json()["errors"][0]["detail"] == 'Did you mean "limit"?'


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1/",
        "/api/v1/acounts",
        "/api/v1/accounts/",
        "/api/v2/accounts",
        "/api/v1/accounts/not-a-uuid",
        "/api/v1/accounts/3f0b8b1e-6a55-4d38-9b0f-0c8d5d1f2a10",
        "/api/v1/accounts/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/accounts/by-external-id/crm/nobody",
        "/api/v1/accounts/by-external-id/CRM/nobody",
        "/api/v1/accounts/by-external-id/crm/%00",
        "/api/v1/accounts/by-external-id/crm/" + "x" * 10_240,
        "/api/v1/framework-versions/3f0b8b1e-6a55-4d38-9b0f-0c8d5d1f2a10",
    ],
)
def test_address_of_nothing_is_404_as_a_problem(api: Api, path: str) -> None:
    answer = api.get(path)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["errors"][0]["code"] == "not_found"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_method_that_is_not_there_is_405_and_names_those_that_are(api: Api, method: str) -> None:
    answer = api.send(method, "/api/v1/accounts", "{}")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert "GET" in answer["Allow"]


def test_method_override_is_ignored(api: Api) -> None:
    answer = api.get("/api/v1/accounts", **{"X-HTTP-Method-Override": "DELETE"})

    assert answer.status_code == 200


def test_problem_has_every_member(api: Api) -> None:
    answer = api.push(
        {"source": "crm", "external_id": "A", "name": "A", "employee_count": -5}, **{"X-Request-ID": "abc"}
    )

    assert answer["X-Request-ID"] == "abc"
    assert answer.json() == {
        "type": answer.json()["type"],
        "title": "Some values were not accepted",
        "status": 422,
        "detail": "Must be 0 or more.",
        "instance": UPSERT,
        "request_id": "abc",
        "errors": [
            {
                "pointer": "/items/0/employee_count",
                "code": "out_of_range",
                "detail": "Must be 0 or more.",
                "received": -5,
            }
        ],
    }


def test_problem_repeats_long_values_in_part(api: Api) -> None:
    answer = api.push({"source": "crm", "external_id": "A", "name": "x" * 1000})

    assert answer.json()["errors"][0]["received"] == "x" * 100 + "…"


@pytest.mark.parametrize("kind", KINDS)
def test_problem_type_is_an_address_that_explains_it(client: Client, kind: str) -> None:
    answer = client.get(f"/api/problems/{kind}")

    assert answer.status_code == 200
    assert KINDS[kind].meaning in answer.content.decode()


def test_error_nobody_foresaw_is_a_problem_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("accounts.api.views.push_accounts", fail)
    api.client.raise_request_exception = False

    answer = api.push({"source": "crm", "external_id": "A", "name": "A"})

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert answer.json()["errors"][0]["code"] == "internal"
    assert "hunter2" not in answer.content.decode()


def test_every_address_is_guarded_and_every_change_is_idempotent() -> None:
    for pattern in table.urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "cls", None)
        if view is None or pattern.name == "api-schema":
            continue
        assert pattern.callback.initkwargs["permission_classes"] == [TokenMay], pattern.name  # type: ignore[attr-defined]
        assert view.required_scope, pattern.name
        changing = {"post", "put", "patch", "delete"} & set(vars(view))
        assert not changing or idempotent(view.__mro__[1]).__name__ == view.__name__


def test_hosts_that_are_not_ours_are_refused_as_a_problem(api: Api) -> None:
    answer = api.get("/api/v1/accounts", Host="evil.example")

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(answer.content)["status"] == 400


def test_moments_are_utc_with_z(api: Api) -> None:
    api.push({"source": "crm", "external_id": "A", "name": "A", "arr": "10"})

    (account,) = api.get("/api/v1/accounts").json()["data"]
    assert account["updated_at"].endswith("Z")
    assert account["arr"] == "10.00"
    assert account["updated_at"][:4] == f"{timezone.now():%Y}"
