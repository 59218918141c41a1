"""`manage.py criteria evaluate`: a framework's answers for a file of accounts, with nothing stored touched."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account

pytestmark = pytest.mark.django_db

FRAMEWORK = """
format: cutline-framework/1
framework: small
parts:
  data_source:
    arr: {label: ARR, data_type: money, scale: 2, currency: USD}
    industry: {label: Industry, data_type: text}
    tools: {label: Tools, data_type: tags}
    key_account: {label: Key account, data_type: boolean}
  dimension:
    tier:
      label: Tier
      hit_policy: ranked
      segments: [large, small]
  segment:
    tier/large:
      label: Large
      dimension: tier
      rules:
        - {key: value, basis: value, criteria: arr >= 100000.00}
        - {key: key, basis: value, criteria: key_account is true}
    tier/small:
      label: Small
      dimension: tier
      rules:
        - {key: value, basis: value, criteria: "arr < 100000.00"}
        - {key: tech, basis: technographic, criteria: 'industry = "straße"'}
"""
ACCOUNTS = """Account id;ARR;industry;tools;Key account
A-1;250000;Banks;sap;no
A-2;99999.99;Banks;;no
A-3;;STRASSE;;no
=A-4;n/a;Banks;;
A-5;1e308;Banks;;no
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("framework.yaml", "accounts.csv", "out.csv")}
    found["framework.yaml"].write_text(FRAMEWORK, encoding="utf-8")
    found["accounts.csv"].write_text(ACCOUNTS, encoding="utf-8")
    return found


def evaluate(files: dict[str, Path]) -> str:
    out = StringIO()
    call_command(
        "criteria",
        "evaluate",
        framework=files["framework.yaml"],
        accounts=files["accounts.csv"],
        out=files["out.csv"],
        stdout=out,
        stderr=StringIO(),
    )
    return out.getvalue()


def rows(files: dict[str, Path]) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(files["out.csv"].read_text(encoding="utf-8-sig"))))


def test_each_account_gets_its_segment_reason_and_rule(files: dict[str, Path]) -> None:
    files["accounts.csv"].write_text(ACCOUNTS.replace("A-5;1e308;Banks;;no\n", ""), encoding="utf-8")

    said = evaluate(files)

    assert [(row["Account id"], row["tier"], row["tier_reason"], row["tier_rule"]) for row in rows(files)] == [
        ("A-1", "large", "matched", "large/value"),
        ("A-2", "small", "matched", "small/value"),
        ("A-3", "small", "provisional", "small/tech"),
        ("'=A-4", "", "missing_data", ""),
    ]
    assert rows(files)[3]["tier_missing"] == "arr key_account"
    assert "accounts: 4" in said
    assert "tier: Unassigned 1, large 1, small 2" in said
    assert not Account.objects.exists()


def test_value_that_is_none_sets_its_row_aside_and_is_named_by_line(files: dict[str, Path]) -> None:
    with pytest.raises(CommandError, match="1 values could not be read"):
        evaluate(files)

    assert rows(files)[-1]["tier_reason"] == "error"
    assert rows(files)[0]["tier_reason"] == "matched"


def test_file_without_an_attribute_is_refused_and_nothing_is_written(files: dict[str, Path]) -> None:
    files["accounts.csv"].write_text("id,name\n1,Acme\n", encoding="utf-8")

    with pytest.raises(CommandError, match="No column is named like an attribute: arr, industry, key_account, tools"):
        evaluate(files)

    assert not files["out.csv"].exists()


def test_framework_with_a_half_filled_rule_is_refused_with_its_line(files: dict[str, Path]) -> None:
    files["framework.yaml"].write_text(FRAMEWORK.replace("arr >= 100000.00", "arr >="), encoding="utf-8")

    with pytest.raises(CommandError, match="line 20"):
        evaluate(files)

    assert not files["out.csv"].exists()


@pytest.mark.parametrize("name", ["framework", "accounts"])
def test_answer_does_not_overwrite_what_it_is_made_of(files: dict[str, Path], name: str) -> None:
    own = files[f"{name}.yaml" if name == "framework" else f"{name}.csv"]
    before = own.read_bytes()

    with pytest.raises(CommandError, match=f"--out is the file of --{name}"):
        evaluate({**files, "out.csv": own})

    assert own.read_bytes() == before


def test_file_that_goes_wrong_on_the_way_leaves_the_answer_that_was_there(files: dict[str, Path]) -> None:
    files["out.csv"].write_text("yesterday's", encoding="utf-8")
    files["accounts.csv"].write_text('Account id,ARR\nA-1,5\nA-2,"6\nA-3,7\n', encoding="utf-8")

    with pytest.raises(CommandError, match="quote that opens"):
        evaluate(files)

    assert files["out.csv"].read_text(encoding="utf-8") == "yesterday's"
    assert sorted(path.name for path in files["out.csv"].parent.iterdir()) == sorted(files)


def test_two_columns_of_one_attribute_are_refused(files: dict[str, Path]) -> None:
    files["accounts.csv"].write_text("Key account,key_account\nyes,no\n", encoding="utf-8")

    with pytest.raises(CommandError, match="The columns “Key account” and “key_account” are one attribute"):
        evaluate(files)

    assert not files["out.csv"].exists()


def test_rows_that_are_no_accounts_are_counted_apart(files: dict[str, Path]) -> None:
    files["accounts.csv"].write_text("Account id,ARR\nA-1,5\nA-2\n", encoding="utf-8")
    out = StringIO()

    with pytest.raises(CommandError, match="could not be read"):
        call_command(
            "criteria",
            "evaluate",
            framework=files["framework.yaml"],
            accounts=files["accounts.csv"],
            out=files["out.csv"],
            stdout=out,
            stderr=StringIO(),
        )

    assert out.getvalue().splitlines()[:2] == ["accounts: 1", "rows left out: 1"]
