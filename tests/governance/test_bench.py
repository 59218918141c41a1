"""The bench: it measures, agrees with its hand-written SQL, and leaves nothing behind."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Account
from governance.benchmark.own_schema import own_schema
from governance.benchmark.report import Report, growth_exponent, percentile

COMPARED = ("first_assignment", "reevaluation", "reevaluation_evaluating", "impact", "moved_cutline")


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bench%%'")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_bench_measures_every_part_with_the_same_outcome_and_leaves_nothing() -> None:
    schemas_before = schemas()
    out = io.StringIO()

    call_command("bench", accounts=1000, json=True, stdout=out)

    values = json.loads(out.getvalue())
    assert values["same_outcome"] == "yes"
    assert values["accounts"] == values["import_rows"] == 1000
    assert all(values[f"{key}_ratio"] > 0 for key in COMPARED)
    assert all(values[f"import_{what}_ratio"] > 0 for what in ("create", "update"))
    assert values["edit_p50_ms"] <= values["edit_p95_ms"]
    assert values["push_accounts"] == 1000
    assert values["push_commit_to_assigned_p50_seconds"] <= values["push_commit_to_assigned_p95_seconds"]
    assert 0.01 < values["moved_cutline_share_of_accounts"] < 0.05
    assert schemas() == schemas_before
    assert not Account.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_other_engines_decide_as_the_product_where_nothing_is_missing() -> None:
    for engine in ("flag_engine", "json_logic", "polars", "zen"):
        pytest.importorskip(engine, reason="requirements-bench.txt is not installed")
    out = io.StringIO()

    call_command("bench", engines=True, accounts=1000, json=True, stdout=out)

    values = json.loads(out.getvalue())
    assert values["same_outcome"] == "yes"
    assert values["engines_zen_engine_moved_ratio"] > 0


@pytest.mark.django_db(transaction=True)
def test_own_schema_is_dropped_when_what_is_measured_fails() -> None:
    with pytest.raises(CommandError, match="no such part"), own_schema("bench_that_fails"):
        raise CommandError("no such part" if "bench_that_fails" in schemas() else "no schema")

    assert "bench_that_fails" not in schemas()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == ("public",)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 999, 20_000_001])
def test_bench_with_an_unfit_number_is_refused_before_anything_is_made(count: int) -> None:
    with pytest.raises(CommandError, match="--accounts takes a number"):
        call_command("bench", accounts=count)

    assert not schemas()


def test_report_prints_lines_with_four_significant_digits() -> None:
    lines: list[str] = []
    report = Report(lines.append)

    report.add_comparison("work", [2.0, 3.00004, 9.0], {"statement": [2.0], "chunks": [1.5]})

    assert lines == [
        "work_seconds: 3.0",
        "work_bare_statement_seconds: 2.0",
        "work_bare_chunks_seconds: 1.5",
        "work_ratio: 2.0",
    ]
    assert json.loads(report.as_json()) == {line.split(":")[0]: float(line.split(":")[1]) for line in lines}


@pytest.mark.parametrize(("power", "expected"), [(1, 1.0), (2, 2.0), (0, 0.0)])
def test_growth_exponent_is_the_power_of_the_size(power: int, expected: float) -> None:
    seconds = {size: 0.001 * size**power for size in (10_000, 100_000, 1_000_000)}

    assert growth_exponent(seconds) == pytest.approx(expected)


def test_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(200, 0, -1)]

    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (100.0, 190.0, 7.0)
