"""Template tags for definitions: what one wording says that another does not, and badges of parts."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from frameworks.document import PartText
from frameworks.models import Comment
from frameworks.parts.diff import word_diff
from frameworks.parts.wording import humanise
from frameworks.version_page import VersionPage

register = template.Library()


@register.simple_tag
def marked_words(agreed: str, wording: str) -> SafeString:
    """`wording` with what the agreed one does not say in `<mark>`."""
    pieces: list[tuple[str, str]] = []
    for op, text in word_diff(agreed, wording):
        # A space both have, between two words that only one has, does not end the mark.
        if op != "delete":
            joins = pieces and (op == pieces[-1][0] or (not text.strip() and pieces[-1][0] == "insert"))
            pieces[-1:] = [(pieces[-1][0], pieces[-1][1] + text)] if joins else [*pieces[-1:], (op, text)]
    return format_html_join("", "{}", ((_marked(op, text),) for op, text in pieces))


def _marked(op: str, text: str) -> SafeString | str:
    return format_html("<mark>{}</mark>", text) if op == "insert" and text.strip() else text


@register.filter
def words(key: object) -> str:
    """A key as words: "mid_market" → "Mid market"."""
    return humanise(str(key))


@register.filter
def badge_of(page: VersionPage, part: PartText) -> str:
    """The badge of one part."""
    return page.badge([part.id])


@register.filter
def said(comment: Comment) -> SafeString:
    """A comment's words with the names of those it calls in set off."""
    names = sorted({mention.person.name for mention in comment.mentions.all()}, key=len, reverse=True)
    handles = [*names, *(name.split(" ")[0] for name in names)]
    if not handles:
        return format_html("{}", comment.text)
    pieces = re.split("(@(?:" + "|".join(map(re.escape, handles)) + r")\b)", comment.text, flags=re.IGNORECASE)
    return format_html_join("", "{}", ((_called(piece, place),) for place, piece in enumerate(pieces)))


def _called(piece: str, place: int) -> SafeString | str:
    return format_html("<b>{}</b>", piece) if place % 2 else piece
