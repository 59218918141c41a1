"""What waits for a person, from every source there is: read from the state of things, never stored."""

from collections.abc import Iterator
from datetime import date, datetime

from frameworks.models import User
from governance.inbox_item import Item
from governance.services import account_inbox, version_inbox
from governance.services.intake_inbox import intake_items
from governance.services.meeting_inbox import meeting_items


def waiting_for(user: User, at: datetime) -> list[Item]:
    """Everything that waits for this person: what is due first, and the oldest of what has no date after it."""
    items = [
        *version_inbox.items_for(user, at),
        *account_inbox.items_for(user, at),
        *meeting_items(user, at),
        *intake_items(user, at),
        *waiting_by_role(user),
    ]
    return sorted(items, key=lambda item: (item.due_on or date.max, item.since))


def waiting_by_role(user: User) -> Iterator[Item]:
    """What waits for anybody in this person's roles who may act, not for the person by name."""
    yield from account_inbox.items_by_role(user)
    yield from version_inbox.items_by_role(user)
