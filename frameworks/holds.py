"""What hangs on a segment, said by higher apps: they know who is in it and by whose decision.

A holder gets the framework, the key of a dimension and those of segments, and answers for each segment phrases such as
"2 overrides point to it", in a number of queries that does not grow with the segments. It is registered
once, in its app's `ready()`. A segment on which something hangs leaves only with a mapping.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from frameworks.models import Framework

Holder = Callable[[Framework, str, Collection[str]], Mapping[str, Iterable[str]]]
"""Segment key → phrases; a segment on which nothing hangs may be left out."""

_holders: list[Holder] = []


def register(holder: Holder) -> None:
    """Ask this holder too, after those registered before."""
    _holders.append(holder)


def what_hangs_on(framework: Framework, dimension: str, segment: str) -> list[str]:
    """What would lose its place with the segment, one phrase each; empty when nothing would."""
    return what_hangs_on_each(framework, dimension, [segment])[segment]


def what_hangs_on_each(framework: Framework, dimension: str, segments: Collection[str]) -> dict[str, list[str]]:
    """The same for several segments of a dimension, each by its key."""
    answers = [holder(framework, dimension, segments) for holder in _holders]
    return {segment: [phrase for said in answers for phrase in said.get(segment, ())] for segment in segments}
