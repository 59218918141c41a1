"""Names and values in words, for diffs that people read before they sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from frameworks.parts.base import write_decimal

_ALWAYS_UPPER = frozenset({"acv", "arr", "ae", "api", "cac", "crm", "cs", "csm", "icp", "id", "nrr", "grr", "smb"})
_SPELT = {"aes": "AEs"}
_SHARES = frozenset(
    {
        "base_share",
        "min_populated",
        "max_share_moved",
        "max_segment_change",
        "max_unassigned",
        "max_dominance",
        "warn_dominance",
        "impact_tolerance",
        "expectations",
    }
)
_AMOUNTS = frozenset({"arr_two_person_over", "cost_per_account", "cost_per_rep_from", "cost_per_rep_to", "quota"})
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
LONG = 80


@dataclass(frozen=True)
class Names:
    """What the parts at hand call things: labels and types of attributes, labels of dimensions and segments."""

    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    currency: str = "USD"

    def attribute(self, key: str) -> str:
        """How the attribute is called inside a sentence."""
        label = str(self.attributes.get(key, {}).get("label") or humanise(key))
        return label if label[1:2].isupper() else label[:1].lower() + label[1:]

    def dimension(self, key: str) -> str:
        return self.dimensions.get(key) or humanise(key)

    def segment(self, dimension: str, key: str) -> str:
        return self.segments.get(f"{dimension}/{key}") or humanise(key)

    def value(self, attribute: str, literal: object) -> str:
        """A literal of a criterion with its currency, unit or choice label."""
        source = self.attributes.get(attribute, {})
        for choice in source.get("choices", ()):
            if choice.get("id") == literal:
                return str(choice.get("label"))
        text = grouped(literal)
        if source.get("data_type") == "money":
            return money(text, str(source.get("currency") or self.currency))
        return f"{text} %" if source.get("unit") == "percent" else text

    def shown(self, name: str, value: object) -> str:
        """The value of the body field `name` inside a sentence."""
        if value is None or value in ("", [], {}):
            return "nothing"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Decimal):
            return self._quantity(name, value)
        if isinstance(value, list):
            return ", ".join(self.shown(name, item) for item in value)
        return grouped(value) if isinstance(value, int) else str(value)

    def _quantity(self, name: str, value: Decimal) -> str:
        if name in _SHARES:
            return f"{write_decimal(value * 100)} %"
        text = grouped(write_decimal(value))
        return money(text, self.currency) if name in _AMOUNTS else text


def names_of(*sides: Mapping[tuple[str, str], Mapping[str, Any]]) -> Names:
    """The names in several sets of parts; an earlier set wins."""
    attributes: dict[str, Mapping[str, Any]] = {}
    labels: dict[str, dict[str, str]] = {"dimension": {}, "segment": {}}
    currency = ""
    for parts in sides:
        for (kind, key), body in parts.items():
            if kind == "data_source":
                attributes.setdefault(key, body)
            elif kind in labels:
                labels[kind].setdefault(key, str(body.get("label", key)))
            elif kind == "meta":
                currency = currency or str(body.get("currency", ""))
    return Names(attributes, labels["dimension"], labels["segment"], currency or "USD")


def humanise(name: str) -> str:
    """A key as a heading: accounts_per_csm is Accounts per CSM."""
    words = [_SPELT.get(word, word.upper() if word in _ALWAYS_UPPER else word) for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def grouped(literal: object) -> str:
    """A number with thousands separators; anything else as it is."""
    text = str(literal)
    whole, point, decimals = text.lstrip("-").partition(".")
    if not (whole.isdigit() and whole.isascii() and (decimals.isdigit() or not point)):
        return text
    # Pad-free on purpose: leading zeros mark a code (a postcode), which is not a number to group.
    if len(whole) > 1 and whole.startswith("0"):
        return text
    sign = "-" if text.startswith("-") else ""
    return f"{sign}{int(whole):,}" + (f".{decimals}" if decimals.strip("0") else "")


def money(amount: str, currency: str) -> str:
    """An amount with its sign or, for the rarer currencies, its code."""
    sign = _SIGNS.get(currency)
    return f"{sign}{amount}" if sign else f"{currency} {amount}"


def listed(items: Iterable[str]) -> str:
    """ "a, b and c"."""
    names = list(items)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
