"""Who gets in: tokens of every state, scopes against the owner's rights, networks; and how tokens are made."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frameworks.errors import InvalidError, NotAllowedError
from frameworks.models import User
from frameworks.roles import Role
from governance.models import ApiToken, AuditEntry, Scope
from governance.services.tokens import PREFIX, issue_token, revoke_token
from tests.api.making import UPSERT, Api, held_scopes, make_service, make_token


def answer_to(token: str, path: str = "/api/v1/accounts", **headers: str) -> Any:
    return Client().get(path, headers={"Authorization": f"Bearer {token}", **headers})


def code(answer: Any) -> str:
    found: str = answer.json()["errors"][0]["code"]
    return found


def test_token_valid_gets_in_and_is_kept_as_a_hash_only(service: User) -> None:
    text = make_token(service)

    assert text.startswith(PREFIX)
    assert answer_to(text).status_code == 200
    token = ApiToken.objects.get()
    assert text not in str(vars(token))


def test_no_token_is_401_with_a_challenge(db: None) -> None:
    answer = Client().get("/api/v1/accounts")

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer["Content-Type"] == "application/problem+json"


def test_token_altered_is_401(service: User) -> None:
    text = make_token(service)
    for wrong in (
        text[:-1],
        text[:-1] + ("0" if text[-1] != "0" else "1"),
        "tok_" + text[4:],
        text + "0",
        "cut_",
        "x" * 5000,
        "cut_é",
    ):
        answer = answer_to(wrong)
        assert (answer.status_code, code(answer)) == (401, "invalid_token"), wrong


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Basic dXNlcjpwYXNz", "Token cut_x", ""])
def test_authorization_in_another_form_is_401(db: None, header: str) -> None:
    answer = Client().get("/api/v1/accounts", headers={"Authorization": header})

    assert answer.status_code == 401


def test_token_expired_is_401_and_stays_listed(service: User) -> None:
    text = make_token(service)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))

    answer = answer_to(text)

    assert (answer.status_code, code(answer)) == (401, "expired_token")
    assert ApiToken.objects.count() == 1


def test_token_revoked_is_401(service: User) -> None:
    text = make_token(service)
    revoke_token(token=ApiToken.objects.get(), reason="Left the project.", actor=None, at=timezone.now())

    assert answer_to(text).status_code == 401


def test_token_of_an_inactive_owner_is_401(service: User) -> None:
    text = make_token(service)
    User.objects.filter(pk=service.pk).update(is_active=False)

    answer = answer_to(text)

    assert (answer.status_code, code(answer)) == (401, "inactive_owner")


@pytest.mark.parametrize("name", ["token", "access_token", "q"])
def test_token_in_the_address_is_refused_and_revoked(service: User, name: str) -> None:
    text = make_token(service)

    answer = Client().get(f"/api/v1/accounts?{name}={text}")

    assert (answer.status_code, code(answer)) == (401, "token_in_query")
    assert answer_to(text).status_code == 401
    assert AuditEntry.objects.filter(action="token.revoked").count() == 1


def test_session_of_a_person_does_not_open_the_api(db: None) -> None:
    person = User.objects.create_superuser("root@example.com", "correct horse battery", name="Root")
    client = Client()
    client.force_login(person)

    assert client.get("/api/v1/accounts").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/accounts", Scope.ACCOUNTS_READ),
        ("POST", UPSERT, Scope.ACCOUNTS_WRITE),
        ("GET", "/api/v1/assignments", Scope.ASSIGNMENTS_READ),
        ("GET", "/api/v1/assignments/changes", Scope.ASSIGNMENTS_READ),
        ("GET", "/api/v1/assignments/changes/head", Scope.ASSIGNMENTS_READ),
        ("GET", "/api/v1/frameworks", Scope.FRAMEWORKS_READ),
    ],
)
def test_scope_missing_is_403_and_named(service: User, method: str, path: str, scope: str) -> None:
    token = make_token(service, *(other for other in held_scopes(service) if other != scope))

    answer = Api(token, Client()).send(method, path, {"items": []})

    assert (answer.status_code, code(answer)) == (403, "insufficient_scope")
    assert scope in answer.json()["detail"]


def test_scope_counts_only_as_far_as_the_owner_may(service: User) -> None:
    token = make_token(service)
    service.groups.clear()
    api = Api(token, Client())

    assert api.post(UPSERT, {"items": []}).status_code == 403
    assert api.get("/api/v1/accounts").status_code == 200


@pytest.mark.parametrize(
    ("cidrs", "address", "status"),
    [
        (["10.0.0.0/8"], "10.1.2.3", 200),
        (["10.0.0.0/8"], "11.1.2.3", 403),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", 200),
        (["2001:db8::/32", "10.0.0.0/8"], "2001:db8::1", 200),
        (["10.0.0.0/8"], "", 403),
    ],
)
def test_network_of_the_caller_is_compared(service: User, cidrs: list[str], address: str, status: int) -> None:
    token = make_token(service, cidrs=cidrs)

    answer = Client(REMOTE_ADDR=address).get("/api/v1/accounts", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == status


def test_forwarded_address_counts_only_behind_our_proxies(service: User, settings: Any) -> None:
    token = make_token(service, cidrs=["10.0.0.0/8"])

    assert answer_to(token, **{"X-Forwarded-For": "10.0.0.1"}).status_code == 403
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert answer_to(token, **{"X-Forwarded-For": "1.2.3.4, 10.0.0.1"}).status_code == 200
    assert answer_to(token, **{"X-Forwarded-For": "10.0.0.1, 1.2.3.4"}).status_code == 403


def test_use_is_noted_once_a_minute(service: User) -> None:
    token = make_token(service)
    answer_to(token)
    first = ApiToken.objects.get().last_used_at

    with CaptureQueriesContext(connection) as captured:
        answer_to(token)

    assert first is not None
    assert ApiToken.objects.get().last_used_at == first
    assert not any("UPDATE" in query["sql"] for query in captured)


def issue(owner: User, **changes: Any) -> tuple[ApiToken, str]:
    at = timezone.now()
    given: dict[str, Any] = {
        "owner": owner,
        "name": "sync",
        "scopes": ["accounts:read"],
        "expires_at": at + timedelta(days=1),
        "actor": None,
        "at": at,
    }
    return issue_token(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "  "}, "name"),
        ({"scopes": []}, "scope"),
        ({"scopes": ["everything"]}, "no scope everything"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "past"),
        ({"expires_at": timezone.now() + timedelta(days=1000)}, "730 days"),
        ({"cidrs": ["10.0.0.1/8"]}, "not a network"),
    ],
)
def test_issuing_with_a_wrong_value_is_refused_in_words(service: User, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        issue(service, **changes)

    assert not ApiToken.objects.exists()


def test_issuing_beyond_the_owners_rights_is_refused(db: None) -> None:
    auditor = make_service("audit@example.com", Role.AUDITOR)

    with pytest.raises(InvalidError, match="accounts:write"):
        issue(auditor, scopes=["accounts:read", "accounts:write"])

    assert not ApiToken.objects.exists()


def test_issuing_for_a_person_is_refused(db: None) -> None:
    person = User.objects.create_user("leah@example.com", "correct horse battery", name="Leah")

    with pytest.raises(InvalidError, match="person"):
        issue(person)


def test_issuing_and_revoking_need_the_permission(service: User) -> None:
    leah = User.objects.create_user("leah@example.com", "correct horse battery", name="Leah")
    token, _ = issue(service)

    with pytest.raises(NotAllowedError):
        issue(service, actor=leah)
    with pytest.raises(NotAllowedError):
        revoke_token(token=token, reason="", actor=leah, at=timezone.now())

    token.refresh_from_db()
    assert token.expiry is not None
    assert token.expiry > timezone.now()
    assert ApiToken.objects.count() == 1


def test_issuing_is_written_to_the_audit_chain_without_the_token(service: User) -> None:
    token, text = issue(service)

    entry = AuditEntry.objects.get(action="token.issued")
    assert entry.after["token"] == "sync"
    assert text not in str(vars(entry))
    assert token.digest not in str(vars(entry))


def test_command_issues_lists_and_revokes(service: User) -> None:
    out = StringIO()
    call_command(
        "token",
        "issue",
        "--owner",
        service.email,
        "--name",
        "sync",
        "--scope",
        "accounts:read",
        stdout=out,
        stderr=StringIO(),
    )
    text = out.getvalue().strip()
    assert answer_to(text).status_code == 200

    listed = StringIO()
    call_command("token", "list", stdout=listed)
    key = listed.getvalue().split()[0]
    call_command("token", "revoke", key, "--reason", "test", stdout=StringIO())

    assert answer_to(text).status_code == 401


@pytest.mark.parametrize(
    "arguments",
    [
        ["issue", "--owner", "nobody@example.com", "--name", "x", "--scope", "accounts:read"],
        ["issue", "--owner", "sync@example.com", "--name", "x", "--scope", "everything"],
        ["revoke", "cut_nothing", "--reason", "x"],
    ],
)
def test_command_with_a_wrong_argument_says_so(service: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("token", *arguments, stdout=StringIO(), stderr=StringIO())

    assert not ApiToken.objects.exists()
