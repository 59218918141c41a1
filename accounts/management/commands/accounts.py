"""`manage.py accounts import FILE --mapping MAPPING.yaml`: import a file from the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from accounts.models import Import, ImportRow
from accounts.services.intake import ImportReport, Watch, import_file
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.models import User

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

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=False)
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
