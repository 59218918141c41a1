"""Imports at the same time: of the same accounts in opposite order, and of the same new ones."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from accounts.intake import applying
from accounts.models import Account
from accounts.services.intake import ImportReport
from tests.accounts.importing import do_import, write

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*paths: Path) -> list[ImportReport]:
    def work(path: Path) -> ImportReport:
        try:
            return do_import(path)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(work, paths))


def rows(arr: int, *, backwards: bool = False) -> list[str]:
    numbers = range(400)
    return [f"A-{n},Name {n},1,{arr},Retail" for n in (reversed(numbers) if backwards else numbers)]


@pytest.mark.parametrize("whole_table", [applying.WHOLE_TABLE, 10])
def test_imports_of_the_same_accounts_never_deadlock_and_count_every_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_table: int
) -> None:
    monkeypatch.setattr(applying, "WHOLE_TABLE", whole_table)
    do_import(write(tmp_path / "first.csv", *rows(1)))
    for turn in range(3):
        forth = write(tmp_path / "forth.csv", *rows(10 + turn))
        back = write(tmp_path / "back.csv", *rows(20 + turn, backwards=True))

        reports = at_once(forth, back)

        assert [report.state for report in reports] == ["applied", "applied"]
        last = {account.arr for account in Account.objects.all()}
        assert last in ({10 + turn}, {20 + turn})
    # Three turns of two imports that each change the ARR; whoever compared too early compared again.
    assert set(Account.objects.values_list("version", flat=True)) == {7}


def test_imports_of_the_same_new_accounts_create_each_once(tmp_path: Path) -> None:
    forth, back = write(tmp_path / "forth.csv", *rows(1)), write(tmp_path / "back.csv", *rows(2, backwards=True))

    reports = at_once(forth, back)

    assert sorted((report.created, report.updated) for report in reports) == [(0, 400), (400, 0)]
    assert Account.objects.count() == 400


def test_import_leaves_no_temporary_table_and_no_setting_behind(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        before = cursor.fetchone()

        do_import(write(tmp_path / "a.csv", *rows(1)))

        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'import%%'")
        left = cursor.fetchall()
        cursor.execute("SHOW work_mem")
        assert (left, cursor.fetchone()) == ([], before)
