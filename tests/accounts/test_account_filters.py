"""The list of accounts, filtered and sorted by its address."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client

from accounts.models import Account, AccountIdentifier
from accounts.services.runs import release_run
from frameworks.models import User
from tests.accounts.activating import AT, account, activate, signed_version, work_off
from tests.accounts.test_account_pages import LIST, names
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(AT + timedelta(minutes=1), tick=False):
        yield


@pytest.fixture(scope="module")
def three_world(world: None) -> None:
    """One account with everything, one in Germany's spelling, one of which little is known."""
    with time_machine.travel(AT, tick=False):
        leah = person("leah", "csm")
        acme = account("Acme", arr=Decimal(900_000), csm=leah, domain="www.acme.example")
        AccountIdentifier.objects.create(account=acme, source="crm", external_id="001-7")
        account("Straße AG", employee_count=40_000)
        Account.objects.filter(name="Straße AG").update(name_key="strasse ag")
        account("Bare", arr=None, stage="churned", health_score=None, weekly_active_share=None, last_activity_on=None)
        run = activate(signed_version())
        release_run(run=run, reason="Three accounts are no distribution.", actor=person("dana", "cs_ops"), at=AT)
        work_off(run)


@pytest.fixture
def visitor(client: Client, three_world: None, db: None) -> Client:
    client.force_login(User.objects.get(email="leah@x.example"))
    return client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "STRASSE"}, ["Straße AG"]),
        ({"q": "acme.example"}, ["Acme"]),
        ({"q": "001-7"}, ["Acme"]),
        ({"q": "  "}, ["Acme", "Bare", "Straße AG"]),
        ({"csm": "me"}, ["Acme"]),
        ({"csm": "none"}, ["Bare", "Straße AG"]),
        ({"stage": "churned"}, ["Bare"]),
        ({"in-customer_tier": "strategic"}, ["Acme"]),
        ({"in-engagement": "-"}, ["Bare"]),
        ({"in-engagement": "-missing_data"}, ["Bare"]),
        ({"in-engagement": "-conflict"}, []),
        ({"in-customer_tier": "mid_market", "q": "stra"}, []),
        ({"sort": "-arr"}, ["Acme", "Straße AG", "Bare"]),
        ({"sort": "arr"}, ["Straße AG", "Acme", "Bare"]),
        ({"sort": "-name"}, ["Straße AG", "Bare", "Acme"]),
        ({"sort": "nonsense"}, ["Acme", "Bare", "Straße AG"]),
    ],
)
def test_list_is_filtered_and_sorted_by_its_address(
    visitor: Client, query: dict[str, str], expected: list[str]
) -> None:
    assert names(visitor.get(LIST, query)) == expected
