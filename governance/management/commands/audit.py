"""`manage.py audit verify` and `manage.py audit anchor`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from governance.services.audit import Verification, anchor_chain, anchor_path, verify_chain


class Command(BaseCommand):
    help = "Prove that nobody touched the audit log (exit 1, naming the first bad entry), or anchor its end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["verify", "anchor"], help="anchor also writes the end to AUDIT_ANCHOR_FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "anchor":
            self._say(anchor_chain(at=timezone.now()))
            self.stdout.write(f"anchored in {anchor_path()}")
        else:
            self._say(verify_chain())

    def _say(self, verification: Verification) -> None:
        finding = verification.finding
        if finding:
            raise CommandError(f"{finding.kind}: {finding.message} {verification.entries} entries before it are sound.")
        self.stdout.write(f"sound: {verification.entries} entries, the last has hash {verification.last_hash}")
