"""Measuring the import of a file: new accounts, and the same file again with three in ten rows changed.

By hand it is a COPY into a temporary table that trusts its types and one upsert that touches only rows that differ,
with identifiers, matching keys and the marks that owe an evaluation. It refuses nothing, explains nothing and has
one provenance for all: what the product adds to that is what the ratio shows.
"""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from accounts.services.intake import import_file
from governance.benchmark.population import AS_OF, populate
from governance.benchmark.report import Report, seconds_of

SOURCE = "bench"
BLOCK = 2**20

# Header of the file → column of the account, and its type.
COLUMNS = {
    "Name": ("name", "text"),
    "Domain": ("domain", "text"),
    "Sector": ("industry", "text"),
    "Country": ("country", "text"),
    "Employees": ("employee_count", "bigint"),
    "Revenue": ("annual_revenue", "numeric"),
    "ARR": ("arr", "numeric"),
    "Health": ("health_score", "smallint"),
    "Weekly active": ("weekly_active_share", "numeric"),
    "Last activity": ("last_activity_on", "date"),
    "Customer since": ("customer_since_on", "date"),
    "Contract end": ("contract_end_on", "date"),
}
FLAG = "expansion_opportunity"
_FIELDS = ("name", "domain")
_KEYED = ("name", "industry", "country")
_OBSERVED = ("employee_count", "annual_revenue", "arr", "health_score", "weekly_active_share")

MAPPING: dict[str, Any] = {
    "source": SOURCE,
    "external_id": "Id",
    "columns": {
        **{header: {"field" if column in _FIELDS else "attribute": column} for header, (column, _) in COLUMNS.items()},
        "Opportunity": {"attribute": FLAG},
    },
    "allow": "new_accounts",
}


def measure_import(report: Report, *, rows: int, rounds: int) -> list[str]:
    """Times in `report`; returns what the product stored otherwise than the bare SQL. Leaves accounts behind."""
    timings: dict[str, list[float]] = {}
    differing: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        files = _write_files(Path(directory), rows)
        for turn in range(rounds):
            for way, work in (("bare", _import_by_hand), ("product", _import_as_product)):
                _empty()
                for what, path in files.items():
                    _vacuum()
                    timings.setdefault(f"{what} {way}", []).append(seconds_of(lambda w=work, p=path: w(p)))  # type: ignore[misc]
                if turn == 0 and way == "bare":
                    _run(f"CREATE UNLOGGED TABLE imported_by_hand AS {_STORED}")
            if turn == 0 and (count := _count_differing()):
                differing.append(f"import: {count} accounts")
    report.add("import_rows", rows)
    for what in files:
        _report_one(report, what, rows, timings)
    return differing


def _report_one(report: Report, what: str, rows: int, timings: dict[str, list[float]]) -> None:
    product, bare = (rows / statistics.median(timings[f"{what} {way}"]) for way in ("product", "bare"))
    report.add(f"import_{what}_rows_per_second", product)
    report.add(f"import_{what}_bare_rows_per_second", bare)
    report.add(f"import_{what}_ratio", product / bare)


def _write_files(directory: Path, rows: int) -> dict[str, Path]:
    """Both files, written from made-up accounts; the second has another ARR in three of ten rows."""
    populate(count=rows)
    changed = "CASE WHEN u(id, 30) < 0.3 THEN coalesce(arr, 0) + 1000 ELSE arr END"
    files = {"create": (directory / "accounts.csv", "arr"), "update": (directory / "changed.csv", changed)}
    for path, arr in files.values():
        shown = [f'{arr if column == "arr" else column} AS "{header}"' for header, (column, _) in COLUMNS.items()]
        query = (
            f"SELECT 'A' || lpad(id::text, 9, '0') AS \"Id\", {', '.join(shown)}, attributes ->> '{FLAG}' AS"
            ' "Opportunity" FROM accounts_account ORDER BY id'
        )
        with (
            path.open("wb") as file,
            connection.cursor() as cursor,
            cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)") as copy,
        ):
            for block in copy:
                file.write(block)
    return {what: path for what, (path, _) in files.items()}


