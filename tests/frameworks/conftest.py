from collections.abc import Callable

import pytest
from django.test import Client

from frameworks.models import User
from tests.frameworks.making import Company


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def login(client: Client) -> Callable[[User], Client]:
    def as_person(user: User) -> Client:
        client.force_login(user)
        return client

    return as_person
