"""What hangs on a segment, said by higher apps: they know who is in it and by whose decision.

A holder gets the framework and the keys of a dimension and a segment, and answers phrases such as "2 overrides point to
it". It is registered once, in its app's `ready()`. A segment on which something hangs leaves only with a mapping.
"""

from collections.abc import Callable, Iterable

from frameworks.models import Framework

Holder = Callable[[Framework, str, str], Iterable[str]]

_holders: list[Holder] = []


def register(holder: Holder) -> None:
    """Ask this holder too, after those registered before."""
    _holders.append(holder)


def what_hangs_on(framework: Framework, dimension: str, segment: str) -> list[str]:
    """What would lose its place with the segment, one phrase each; empty when nothing would."""
    return [phrase for holder in _holders for phrase in holder(framework, dimension, segment)]
