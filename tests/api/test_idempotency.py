"""A repeated request: the same answer, once; also when two come at the same moment."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Account
from frameworks.models import User
from governance.api.idempotency import delete_old_keys
from governance.models import IdempotencyKey
from tests.api.making import UPSERT, Api, make_service, make_token

BODY = {"items": [{"source": "crm", "external_id": "A", "name": "Castellan Freight", "arr": "5.00"}]}


def test_key_repeated_gets_the_first_answer(api: Api) -> None:
    first = api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})
    second = api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert first.json()["summary"]["created"] == 1
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"


def test_key_quoted_and_bare_are_the_same(api: Api) -> None:
    api.post(UPSERT, BODY, **{"Idempotency-Key": '"abc"'})

    assert api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a b", "a\tb", "é", "a\x01"])
def test_key_that_is_none_is_400(api: Api, key: str) -> None:
    answer = api.post(UPSERT, BODY, **{"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_idempotency_key")
    assert not Account.objects.exists()


def test_key_with_another_body_is_422_and_changes_nothing(api: Api) -> None:
    api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    answer = api.post(UPSERT, {"items": [BODY["items"][0] | {"arr": "6.00"}]}, **{"Idempotency-Key": "abc"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "idempotency_mismatch")
    assert Account.objects.get().arr == 5


def test_key_of_another_user_is_another_key(api: Api) -> None:
    other = Api(make_token(make_service("other@example.com")), Client())
    api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    answer = other.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    assert "Idempotency-Replayed" not in answer
    assert answer.json()["summary"]["unchanged"] == 1


def test_key_keeps_a_problem_of_the_content(api: Api) -> None:
    wrong = {"items": [BODY["items"][0] | {"arr": 5}]}
    first = api.post(UPSERT, wrong, **{"Idempotency-Key": "abc"})

    second = api.post(UPSERT, wrong, **{"Idempotency-Key": "abc"})

    assert (first.status_code, second.status_code) == (422, 422)
    assert second["Idempotency-Replayed"] == "true"
    assert second["Content-Type"] == "application/problem+json"
    assert not Account.objects.exists()


def test_key_keeps_a_problem_whose_place_cannot_be_stored(api: Api) -> None:
    wrong = '{"items":[{"source":"crm","external_id":"A","\\u0000":"\\u0000"}]}'

    for _ in range(2):
        answer = api.post(UPSERT, wrong, **{"Idempotency-Key": "abc"})
        assert (answer.status_code, answer.json()["errors"][1]["pointer"]) == (422, "/items/0/\ufffd")


def test_key_does_not_keep_a_problem_of_the_state(api: Api) -> None:
    nameless = {"items": [{"source": "crm", "external_id": "A", "arr": "6.00"}]}
    assert api.post(UPSERT, nameless, **{"Idempotency-Key": "abc"}).status_code == 422
    api.post(UPSERT, BODY)

    answer = api.post(UPSERT, nameless, **{"Idempotency-Key": "abc"})

    assert answer.status_code == 200
    assert answer.json()["summary"]["updated"] == 1


def test_key_does_not_keep_a_refused_scope(service: User) -> None:
    api = Api(make_token(service, "accounts:read"), Client())

    assert api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"}).status_code == 403
    assert not IdempotencyKey.objects.exists()


def test_key_is_forgotten_after_a_day(api: Api) -> None:
    api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    answer = api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    assert "Idempotency-Replayed" not in answer
    assert answer.json()["summary"]["unchanged"] == 1


def test_old_keys_are_deleted_and_young_ones_stay(api: Api) -> None:
    api.post(UPSERT, BODY, **{"Idempotency-Key": "old"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    api.post(UPSERT, BODY, **{"Idempotency-Key": "young"})

    assert delete_old_keys(at=timezone.now()) == 1
    assert IdempotencyKey.objects.get().key == "young"


def test_key_of_a_request_that_crashed_is_free(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("accounts.api.views.push_accounts", fail)
        api.client.raise_request_exception = False
        assert api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"}).status_code == 500

    answer = api.post(UPSERT, BODY, **{"Idempotency-Key": "abc"})

    assert answer.json()["summary"]["created"] == 1


def _in_thread(target: Any) -> threading.Thread:
    def run() -> None:
        try:
            target()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_requests_with_one_key_make_one_account() -> None:
    token = make_token(make_service())
    answers: list[Any] = []

    def send() -> None:
        answers.append(Api(token, Client()).post(UPSERT, BODY, **{"Idempotency-Key": "abc"}))

    for thread in [_in_thread(send) for _ in range(20)]:
        thread.join()

    assert {answer.status_code for answer in answers} <= {200, 409}
    taken = [answer.json() for answer in answers if answer.status_code == 200]
    assert taken
    assert all(body == taken[0] for body in taken)
    assert Account.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_key_in_use_for_more_than_two_seconds_is_409_with_retry_after() -> None:
    service = make_service()
    token = make_token(service)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            IdempotencyKey.objects.create(principal=service, key="abc", fingerprint="x", created_at=timezone.now())
            is_held.set()
            may_end.wait(10)

    thread = _in_thread(hold)
    is_held.wait(10)
    began = time.monotonic()
    answer = Api(token, Client()).post(UPSERT, BODY, **{"Idempotency-Key": "abc"})
    waited = time.monotonic() - began
    may_end.set()
    thread.join()

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "in_progress")
    assert answer["Retry-After"] == "1"
    assert 1.5 < waited < 4
    assert not Account.objects.exists()
