from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Account
from governance.demonstration import people, story


class Command(BaseCommand):
    help = "Load the demo: people, accounts from a public list, a framework in force, and its next version in review."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", action="store_true", help="Only say who there is and how to log in.")
        parser.add_argument("--until", choices=story.STAGES, default="full", help="How far the story goes.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo's passwords are public: it is loaded in demo mode only (CUTLINE_DEMO=1).")
        if not options["people"]:
            self._load(options["until"])
        self._introduce()

    def _load(self, until: str) -> None:
        if Account.objects.exists():
            raise CommandError("There are accounts already. To start over: make reset")
        everybody = people.ensure_people(password=settings.DEMO_PASSWORD)
        story.tell(until=until, people=everybody, at=timezone.now(), say=self.stdout.write)

    def _introduce(self) -> None:
        self.stdout.write(f"\nPeople of the demo, all with the password “{settings.DEMO_PASSWORD}”:")
        for person in people.PEOPLE:
            if not person.is_service:
                self.stdout.write(f"  {person.email:<34} {person.name}, {person.title}: {person.hint}")
