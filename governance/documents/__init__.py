"""The documents of the process: a registry. One module per document, each made from live data when it is asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from governance.documents import alignment, framework, gaps
from governance.documents.blocks import Section
from governance.documents.source import Source


@dataclass(frozen=True)
class Printable:
    """A document people read or print: `sections` answers what it says of a version."""

    slug: str
    title: str
    audience: str
    summary: str
    sections: Callable[[Source], Iterable[Section]]


PRINTABLES = {
    each.slug: each
    for each in (
        Printable(
            "segmentation-framework",
            "Segmentation Framework",
            "Everyone who sells to, serves or counts customers",
            "Dimensions, segments and their rules, playbooks, definitions and policies: all that was agreed",
            framework.sections_of,
        ),
        Printable(
            "definition-alignment",
            "Definition Alignment",
            "Leaders of the departments that share the definitions",
            "Each agreed wording, what departments say instead, and who said Yes or No",
            alignment.sections_of,
        ),
        Printable(
            "gap-analysis",
            "Gap Analysis",
            "RevOps, and whoever owns the data",
            "What is missing between today's segmentation and this version, most urgent first",
            gaps.sections_of,
        ),
    )
}
