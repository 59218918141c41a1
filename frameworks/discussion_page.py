"""Threads as pages show them: what each is about, where it came from, what the reader can do with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from frameworks.document import Document
from frameworks.models import Comment, FrameworkVersion
from frameworks.querysets import threads_on, with_replies
from frameworks.services.discussion import may_resolve
from frameworks.version_page import VersionPage


@dataclass(frozen=True)
class Thread:
    """One thread for one reader. `came_from` is the earlier version it was opened on."""

    first: Comment
    said: Sequence[Comment]
    about: str
    about_url: str
    came_from: FrameworkVersion | None
    can_resolve: bool
    names_reader: bool


def threads_for(page: VersionPage, comments: QuerySet[Comment]) -> list[Thread]:
    """The threads among `comments`, open ones first, then by age."""
    threads = list(with_replies(comments.order_by("-resolved_at", "pk")))
    names = page.names((each.part_kind, each.part_key) for each in threads if each.part_key)
    return [_thread(page, comment, names) for comment in threads]


def _thread(page: VersionPage, first: Comment, names: Document) -> Thread:
    said = [first, *first.replies.all()]
    mentions = [mention for comment in said for mention in comment.mentions.all()]
    part = (first.part_kind, first.part_key)
    is_here = part in names.bodies
    return Thread(
        first=first,
        said=said,
        about=names.label_of(*part) if first.part_key else "",
        about_url=page.part_url(part) if is_here else "",
        came_from=first.version if first.version_id != page.version.pk else None,
        can_resolve=may_resolve(page.user, first),
        names_reader=any(each.person_id == page.user_id and each.noted_at is None for each in mentions),
    )


def threads_about(page: VersionPage, kind: str, key: str) -> list[Thread]:
    """The threads on one part, as its panel shows them."""
    return threads_for(page, threads_on(page.version).filter(part_kind=kind, part_key=key))