def _import_as_product(path: Path) -> None:
    report = import_file(path=path, mapping=MAPPING, actor=None, at=AS_OF)
    if report.rejected:
        raise AssertionError(f"{report.rejected} rows of a sound file were rejected")


def _import_by_hand(path: Path) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RAW)
        with path.open("rb") as file, cursor.copy("COPY raw FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := file.read(BLOCK):
                copy.write(block)
        cursor.execute("ANALYZE raw")
        for statement in (_KNOWN, _UPSERT, _IDENTIFIERS):
            cursor.execute(statement, {"as_of": AS_OF, "source": SOURCE, "provenance": _PROVENANCE})


_columns = [column for column, _ in COLUMNS.values()]
_PROVENANCE = json.dumps({column: {"source": SOURCE} for column in _columns})

_RAW = (
    "CREATE TEMPORARY TABLE raw (external_id text, "
    + ", ".join(f"{column} {kind}" for column, kind in COLUMNS.values())
    + f", {FLAG} boolean) ON COMMIT DROP"
)

_KNOWN = """
CREATE TEMPORARY TABLE known ON COMMIT DROP AS
SELECT coalesce(i.account_id, nextval(pg_get_serial_sequence('accounts_account', 'id'))) AS id,
    i.account_id IS NULL AS is_new, r.*
FROM raw r LEFT JOIN accounts_accountidentifier i ON i.source = %(source)s AND i.external_id = r.external_id
"""

_values = {
    **{column: column for column in _columns},
    **{f"{column}_key": f"lower({column})" for column in _KEYED},
    **{f"{column}_observed_at": f"CASE WHEN {column} IS NOT NULL THEN %(as_of)s END" for column in _OBSERVED},
    "attributes": f"jsonb_strip_nulls(jsonb_build_object('{FLAG}', {FLAG}))",
}
_compared = ", ".join(f"{{of}}.{column}" for column in (*_columns, "attributes"))

_UPSERT = f"""
WITH written AS (
    INSERT INTO accounts_account AS a (id, uuid, stage, exclusion, currency, version, created_at, updated_at,
        provenance, {", ".join(_values)})
    SELECT id, gen_random_uuid(), 'customer', '', 'USD', 1, %(as_of)s, %(as_of)s, %(provenance)s::jsonb,
        {", ".join(_values.values())}
    FROM known
    ON CONFLICT (id) DO UPDATE SET version = a.version + 1, updated_at = EXCLUDED.updated_at,
        provenance = a.provenance || EXCLUDED.provenance,
        {", ".join(f"{column} = EXCLUDED.{column}" for column in _values)}
    WHERE ({_compared.format(of="a")}) IS DISTINCT FROM ({_compared.format(of="EXCLUDED")})
    RETURNING a.id
)
INSERT INTO accounts_pendingevaluation (account_id, cause, marked_at) SELECT id, 'data', %(as_of)s FROM written
"""

_IDENTIFIERS = """
INSERT INTO accounts_accountidentifier (account_id, source, external_id)
SELECT id, %(source)s, external_id FROM known WHERE is_new ON CONFLICT DO NOTHING
"""

_STORED = f"""
SELECT i.external_id, a.version, a.stage, a.exclusion, a.currency, {", ".join(f"a.{column}" for column in _values)}
FROM accounts_account a JOIN accounts_accountidentifier i ON i.account_id = a.id
"""


def _count_differing() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM ({_STORED} EXCEPT ALL SELECT * FROM imported_by_hand) AS a)"
            f" + (SELECT count(*) FROM (SELECT * FROM imported_by_hand EXCEPT ALL {_STORED}) AS b)"
        )
        return int(cursor.fetchone()[0])


def _empty() -> None:
    _run("TRUNCATE accounts_account, accounts_accountidentifier, accounts_pendingevaluation RESTART IDENTITY CASCADE")


def _vacuum() -> None:
    for table in ("accounts_account", "accounts_accountidentifier", "accounts_pendingevaluation"):
        _run(f"VACUUM (ANALYZE) {table}")


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
