"""The pages of the product that can answer a business question: a fixed list, so that every link of it works."""

from dataclasses import dataclass

from django.urls import reverse

from frameworks.models import FrameworkVersion


@dataclass(frozen=True)
class AnswerPage:
    """A page: `key` is what is stored. `of_version`: it is a page of a version, not of the whole workspace."""

    key: str
    label: str
    url_name: str
    of_version: bool = False
    document: str = ""
    """The document of the version that it is; "" for other pages."""

    def url(self, version: FrameworkVersion | None) -> str:
        """Its address; "" for a page of a version while there is none."""
        if not self.of_version:
            return reverse(self.url_name)
        if version is None:
            return ""
        of_document = [self.document] if self.document else []
        return reverse(self.url_name, args=[version.framework.slug, version.number, *of_document])


def _document(key: str, label: str, slug: str) -> AnswerPage:
    return AnswerPage(key, label, "governance:document_page", of_version=True, document=slug)


PAGES: dict[str, AnswerPage] = {
    page.key: page
    for page in (
        AnswerPage("accounts", "Accounts by dimension", "accounts:account_list"),
        AnswerPage("runs", "Runs and the distribution after them", "accounts:run_list"),
        AnswerPage("impact", "Impact of a version", "accounts:version_impact", of_version=True),
        AnswerPage("definitions", "Definitions", "frameworks:version_definitions", of_version=True),
        AnswerPage("playbooks", "Playbooks by segment", "frameworks:version_playbooks", of_version=True),
        AnswerPage("data_sources", "Data sources of a version", "frameworks:version_data_sources", of_version=True),
        _document("document", "Segmentation Framework (document)", "segmentation-framework"),
        _document("distribution", "Segment Distribution Report (document)", "segment-distribution-report"),
        _document("card", "CSM Quick-Reference Card (document)", "quick-reference-card"),
        _document("faq", "FAQ (document)", "faq"),
        _document("source_map", "Data Source Map (document)", "data-source-map"),
        _document("enrichment", "Enrichment Refresh Guide (document)", "enrichment-refresh-guide"),
        _document("maintenance", "Maintenance Schedule (document)", "maintenance-schedule"),
        _document("exceptions", "Exception Process (document)", "exception-process"),
        _document("tech_spec", "Tech Spec (document)", "tech-spec"),
        AnswerPage("fields", "Field inventory", "governance:field_inventory"),
        AnswerPage("requests", "Override requests", "governance:request_list"),
        AnswerPage("help", "Help", "governance:help"),
    )
}
