"""Which attributes the rules of a version read, from the stored bodies alone: also of a draft that is not valid yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frameworks.definition import Bodies
from frameworks.models import Kind


@dataclass(frozen=True)
class RuleReads:
    """By attribute: the segments ("tier/smb") whose criteria read it, and those that it decides.

    It decides a segment when every rule of the segment reads it: without a value no account gets there.
    """

    readers: Mapping[str, tuple[str, ...]]
    decides: Mapping[str, tuple[str, ...]]

    def dimensions(self, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(segment.partition("/")[0] for segment in self.readers.get(key, ())))


def rule_reads(bodies: Bodies) -> RuleReads:
    """Derived attributes read what they are made of."""
    inputs = {
        key: tuple((body.get("derived") or {}).get("of") or ())
        for (kind, key), body in bodies.items()
        if kind == Kind.DATA_SOURCE
    }
    readers: dict[str, list[str]] = {}
    decides: dict[str, list[str]] = {}
    for (kind, segment), body in sorted(bodies.items()):
        if kind != Kind.SEGMENT:
            continue
        rules = [_with_inputs(_attributes(rule.get("criteria")), inputs) for rule in body.get("rules") or ()]
        others = [_with_inputs(_attributes(body.get(name)), inputs) for name in ("move", "stay")]
        for key in sorted(set().union(*rules, *others)):
            readers.setdefault(key, []).append(segment)
        for key in sorted(set.intersection(*rules)) if rules else ():
            decides.setdefault(key, []).append(segment)
    return RuleReads({k: tuple(v) for k, v in readers.items()}, {k: tuple(v) for k, v in decides.items()})


def _with_inputs(keys: Iterator[str], inputs: Mapping[str, tuple[str, ...]]) -> set[str]:
    found = set(keys)
    return found | {stored for key in found for stored in inputs.get(key, ())}


def _attributes(document: Any) -> Iterator[str]:
    """Every attribute that a criteria document names, however deep."""
    if isinstance(document, Mapping):
        if isinstance(document.get("attribute"), str):
            yield document["attribute"]
        for value in document.values():
            yield from _attributes(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _attributes(value)
