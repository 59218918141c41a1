"""The Definition Alignment: each agreed wording beside what departments say instead."""

from typing import Any

from frameworks.document import Document
from frameworks.models import Kind


def context_of(document: Document) -> dict[str, Any]:
    return {"terms": [(part.key, part.schema) for part in document.of_kind(Kind.TERM)]}
