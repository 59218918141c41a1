"""What a good file does, row by row, and that a second look does nothing."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from accounts.demo_data import PANEL, PANEL_MAPPING
from accounts.models import Account, Import, MetricObservation, PendingEvaluation
from accounts.services.intake import ImportReport, Watch, import_file
from frameworks.models import Attribute
from governance.models import AuditEntry
from tests.accounts.importing import AT, HEADER, ROW, do_import, last_import, mapping, stored, write

pytestmark = pytest.mark.django_db


def test_import_new_account_has_values_keys_instants_and_provenance(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", ROW))

    account = stored()
    assert (report.created, report.updated, report.rejected) == (1, 0, 0)
    assert (account.name, account.name_key, account.industry, account.industry_key) == (
        "Acme", "acme", "Technology", "technology",
    )  # fmt: skip
    assert (account.employee_count, account.arr) == (1000, Decimal("25000.50"))
    assert account.arr_observed_at == account.employee_count_observed_at == AT
    assert account.health_score_observed_at is None
    assert account.provenance["arr"] == {"source": "crm", "import": str(report.uuid), "at": AT.isoformat()}
    assert set(account.provenance) == {"name", "arr", "employee_count", "industry"}
    assert (account.version, account.stage, account.currency) == (1, "customer", "USD")
    assert PendingEvaluation.objects.filter(account_id=account.pk, cause="data").count() == 1


def test_import_again_unchanged_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW)
    do_import(path)
    before = Account.objects.values().get()
    PendingEvaluation.objects.all().delete()

    report = do_import(path, at=AT + timedelta(days=1))

    assert (report.created, report.updated, report.unchanged) == (0, 0, 1)
    assert Account.objects.values().get() == before
    assert not PendingEvaluation.objects.exists()


def test_import_change_touches_only_the_changed_attribute(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW, "A-2,Beta,5,100,Retail"))
    PendingEvaluation.objects.all().delete()
    later = AT + timedelta(days=1)

    report = do_import(
        write(tmp_path / "b.csv", 'A-1,Acme,"1,000",30000,Technology', "A-2,Beta,5,100,Retail"), at=later
    )

    account = stored()
    assert (report.updated, report.unchanged, report.attributes) == (1, 1, {"arr": 1})
    assert (account.arr, account.arr_observed_at, account.version) == (Decimal(30000), later, 2)
    assert account.employee_count_observed_at == AT
    assert account.provenance["arr"]["import"] == str(report.uuid)
    assert account.provenance["name"]["import"] != str(report.uuid)
    assert list(PendingEvaluation.objects.values_list("account_id", flat=True)) == [account.pk]


def test_import_value_seen_again_after_a_month_is_fresh_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW)
    do_import(path)
    later = AT + timedelta(days=31)

    report = do_import(path, at=later)

    assert report.updated == 1
    assert stored().arr_observed_at == later


def test_import_blank_and_missing_cells_leave_and_clear_token_clears(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))

    kept = do_import(write(tmp_path / "b.csv", "A-1,,-,N/A, "))
    cleared = do_import(write(tmp_path / "c.csv", "A-1,Acme,<clear>,<clear>,<clear>"))

    assert (kept.updated, kept.missing) == (0, {"employee_count": 1, "arr": 1})
    assert cleared.updated == 1
    account = stored()
    assert (account.employee_count, account.arr, account.industry, account.industry_key) == (None, None, None, None)
    assert account.name == "Acme"


def test_import_blank_clears_when_the_mapping_says_so(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))

    do_import(write(tmp_path / "b.csv", "A-1,Acme,,5,Technology"), blank="clear")

    assert (stored().employee_count, stored().arr) == (None, Decimal(5))


def test_import_absent_column_leaves_values_and_says_so(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))
    path = tmp_path / "b.csv"
    path.write_text("id,name,employees\nA-1,Acme,7\n")

    report = do_import(path)

    assert (stored().employee_count, stored().arr) == (7, Decimal("25000.50"))
    assert "“arr” is not in the file" in " ".join(report.notes)


def test_import_own_attributes_are_kept_as_json_with_decimals_as_text(tmp_path: Path) -> None:
    for key, kind in {
        "seats": "integer",
        "score": "decimal",
        "renews": "date",
        "champion": "boolean",
        "plan": "text",
    }.items():
        Attribute.objects.create(key=key, data_type=kind)
    path = tmp_path / "a.csv"
    path.write_text("id,name,seats,score,renews,champion,plan\nA-1,Acme,12,3.50,31/01/2026,Yes,Gold\n")
    columns = {key: {"attribute": key} for key in ("seats", "score", "champion", "plan")}
    columns |= {"name": {"field": "name"}, "renews": {"attribute": "renews", "date_format": "DD/MM/YYYY"}}

    do_import(path, columns=columns)
    again = do_import(path, columns=columns)

    assert stored().attributes == {
        "seats": 12,
        "score": "3.5",
        "renews": "2026-01-31",
        "champion": True,
        "plan": "Gold",
    }
    assert again.updated == 0


def test_import_constants_fill_what_is_empty_and_never_overwrite(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW)
    do_import(path, constants={"country": "United States", "stage": "prospect"})
    Account.objects.update(stage="churned")

    report = do_import(path, constants={"country": "Canada", "stage": "customer"})

    account = stored()
    assert report.updated == 0
    assert (account.country, account.country_key, account.stage) == ("United States", "united states", "churned")


def test_import_unknown_accounts_are_rejected_unless_allowed(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", ROW), allow=[])

    assert (report.created, report.rejected) == (0, 1)
    assert not Account.objects.exists()


def test_import_deleted_account_is_rejected_and_untouched(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))
    Account.objects.update(deleted_at=AT)
    before = Account.objects.values().get()

    report = do_import(write(tmp_path / "b.csv", "A-1,Acme,7,7,Retail"))

    assert (report.updated, report.rejected) == (0, 1)
    assert Account.objects.values().get() == before


def test_import_is_one_governed_act(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", ROW, "A-2,Beta,1.5,1,Retail"))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id) == ("import.applied", str(report.uuid))
    assert (entry.after["created"], entry.after["rejected"], entry.after["source"]) == ("1", "1", "crm")


def test_import_preview_refused_changes_nothing(tmp_path: Path) -> None:
    seen: list[ImportReport] = []

    def decline(report: ImportReport) -> bool:
        seen.append(report)
        return False

    watch = Watch(confirm=decline)

    report = import_file(path=write(tmp_path / "a.csv", ROW), mapping=mapping(), actor=None, at=AT, watch=watch)

    assert (seen[0].created, report.state) == (1, Import.State.CANCELLED)
    assert not Account.objects.exists()
    assert not AuditEntry.objects.exists()


def test_import_account_edited_after_the_comparison_is_compared_again(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))
    path = write(tmp_path / "b.csv", 'A-1,Acme,"1,000",30000,Technology')

    def edit_meanwhile(_: object) -> bool:
        Account.objects.update(employee_count=5, arr=Decimal(30000), version=9)
        return True

    watch = Watch(confirm=edit_meanwhile)
    report = import_file(path=path, mapping=mapping(), actor=None, at=AT, watch=watch)

    account = stored()
    assert report.attributes == {"employee_count": 1}
    assert (account.employee_count, account.version) == (1000, 10)
    assert set(account.provenance) >= {"employee_count"}


def _panel(*periods: str) -> ImportReport:
    return import_file(path=PANEL, mapping=PANEL_MAPPING, actor=None, at=AT, periods=periods)


def test_import_panel_years_become_history_and_the_newest_year_the_present() -> None:
    first = _panel("2019", "2020")
    walmart = stored("Walmart", "fortune1000")
    before = (walmart.annual_revenue, walmart.employee_count)

    second = _panel("2021")

    walmart.refresh_from_db()
    assert (first.rows, first.skipped, first.rejected) == (3000, 1000, 0)
    assert first.observations == 4000
    assert second.observations == 2000
    assert before == (Decimal("523964000000.00"), 2200000)
    assert (walmart.annual_revenue, walmart.employee_count) == (Decimal("559151000000.00"), 2300000)
    history = MetricObservation.objects.filter(account=walmart, metric="annual_revenue")
    assert list(history.values_list("period", "period_end_on", "is_closed")) == [
        (year, date(int(year), 12, 31), True) for year in ("2019", "2020", "2021")
    ]


def test_import_panel_again_writes_nothing() -> None:
    _panel()
    marks = PendingEvaluation.objects.count()

    again = _panel()

    assert (again.created, again.updated, again.unchanged, again.observations) == (0, 0, 1221, 0)
    assert PendingEvaluation.objects.count() == marks


def test_import_older_period_adds_history_and_leaves_the_present(tmp_path: Path) -> None:
    _panel("2021")
    before = Account.objects.get(identifiers__external_id="Walmart").annual_revenue

    report = _panel("2019")

    assert Account.objects.get(identifiers__external_id="Walmart").annual_revenue == before
    assert report.observations == 2000


def test_import_restated_period_appends_a_newer_observation(tmp_path: Path) -> None:
    _panel("2021")
    with PANEL.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    path = tmp_path / "restated.csv"
    restated = [[cell.replace("559,151.00", "559,152.00") for cell in row] for row in rows[:2]]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(restated)

    report = import_file(path=path, mapping=PANEL_MAPPING, actor=None, at=AT)

    values = MetricObservation.objects.filter(account__name="Walmart", metric="annual_revenue").order_by("pk")
    assert report.observations == 1
    assert list(values.values_list("value", flat=True)) == [Decimal(559151000000), Decimal(559152000000)]


def test_import_byte_order_mark_and_any_line_ends_keep_line_numbers(tmp_path: Path) -> None:
    for number, end in enumerate(("\n", "\r\n", "\r")):
        path = tmp_path / f"{number}.csv"
        text = end.join([HEADER, f'B-{number},"Two{end}lines",1,1,Retail', f"C-{number},Bad,x,1,Retail", ""])
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())

        report = do_import(path)

        assert (report.created, report.rejected) == (1, 1)
        assert last_import().rejected_rows.get().line == 4
        assert stored(f"B-{number}").name == "Two lines"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_import_delimiter_is_detected(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEADER}\nA-1,Acme,7,8,Retail\n".replace(",", delimiter))

    report = do_import(path)

    assert report.created == 1
    assert (stored().employee_count, stored().industry) == (7, "Retail")


@pytest.mark.parametrize(
    "name", ["Pipe | and \\ back", "Café", "=HYPERLINK(1)", "<script>alert(1)</script>", "+cmd", "😀"]
)
def test_import_any_text_is_stored_as_it_is(tmp_path: Path, name: str) -> None:
    do_import(write(tmp_path / "a.csv", f'A-1,"{name}",1,1,"{name}"'))

    assert (stored().name, stored().industry) == (name, name)


def test_import_repeated_row_is_taken_once_and_a_different_one_not_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW, ROW, "A-2,Beta,1,1,Retail", "A-2,Beta,2,1,Retail")

    report = do_import(path)

    assert (report.created, report.collapsed, report.rejected) == (1, 1, 2)
    rows = last_import().rejected_rows.all()
    assert [(row.line, row.code) for row in rows] == [(4, "conflict_in_file"), (5, "conflict_in_file")]
    assert "4, 5" in rows[0].message


def test_import_two_ids_of_one_account_with_different_values_conflict(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))
    stored().identifiers.create(source="crm", external_id="A-9")

    report = do_import(write(tmp_path / "b.csv", "A-1,Acme,1,1,Retail", "A-9,Acme,2,1,Retail"))

    assert (report.updated, report.rejected) == (0, 2)
    assert stored().employee_count == 1000


def test_import_as_application_role_needs_no_rights_of_the_owner(tmp_path: Path, application_role) -> None:
    with application_role():
        created = do_import(write(tmp_path / "a.csv", ROW))
        updated = do_import(write(tmp_path / "b.csv", "A-1,Acme,2,2,Retail"))

    assert (created.created, updated.updated) == (1, 1)
