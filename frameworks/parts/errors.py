"""What a refused part body says about itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Issue(NamedTuple):
    """One thing wrong with a body: where (JSON pointer), a stable code, and words for a person."""

    pointer: str
    code: str
    message: str


class PartError(ValueError):
    """A body (or the key of its part) was refused; `issues` names every place, in document order."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = list(issues)
        super().__init__("; ".join(f"{issue.pointer or '/'}: {issue.message}" for issue in self.issues))


def pointer(location: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path of keys and indexes; the whole document is the empty text."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)
