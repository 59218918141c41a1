"""Files that are refused as a whole, rows that are rejected one by one; nothing is half-written."""

from pathlib import Path
from typing import Any

import pytest

from accounts.intake.errors import FileRefusedError, FileTooLargeError, MappingError
from accounts.intake.mapping import parse_mapping
from accounts.models import Account, AccountIdentifier, Import, MetricObservation, PendingEvaluation
from accounts.services.intake import shown_name
from governance.models import AuditEntry
from tests.accounts.importing import HEADER, MAPPING, ROW, do_import, last_import, mapping, messages, reasons, write

pytestmark = pytest.mark.django_db

GOOD = "A-9,Good,1,1,Retail"


def assert_nothing_written() -> None:
    for model in (Account, AccountIdentifier, MetricObservation, PendingEvaluation, AuditEntry):
        assert not model.objects.exists(), model


def refusal(path: Path, **changes: Any) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        do_import(path, **changes)
    assert_nothing_written()
    batch = last_import()
    assert batch.state == Import.State.FAILED
    assert [problem["code"] for problem in batch.problems] == [detail.code for detail in caught.value.details]
    return caught.value


def only(error: FileRefusedError) -> tuple[str, int | None, int | None]:
    (detail,) = error.details
    return detail.code, detail.line, detail.byte_offset


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# The file


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \r\n "])
def test_file_empty_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refusal(raw(tmp_path / "a.csv", content)).code == "empty_file"


def test_file_with_header_only_has_no_rows(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv"))

    assert (report.rows, report.created, report.rejected) == (0, 0, 0)
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf  <html>", "web page"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel"),
    ],
)
def test_file_that_is_something_else_is_refused_by_content(tmp_path: Path, content: bytes, words: str) -> None:
    error = refusal(raw(tmp_path / "a.csv", content))

    assert error.code == "not_csv"
    assert words in str(error)


def test_file_in_latin_1_is_refused_with_the_byte(tmp_path: Path) -> None:
    content = f"{HEADER}\nA-1,Caf\xe9,1,1,Retail\n".encode("latin-1")

    error = refusal(raw(tmp_path / "a.csv", content))

    assert only(error) == ("encoding", 2, content.index(b"\xe9"))
    assert "Latin-1" in str(error)


