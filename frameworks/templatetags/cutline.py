"""Template tags of the workspace: how Cutline writes figures, moments, people and digests, and its blocks.

Values that are missing are written as a dash, never as "None". All markup is free of inline styles.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

DASH = "–"
NBSP = "\u00a0"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
RAMP = 4


def _decimal(value: object) -> Decimal | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _grouped(number: Decimal) -> str:
    """Thousands separators, no trailing zeros after the point, a real minus sign."""
    text = f"{abs(number):,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"−{text}" if number < 0 and text != "0" else text


@register.filter
def number(value: object) -> str:
    """1234567.50 → "1,234,567.5"; text that is no number stays as it is."""
    parsed = _decimal(value)
    if parsed is None:
        return DASH if value is None or value == "" else str(value)
    return _grouped(parsed)


@register.filter
def signed(value: object) -> str:
    """A change with its sign: "+133", "0"."""
    parsed = _decimal(value)
    if parsed is None:
        return DASH
    return f"+{_grouped(parsed)}" if parsed > 0 else _grouped(parsed)


@register.filter
def money(value: object, currency: str = "USD") -> str:
    """An amount to the unit, cents only when it has some: "$86,400", "CHF 1,200.50"."""
    parsed = _decimal(value)
    if parsed is None:
        return DASH
    cents = abs(parsed) != abs(parsed).to_integral_value()
    return _with_currency(parsed, f"{abs(parsed):,.2f}" if cents else f"{abs(parsed):,.0f}", currency)


@register.filter
def money_short(value: object, currency: str = "USD") -> str:
    """An amount for figures and charts: "$499.5M", "$86K", "$950"."""
    parsed = _decimal(value)
    if parsed is None:
        return DASH
    size = abs(parsed)
    for unit, suffix in ((Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "K")):
        if size >= unit:
            places = ".0f" if suffix == "K" else ".1f"
            return _with_currency(parsed, f"{size / unit:{places}}{suffix}", currency)
    return _with_currency(parsed, f"{size:,.0f}", currency)


def _with_currency(value: Decimal, text: str, currency: str) -> str:
    symbol = SYMBOLS.get(currency or "USD", f"{currency}{NBSP}")
    return f"{'−' if value < 0 else ''}{symbol}{text}"


@register.filter
def share(value: object, whole: object = None) -> str:
    """A share in per cent: `{{ 0.965|share }}` is "96.5 %"; `{{ moved|share:total }}` divides first."""
    part, total = _decimal(value), Decimal(1) if whole is None else _decimal(whole)
    if part is None or not total:
        return DASH
    percent = part / total * 100
    places = 0 if percent == percent.to_integral_value() else 1
    return f"{percent:.{places}f}{NBSP}%".replace("-", "−")


@register.filter
def initials(name: object) -> str:
    """ "Tomas Ekberg" → "TE", from the first and the last word."""
    words = re.findall(r"\w+", str(name or ""))
    if not words:
        return "?"
    letters = f"{words[0][0]}{words[-1][0] if len(words) > 1 else ''}"
    return letters.upper()


@register.filter
def digest(value: object) -> SafeString:
    """The first twelve characters of a digest; the whole one on hover."""
    if not value:
        return SafeString(DASH)
    return format_html('<code class="mono" title="{}">{}</code>', value, str(value)[:12])


@register.filter
def swatch(rank: object, of: object = RAMP) -> str:
    """The colour class of a segment by its rank from 1: s1 (top) … s4, s0 for Unassigned."""
    place, count = _decimal(rank), _decimal(of) or Decimal(RAMP)
    if place is None or place < 1:
        return "s0"
    if count <= RAMP:
        return f"s{min(int(place), RAMP)}"
    return f"s{1 + min(int((place - 1) * (RAMP - 1) / (count - 1)), RAMP - 1)}"


# Moments


def _moment(value: object) -> datetime | date | None:
    if isinstance(value, str):
        return parse_datetime(value) or parse_date(value)
    return value if isinstance(value, date) else None


@register.filter
def day(value: object) -> str:
    """A calendar day: "4 Nov 2026"."""
    moment = _moment(value)
    if moment is None:
        return DASH
    if isinstance(moment, datetime) and timezone.is_aware(moment):
        moment = timezone.localtime(moment)
    return f"{moment.day} {moment:%b %Y}"


@register.simple_tag
def when(value: object, absent: str = DASH) -> str:
    """A `<time>` that reads "3 days ago" and shows the exact instant on hover; also takes ISO text."""
    moment = _moment(value)
    if moment is None:
        return absent
    if not isinstance(moment, datetime):
        days = (moment - timezone.localdate()).days
        return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), day(moment), _days(days))
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    exact = timezone.localtime(moment)
    title = f"{exact:%Y-%m-%d %H:%M:%S} {exact.tzname()}"
    return _time(exact.isoformat(), title, _relative(moment, timezone.now()))


def _time(machine: str, exact: str, words: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', machine, exact, words)


def _relative(moment: datetime, now: datetime) -> str:
    gap = moment - now
    size = abs(gap)
    if size < timedelta(seconds=45):
        return "just now" if gap <= timedelta(0) else "in a moment"
    if size < timedelta(hours=1):
        words = f"{max(1, round(size.total_seconds() / 60))} min"
    elif size < timedelta(hours=22):
        words = f"{round(size.total_seconds() / 3600)} h"
    else:
        return _days((timezone.localdate(moment) - timezone.localdate(now)).days)
    return f"in {words}" if gap > timedelta(0) else f"{words} ago"


def _days(days: int) -> str:
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if days in near:
        return near[days]
    size, unit = abs(days), "days"
    if size >= 730:
        size, unit = round(size / 365.25), "years"
    elif size >= 60:
        size, unit = round(size / 30.44), "months"
    return f"in {size} {unit}" if days > 0 else f"{size} {unit} ago"


# Bars and texts


@register.simple_tag
def bar(value: object, whole: object = 100, tone: str = "fa", mark: object = None) -> SafeString:
    """A horizontal bar as SVG: `value` of `whole`, a tick at `mark`. Decorative: say the figure beside it."""
    width = _percent(value, whole)
    tick: str | SafeString = ""
    if mark is not None:
        tick = format_html('<rect class="tick" x="{}%" width="2" height="100%"/>', min(_percent(mark, whole), 99))
    return format_html(
        '<svg class="bar" aria-hidden="true" focusable="false">'
        '<rect class="rail0" width="100%" height="100%"/>'
        '<rect class="{}" width="{}%" height="100%"/>{}</svg>',
        tone,
        width,
        tick,
    )


def _percent(value: object, whole: object) -> float:
    part, total = _decimal(value), _decimal(whole)
    if part is None or not total:
        return 0
    return float(round(min(max(part / total * 100, Decimal(0)), Decimal(100)), 2))


@register.simple_tag
def word_diff(before: object, after: object) -> SafeString:
    """Both texts as one, word by word: what left in `<del>`, what came in `<ins>`."""
    old, new = _words(before), _words(after)
    pieces: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("", "".join(new[c:d])))
            continue
        pieces += [("del", "".join(old[a:b]))] if b > a else []
        pieces += [("ins", "".join(new[c:d]))] if d > c else []
    return format_html_join("", "{}", ((_marked(name, text),) for name, text in _joined(pieces)))


def _joined(pieces: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A single space between two changes ends neither: where all words are others, the texts stand side by side."""
    gone = come = ""
    for place, (name, text) in enumerate(pieces):
        joins = text == " " and (gone or come) and place < len(pieces) - 1
        if not name and not joins:
            yield from (("del", gone), ("ins", come), ("", text))
            gone = come = ""
            continue
        gone, come = gone + (text if name != "ins" else ""), come + (text if name != "del" else "")
    yield from (("del", gone), ("ins", come))


