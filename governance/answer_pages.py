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

    def url(self, version: FrameworkVersion | None) -> str:
        """Its address; "" for a page of a version while there is none."""
        if not self.of_version:
            return reverse(self.url_name)
        return reverse(self.url_name, args=[version.framework.slug, version.number]) if version else ""


PAGES: dict[str, AnswerPage] = {
    page.key: page
    for page in (
        AnswerPage("accounts", "Accounts by dimension", "accounts:account_list"),
        AnswerPage("runs", "Runs and the distribution after them", "accounts:run_list"),
        AnswerPage("impact", "Impact of a version", "accounts:version_impact", of_version=True),
        AnswerPage("definitions", "Definitions", "frameworks:version_definitions", of_version=True),
        AnswerPage("playbooks", "Playbooks by segment", "frameworks:version_playbooks", of_version=True),
        AnswerPage("data_sources", "Data source map", "frameworks:version_data_sources", of_version=True),
        AnswerPage("document", "Framework document", "frameworks:version_detail", of_version=True),
        AnswerPage("fields", "Field inventory", "governance:field_inventory"),
        AnswerPage("requests", "Override requests", "governance:request_list"),
        AnswerPage("help", "Quick-reference card", "governance:help"),
    )
}
