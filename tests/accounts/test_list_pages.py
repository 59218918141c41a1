"""The pages of account lists, and what people change on them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, AccountIdentifier, ListEntry, PendingEvaluation, Signal
from accounts.services.lists import change_list_entries
from frameworks.errors import NotAllowedError
from frameworks.models import AccountList, User
from governance.models import AuditEntry
from tests.accounts.test_account_pages import words
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 31, 10, tzinfo=UTC)


@pytest.fixture
def ravi() -> User:
    return person("ravi", "revops")


@pytest.fixture
def visitor(client: Client, ravi: User) -> Client:
    client.force_login(ravi)
    return client


@pytest.fixture
def logos() -> AccountList:
    return AccountList.objects.create(key="key_logos", label="Key logos", purpose="key_logos")


def company(name: str, **fields: Any) -> Account:
    row = Account.objects.create(name=name, name_key=name.casefold(), **fields)
    AccountIdentifier.objects.create(account=row, source="crm", external_id=name)
    return row


def on(account_list: AccountList, *accounts: Account) -> None:
    ListEntry.objects.bulk_create(ListEntry(list=account_list, account=each, added_at=AT) for each in accounts)


def change(visitor: Client, **said: str) -> Any:
    given = {"action": "add", "way": "name", **said}
    return visitor.post(reverse("accounts:list_change", args=["key_logos"]), given, follow=True)


def test_list_is_made_with_a_key_from_its_name(visitor: Client, ravi: User) -> None:
    answer = visitor.post(
        reverse("accounts:list_create"), {"label": "Fortune 2000", "purpose": "index", "owner": ravi.pk}, follow=True
    )

    made = AccountList.objects.get()
    assert (made.key, made.label, made.purpose, made.owner) == ("fortune_2000", "Fortune 2000", "index", ravi)
    assert "Nobody is on this list yet" in words(answer)
    assert AuditEntry.objects.get(action="list.created").after["key"] == "fortune_2000"


def test_second_list_with_a_key_is_refused(visitor: Client, logos: AccountList) -> None:
    answer = visitor.post(reverse("accounts:list_create"), {"label": "Key logos", "purpose": "other"})

    assert answer.status_code == 422
    assert AccountList.objects.count() == 1


def test_list_is_edited_and_taken_out_of_use(visitor: Client, logos: AccountList) -> None:
    visitor.post(reverse("accounts:list_edit", args=["key_logos"]), {"label": "Logos", "purpose": "other"})

    logos.refresh_from_db()
    entry = AuditEntry.objects.get(action="list.edited")
    assert (logos.label, logos.purpose, logos.is_live, logos.key) == ("Logos", "other", False, "key_logos")
    assert (entry.before["label"], entry.after["label"]) == ("Key logos", "Logos")


def test_pasted_names_are_added_and_strangers_reported(visitor: Client, logos: AccountList) -> None:
    bosch = company("Bosch")

    answer = change(visitor, lines="BOSCH\r\n\r\nNobody & Sons\r\nBosch ")

    page = words(answer)
    assert [entry.account for entry in ListEntry.objects.all()] == [bosch]
    assert "Nobody & Sons" in page
    assert "No account is called so." in page
    assert list(PendingEvaluation.objects.values_list("account_id", "cause")) == [(bosch.pk, "list")]


def test_pasted_ids_of_a_source_are_removed(visitor: Client, logos: AccountList) -> None:
    bosch, siemens = company("Bosch"), company("Siemens")
    on(logos, bosch, siemens)

    change(visitor, action="remove", way="id:crm", lines="Bosch")

    assert [entry.account for entry in ListEntry.objects.all()] == [siemens]


def test_one_account_is_found_added_and_removed(visitor: Client, logos: AccountList) -> None:
    bosch = company("Bosch")
    found = visitor.get(reverse("accounts:list_detail", args=["key_logos"]), {"find": "osc"})
    assert 'aria-label="Add Bosch"' in found.content.decode()

    visitor.post(reverse("accounts:list_add", args=["key_logos"]), {"account": str(bosch.uuid)})
    added = ListEntry.objects.filter(account=bosch).exists()
    visitor.post(reverse("accounts:list_remove", args=["key_logos"]), {"account": str(bosch.uuid)})

    assert added
    assert not ListEntry.objects.exists()


@pytest.mark.parametrize("text", ["", "no-id", "00000000-0000-0000-0000-000000000000"])
def test_unknown_account_cannot_be_added(visitor: Client, logos: AccountList, text: str) -> None:
    answer = visitor.post(reverse("accounts:list_add", args=["key_logos"]), {"account": text})

    assert answer.status_code == 422
    assert not ListEntry.objects.exists()


def test_export_is_harmless_in_a_spreadsheet(visitor: Client, logos: AccountList) -> None:
    on(logos, company("=HYPERLINK(1)"))

    answer = visitor.get(reverse("accounts:list_export", args=["key_logos"]))

    content: Any = answer
    text = b"".join(content.streaming_content).decode()
    assert "'=HYPERLINK(1)" in text
    assert ",=" not in text


@pytest.mark.parametrize("role", ["csm", "executive", "auditor"])
def test_others_read_lists_and_change_nothing(client: Client, logos: AccountList, role: str) -> None:
    client.force_login(person("leah", role))
    bosch = company("Bosch")
    on(logos, bosch)
    key = ["key_logos"]
    posts: list[tuple[str, list[str], dict[str, str]]] = [
        ("list_create", [], {"label": "Mine", "purpose": "other"}),
        ("list_edit", key, {"label": "Mine", "purpose": "other"}),
        ("list_change", key, {"action": "remove", "way": "name", "lines": "Bosch"}),
        ("list_remove", key, {"account": str(bosch.uuid)}),
    ]

    page = client.get(reverse("accounts:list_detail", args=key))
    answers = [client.post(reverse(f"accounts:{name}", args=args), said) for name, args, said in posts]

    assert page.status_code == 200
    assert "Paste many" not in words(page)
    assert {answer.status_code for answer in answers} == {403}
    assert list(AccountList.objects.values_list("label", flat=True)) == ["Key logos"]
    assert ListEntry.objects.count() == 1
    assert not PendingEvaluation.objects.exists()
    assert not AuditEntry.objects.exists()


def test_service_refuses_who_may_not_edit(logos: AccountList) -> None:
    company("Bosch")

    with pytest.raises(NotAllowedError):
        change_list_entries(
            account_list=logos, action="add", items=[{"name": "Bosch"}], actor=person("leah", "csm"), at=AT
        )

    assert not ListEntry.objects.exists()


@pytest.mark.parametrize("name", ["list_list", "list_detail"])
def test_pages_ask_as_often_for_three_rows_as_for_one(visitor: Client, name: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            visitor.get(reverse(f"accounts:{name}", args=["list0"] if name == "list_detail" else []))
        return len(captured)

    lists = [AccountList.objects.create(key=f"list{n}", label=f"List {n}") for n in range(3)]
    rows = [company(f"Company {n}") for n in range(3)]
    on(lists[0], rows[0])
    queries()
    one = queries()
    on(lists[0], *rows[1:])
    on(lists[1], *rows)

    assert queries() == one


def test_account_page_shows_lists_and_signals(visitor: Client, logos: AccountList) -> None:
    bosch = company("Bosch")
    on(logos, bosch)
    Signal.objects.create(
        account=bosch,
        kind="hiring",
        occurred_on="2026-03-02",
        details={"role": "CFO"},
        source="crm",
        external_id="S-1",
        recorded_at=AT,
    )

    page = words(visitor.get(reverse("accounts:account_detail", args=[bosch.uuid])))

    assert "Key logos" in page
    assert "role: CFO" in page