def _words(text: object) -> list[str]:
    return re.findall(r"\s+|[\w,.]*\w|[^\w\s]", str(text or ""))


def _marked(name: str, text: str) -> SafeString | str:
    """The text in its element; spaces at its ends stay outside, so that no mark begins or ends with a gap."""
    inner = text.strip()
    if not name or not inner:
        return text
    before, after = text[: text.index(inner)], text[text.index(inner) + len(inner) :]
    tag = mark_safe(name)  # noqa: S308 - one of two literals above
    return format_html("{0}<{1}>{2}</{1}>{3}", before, tag, inner, after)


# Forms


@register.simple_tag
def field(bound: BoundField, hint: str = "", css: str = "", *, is_filter: bool = False, **attrs: Any) -> SafeString:
    """A form field with label, hint and errors in our look; further arguments become widget attributes.

    A field that may stay empty says so, but for the filters of a list: all of those may.
    """
    widget = bound.field.widget
    attrs = {name.replace("_", "-"): value for name, value in attrs.items()}
    attrs["class"] = f"{_widget_class(widget)}{' is-invalid' if bound.errors else ''} {css}".strip()
    if hint and not bound.help_text:
        named = [f"{bound.auto_id}_helptext", f"{bound.auto_id}_error" if bound.errors else ""]
        attrs.setdefault("aria-describedby", " ".join(named).strip())
    context = {
        "field": bound,
        "control": bound.as_widget(attrs=attrs),
        "hint": hint or bound.help_text,
        "is_checkbox": isinstance(widget, CheckboxInput),
        "is_group": isinstance(widget, RadioSelect | CheckboxSelectMultiple),
        "says_optional": not is_filter and not bound.field.required,
    }
    return mark_safe(render_to_string("components/_field.html", context))  # noqa: S308 - rendered by a template


