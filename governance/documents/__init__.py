"""The documents of the process: a registry. One module per document, each made from live data when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from frameworks.document import Document
from governance.documents import alignment, framework


@dataclass(frozen=True)
class Printable:
    """A document people read or print: `context` answers what its template shows of a version."""

    slug: str
    title: str
    audience: str
    template: str
    context: Callable[[Document], dict[str, Any]]


PRINTABLES = {
    each.slug: each
    for each in (
        Printable(
            "segmentation-framework",
            "Segmentation Framework",
            "Everyone who sells to, serves or counts customers",
            "governance/documents/framework.html",
            framework.context_of,
        ),
        Printable(
            "definition-alignment",
            "Definition Alignment",
            "Leaders of the departments that share the definitions",
            "governance/documents/alignment.html",
            alignment.context_of,
        ),
    )
}
