"""Only what a version in force reads owes an evaluation; everything does as long as none is in force."""

from decimal import Decimal

import pytest

from accounts.models import Account, AccountIdentifier, PendingEvaluation
from accounts.relevance import attributes_read
from accounts.services.pushing import push_accounts
from tests.accounts.activating import AT, activate, signed_version
from tests.accounts.test_runs import spread
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


def push(**attributes: object) -> str:
    item = {"external_id": "C-1", "source": "crm", **attributes}
    result = push_accounts(items=[item], all_or_none=True, actor=person("sync", "integration"), at=AT)
    return str(result.results[0].status)


@pytest.fixture
def account() -> Account:
    accounts = spread()
    activate(signed_version())
    PendingEvaluation.objects.all().delete()
    AccountIdentifier.objects.create(account=accounts[0], source="crm", external_id="C-1")
    return accounts[0]


def test_attribute_that_no_rule_reads_owes_nothing_but_counts_as_a_change(account: Account) -> None:
    version = account.version
    assert "city" not in (attributes_read() or ())

    assert push(city="Lyon") == "updated"

    assert not PendingEvaluation.objects.exists()
    account.refresh_from_db()
    assert (account.city, account.version) == ("Lyon", version + 1)


def test_attribute_that_a_rule_reads_owes_an_evaluation(account: Account) -> None:
    assert push(arr="123456.00", city="Lyon") == "updated"

    assert PendingEvaluation.objects.get().account == account
    account.refresh_from_db()
    assert account.arr == Decimal("123456.00")


def test_everything_owes_an_evaluation_while_no_version_is_in_force() -> None:
    spread()

    assert attributes_read() is None