def _widget_class(widget: object) -> str:
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple | CheckboxInput):
        return "form-check-input"
    return "form-select" if isinstance(widget, Select) else "form-control"


# Components


@register.inclusion_tag("components/_segment.html")
def segment(
    label: str | None, rank: object = None, of: object = RAMP, reason: str = "", note: str = "", url: str = ""
) -> Mapping[str, Any]:
    """A segment with its swatch; without a label "Unassigned" and the reason. `note`: Override …"""
    return {"label": label, "tone": swatch(rank, of), "reason": reason, "note": note, "url": url}


@register.simple_block_tag
def panel(content: str, title: str, **parts: str) -> SafeString:
    """A titled surface.

    Parts: `aside` stands right in its head, a link with `url`; `chip` with `tone`; `foot`; `id`; `flush=1`
    for tables and lists, which bring their own padding.
    """
    return _block("panel", content, title=title, **parts)


@register.simple_block_tag
def note(content: str, tone: str = "info", **parts: str) -> SafeString:
    """A banner: tone info, ok, warn or bad. Parts: `icon`, `label`, `url` and `action` for the link at its end."""
    icons = {"info": "info-circle", "ok": "circle-check", "warn": "alert-triangle", "bad": "alert-octagon"}
    return _block("note", content, tone=tone, **{"icon": icons[tone], **parts})


@register.simple_block_tag
def data_table(content: str, caption: str, css: str = "") -> SafeString:
    """A table with its caption for screen readers, scrolling sideways in itself when it is too wide."""
    return _block("table", content, caption=caption, css=css)


@register.simple_block_tag(takes_context=True)
def dialog(context: template.Context, content: str, title: str, **parts: Any) -> SafeString:
    """The confirmation of a governing act; data-dialog="#id" opens it.

    Parts: `id`, `action` (the URL its form posts to), `submit` (the words on the button), `tone="danger"`,
    `cancel`, `opened` for one that the page begins with, because what was sent from it was refused.
    """
    return _block("dialog", content, title=title, csrf_token=context.get("csrf_token", ""), **parts)


def _block(name: str, content: str, **values: Any) -> SafeString:
    body = mark_safe(content)  # noqa: S308 - the block was rendered, and escaped, by the template around it
    return mark_safe(render_to_string(f"components/_{name}.html", {"content": body, **values}))  # noqa: S308
