"""The page about a line of the sign-off policy that too few people can sign: why, what would help, who was asked."""

from dataclasses import dataclass
from functools import cached_property

from django.urls import NoReverseMatch, reverse

from frameworks.errors import ConflictError
from frameworks.models import FrameworkVersion, HelpRequest, Kind, User
from frameworks.querysets import able_to_help
from frameworks.services.helping import Shortage, help_asked, refuse_second, shortages_of
from frameworks.version_page import VersionPage

State = FrameworkVersion.State


@dataclass(frozen=True)
class Way:
    """Something that would help: what, how, and where it is done; `url` empty where this reader may not."""

    title: str
    text: str
    url: str
    action: str


class HelpPage:
    """What one reader sees about one line of the policy, by its code."""

    def __init__(self, page: VersionPage, code: str) -> None:
        self.page = page
        self.version = page.version
        self.code = code

    @cached_property
    def shortage(self) -> Shortage | None:
        """None: enough people can sign it, or there is no such line."""
        return next((each for each in shortages_of(self.version, self.page.at) if each.code == self.code), None)

    @cached_property
    def asked(self) -> list[HelpRequest]:
        return help_asked(self.version, self.code)

    @property
    def label(self) -> str:
        return self.shortage.label if self.shortage else self.asked[0].label if self.asked else ""

    @cached_property
    def helpers(self) -> list[User]:
        return list(able_to_help().exclude(pk=self.page.user_id))

    @property
    def may_ask(self) -> bool:
        return bool(self.shortage and self.helpers and self.page.may("comment_version") and not self.asked_today)

    @cached_property
    def asked_today(self) -> str:
        """Who asked today, in words; empty when nobody did."""
        try:
            refuse_second(self.version, self.code, self.label, self.page.at)
        except ConflictError as error:
            return str(error)
        return ""

    @property
    def ways(self) -> list[Way]:
        if self.shortage is None:
            return []
        # Nobody stands in for another where a version in force is signed again.
        return [self._role(), self._policy(), *([] if self.shortage.recurs else [self._delegation()])]

    def _role(self) -> Way:
        pool = self.shortage.pool_label if self.shortage else ""
        text = f"Whoever is {pool}, may sign and wrote nothing of this version can sign it."
        if self.version.state != State.DRAFT and self.shortage and not self.shortage.recurs:
            text += " Who was asked when it was submitted counts again at once; others once it is submitted again."
        return Way("Give somebody the role, or let them log in again", text, self._people_url(), "People")

    def _people_url(self) -> str:
        user = self.page.user
        if not (user.is_staff and (user.is_superuser or self.page.may("change_user"))):
            return ""
        try:
            return reverse("admin:frameworks_user_changelist")
        except NoReverseMatch:
            return ""

    def _policy(self) -> Way:
        text = "Fewer signatures, other people, or contributors who count. A second person confirms the change."
        if self.version.is_active:
            text += f" That takes a next version: v{self.version.number} keeps the policy it was signed with."
            framework = reverse("frameworks:framework_detail", args=[self.version.framework.slug])
            return Way("Change the sign-off policy", text, framework, "The framework")
        if self.version.state != State.DRAFT:
            text += f" Ask for changes first: v{self.version.number} becomes a draft again and keeps what was signed."
            return Way("Change the sign-off policy", text, self.page.url("version_detail"), "The version")
        is_there = self.version.parts.filter(kind=Kind.POLICY, key="signoff").exists()
        may = is_there and self.page.may("edit_draft")
        url = self.page.url("part_edit", kind="policy", key="signoff") if may else ""
        return Way("Change the sign-off policy", text, url, "The policy")

    def _delegation(self) -> Way:
        text = (
            "Who is only away names somebody to sign in their place. It helps nobody who wrote parts of this version."
        )
        return Way("Delegate", text, reverse("frameworks:delegations"), "Delegations")
