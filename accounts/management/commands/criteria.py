"""`manage.py criteria replay | evaluate`: rules over accounts that are in no table; nothing is written."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.conformance.reading import CaseFileError, read_cases
from accounts.conformance.replaying import Answer, replay
from accounts.evaluating_files import AccountsFile, Tally
from accounts.exporting import csv_lines
from frameworks.definition import Definition
from frameworks.errors import InvalidError
from frameworks.exchange.reading import read_contents, read_file

MOST_PROBLEMS = 100


class Command(BaseCommand):
    help = "Evaluate rules over accounts that are in no table. Nothing is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        command = actions.add_parser("replay", help="Replay a file of published rule cases (JSON lines).")
        command.add_argument("file", type=Path)
        command.add_argument("--why", action="store_true", help="Also the answers, and where missing got a meaning.")
        command = actions.add_parser("evaluate", help="Place the accounts of a CSV file by a framework's YAML file.")
        command.add_argument("--framework", type=Path, required=True, metavar="FILE.yaml")
        command.add_argument("--accounts", type=Path, required=True, metavar="FILE.csv")
        command.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
        command.add_argument("--as-of", type=datetime.fromisoformat, metavar="INSTANT", help="default: now")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "evaluate":
            self._evaluate(options)
        else:
            self._replay(options)

    def _evaluate(self, options: dict[str, Any]) -> None:
        """Exits with 1 when some row had a value that is none; its outcome is then the reason `error`."""
        as_of: datetime = options["as_of"] or timezone.now()
        if as_of.tzinfo is None:
            raise CommandError("--as-of needs its offset, as in 2026-01-31T09:00:00+01:00.")
        _refuse_overwriting(options)
        tally = Tally()
        try:
            file = read_file(_existing(options["framework"]).read_text(encoding="utf-8"))
            contents = read_contents(file, {})
            definition = Definition({(part.kind, part.key): part.body for part in contents})
            accounts = AccountsFile(_existing(options["accounts"]), definition)
            lines = csv_lines(accounts.evaluated(as_of=as_of, tally=tally))
            _write_whole(options["out"], lines)
        except (InvalidError, UnicodeDecodeError, OSError) as error:
            raise CommandError(str(error)) from error
        self._tell(tally)

    def _tell(self, tally: Tally) -> None:
        self.stdout.write(f"accounts: {tally.rows}")
        if tally.left_out:
            self.stdout.write(f"rows left out: {tally.left_out}")
        for dimension, segments in tally.segments.items():
            counts = ", ".join(f"{key or 'Unassigned'} {count}" for key, count in sorted(segments.items()))
            self.stdout.write(f"{dimension}: {counts}")
        for problem in tally.problems[:MOST_PROBLEMS]:
            self.stderr.write(problem)
        if tally.problems:
            raise CommandError(f"{len(tally.problems)} values could not be read.")

    def _replay(self, options: dict[str, Any]) -> None:
        path = _existing(options["file"])
        try:
            with path.open("rb") as lines:
                cases = read_cases(lines)
        except CaseFileError as error:
            raise CommandError("\n".join([f"{path} is not a file of cases.", *error.problems])) from error
        answers = replay(cases)
        differing = [answer for answer in answers if not answer.agrees]
        self.stdout.write(f"cases: {len(answers)}")
        self.stdout.write(f"agree: {len(answers) - len(differing)}")
        self.stdout.write(f"differ: {len(differing)}")
        for answer in differing:
            self.stdout.write(answer.case.id + (_why(answer) if options["why"] else ""))
        if options["why"]:
            self._write_stated(answers)

    def _write_stated(self, answers: list[Answer]) -> None:
        stated = [answer.case.id for answer in answers if answer.is_stated]
        self.stdout.write(f"missing values given a meaning: {len(stated)}")
        for case_id in stated:
            self.stdout.write(case_id)


def _refuse_overwriting(options: dict[str, Any]) -> None:
    for name in ("framework", "accounts"):
        if options["out"].exists() and options["out"].samefile(_existing(options[name])):
            raise CommandError(f"--out is the file of --{name}: name another one, that would be overwritten.")


def _write_whole(path: Path, lines: Iterator[str]) -> None:
    """All of it or nothing: what goes wrong on the way leaves the file that was there."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            out.writelines(lines)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    return path


def _why(answer: Answer) -> str:
    kind = "" if answer.case.agrees_strict else ", rests on type conversion"
    return f"  (expected {str(answer.case.expected).lower()}, we say {str(answer.answer).lower()}{kind})"
