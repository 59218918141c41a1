"""A service account with a token, a small model in force, and a client that speaks JSON exactly as told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, AccountIdentifier
from frameworks.models import Attribute, User
from tests.api.making import Api, Model, make_model, make_service, make_token


@pytest.fixture
def service(db: None) -> User:
    return make_service()


@pytest.fixture
def api(service: User) -> Api:
    return Api(make_token(service), Client())


@pytest.fixture
def own_attributes(db: None) -> None:
    types = Attribute.DataType
    for key, data_type in {
        "seats": types.INTEGER,
        "spend": types.MONEY,
        "score": types.DECIMAL,
        "renewed_on": types.DATE,
        "last_call_at": types.DATETIME,
        "note": types.TEXT,
        "plan": types.CHOICE,
        "is_partner": types.BOOLEAN,
    }.items():
        Attribute.objects.create(key=key, data_type=data_type, storage=Attribute.Storage.JSON)


@pytest.fixture
def model(db: None) -> Model:
    return make_model()


@pytest.fixture
def nothing_written(db: None) -> Callable[[], tuple[Any, ...]]:
    """What must be the same before and after a refused push."""

    def state() -> tuple[Any, ...]:
        rows = Account.objects.order_by("pk").values_list(
            "pk", "name", "version", "attributes", "employee_count", "arr"
        )
        return list(rows), list(AccountIdentifier.objects.order_by("pk").values_list("source", "external_id"))

    return state
