"""The Strategic Sign-off Checklist on paper: the lines that the page shows, as they stand now."""

from collections.abc import Iterator

from frameworks.criteria.parsing import CriteriaError
from frameworks.parts import PartError
from governance.checklist import checklist_of
from governance.documents.blocks import Facts, Link, Prose, Section, table
from governance.documents.source import Source


def sections_of(source: Source) -> Iterator[Section]:
    try:
        checklist = checklist_of(source.version, source.at)
    except (PartError, CriteriaError) as error:
        yield Section("Conditions", [Prose(f"The version cannot be read: {error}", "warn")])
        return
    met = f"{checklist.met} of {len(checklist.lines)}"
    yield Section("Summary", [Facts([("Conditions met", met)])])
    rows = [
        (Link(line.title, line.url), "met" if line.is_met else "open", line.figure, line.next)
        for line in checklist.lines
    ]
    heads = ("Condition", "State", "Figure", "Who acts next")
    yield Section("Conditions", [table("Conditions of the strategic sign-off", heads, rows)])
