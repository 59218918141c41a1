"""`manage.py criteria replay FILE.jsonl`: rule cases of other products through our engine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.conformance.reading import CaseFileError, read_cases
from accounts.conformance.replaying import Answer, replay


class Command(BaseCommand):
    help = "Evaluate rules over accounts that are in no table. Nothing is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        command = actions.add_parser("replay", help="Replay a file of published rule cases (JSON lines).")
        command.add_argument("file", type=Path)
        command.add_argument("--why", action="store_true", help="Also the answers, and where missing got a meaning.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
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


def _why(answer: Answer) -> str:
    kind = "" if answer.case.agrees_strict else ", rests on type conversion"
    return f"  (expected {str(answer.case.expected).lower()}, we say {str(answer.answer).lower()}{kind})"
