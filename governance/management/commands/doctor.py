"""`manage.py doctor`: is everything there and working? Exit 1 and words when something is wrong."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from governance import health

SIGNS = {health.OK: "ok", health.WARN: "care", health.BAD: "WRONG"}


class Command(BaseCommand):
    help = "Check database, roles, broker, workers, beat, work owed, runs and disk; exit 1 when something is wrong."
    # Django's own checks need a database that answers; saying that it does not is this command's job.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a list of {name, state, words}")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = health.check_installation(timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([check.as_dict() for check in checks], indent=2))
        else:
            width = max(len(check.name) for check in checks)
            for check in checks:
                self.stdout.write(f"{SIGNS[check.state]:<6} {check.name:<{width}}  {check.words}")
        wrong = sum(check.state == health.BAD for check in checks)
        if wrong:
            self.stderr.write(f"{wrong} of {len(checks)} checks found something wrong.")
            sys.exit(1)
