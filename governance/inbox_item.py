"""One thing that waits for a person, whatever it is about: what every source of the inbox gives."""

from dataclasses import dataclass
from datetime import date, datetime

KINDS = {
    "signoff": "Sign-offs",
    "confirmation": "Confirmations",
    "help": "Help asked",
    "mention": "Mentions",
    "homework": "Homework",
    "decision": "Decisions",
    "review": "Reviews",
    "move": "Moves",
    "version": "Versions",
    "run": "Runs",
    "intake": "Intake",
}
MOST = 200
"""Rows of one kind that the inbox shows; the lists behind it show all."""


@dataclass(frozen=True)
class Item:
    """One thing that waits for the reader: what, since when, until when, asked by whom, and where it is done.

    `due_on` None: it asks for nothing. `ref` names the thing for as long as it is the same one. `asker_id`: the person
    who asks, where it is one who is told when it is long overdue.
    """

    kind: str
    icon: str
    title: str
    detail: str
    url: str
    asked_by: str
    since: datetime
    due_on: date | None = None
    ref: str = ""
    asker_id: int | None = None
