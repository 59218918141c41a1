"""The account lists that rules and segments name: which there are, and which parts name without there being one."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from frameworks.checks.findings import Finding
from frameworks.criteria.parsing import unknown_list
from frameworks.definition import Bodies
from frameworks.document import Document
from frameworks.models import AccountList, Kind
from frameworks.rules_together import placed_nodes


class NamedList(NamedTuple):
    """A list that a segment names: where in its body (JSON pointer), and by which node; none in `anti_icp`."""

    segment: str
    key: str
    pointer: str
    node: str = ""

    def __str__(self) -> str:
        return f"{self.pointer} (node {self.node})" if self.node else self.pointer


def known_lists() -> frozenset[str]:
    """The keys of all lists; those out of use are read by the rules that name them."""
    return frozenset(AccountList.objects.values_list("key", flat=True))


def lists_for(bodies: Bodies) -> frozenset[str]:
    """The lists that an edit of a draft with these bodies may name: all there are, and what the draft names already.

    A file may bring a rule before its list is there (`list_findings` says so until it is); what is typed may not.
    """
    return known_lists() | {named.key for named in lists_named(bodies)}


def lists_named(bodies: Bodies) -> Iterator[NamedList]:
    """Every list that segments name, in reading order."""
    for (kind, key), body in bodies.items():
        if kind != Kind.SEGMENT:
            continue
        for at, node in placed_nodes(body):
            if node["op"] == "on_list":
                yield NamedList(key, node["list"], f"{at}/list", node["id"])
        for position, named in enumerate(body.get("anti_icp", ())):
            yield NamedList(key, named, f"/anti_icp/{position}")


def list_findings(bodies: Bodies, known: Collection[str]) -> Iterator[Finding]:
    """Lists that are not there: nobody is on them, so a rule takes nobody, and one that negates it everybody."""
    missing: dict[str, list[NamedList]] = {}
    for each in lists_named(bodies):
        if each.key not in known:
            missing.setdefault(each.segment, []).append(each)
    for key, named in missing.items():
        said = " ".join(dict.fromkeys(unknown_list(each.key, known) for each in named))
        name = Document(bodies).label_of(Kind.SEGMENT, key)
        text = f"{name}: {said} It is named at {', '.join(map(str, named))}."
        items = tuple(f"{each.pointer}: {each.key}" for each in named)
        yield Finding("unknown_list", "error", text, Kind.SEGMENT.value, key, items)
