"""Fixtures of the governance tests."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.models import Account
from frameworks.models import User
from frameworks.roles import Role
from governance.models import OverrideRequest
from tests.governance.makers import ask, make_account, make_framework, make_person


@pytest.fixture(autouse=True)
def anchor_file(settings: Any, tmp_path: Path) -> Path:
    """Each test has an audit log of its own, so no anchor of another may be near."""
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchors.jsonl"
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    return make_person


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return SimpleNamespace(
        dana=make_person("Dana Whitfield", Role.CS_OPS, is_staff=True),
        owen=make_person("Owen Blake", Role.DEAL_DESK, is_staff=True),
        leah=make_person("Leah Kim", Role.CSM),
        jonas=make_person("Jonas Weber", Role.CSM),
        ravi=make_person("Ravi Patel", Role.REVOPS, is_staff=True),
        ines=make_person("Ines Duarte", Role.AUDITOR),
        sync=make_person("CRM sync", Role.INTEGRATION, is_service=True),
        root=make_person("Root", is_staff=True, is_superuser=True),
    )


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return make_framework(people.ravi)


@pytest.fixture
def account(model: SimpleNamespace, people: SimpleNamespace) -> Account:
    return make_account(model, people.leah)


@pytest.fixture
def request_by_leah(account: Account, model: SimpleNamespace, people: SimpleNamespace) -> OverrideRequest:
    return ask(account, model, people.leah)
