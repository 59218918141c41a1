"""`manage.py mail retry` and `manage.py mail send`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from governance.services.mailing import deliver_next, retry_failed


class Command(BaseCommand):
    help = "Owe again the mails that were given up, once the mail server is mended; or send here what is owed now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["retry", "send"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "retry":
            self.stdout.write(f"{retry_failed(at=timezone.now())} mails are owed again.")
            return
        count = 0
        while deliver_next(at=timezone.now()):
            count += 1
        self.stdout.write(f"{count} looked after; manage.py doctor says whether any failed.")
