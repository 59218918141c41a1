"""Whom a text calls in: "@Ines Duarte", "@ines" or "@ines.duarte". Pure; the people are passed in."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Mentionable(NamedTuple):
    """Somebody who can be named."""

    pk: int
    name: str
    email: str


def mentioned(text: str, people: Iterable[Mentionable]) -> list[int]:
    """The ids of the people named in `text`, in no order. A first name that two people have names nobody."""
    people = list(people)
    handles = _handles(people)
    found: set[int] = set()
    for match in re.finditer(r"(?<![\w@.])@(?=\w)", text):
        rest = text[match.end() : match.end() + 200].casefold()
        fitting = [handle for handle in handles if _starts_with_word(rest, handle)]
        if fitting:
            found.add(handles[max(fitting, key=len)])
    return sorted(found)


def _handles(people: list[Mentionable]) -> dict[str, int]:
    """How each can be called: full name and address always, first name where it is one person's."""
    firsts = Counter(person.name.split(" ")[0].casefold() for person in people)
    found: dict[str, int] = {}
    for person in people:
        first = person.name.split(" ")[0].casefold()
        names = [person.name.casefold(), person.email.casefold(), person.email.partition("@")[0].casefold()]
        for name in [*names, *([first] if firsts[first] == 1 else [])]:
            if name:
                found.setdefault(name, person.pk)
    return found


def _starts_with_word(text: str, handle: str) -> bool:
    return text.startswith(handle) and not re.match(r"\w", text[len(handle) :])