def test_file_in_latin_1_is_read_when_the_mapping_says_so(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.csv", f"{HEADER}\nA-1,Caf\xe9,1,1,Retail\n".encode("latin-1"))

    do_import(path, encoding="iso-8859-1")

    assert Account.objects.get().name == "Café"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_file_in_utf_16_is_refused(tmp_path: Path, encoding: str) -> None:
    error = refusal(raw(tmp_path / "a.csv", f"{HEADER}\n{ROW}\n".encode(encoding)))

    assert error.code == "encoding"
    assert error.details[0].byte_offset in (0, 1)


def test_file_in_utf_16_is_read_when_the_mapping_says_so(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.csv", f"{HEADER}\nA-1,Café,1,1,Retail\n".encode("utf-16"))

    do_import(path, encoding="utf-16")

    assert Account.objects.get().name == "Café"


def test_file_in_shift_jis_is_refused(tmp_path: Path) -> None:
    error = refusal(raw(tmp_path / "a.csv", f"{HEADER}\nA-1,日本,1,1,Retail\n".encode("shift_jis")))

    assert only(error)[:2] == ("encoding", 2)


def test_one_row_with_bad_bytes_is_rejected_and_the_others_imported(tmp_path: Path) -> None:
    lines = [f"A-{number},Name,1,1,Retail".encode() for number in range(1, 1001)]
    lines[729] = b"A-730,N\xffme,1,1,Retail"
    path = raw(tmp_path / "a.csv", HEADER.encode() + b"\n" + b"\n".join(lines) + b"\n")

    report = do_import(path)

    assert (report.created, report.rejected) == (999, 1)
    assert reasons(report) == [(731, "name", "encoding")]
    assert "0xFF" in messages(report)
    assert f"{path.read_bytes().index(255):,}" in " ".join(report.notes)


@pytest.mark.parametrize(
    ("lines", "opened"),
    [
        ([ROW, '7,"Acme,1,1,Retail', GOOD, GOOD], 3),
        ([ROW, '7,"Acme,1,1,Retail', GOOD, '8,"Beta, Inc",1,1,Retail', GOOD], 3),
        ([ROW, '7,"Two\nlines",1,1,"Retail', GOOD], 4),
        (['7,"Acme'], 2),
    ],
)
def test_quote_that_never_closes_is_refused_with_its_line(tmp_path: Path, lines: list[str], opened: int) -> None:
    error = refusal(write(tmp_path / "a.csv", *lines))

    assert only(error) == ("unclosed_quote", opened, None)


def test_quote_that_never_closes_is_found_in_a_long_file_without_reading_it_all_into_memory(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "a.csv", ROW, '7,"Acme,1,1,Retail', *[GOOD] * 20_000))

    assert only(error) == ("unclosed_quote", 3, None)


def test_quote_that_never_closes_in_the_header_is_refused(tmp_path: Path) -> None:
    assert only(refusal(raw(tmp_path / "a.csv", b'id,"name,arr\nA-1,Acme,1\n'))) == ("unclosed_quote", 1, None)


def test_quote_in_the_middle_of_a_cell_rejects_that_row_only(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", '7,"Ac"me",1,1,Retail', GOOD))

    assert report.created == 1
    assert reasons(report) == [(2, "", "malformed_quote")]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("id,name,name,arr,industry", "duplicate_header"),
        ("id,name, NAME ,arr,industry", "duplicate_header"),
        ("id,name,,arr,industry", "blank_header"),
        ("id,name,\u200b,arr,industry", "blank_header"),
        ("id,name,a\0b,arr,industry", "control_character"),
    ],
)
def test_header_twice_or_blank_is_refused(tmp_path: Path, header: str, code: str) -> None:
    assert refusal(raw(tmp_path / "a.csv", f"{header}\n{GOOD}\n".encode())).code == code


