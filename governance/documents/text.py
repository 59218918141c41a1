"""What people wrote, as safe HTML: a little markdown for playbooks and notes, nothing of it for what is signed.

A signature covers every character of a definition, so those are shown as they stand; markdown would swallow some.
"""

from functools import cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

TAGS = {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "strong", "ul"}
SCHEMES = {"http", "https", "mailto"}


@cache
def _reader() -> MarkdownIt:
    """No HTML, no pictures, no headings: a text stands within a document that has its own."""
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(["heading", "lheading", "image", "hr"])


def markdown(text: str) -> SafeString:
    """The text as paragraphs, lists, emphasis and links; whatever else is in it stays visible as text."""
    html = _reader().render(text)
    clean = nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES, link_rel="noopener nofollow")
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it
