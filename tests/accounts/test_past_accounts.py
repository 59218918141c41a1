"""What rules could read of an account is kept by the database when it changes."""

import importlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, PastAccount

MIGRATION = importlib.import_module("accounts.migrations.0005_lists_signals_series_past")
AT = datetime(2026, 3, 31, 10, tzinfo=UTC)


def _account(**values: object) -> Account:
    return Account.objects.create(name="Castellan", name_key="castellan", **values)


def test_every_column_of_an_account_is_kept_or_known_not_to_be_read():
    columns = {field.column for field in Account._meta.concrete_fields}

    assert {*MIGRATION.READ_BY_RULES, *MIGRATION.NOT_READ, "version"} == columns


def test_changed_value_leaves_the_row_as_it_was(db):
    account = _account(arr="25000.10", attributes={"plan": "gold"})

    Account.objects.filter(pk=account.pk).update(arr="30000.00", version=2, updated_at=datetime(2099, 1, 1, tzinfo=UTC))

    kept = PastAccount.objects.get()
    assert kept.account_id == account.pk
    assert kept.until == datetime(2099, 1, 1, tzinfo=UTC)
    assert Decimal(str(kept.facts["arr"])) == Decimal("25000.10")
    assert kept.facts["attributes"] == {"plan": "gold"}
    assert "name" not in kept.facts
    assert "employee_count" not in kept.facts


def test_change_that_no_rule_reads_keeps_nothing(db):
    account = _account(arr="25000.10")

    account.name = "Castellan Freight"
    account.save()
    Account.objects.filter(pk=account.pk).update(version=2)
    Account.objects.filter(pk=account.pk).update(arr="25000.10")

    assert not PastAccount.objects.exists()


def test_upsert_of_a_stored_account_keeps_what_it_was(db):
    account = _account(arr="25000.10")
    account.arr = Decimal("1.00")

    Account.objects.bulk_create([account], update_conflicts=True, unique_fields=["id"], update_fields=["arr"])

    assert [row.facts["arr"] for row in PastAccount.objects.all()] == [25000.1]


def test_past_is_written_once(db):
    account = _account(arr="25000.10")
    Account.objects.filter(pk=account.pk).update(arr="1.00")

    with pytest.raises(IntegrityError), transaction.atomic():
        PastAccount.objects.update(until=AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        PastAccount.objects.all().delete()

    assert PastAccount.objects.count() == 1
