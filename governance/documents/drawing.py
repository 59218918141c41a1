"""A document's content at one moment: for the page, and as the HTML that is laid out on paper."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from frameworks.criteria.parsing import CriteriaError
from frameworks.models import FrameworkVersion
from frameworks.parts import PartError
from governance.documents import Printable
from governance.documents.blocks import Prose, Section
from governance.documents.decisions import decided_on, decision_blocks
from governance.documents.pdf import styles
from governance.documents.source import Source


@dataclass(frozen=True)
class Printed:
    """What is laid out, of a card also the shorter ones; `digest` covers it and its style, but not the moment."""

    texts: list[str]
    digest: str


def context_of(printable: Printable, version: FrameworkVersion, at: datetime) -> dict[str, Any]:
    """What the page and the print template show."""
    source = Source(version.framework, version, at)
    sections = _sections(printable, source)
    decided = decided_on(version, source.document, source.at)
    return {
        "printable": printable,
        "version": version,
        "framework": version.framework,
        "is_in_force": version.is_active,
        "as_of": source.at,
        "site": "",
        "source": source,
        "sections": sections,
        "chapters": [section for section in sections if section.level == 2],
        "decided": decided,
        "decisions": list(decision_blocks(decided)),
    }


def printed(printable: Printable, version: FrameworkVersion, at: datetime) -> Printed:
    """The document's HTML, which no query and no file can change any more."""
    # On paper an address is of no use without the site it belongs to.
    context = context_of(printable, version, at) | {"site": settings.SITE_URL}
    contexts = [context]
    for sections in printable.shorter:
        shorter = _sections(replace(printable, sections=sections), context["source"])
        contexts.append(context | {"sections": shorter})
    timeless = [_drawn(each | {"as_of": None}) for each in contexts]
    digest = hashlib.sha256("\0".join([styles(), *timeless]).encode()).hexdigest()
    return Printed([_drawn(each) for each in contexts], digest)


def _drawn(context: Mapping[str, Any]) -> str:
    return render_to_string("governance/documents/print.html", dict(context))


def _sections(printable: Printable, source: Source) -> list[Section]:
    """What the document says; of a draft whose parts do not fit together, why it says nothing."""
    try:
        return list(printable.sections(source))
    except (PartError, CriteriaError) as error:
        return [Section("This version cannot be read", [Prose(str(error), "warn")])]
