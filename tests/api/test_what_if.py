"""The what-if of one account over the API: the answer, what is refused and where, and that nothing is written."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Assignment
from accounts.supposing import CHANGES_MOST
from frameworks.models import AccountList
from tests.accounts import storing
from tests.accounts.small import framework, leaf, rule
from tests.api.making import Api, make_account, make_service, make_token
from tests.frameworks.making import person


@pytest.fixture
def given(db: None) -> Account:
    high = {"op": "any", "items": [leaf("ge", "employee_count", "1000"), {"op": "on_list", "list": "fortune"}]}
    bodies = framework({"tier": ({}, {"high": [rule(high)], "low": [rule({"op": "always"})]})})
    version = storing.store_framework(bodies, person("ravi", "revops"))
    AccountList.objects.get_or_create(key="fortune", defaults={"label": "Fortune 2000"})
    account = make_account(employee_count=900)
    storing.apply(version, [account.pk], timezone.now())
    return account


def asked(api: Api, account: Account, body: Any) -> Any:
    return api.post(f"/api/v1/accounts/{account.uuid}/what-if", body)


def test_what_if_answers_now_and_then_with_every_verdict(api: Api, given: Account) -> None:
    answer = asked(api, given, {"values": {"employee_count": 1000}, "lists": {"fortune": True}})

    assert answer.status_code == 200, answer.json()
    (row,) = answer.json()["data"]
    assert (row["dimension"], row["now"]["segment"], row["then"]["segment"]) == ("tier", "low", "high")
    assert (row["moves"], row["counts"]) == (True, True)
    (group,) = row["then"]["rules"][0]["children"]
    assert [(leaf["verdict"], leaf["value"]) for leaf in group["children"]] == [("true", "1,000"), ("true", "on it")]
    given.refresh_from_db()
    assert (given.employee_count, given.version) == (900, 1)
    assert not given.list_entries.exists()
    assert Assignment.objects.get(account=given).version == 1


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "", "no_changes"),
        ({"values": {}}, "", "no_changes"),
        ({"valeus": {"arr": "1.00"}}, "/valeus", "unknown_field"),
        ({"values": []}, "", "no_changes"),
        ({"values": 3}, "/values", "wrong_type"),
        ({"values": {"employes": 3}}, "/values/employes", "unknown_attribute"),
        ({"values": {"arr_per_head": "3"}}, "/values/arr_per_head", "unknown_attribute"),
        ({"values": {"employee_count": "3"}}, "/values/employee_count", "wrong_type"),
        ({"values": {"employee_count": -3}}, "/values/employee_count", "out_of_range"),
        ({"values": {"health_score": 101}}, "/values/health_score", "out_of_range"),
        ({"values": {"stage": None}}, "/values/stage", "not_nullable"),
        ({"values": {"name": "Other"}}, "/values/name", "unknown_attribute"),
        ({"lists": {"fortun": True}}, "/lists/fortun", "unknown_list"),
        ({"lists": {"fortune": "yes"}}, "/lists/fortune", "wrong_type"),
        ({"signals": [{"kind": "hiring"}]}, "/signals/0/occurred_on", "missing"),
        ({"signals": [{"kind": "hiring", "occurred_on": "2900-01-01"}]}, "/signals/0/occurred_on", "out_of_range"),
        ({"periods": [3]}, "/periods/0", "wrong_type"),
        ({"signals": [{"kind": "a", "occurred_on": "2026-01-01"}] * (CHANGES_MOST + 1)}, "", "too_many_changes"),
    ],
)
def test_what_cannot_be_supposed_is_refused_with_its_place(
    api: Api,
    given: Account,
    nothing_written: Callable[[], tuple[Any, ...]],
    body: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    before = nothing_written()

    answer = asked(api, given, body)

    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]
    assert nothing_written() == before


def test_open_period_and_a_period_said_twice_are_refused(api: Api, given: Account) -> None:
    period = {"metric": "arr", "grain": "fiscal_year", "period_end_on": "2025-12-31", "value": "1.00"}
    coming = {**period, "period": "2100", "period_end_on": "2100-12-31"}
    closed = {**period, "period": "2025"}

    answer = asked(api, given, {"periods": [closed, closed, coming]})

    codes = {(each["pointer"], each["code"]) for each in answer.json()["errors"]}
    assert codes == {
        ("/periods/0", "duplicate"),
        ("/periods/1", "duplicate"),
        ("/periods/2/period_end_on", "not_ended"),
    }


def test_account_that_is_not_there_any_more_is_not_found(api: Api, given: Account) -> None:
    Account.objects.filter(pk=given.pk).update(deleted_at=timezone.now())

    answers = [asked(api, each, {"values": {"arr": "1.00"}}) for each in (given, Account(uuid=uuid4()))]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize(
    ("has", "lacks"), [("assignments:read", "accounts:read"), ("accounts:read", "assignments:read")]
)
def test_token_without_both_scopes_asks_nothing(
    given: Account, nothing_written: Callable[[], tuple[Any, ...]], has: str, lacks: str
) -> None:
    token = make_token(make_service("other@example.com"), has)
    before = nothing_written()

    answer = asked(Api(token, Client()), given, {"values": {"arr": "1.00"}})

    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (403, f"The token needs the scope {lacks}.")
    assert "data" not in answer.json()
    assert answer["WWW-Authenticate"].endswith('scope="accounts:read assignments:read"')
    assert nothing_written() == before
