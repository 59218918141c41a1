"""Lists as CSV, streamed, and harmless when a spreadsheet opens them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from accounts.account_list import ListedDimension, standings_of
from accounts.models import Account, ListEntry
from accounts.querysets import external_ids

BATCH = 1000
# A spreadsheet takes a cell that begins like this for a formula, also after a tab or a line break.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_text(value: object) -> str:
    """Text of other people's making as a cell that no spreadsheet calculates."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


class _Line:
    """What csv.writer writes to: hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The rows as lines of a file, with a byte-order mark so that Excel reads UTF-8."""
    writer = csv.writer(_Line())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow(row)


def account_rows(
    accounts: QuerySet[Account], dimensions: Sequence[ListedDimension], at: datetime
) -> Iterator[list[Any]]:
    """Head and rows of the export: what the list shows, plus ids. Reads BATCH accounts at a time."""
    yield [
        "uuid",
        "external_ids",
        "name",
        "domain",
        "stage",
        *(f"{listed.dimension.key}{part}" for listed in dimensions for part in ("", "_reason")),
        "currency",
        "arr",
        "employee_count",
        "health_score",
        "contract_end_on",
        "csm",
    ]
    ids = iter(accounts.values_list("pk", flat=True))
    while batch := list(islice(ids, BATCH)):
        rows = Account.objects.select_related("csm").in_bulk(batch)
        standings = standings_of(batch, dimensions, at)
        named = external_ids(batch)
        for pk in batch:
            if account := rows.get(pk):
                yield _row(account, named.get(pk, {}), standings.get(pk, {}), dimensions)


def _row(
    account: Account, ids: dict[str, str], standings: dict[int, Any], dimensions: Sequence[ListedDimension]
) -> list[Any]:
    cells: list[Any] = []
    for listed in dimensions:
        standing = standings.get(listed.dimension.pk)
        segment = standing.segment if standing else None
        cells += [
            safe_text(segment.name) if segment else "Unassigned",
            standing.reason if standing else "Not evaluated",
        ]
    return [
        account.uuid,
        safe_text("; ".join(f"{source}:{external_id}" for source, external_id in ids.items())),
        safe_text(account.name),
        safe_text(account.domain),
        account.get_stage_display(),
        *cells,
        account.currency,
        account.arr,
        account.employee_count,
        account.health_score,
        account.contract_end_on,
        safe_text(account.csm),
    ]


def list_rows(entries: QuerySet[ListEntry]) -> Iterator[list[Any]]:
    """Head and rows of a list's export. Reads BATCH entries at a time."""
    yield ["uuid", "external_ids", "name", "domain", "added_at", "added_by"]
    rows = entries.select_related("account", "added_by").iterator(chunk_size=BATCH)
    while batch := list(islice(rows, BATCH)):
        ids = external_ids(row.account_id for row in batch)
        for row in batch:
            known = ids.get(row.account_id, {})
            yield [
                row.account.uuid,
                safe_text("; ".join(f"{source}:{external_id}" for source, external_id in known.items())),
                safe_text(row.account.name),
                safe_text(row.account.domain),
                row.added_at.isoformat(),
                safe_text(row.added_by or ""),
            ]
