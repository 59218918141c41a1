"""The Segmentation Framework: dimensions with their segments and rules in words, terms, sources."""

from typing import Any

from frameworks.document import Document
from frameworks.models import Kind


def context_of(document: Document) -> dict[str, Any]:
    dimensions = [(part, document.segments_of(part.key)) for part in document.of_kind(Kind.DIMENSION)]
    return {
        "dimensions": dimensions,
        "playbooks": [(document.label_of(p.kind, p.key), p.schema) for p in document.of_kind(Kind.PLAYBOOK)],
        "terms": [part.schema for part in document.of_kind(Kind.TERM)],
        "sources": [part.schema for part in document.of_kind(Kind.DATA_SOURCE)],
    }