def test_unknown_columns_are_listed_and_ignored_only_when_told(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.csv", b"id,name,colour,size\nA-1,Acme,red,XL\n")

    error = refusal(path)
    do_import(path, ignore=["colour"], ignore_unknown=True)

    assert [(detail.code, detail.column) for detail in error.details] == [
        ("unknown_column", "colour"),
        ("unknown_column", "size"),
    ]
    assert Account.objects.count() == 1


@pytest.mark.parametrize("header", ["segment", "Override", "locked", "uuid"])
def test_columns_that_people_and_rules_decide_are_refused(tmp_path: Path, header: str) -> None:
    path = raw(tmp_path / "a.csv", f"id,name,{header}\nA-1,Acme,Strategic\n".encode())

    error = refusal(path, ignore_unknown=True)

    assert [(detail.code, detail.column) for detail in error.details] == [("not_importable", header)]


def test_column_called_id_is_refused_unless_it_is_the_external_id(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.csv", b"key,id,name\nA-1,7,Acme\n")

    assert refusal(path, external_id="key").code == "not_importable"


def test_file_without_the_id_column_is_refused(tmp_path: Path) -> None:
    assert only(refusal(raw(tmp_path / "a.csv", b"name\nAcme\n"))) == ("missing_column", 1, None)


def test_limits_of_rows_bytes_and_columns_are_named(tmp_path: Path, settings) -> None:
    settings.IMPORT_MAX_ROWS = 2
    path = write(tmp_path / "a.csv", ROW, GOOD, "A-3,More,1,1,Retail")
    with pytest.raises(FileTooLargeError, match="more than 2 rows"):
        do_import(path)
    settings.IMPORT_MAX_BYTES = path.stat().st_size - 1
    with pytest.raises(FileTooLargeError, match="the limit is"):
        do_import(path)
    settings.IMPORT_MAX_BYTES = 10**9
    wide = raw(tmp_path / "b.csv", ",".join(f"c{number}" for number in range(301)).encode())
    with pytest.raises(FileTooLargeError, match="301 columns"):
        do_import(wide)
    assert_nothing_written()


def test_limit_of_rows_counts_rejected_rows_too(tmp_path: Path, settings: Any) -> None:
    settings.IMPORT_MAX_ROWS = 2

    assert refusal(write(tmp_path / "a.csv", "A-1,Acme", "A-2,Acme", GOOD)).code == "too_many_rows"


def test_file_at_the_limit_of_rows_is_imported(tmp_path: Path, settings) -> None:
    settings.IMPORT_MAX_ROWS = 2

    assert do_import(write(tmp_path / "a.csv", ROW, GOOD)).created == 2


# Rows


def test_row_with_another_number_of_cells_is_rejected(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", "A-1,Acme,1,1", "A-2,Acme,1,1,Retail,more", GOOD))

    assert report.created == 1
    assert reasons(report) == [(2, "", "column_count"), (3, "", "column_count")]
    assert "4 cells, the header 5" in messages(report)


def test_row_with_a_control_character_is_rejected(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", "A-1,Ac\0me,1,1,Retail", "A-2,Acme,1,1,Re\x07tail", GOOD))

    assert report.created == 1
    assert reasons(report) == [(2, "name", "control_character"), (3, "industry", "control_character")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_row_with_a_cell_of_ten_megabytes_is_rejected(tmp_path: Path, quote: str) -> None:
    report = do_import(write(tmp_path / "a.csv", f"A-1,{quote}{'x' * 10_000_000}{quote},1,1,Retail", GOOD))

    assert report.created == 1
    assert reasons(report) == [(2, "", "field_too_long")]


def test_row_without_id_or_with_a_mangled_one_is_rejected(tmp_path: Path) -> None:
    report = do_import(
        write(tmp_path / "a.csv", ",Acme,1,1,Retail", "1.23E+15,Acme,1,1,Retail", f"{'x' * 256},A,1,1,R", GOOD)
    )

    assert report.created == 1
    assert reasons(report) == [(2, "id", "required"), (3, "id", "mangled_id"), (4, "id", "too_long")]


def test_id_is_trimmed_normalised_and_freed_of_invisible_characters(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", " A\u200b-1 ,Acme,1,1,Retail", "e\u0301,Acute,1,1,Retail"))

    assert set(AccountIdentifier.objects.values_list("external_id", flat=True)) == {"A-1", "\u00e9"}


def test_new_account_without_name_is_rejected(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", "A-1,,1,1,Retail", "A-2,-,1,1,Retail", GOOD))

    assert report.created == 1
    assert [code for _, _, code in reasons(report)] == ["required", "required"]


NUMBERS = [
    # cell, form, code, a part of the message
    ("1.000", "1,234.56", "not_whole", "not rounded"),
    ("1,000", "1.234,56", "not_whole", "not rounded"),
    ("1,000", "plain", "not_a_number", "may mean 1.000 or 1,000"),
    ("1 000", "1,234.56", "not_a_number", "may mean 1,000"),
    ("1k", "1,234.56", "not_a_number", "may mean 1,000"),
    ("200-500", "1,234.56", "not_a_number", "range from 200 to 500"),
    ("12.7", "1,234.56", "not_whole", "12.7 is not"),
    ("12.0", "plain", "not_whole", "not rounded"),
    ("-5", "1,234.56", "below_minimum", "never below 0"),
    ("１２", "1,234.56", "not_a_number", "may mean 12"),
    ("1,00", "1,234.56", "not_a_number", "1.00"),
    ("12,34,567", "1,234.56", "not_a_number", ""),
    ("99999999999999999999", "plain", "too_large", "18 digits"),
    ("NaN", "plain", "not_a_number", ""),
    ("unknown", "plain", "not_a_number", ""),
    ("0x10", "plain", "not_a_number", ""),
    ("1_000", "plain", "not_a_number", ""),
    ("+5", "plain", "not_a_number", ""),
]


@pytest.mark.parametrize(("cell", "form", "code", "words"), NUMBERS)
def test_whole_number_in_another_form_is_rejected_with_a_guess(
    tmp_path: Path, cell: str, form: str, code: str, words: str
) -> None:
    columns = {**MAPPING["columns"], "employees": {"attribute": "employee_count", "number_format": form}}

    report = do_import(write(tmp_path / "a.csv", f'A-1,Acme,"{cell}",1,Retail'), columns=columns)

    assert reasons(report) == [(2, "employees", code)]
    assert words in messages(report)
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("cell", "form", "value"),
    [
        ("1,000", "1,234.56", 1000),
        ("1000", "1,234.56", 1000),
        ("1.000", "1.234,56", 1000),
        ("1 000", "1 234,56", 1000),
        ("1\u00a0234\u202f567", "1 234,56", 1234567),
        ("007", "plain", 7),
        ("0", "plain", 0),
    ],
)
def test_whole_number_in_the_declared_form_is_read(tmp_path: Path, cell: str, form: str, value: int) -> None:
    columns = {**MAPPING["columns"], "employees": {"attribute": "employee_count", "number_format": form}}

    do_import(write(tmp_path / "a.csv", f'A-1,Acme,"{cell}",1,Retail'), columns=columns)

    assert Account.objects.get().employee_count == value


@pytest.mark.parametrize(
    ("cell", "code", "words"),
    [
        ("€25.000,00", "not_a_number", "25,000.00"),
        ("$1e5", "not_a_number", ""),
        ("Infinity", "not_a_number", ""),
        ("12345678901234567890", "too_large", ""),
        ("1.234", "too_many_decimals", "1.234"),
        ("1.000", "too_many_decimals", "not rounded"),
        ("-0.01", "below_minimum", ""),
    ],
)
def test_money_in_another_form_is_rejected_with_a_guess(tmp_path: Path, cell: str, code: str, words: str) -> None:
    report = do_import(write(tmp_path / "a.csv", f'A-1,Acme,1,"{cell}",Retail'))

    assert reasons(report) == [(2, "arr", code)]
    assert words in messages(report)


def test_money_in_millions_is_multiplied_exactly(tmp_path: Path) -> None:
    columns = {**MAPPING["columns"], "arr": {"attribute": "arr", "multiply": 1_000_000}}

    report = do_import(
        write(tmp_path / "a.csv", "A-1,Acme,1,0.12345678,Retail", "A-2,B,1,0.123456789,Retail"), columns=columns
    )

    assert str(Account.objects.get().arr) == "123456.78"
    assert reasons(report) == [(3, "arr", "too_many_decimals")]


@pytest.mark.parametrize(
    ("cell", "form", "stored"),
    [
        ("2026-02-28", "YYYY-MM-DD", "2026-02-28"),
        ("2024-02-29", "YYYY-MM-DD", "2024-02-29"),
        ("2026-02-29", "YYYY-MM-DD", None),
        ("2026-02-30", "YYYY-MM-DD", None),
        ("2026-04-31", "YYYY-MM-DD", None),
        ("03/04/2026", "DD/MM/YYYY", "2026-04-03"),
        ("03/04/2026", "MM/DD/YYYY", "2026-03-04"),
        ("31.12.2026", "DD.MM.YYYY", "2026-12-31"),
        ("31.11.2026", "DD.MM.YYYY", None),
        ("13/13/2026", "MM/DD/YYYY", None),
        ("46000", "YYYY-MM-DD", None),
        ("0001-01-01", "YYYY-MM-DD", None),
        ("9999-12-31", "YYYY-MM-DD", None),
        ("2026-1-5", "YYYY-MM-DD", None),
    ],
)
def test_date_is_read_in_the_declared_form_or_rejected(
    tmp_path: Path, cell: str, form: str, stored: str | None
) -> None:
    columns = {"name": {"field": "name"}, "ends": {"attribute": "contract_end_on", "date_format": form}}

    report = do_import(raw(tmp_path / "a.csv", f"id,name,ends\nA-1,Acme,{cell}\n".encode()), columns=columns)

    found = Account.objects.values_list("contract_end_on", flat=True).first()
    assert (str(found) if found else None) == stored
    assert reasons(report) == ([] if stored else [(2, "ends", "not_a_date")])


def test_choice_near_a_known_one_is_rejected_with_a_suggestion(tmp_path: Path) -> None:
    columns = {"name": {"field": "name"}, "stage": {"attribute": "stage"}, "money": {"field": "currency"}}
    path = raw(
        tmp_path / "a.csv", b"id,name,stage,money\nA-1,Acme,custmer,USD\nA-2,Beta,Churned,eur\nA-3,C,churned,EURO\n"
    )

    report = do_import(path, columns=columns)

    assert reasons(report) == [(2, "stage", "unknown_choice"), (4, "money", "invalid_currency")]
    assert "Did you mean “customer”?" in messages(report)
    assert list(Account.objects.values_list("stage", "currency")) == [("churned", "EUR")]


def test_scores_out_of_range_and_long_texts_are_rejected(tmp_path: Path) -> None:
    columns = {"name": {"field": "name"}, "health": {"attribute": "health_score"}}
    path = raw(tmp_path / "a.csv", f"id,name,health\nA-1,Acme,101\nA-2,{'x' * 256},1\n".encode())

    report = do_import(path, columns=columns)

    assert reasons(report) == [(2, "health", "above_maximum"), (3, "name", "too_long")]


def test_required_values_cannot_be_cleared(tmp_path: Path) -> None:
    do_import(write(tmp_path / "a.csv", ROW))

    report = do_import(write(tmp_path / "b.csv", "A-1,<clear>,5,5,Retail"))

    assert reasons(report) == [(2, "name", "required")]
    assert Account.objects.get().employee_count == 1000


def test_unknown_period_rejects_the_row(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.csv", b"id,name,employees,arr,industry,year\nA-1,Acme,1,1,R,2021\nA-2,B,1,1,R,21\n")

    report = do_import(path, period={"column": "year"}, observations=["arr"])

    assert reasons(report) == [(3, "year", "not_a_period")]
    assert (report.created, report.observations) == (1, 1)


def test_every_row_wrong_lists_every_row(tmp_path: Path) -> None:
    report = do_import(write(tmp_path / "a.csv", *[f"A-{n},Acme,x,y,Retail" for n in range(300)]))

    assert (report.rows, report.rejected, len(reasons(report))) == (300, 300, 600)
    assert not Account.objects.exists()


# The mapping


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "Not A Source"}, "source"),
        ({"surprise": 1}, "surprise"),
        ({"columns": {"a": {"attribute": "arr", "field": "name"}}}, "columns › a"),
        ({"columns": {"name": {"field": "name"}, "b": {"field": "name"}}}, "two columns set name"),
        ({"columns": {"arr": {"attribute": "arr"}}}, "need a column that sets the field “name”"),
        ({"observations": ["arr"]}, "observations need a period"),
        ({"period": {"column": "y"}, "observations": ["health_score"]}, "which no column sets"),
        ({"period": {"column": "y", "fiscal_year_end": "13-40"}}, "fiscal_year_end"),
        ({"constants": {"industry": "X"}}, "both a column and a constant"),
        ({"delimiter": "!"}, "delimiter"),
    ],
)
def test_mapping_that_is_wrong_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(mapping(**changes))

    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["segment", "override", "no_such_thing", "csm"])
def test_mapping_to_what_cannot_be_imported_is_refused(tmp_path: Path, key: str) -> None:
    columns = {**MAPPING["columns"], "industry": {"attribute": key}}

    with pytest.raises(MappingError, match=key):
        do_import(write(tmp_path / "a.csv", ROW), columns=columns)

    assert_nothing_written()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\x.csv", "x.csv"),
        ("a\u202evsc.exe", "a\ufffdvsc.exe"),
        ("nul\0.csv", "nul\ufffd.csv"),
        ("", "unnamed"),
    ],
)
def test_file_name_is_shown_without_tricks(name: str, shown: str) -> None:
    assert shown_name(name) == shown
    assert len(shown_name("x" * 300)) == 255
