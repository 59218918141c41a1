"""Template tags of the documents."""

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from governance.documents.blocks import Link, Words

register = template.Library()


@register.filter
def linked(words: Words, site: str = "") -> SafeString | str:
    """Words of a block; a link leads to its page, on paper with the site's address before it."""
    if not isinstance(words, Link):
        return conditional_escape(words)
    if not words.url:
        return conditional_escape(words.text)
    return format_html('<a href="{}{}">{}</a>', site, words.url, words.text)
