"""`manage.py accounts`: files from the command line.

`import FILE --mapping MAPPING.yaml` for accounts; `metrics FILE`, `signals FILE` and `lists FILE --list KEY` for what
is known of them besides.
"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from accounts.fact_files import batches, read_items
from accounts.models import Import, ImportRow
from accounts.pushed import ItemError
from accounts.services.intake import ImportReport, Watch, import_file
from accounts.services.lists import change_list_entries
from accounts.services.observing import push_observations, record_signals
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import AccountList, User

SHOWN_ROWS = 20


class Command(BaseCommand):
    help = "Import account data from a CSV file. Shows what would change and asks before it does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        command = actions.add_parser("import", help="Check a CSV file and apply it.")
        command.add_argument("file", type=Path)
        command.add_argument("--mapping", type=Path, required=True, help="YAML: what each column is (docs/imports.md).")
        command.add_argument("--period", nargs="+", default=[], help="Only rows of these periods, such as 2021.")
        command.add_argument("--actor", help="E-mail of the person it is done for; the system itself when absent.")
        command.add_argument("--yes", action="store_true", help="Apply without asking.")
        for kind, words in _FACTS.items():
            command = actions.add_parser(kind, help=f"Take {words} from a CSV file; refused lines are named.")
            command.add_argument("file", type=Path)
            command.add_argument("--actor", help="E-mail of the person it is done for; the system itself when absent.")
            if kind == "lists":
                command.add_argument("--list", required=True, help="Key of the list.")
                command.add_argument("--do", choices=["add", "remove", "replace"], default="add")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=False)
        if options["action"] in _FACTS:
            self._take_facts(console, options)
            return
        for path in (options["file"], options["mapping"]):
            if not path.is_file():
                raise CommandError(f"There is no file {path}.")
        try:
            report = self._import(console, options)
        except InvalidError as error:
            raise CommandError("Nothing was imported.\n" + "\n".join(f"- {line}" for line in error.problems)) from error
        except NotAllowedError as error:
            raise CommandError(str(error)) from error
        _print_report(console, report)

    def _take_facts(self, console: Console, options: dict[str, Any]) -> None:
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}.")
        take = _take_entries if options["action"] == "lists" else _take_batches
        try:
            counts, refused = take(options)
        except InvalidError as error:
            raise CommandError("\n".join(error.problems)) from error
        except (NotAllowedError, ConflictError) as error:
            raise CommandError(str(error)) from error
        console.print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
        for line, why in refused[:SHOWN_ROWS]:
            console.print(f"line {line}: {why}", markup=False)
        if len(refused) > SHOWN_ROWS:
            console.print(f"… and {len(refused) - SHOWN_ROWS:,} more", markup=False)
        if refused:
            raise CommandError(f"{len(refused):,} lines were refused; the others are stored.")

    def _import(self, console: Console, options: dict[str, Any]) -> ImportReport:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("reading")

            def progress(phase: str, done: int, total: int) -> None:
                bar.update(task, description=phase, completed=done, total=max(total - 1, done))

            def confirm(report: ImportReport) -> bool:
                bar.stop()
                _print_report(console, report)
                return input("Apply this? [y/N] ").strip().lower() in ("y", "yes")

            return import_file(
                path=options["file"],
                mapping=options["mapping"],
                actor=_actor(options["actor"]),
                at=timezone.now(),
                periods=options["period"],
                watch=Watch(progress=progress, confirm=None if options["yes"] else confirm),
            )


_FACTS = {"metrics": "metric history", "signals": "signals", "lists": "entries of a list"}
Taken = tuple[dict[str, int], list[tuple[int, str]]]
"""Counts by status; refused lines, each with the reason."""


def _take_batches(options: dict[str, Any]) -> Taken:
    """A thousand lines a transaction: what was stored before a refused batch stays, and may be sent again."""
    push = push_observations if options["action"] == "metrics" else record_signals
    counts: Counter[str] = Counter()
    refused = []
    for batch in batches(read_items(options["file"], options["action"])):
        items = [item for _, item in batch]
        result = push(items=items, all_or_none=False, actor=_actor(options["actor"]), at=timezone.now())
        counts.update({name: count for name, count in result.summary.items() if count})
        refused += [(batch[each.index][0], _why(each.errors)) for each in result.results if each.errors]
    return dict(counts), refused


def _take_entries(options: dict[str, Any]) -> Taken:
    """All lines at once: a replacement has to know every one of them."""
    account_list = AccountList.objects.filter(key=options["list"]).first()
    if account_list is None:
        raise CommandError(f"There is no list {options['list']}.")
    rows = list(read_items(options["file"], "lists"))
    change = change_list_entries(
        account_list=account_list,
        action=options["do"],
        items=[item for _, item in rows],
        actor=_actor(options["actor"]),
        at=timezone.now(),
    )
    return change.summary, [(rows[each.index][0], _why(each.errors)) for each in change.failed]


def _why(errors: Iterable[ItemError]) -> str:
    return " ".join(f"{error.pointer.lstrip('/')}: {error.detail}".removeprefix(": ") for error in errors)


def _actor(email: str | None) -> User | None:
    if not email:
        return None
    actor = User.objects.filter(email__iexact=email).first()
    if actor is None:
        raise CommandError(f"Nobody here has the e-mail address {email}.")
    return actor


def _print_report(console: Console, report: ImportReport) -> None:
    table = Table(title=f"Import {report.uuid}: {Import.State(report.state).label.lower()}", title_justify="left")
    table.add_column("What")
    table.add_column("Count", justify="right")
    for name in ("rows", "created", "updated", "unchanged", "rejected", "skipped", "collapsed", "observations"):
        table.add_row(name, f"{getattr(report, name):,}")
    for name, count in sorted(report.attributes.items()):
        table.add_row(f"changed: {name}", f"{count:,}")
    for name, count in sorted(report.missing.items()):
        table.add_row(f"missing: {name}", f"{count:,}")
    console.print(table)
    for note in report.notes:
        console.print(f"- {note}", markup=False)
    if report.rejected:
        _print_rejected(console, report)
    console.print(f"{report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s")


def _print_rejected(console: Console, report: ImportReport) -> None:
    rows = ImportRow.objects.filter(batch__uuid=report.uuid)
    for row in rows[:SHOWN_ROWS]:
        place = f"line {row.line}" + (f", {row.field}" if row.field else "")
        console.print(f"{place}: {row.message} [{row.code}]", markup=False)
    if (more := rows.count() - SHOWN_ROWS) > 0:
        console.print(f"… and {more:,} more; the page of the import lists them all.", markup=False)
