"""Files for the tests of imports, and importing them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.models import Account, Import, ImportRow
from accounts.services.intake import ImportReport, import_file

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "source": "crm",
    "external_id": "id",
    "allow": "new_accounts",
    "columns": {
        "name": {"field": "name"},
        "employees": {"attribute": "employee_count", "number_format": "1,234.56"},
        "arr": {"attribute": "arr", "number_format": "1,234.56"},
        "industry": {"attribute": "industry"},
    },
    "missing": ["-", "N/A"],
}
HEADER = "id,name,employees,arr,industry"
ROW = 'A-1,Acme,"1,000","25,000.50",Technology'


def mapping(**changes: Any) -> dict[str, Any]:
    return {**MAPPING, **changes}


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    """A file of `lines` under the header of MAPPING."""
    path.write_bytes(end.join([HEADER, *lines, ""]).encode())
    return path


def do_import(path: Path, *, at: datetime = AT, periods: Iterable[str] = (), **changes: Any) -> ImportReport:
    return import_file(path=path, mapping=mapping(**changes), actor=None, at=at, periods=periods)


def reasons(report: ImportReport) -> list[tuple[int, str, str]]:
    """(line, column, code) of every rejected cell."""
    rows = ImportRow.objects.filter(batch__uuid=report.uuid)
    return [(row.line, row.field, row.code) for row in rows]


def messages(report: ImportReport) -> str:
    return "\n".join(row.message for row in ImportRow.objects.filter(batch__uuid=report.uuid))


def stored(external_id: str = "A-1", source: str = "crm") -> Account:
    return Account.objects.get(identifiers__external_id=external_id, identifiers__source=source)


def last_import() -> Import:
    return Import.objects.latest("pk")
