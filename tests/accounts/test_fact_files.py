"""Metric history, signals and list entries from CSV files, and the series an import of accounts keeps."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, AccountIdentifier, ListEntry, MetricSeries, PastAccount, PendingEvaluation, Signal
from frameworks.models import AccountList
from tests.accounts.importing import do_import

pytestmark = pytest.mark.django_db

METRICS = "source,external_id,metric,grain,period,period_end_on,value,is_closed"


@pytest.fixture
def acme() -> Account:
    row = Account.objects.create(name="Acme", name_key="acme")
    AccountIdentifier.objects.create(account=row, source="crm", external_id="A-1")
    return row


def file_of(folder: Path, *lines: str) -> str:
    path = folder / "facts.csv"
    path.write_text("\n".join([*lines, ""]))
    return str(path)


def test_metrics_file_becomes_series(tmp_path: Path, acme: Account, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(
        tmp_path,
        METRICS,
        "crm,A-1,arr,fiscal_quarter,2026-Q1,2026-03-31,25000.00,",
        "crm,A-1,arr,fiscal_quarter,2025-Q4,2025-12-31,24000,true",
    )

    call_command("accounts", "metrics", path)

    series = MetricSeries.objects.get()
    assert (series.ends, series.values) == ([date(2026, 3, 31), date(2025, 12, 31)], [Decimal(25000), Decimal(24000)])
    assert "2 created" in capsys.readouterr().out


def test_refused_lines_are_named_and_the_others_stored(
    tmp_path: Path, acme: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(
        tmp_path,
        METRICS,
        "crm,A-1,arr,fiscal_quarter,2026-Q1,2026-03-31,25000.00,",
        'crm,A-9,arr,fiscal_quarter,2026-Q1,2026-03-31,"25,000",',
    )

    with pytest.raises(CommandError, match="1 lines were refused"):
        call_command("accounts", "metrics", path)

    assert MetricSeries.objects.count() == 1
    assert "line 3: value:" in capsys.readouterr().out


def test_signals_file_has_details_in_columns(tmp_path: Path, acme: Account) -> None:
    path = file_of(
        tmp_path,
        "source,external_id,signal_id,kind,occurred_on,detail.role,detail.tool",
        "crm,A-1,S-1,hiring,2026-03-02,Sales Ops,",
    )

    call_command("accounts", "signals", path)

    assert Signal.objects.get().details == {"role": "Sales Ops"}


def test_lists_file_replaces_the_entries(tmp_path: Path, acme: Account) -> None:
    account_list = AccountList.objects.create(key="logos", label="Logos")
    other = Account.objects.create(name="Other", name_key="other")
    ListEntry.objects.create(list=account_list, account=other, added_at="2026-01-01T00:00:00Z")

    call_command("accounts", "lists", file_of(tmp_path, "name", "ACME"), "--list", "logos", "--do", "replace")

    assert [entry.account for entry in ListEntry.objects.all()] == [acme]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "The file is empty"),
        (("source,external_id,metrik",), "no column “metrik”"),
        (("source,source",), "twice"),
        (("source,external_id", "crm"), "Line 2 has 1 cells"),
    ],
)
def test_file_that_is_no_such_table_changes_nothing(
    tmp_path: Path, acme: Account, lines: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("\n".join(lines))

    with pytest.raises(CommandError, match=said):
        call_command("accounts", "metrics", str(path))

    assert not MetricSeries.objects.exists()
    assert not PendingEvaluation.objects.exists()


def imported(tmp_path: Path, *rows: str) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("\n".join(["id,name,arr,year", *rows, ""]))
    do_import(
        path,
        columns={"name": {"field": "name"}, "arr": {"attribute": "arr"}},
        period={"column": "year", "grain": "fiscal_year"},
        observations=["arr"],
    )


def test_import_keeps_the_series_of_its_periods(tmp_path: Path) -> None:
    imported(tmp_path, "A-1,Acme,100,2024", "A-1,Acme,200,2025")

    series = MetricSeries.objects.get()
    assert (series.metric, series.grain) == ("arr", "fiscal_year")
    assert (series.ends, series.values) == ([date(2025, 12, 31), date(2024, 12, 31)], [Decimal(200), Decimal(100)])


def test_late_period_in_a_file_gives_a_new_version_and_one_mark(tmp_path: Path) -> None:
    imported(tmp_path, "A-1,Acme,200,2025")
    PendingEvaluation.objects.all().delete()
    before = Account.objects.get()

    imported(tmp_path, "A-1,Acme,100,2024")

    after = Account.objects.get()
    assert (after.arr, after.version) == (before.arr, before.version + 1)
    assert MetricSeries.objects.get().values == [200, 100]
    assert PendingEvaluation.objects.count() == 1
    assert not PastAccount.objects.exists()


def test_file_without_news_leaves_version_and_marks_alone(tmp_path: Path) -> None:
    imported(tmp_path, "A-1,Acme,200,2025")
    PendingEvaluation.objects.all().delete()
    before = Account.objects.values().get()

    imported(tmp_path, "A-1,Acme,200,2025")

    assert Account.objects.values().get() == before
    assert not PendingEvaluation.objects.exists()


def test_import_of_a_parent_owes_its_children_an_evaluation(tmp_path: Path) -> None:
    imported(tmp_path, "A-1,Acme,200,2025")
    parent = Account.objects.get()
    child = Account.objects.create(name="Child", name_key="child", parent=parent, ultimate_parent=parent)
    PendingEvaluation.objects.all().delete()

    imported(tmp_path, "A-1,Acme,300,2025")

    assert set(PendingEvaluation.objects.values_list("account_id", flat=True)) == {parent.pk, child.pk}
