"""Texts among a company's own attributes: their matching keys are written on every way in, and rules compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account
from accounts.services.pushing import push_accounts
from frameworks.models import Attribute, User
from tests.accounts import storing
from tests.accounts.importing import AT, do_import
from tests.accounts.small import leaf, one_rule
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

STREETS = 150 * "ß"


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


@pytest.fixture
def motto() -> Attribute:
    return Attribute.objects.create(key="motto", data_type="text")


def push(value: str | None, **fields: Any) -> Account:
    item = {"source": "crm", "external_id": "A-1", "name": "Acme", "attributes": {"motto": value}, **fields}
    done = push_accounts(items=[item], all_or_none=True, actor=person(f"sync{Attribute.pk}", "integration"), at=AT)
    assert done.is_applied, done.results
    return Account.objects.get()


def imported(tmp_path: Path, text: str) -> Account:
    path = tmp_path / "a.csv"
    path.write_text(f"id,name,motto\nA-1,Acme,{text}\n")
    do_import(path, columns={"name": {"field": "name"}, "motto": {"attribute": "motto"}})
    return Account.objects.get()


def found_by(text: str, author: User) -> list[str]:
    """Names of the accounts that a rule on the text takes."""
    bodies = one_rule(leaf("eq", "motto", text))
    version = storing.store_framework(bodies, author)
    rows = list(Account.objects.all())
    storing.apply(version, [row.pk for row in rows], AT)
    assigned = storing.assigned([row.pk for row in rows])
    return [row.name for row in rows if assigned[row.pk]["d"].segment]


def test_pushed_text_is_found_as_people_write_it(motto: Attribute, author: User) -> None:
    account = push("Straße  der Freiheit")

    assert (account.attributes, account.attribute_keys) == (
        {"motto": "Straße  der Freiheit"},
        {"motto": "strasse der freiheit"},
    )
    assert found_by("STRASSE DER FREIHEIT", author) == ["Acme"]


def test_pushed_text_that_means_no_value_has_no_key(motto: Attribute) -> None:
    account = push("n/a")

    assert (account.attributes, account.attribute_keys) == ({"motto": "n/a"}, {})


def test_imported_text_is_found_as_people_write_it(motto: Attribute, author: User, tmp_path: Path) -> None:
    account = imported(tmp_path, "Cafe\u0301")

    assert (account.attributes, account.attribute_keys) == ({"motto": "Café"}, {"motto": "café"})
    assert found_by("CAFÉ", author) == ["Acme"]


def test_changed_and_cleared_text_takes_its_key_along(motto: Attribute, tmp_path: Path) -> None:
    texts = ("One", "Two", "", "unknown", "Three", "<clear>")
    stored = [imported(tmp_path, text) for text in texts]

    assert [(account.attributes.get("motto"), account.attribute_keys.get("motto")) for account in stored] == [
        ("One", "one"),
        ("Two", "two"),
        ("Two", "two"),
        ("unknown", None),
        ("Three", "three"),
        (None, None),
    ]


def test_text_whose_key_is_longer_than_itself_is_kept_whole(motto: Attribute, author: User, tmp_path: Path) -> None:
    account = push(STREETS, industry=STREETS)
    assert account.industry_key == account.attribute_keys["motto"] == 300 * "s"

    path = tmp_path / "b.csv"
    path.write_text(f"id,name,city\nA-2,{STREETS},{STREETS[:100]}\n")
    do_import(path, columns={"name": {"field": "name"}, "city": {"attribute": "city"}})

    assert Account.objects.get(name=STREETS).city_key == 200 * "s"
