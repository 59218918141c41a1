"""Importing through the pages: every step, who may, what a second click gets, what a dead worker leaves."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.intake import applying
from accounts.models import Account, Import, ImportRow
from accounts.services import uploads
from accounts.services.intake import LEASE
from accounts.services.uploads import resume_imports, work_import
from frameworks.models import User
from governance.models import AuditEntry
from tests.accounts.importing import HEADER, ROW
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def ravi() -> User:
    return person("ravi", "revops")


@pytest.fixture
def site(client: Client, ravi: User) -> Client:
    client.force_login(ravi)
    return client


def upload(client: Client, *lines: str, content: bytes | None = None, name: str = "accounts.csv") -> Any:
    content = "\n".join([HEADER, *lines, ""]).encode() if content is None else content
    return client.post(reverse("accounts:import_upload"), {"file": SimpleUploadedFile(name, content)})


def uploaded(client: Client, *lines: str) -> Import:
    assert upload(client, *lines).status_code == 302
    return Import.objects.latest("pk")


def address(batch: Import, step: str = "detail") -> str:
    return reverse(f"accounts:import_{step}", args=[batch.uuid])


MAPPING = {
    "encoding": "utf-8",
    "delimiter": ",",
    "source": "crm",
    "external_id": "id",
    "allow_new": "on",
    "missing": "-, N/A",
    "blank": "leave",
    "period": "",
    "grain": "fiscal_year",
    "fiscal_year_end": "12-31",
    "target_0": "-",
    "target_1": "name",
    "target_2": "employee_count",
    "form_2": "1,234.56",
    "target_3": "arr",
    "form_3": "1,234.56",
    "target_4": "industry",
}


def checked(client: Client, *lines: str) -> Import:
    """An import that waits for confirmation."""
    batch = uploaded(client, *lines)
    response = client.post(address(batch, "mapping"), MAPPING)
    assert response.status_code == 302, response.content.decode()[-3000:]
    work_import(import_id=batch.pk)
    batch.refresh_from_db()
    assert batch.state == Import.State.READY, batch.problems
    return batch


def test_import_by_pages_from_upload_to_accounts(site: Client, ravi: User) -> None:
    batch = uploaded(site, ROW, "A-2,Beta,1k,5,Retail")
    mapping = site.get(address(batch)).content.decode()
    site.post(address(batch, "mapping"), MAPPING)
    waiting = site.get(address(batch)).content.decode()
    work_import(import_id=batch.pk)
    preview = site.get(address(batch)).content.decode()
    before = Account.objects.count()
    site.post(address(batch, "confirm"))
    work_import(import_id=batch.pk)
    result = site.get(address(batch)).content.decode()

    assert 'value="employee_count" selected' in mapping
    assert 'value="1,234.56" selected' in mapping
    assert 'hx-trigger="every 1s"' in waiting
    assert "may mean 1,000" in preview
    assert before == 0
    account = Account.objects.get()
    assert (account.name, account.employee_count, account.arr) == ("Acme", 1000, Decimal("25000.50"))
    batch.refresh_from_db()
    assert (batch.state, batch.created, batch.rejected, batch.confirmed_by) == ("applied", 1, 1, ravi)
    assert reverse("accounts:account_list") in result
    assert list(AuditEntry.objects.values_list("action", flat=True).order_by("seq")) == [
        "import.confirmed",
        "import.applied",
    ]


def test_list_shows_imports_in_a_constant_number_of_queries(site: Client) -> None:
    uploaded(site, ROW)
    with CaptureQueriesContext(
        connection,
    ) as one:
        site.get(reverse("accounts:import_list"))
    uploaded(site, ROW)
    uploaded(site, ROW)
    with CaptureQueriesContext(connection) as three:
        response = site.get(reverse("accounts:import_list"))

    assert len(three) == len(one)
    assert response.content.decode().count("accounts.csv") == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"%PDF-1.4", "PDF"),
        (b"<html></html>", "web page"),
    ],
)
def test_upload_of_something_else_is_refused_and_not_kept(
    site: Client, settings: Any, content: bytes, words: str
) -> None:
    response = upload(site, content=content)

    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Import.objects.exists()
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_upload_over_the_limit_is_413(site: Client, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 10

    response = upload(site, ROW)

    assert response.status_code == 413
    assert "the limit is 10" in response.content.decode()
    assert not Import.objects.exists()


def test_upload_is_stored_under_our_own_name_and_shown_escaped(site: Client, settings: Any) -> None:
    upload(site, ROW, name="<b>x\u202evsc.csv")
    batch = Import.objects.get()

    shown = site.get(address(batch)).content.decode()

    assert batch.file.name == f"imports/{batch.uuid}.csv"
    assert [path.name for path in Path(settings.MEDIA_ROOT).rglob("*.csv")] == [f"{batch.uuid}.csv"]
    assert "&lt;b&gt;x" in shown
    assert "<b>x" not in shown
    assert "\u202e" not in shown


def test_upload_in_another_encoding_asks_for_it(site: Client) -> None:
    response = upload(site, content=f"{HEADER}\nA-1,Caf\xe9,1,1,Retail\n".encode("latin-1"))
    batch = Import.objects.get()

    refused = site.get(address(batch)).content.decode()
    read = site.get(address(batch), {"encoding": "iso-8859-1"}).content.decode()

    assert response.status_code == 302
    assert "byte 38" in refused
    assert "Café" in read


def test_mapping_with_an_unknown_column_left_open_is_refused(site: Client) -> None:
    batch = uploaded(site, ROW)

    response = site.post(address(batch, "mapping"), {**MAPPING, "target_4": ""})

    batch.refresh_from_db()
    assert response.status_code == 422
    assert "does not know the column “industry”" in response.content.decode()
    assert batch.state == Import.State.UPLOADED


def test_mapping_leaves_out_the_rest_when_told(site: Client) -> None:
    batch = uploaded(site, ROW)

    site.post(address(batch, "mapping"), {**MAPPING, "target_4": "", "ignore_rest": "on"})

    batch.refresh_from_db()
    assert (batch.state, batch.mapping["ignore"]) == ("validating", ["industry"])


def test_mapping_that_contradicts_itself_is_refused(site: Client) -> None:
    batch = uploaded(site, ROW)

    response = site.post(address(batch, "mapping"), {**MAPPING, "target_4": "arr", "source": "Not A Source"})

    assert response.status_code == 422
    assert "source" in response.content.decode()
    batch.refresh_from_db()
    assert batch.state == Import.State.UPLOADED


def test_mapping_of_an_earlier_import_is_offered_and_fills_the_form(site: Client) -> None:
    earlier = checked(site, ROW)
    site.post(address(earlier, "confirm"))
    work_import(import_id=earlier.pk)
    batch = uploaded(site, ROW)

    plain = site.get(address(batch)).content.decode()
    filled = site.get(address(batch), {"like": str(earlier.uuid)}).content.decode()

    assert str(earlier.uuid) in plain
    assert 'name="source" value="crm"' in filled
    assert 'value="crm"' not in plain


def test_file_that_breaks_off_fails_with_the_line_and_changes_nothing(site: Client) -> None:
    batch = uploaded(site, *[ROW] * 10, 'A-2,"Beta,1,1,Retail')
    site.post(address(batch, "mapping"), MAPPING)

    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert (batch.state, batch.problems[0]["code"], batch.problems[0]["line"]) == ("failed", "unclosed_quote", 12)
    assert "opens in line 12" in site.get(address(batch)).content.decode()
    assert not Account.objects.exists()


def test_file_that_breaks_off_at_once_is_named_before_the_mapping(site: Client) -> None:
    batch = uploaded(site, 'A-2,"Beta,1,1,Retail')

    shown = site.get(address(batch)).content.decode()

    assert "opens in line 2" in shown
    assert site.post(address(batch, "mapping"), MAPPING).status_code == 422


def test_confirm_without_any_good_row_is_refused(site: Client) -> None:
    batch = checked(site)

    response = site.post(address(batch, "confirm"))

    assert 'aria-disabled="true"' in site.get(address(batch)).content.decode()
    assert response.status_code == 409
    batch.refresh_from_db()
    assert batch.state == Import.State.READY


def test_confirm_twice_applies_once(site: Client) -> None:
    batch = checked(site, ROW)

    first = site.post(address(batch, "confirm"))
    second = site.post(address(batch, "confirm"))
    work_import(import_id=batch.pk)
    work_import(import_id=batch.pk)
    third = site.post(address(batch, "confirm"))

    assert [first.status_code, second.status_code, third.status_code] == [302, 409, 409]
    assert Account.objects.get().version == 1
    assert AuditEntry.objects.filter(action="import.applied").count() == 1


def test_confirm_after_accounts_changed_shows_the_new_figures_first(site: Client) -> None:
    applied = checked(site, ROW)
    site.post(address(applied, "confirm"))
    work_import(import_id=applied.pk)
    batch = checked(site, 'A-1,Acme,"1,000",30000,Technology')
    Account.objects.update(employee_count=7, version=2)

    site.post(address(batch, "confirm"))
    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert (batch.state, batch.confirmed_by) == ("ready", None)
    assert batch.preview["attributes"] == {"arr": 1, "employee_count": 1}
    assert "Accounts changed after the preview" in site.get(address(batch)).content.decode()
    assert Account.objects.get().arr == Decimal("25000.50")


def test_confirm_by_somebody_who_lost_the_permission_is_refused(site: Client, ravi: User) -> None:
    batch = checked(site, ROW)
    ravi.groups.clear()

    response = site.post(address(batch, "confirm"))

    batch.refresh_from_db()
    assert response.status_code == 403
    assert batch.state == Import.State.READY
    assert not Account.objects.exists()


@pytest.mark.parametrize("step", ["list", "detail", "progress", "rejected"])
def test_pages_are_for_people_who_may_import(client: Client, site: Client, step: str) -> None:
    batch = uploaded(site, ROW)
    client.force_login(person("leah", "csm"))
    url = reverse("accounts:import_list") if step == "list" else address(batch, step)

    assert client.get(url).status_code == 403
    client.logout()
    assert client.get(url).status_code == 302


@pytest.mark.parametrize("step", ["upload", "mapping", "confirm", "cancel"])
def test_acts_are_for_people_who_may_import_and_never_by_get(client: Client, site: Client, step: str) -> None:
    batch = checked(site, ROW)
    url = reverse("accounts:import_upload") if step == "upload" else address(batch, step)
    by_get = site.get(url).status_code
    client.force_login(person("leah", "csm"))

    response = client.post(url, MAPPING)

    batch.refresh_from_db()
    assert (by_get, response.status_code) == (405, 403)
    assert batch.state == Import.State.READY
    assert Import.objects.count() == 1


def test_cancel_leaves_accounts_alone_and_stops_the_worker(site: Client) -> None:
    batch = uploaded(site, ROW)
    site.post(address(batch, "mapping"), MAPPING)

    response = site.post(address(batch, "cancel"))
    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert response.status_code == 302
    assert batch.state == Import.State.CANCELLED
    assert site.post(address(batch, "confirm")).status_code == 409
    assert not Account.objects.exists()


def test_progress_reloads_the_page_when_the_state_changed(site: Client) -> None:
    batch = uploaded(site, ROW)
    site.post(address(batch, "mapping"), MAPPING)

    same = site.get(address(batch, "progress"), {"state": "validating"})
    work_import(import_id=batch.pk)
    other = site.get(address(batch, "progress"), {"state": "validating"})

    assert 'role="progressbar"' in same.content.decode()
    assert other.headers["HX-Refresh"] == "true"


def test_rejected_rows_as_csv_are_harmless_in_a_spreadsheet(site: Client) -> None:
    batch = checked(site, "=HYPERLINK(1),Acme,@SUM(1),1,Retail")

    response: Any = site.get(address(batch, "rejected"))

    text = b"".join(response.streaming_content).decode("utf-8-sig")

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["line"], row["external_id"], row["received"], row["code"]) for row in rows] == [
        ("2", "'=HYPERLINK(1)", "'@SUM(1)", "not_a_number")
    ]


def test_worker_that_dies_while_applying_is_replaced_and_rows_are_applied_once(
    site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = checked(site, ROW)
    site.post(address(batch, "confirm"))
    mark = applying._mark
    monkeypatch.setattr(applying, "_mark", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work_import(import_id=batch.pk)
    assert not Account.objects.exists()
    monkeypatch.setattr(applying, "_mark", mark)

    assert resume_imports(at=timezone.now() + timedelta(seconds=1)) == 1
    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert batch.state == Import.State.APPLIED
    assert Account.objects.get().version == 1


def test_worker_does_not_touch_an_import_that_another_one_holds(site: Client) -> None:
    batch = checked(site, ROW)
    site.post(address(batch, "confirm"))
    held = uploads._take(batch.pk)

    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert held is not None
    assert (batch.state, batch.lease) == ("applying", held.lease)
    assert resume_imports(at=timezone.now()) == 0
    assert resume_imports(at=timezone.now() + LEASE * 2) == 1


def test_import_that_stops_three_times_fails_with_words(site: Client) -> None:
    batch = checked(site, ROW)
    site.post(address(batch, "confirm"))
    Import.objects.update(attempts=uploads.MAX_ATTEMPTS)

    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert batch.state == Import.State.FAILED
    assert "three times" in site.get(address(batch)).content.decode()
    assert not Account.objects.exists()


def test_stored_file_that_was_exchanged_is_refused(site: Client) -> None:
    batch = checked(site, ROW)
    Path(batch.file.path).write_text(f"{HEADER}\nA-1,Other,1,1,Retail\n")
    site.post(address(batch, "confirm"))

    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert (batch.state, batch.problems[0]["code"]) == ("failed", "file_changed")
    assert not Account.objects.exists()


def test_mapping_chosen_again_replaces_the_preview(site: Client) -> None:
    batch = checked(site, "A-1,Acme,1.000,5,Retail")
    rejected = batch.rejected
    again = site.get(address(batch), {"again": "1"})

    site.post(address(batch, "mapping"), {**MAPPING, "form_2": "1.234,56"})
    work_import(import_id=batch.pk)

    batch.refresh_from_db()
    assert again.status_code == 200
    assert (rejected, batch.rejected, batch.created) == (1, 0, 1)
    assert not ImportRow.objects.exists()
