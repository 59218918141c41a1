"""What a file would move, by API as by the command: counted, and in words of why not."""

from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.evaluation import engine
from accounts.models import Account
from frameworks.models import Framework
from frameworks.roles import Role
from frameworks.services.exchange import export_version
from tests.accounts.activating import AT, account, activate, signed_version
from tests.accounts.test_framework_command import run
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import Company

YAML = "application/yaml"


@pytest.fixture
def api(db: None) -> Api:
    return Api(make_token(make_service("pipeline@example.com", Role.INTEGRATION), "frameworks:read"), Client())


def impact(api: Api, text: str) -> Any:
    with time_machine.travel(AT, tick=False):
        answer = api.post("/api/v1/frameworks/main/files/plan", text, content_type=YAML)
    assert answer.status_code == 200, answer.content
    return answer.json()["impact"]


def moves_of(said: Any, dimension: str) -> Any:
    return next(each for each in said["dimensions"] if each["dimension"] == dimension)


def test_plan_counts_the_moves_that_the_command_counts_and_writes_nothing(api: Api, tmp_path: Any) -> None:
    version = activate(signed_version()).framework_version
    ids = [account("Large", arr=Decimal("600000.00")).pk, account("Between", arr=Decimal("120000.00")).pk]
    account("Gone", deleted_at=AT)
    engine.evaluate_accounts(account_ids=ids, at=AT)
    late = account("Late", arr=Decimal("120000.00"))
    text = export_version(version).replace("arr in [100000, 500000)", "arr in [130000, 500000)")
    text = text.replace("arr in [25000, 100000)", "arr in [25000, 130000)")
    file = tmp_path / "main.yaml"
    file.write_text(text)

    said = impact(api, text)

    assert (said["state"], said["accounts"]) == ("counted", 3)
    assert said["compared_with"] == {"id": str(version.uuid), "number": 0}
    assert moves_of(said, "customer_tier") == {
        "dimension": "customer_tier",
        "moving": 2,
        "moves": [
            {"was": None, "now": "mid_market", "accounts": 1, "is_first": True},
            {"was": "enterprise", "now": "mid_market", "accounts": 1, "is_first": False},
        ],
    }
    assert [move["is_first"] for move in moves_of(said, "lifecycle")["moves"]] == [True]
    assert not late.assignments.exists()
    with time_machine.travel(AT, tick=False):
        assert "Enterprise → Mid-Market: 1\n" in run("plan", file)[0]


def test_plan_without_a_version_in_force_says_that_everybody_comes_from_nowhere(api: Api) -> None:
    company = Company()
    Account.objects.create(name="Acme", name_key="acme", arr=Decimal(5))

    said = impact(api, export_version(company.version))

    assert Framework.objects.get(slug="main").active_version is None
    assert (said["state"], said["compared_with"]) == ("counted", None)
    assert moves_of(said, "tier")["moves"] == [{"was": None, "now": "smb", "accounts": 1, "is_first": True}]


def test_plan_without_accounts_or_with_too_many_counts_nothing_and_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = export_version(Company().version)
    nobody = impact(api, text)
    for name in ("acme", "bolt"):
        Account.objects.create(name=name, name_key=name)
    monkeypatch.setattr("frameworks.api.files.ACCOUNTS_AT_MOST", 1)
    many = impact(api, text)

    shared: dict[str, Any] = {"compared_with": None, "dimensions": []}
    assert nobody == {"state": "no_accounts", "accounts": 0, **shared}
    assert many == {"state": "too_many_accounts", "accounts": 2, **shared}


def test_value_that_the_file_reads_otherwise_leaves_the_moves_uncounted(api: Api) -> None:
    company = Company()
    company.save("data_source", "tenure", {"label": "Tenure", "data_type": "text", "system": "CRM"})
    Account.objects.create(name="Acme", name_key="acme", arr=Decimal(5), attributes={"tenure": "long"})
    text = export_version(company.version).replace("data_type: text", "data_type: integer")
    text = text.replace("all(arr < 100000)", "all(arr < 100000, tenure > 5)")
    assert "tenure > 5" in text

    said = impact(api, text)

    assert (said["state"], said["dimensions"]) == ("unreadable", [])
