"""What keeps a segment from leaving a draft, said by higher apps: they know who is in it and by whose decision.

A holder gets the framework, the keys of a dimension and a segment, and the moment it is asked, and answers reasons,
one sentence each. It is registered once, in its app's `ready()`.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from frameworks.models import Framework

Holder = Callable[[Framework, str, str, datetime], Iterable[str]]

_holders: list[Holder] = []


def register(holder: Holder) -> None:
    """Ask this holder too, after those registered before."""
    _holders.append(holder)


def reasons_to_keep(framework: Framework, dimension: str, segment: str, at: datetime) -> list[str]:
    """Why the segment cannot be taken out now; empty when it can."""
    return [reason for holder in _holders for reason in holder(framework, dimension, segment, at)]
