"""Start over: delete the embedded servers' data."""

import os
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from segmentation_site import embedded

# Everything else under var/ speaks of data that is gone by then.
KEPT = {"servers", "secret_key"}


class Command(BaseCommand):
    help = "Stop the embedded servers and delete their data. Touches no database named by DATABASE_URL."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"] and not self._agreed():
            raise CommandError("Nothing was deleted.")
        try:
            embedded.reset()
        except embedded.EmbeddedServerError as error:
            raise CommandError(str(error)) from None
        for path in settings.VAR_DIR.iterdir():
            if path.name not in KEPT and path.suffix != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not os.environ.get("DATABASE_URL"):
            # It anchors the chain that was just deleted; a new chain would look cut off.
            Path(settings.AUDIT_ANCHOR_FILE).unlink(missing_ok=True)
        self.stdout.write("Deleted. `make run` starts over.")

    def _agreed(self) -> bool:
        self.stdout.write("This deletes all accounts, definitions and history of this checkout's own database.")
        try:
            return input("Type yes to go on: ").strip() == "yes"
        except EOFError:
            return False
