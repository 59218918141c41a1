"""The documents of the process: a registry. One module per document, each made from live data when it is asked for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from governance.documents import (
    alignment,
    card,
    distribution,
    enrichment,
    exceptions,
    faq,
    framework,
    gaps,
    maintenance,
    readiness,
    source_map,
    tech_spec,
)
from governance.documents.blocks import Section
from governance.documents.source import Source


@dataclass(frozen=True)
class Printable:
    """A document people read or print: `sections` answers what it says of a version.

    One of exactly one page has `shorter`: what it says instead, less and less, until the page holds it.
    """

    slug: str
    title: str
    audience: str
    summary: str
    sections: Callable[[Source], Iterable[Section]]
    shorter: Sequence[Callable[[Source], Iterable[Section]]] = ()

    @property
    def is_card(self) -> bool:
        """It is one page, without contents."""
        return bool(self.shorter)


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
        Printable(
            "strategic-checklist",
            "Strategic Sign-off Checklist",
            "The executive, and whoever prepares the sign-off",
            "What has to be true before a version is built, and who acts next where it is not",
            readiness.sections_of,
        ),
        Printable(
            "tech-spec",
            "Tech Spec",
            "Whoever builds it: architect, CRM admin, integration",
            "Fields of Salesforce and HubSpot, security, layout, automation, enrichment, dashboards, sequence, risks",
            tech_spec.sections_of,
        ),
        Printable(
            "segment-distribution-report",
            "Segment Distribution Report",
            "Leadership, RevOps and Finance",
            "Customers and ARR by segment against the baseline, and what somebody has to look at",
            distribution.sections_of,
        ),
        Printable(
            "quick-reference-card",
            "CSM Quick-Reference Card",
            "CSMs and AEs, beside the telephone",
            "Who is in which segment and what to do for it, on one page",
            card.sections_of,
            card.shorter(),
        ),
        Printable(
            "faq",
            "FAQ",
            "CSMs, AEs and everybody who meets a segment",
            "Why an account is in its segment, whether it can be overridden, how often segments update",
            faq.sections_of,
        ),
        Printable(
            "data-source-map",
            "Data Source Map",
            "RevOps, data owners, the CRM admin",
            "For every attribute its system, owner, refresh and age, how much of it is there, and who reads it",
            source_map.sections_of,
        ),
        Printable(
            "enrichment-refresh-guide",
            "Enrichment Refresh Guide",
            "RevOps, CS Ops and the owners of data sources",
            "Which values are brought in anew, from where, how often, and which accounts first",
            enrichment.sections_of,
        ),
        Printable(
            "maintenance-schedule",
            "Maintenance Schedule",
            "CS Ops and RevOps",
            "What is looked at how often, by whom, what is a red flag, and when it is next",
            maintenance.sections_of,
        ),
        Printable(
            "exception-process",
            "Exception Process",
            "CSMs who ask, CS Ops and Deal Desk who decide",
            "What to do when an account seems to be in the wrong segment, who decides, and until when",
            exceptions.sections_of,
        ),
    )
}
