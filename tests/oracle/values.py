"""The value an attribute has for a rule: read, in its type and currency, fresh, and never rounded; else None."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.calendar import closed_end, last_day, number_of
from tests.oracle.facts import Bodies, Body, Facts

DEFAULT_TOKENS = ("N/A", "#N/A", "null", "-", "unknown")
_EXACT = Context(prec=300)
_CUT = Decimal(1).scaleb(-12)


def folded(text: str) -> str:
    """What two texts have in common when people call them the same."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", visible.casefold())).strip()


class Values:
    """What the rules of one framework find of one account at one instant."""

    def __init__(self, bodies: Bodies, facts: Facts, as_of: datetime) -> None:
        meta = bodies.get(("meta", "meta"), {})
        self.sources = {key: body for (kind, key), body in bodies.items() if kind == "data_source"}
        self.zone = ZoneInfo(meta.get("time_zone", "UTC"))
        self.start_month = int(meta.get("fiscal_year_start_month", 1))
        self.currency = str(meta.get("currency", "USD"))
        self.rates: Mapping[str, str] = meta.get("exchange_rates", {})
        self.facts = facts
        self.as_of = as_of
        self.today = as_of.astimezone(self.zone).date()

    def day(self, value: date) -> date:
        """The local day of a moment; a day is one already."""
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    def holder(self, of: str) -> Facts:
        """Whose values are read. An account with nothing above it is its own ultimate parent."""
        return self.facts.parent or self.facts if of == "ultimate_parent" else self.facts

    # --- today

    def value(self, key: str, of: str = "self") -> Any:
        """The attribute's value in its type; None when it is missing, in whatever way."""
        source, facts = self.sources[key], self.holder(of)
        if "derived" in source:
            return self._derived(source["derived"], lambda one: self.value(one, of))
        raw = facts.values.get(key)
        if raw is None or self._is_stale(key, source, facts):
            return None
        if source["data_type"] == "tags":
            return {folded(text) for text in raw if not _says_nothing(text, source)}
        if isinstance(raw, str) and _says_nothing(raw, source):
            return None
        return self._meant(source, _typed(source["data_type"], raw), facts)

    def _meant(self, source: Body, typed: Any, facts: Facts) -> Any:
        """None for a missing token in the attribute's type, such as -1; money in the attribute's currency."""
        if typed in [_token(source["data_type"], token) for token in _tokens(source)]:
            return None
        if source["data_type"] != "money" or facts.currency == source["currency"]:
            return typed
        if source["currency"] != self.currency or facts.currency not in self.rates:
            return None
        with localcontext(_EXACT):
            return typed * Decimal(self.rates[facts.currency])

    def _is_stale(self, key: str, source: Body, facts: Facts) -> bool:
        limit = source.get("freshness_days")
        if limit is None:
            return False
        observed = facts.observed.get(key)
        return observed is None or self.day(observed) < self.today - timedelta(days=limit)

    def _derived(self, derived: Body, find: Callable[[str], Any]) -> Any:
        if derived["kind"] == "growth":
            return self.growth(derived["of"][0], derived["grain"], derived["periods"])
        found = [find(key) for key in derived["of"]]
        if None in found:
            return None
        if derived["kind"] == "age_days":
            return Decimal((self.today - self.day(found[0])).days)
        if derived["kind"] == "difference":
            with localcontext(_EXACT):
                return found[0] - found[1]
        return cut_off(found[0], found[1])

    # --- closed periods

    def at_period(self, key: str, grain: str, back: int) -> Any:
        """The value in the back-th newest closed period. How long ago it was observed plays no part."""
        source = self.sources[key]
        if "derived" in source:
            return self._derived(source["derived"], lambda one: self.at_period(one, grain, back))
        end = closed_end(self.today, grain, self.start_month, back)
        observed = self.facts.series.get(key, {}).get(grain, {}).get(end)
        return None if observed is None else self._meant(source, observed, self.facts)

    def began_before(self, key: str, grain: str, back: int) -> bool:
        """Whether a stored metric has a value in a period of the calendar before the back-th newest closed one."""
        until = closed_end(self.today, grain, self.start_month, back)
        return any(
            end < until
            and end == last_day(number_of(end, grain, self.start_month), grain, self.start_month)
            and self._meant(self.sources[key], observed, self.facts) is not None
            for end, observed in self.facts.series.get(key, {}).get(grain, {}).items()
        )

    def metrics(self, key: str) -> list[str]:
        """The stored attributes behind an attribute: itself, or what it is derived from."""
        derived = self.sources[key].get("derived")
        return list(derived["of"]) if derived else [key]

    def growth(self, key: str, grain: str, periods: int) -> Decimal | None:
        """In percent of the earlier value's amount."""
        newest, earlier = self.at_period(key, grain, 1), self.at_period(key, grain, 1 + periods)
        if newest is None or earlier is None:
            return None
        with localcontext(_EXACT):
            return cut_off((newest - earlier) * 100, abs(earlier))


def cut_off(one: Decimal, other: Decimal) -> Decimal | None:
    """One by the other, to twelve decimals; None by zero."""
    if not other:
        return None
    with localcontext(_EXACT) as context:
        context.rounding = ROUND_DOWN
        return (one / other).quantize(_CUT, rounding=ROUND_DOWN)


def _tokens(source: Body) -> list[str]:
    return [*DEFAULT_TOKENS, *source.get("missing_tokens", ())]


def _says_nothing(text: str, source: Body) -> bool:
    declared = {folded(choice["id"]) for choice in source.get("choices", ())}
    return folded(text) in {"", *map(folded, _tokens(source))} - declared


def _typed(data_type: str, raw: Any) -> Any:
    """A stored value in its type. Raises ValueError or InvalidOperation for what is none of it."""
    if data_type == "boolean":
        return raw if isinstance(raw, bool) else {"true": True, "false": False}[raw]
    if data_type == "choice":
        return raw.strip()
    if data_type == "text" or not isinstance(raw, str):
        return Decimal(raw) if isinstance(raw, int) else raw
    if data_type == "date":
        return date.fromisoformat(raw)
    if data_type == "datetime":
        return datetime.fromisoformat(raw).astimezone(UTC)
    return Decimal(raw)


def _token(data_type: str, token: str) -> Any:
    """A missing token in the attribute's type, such as 9999-12-31; a value that nothing equals where it is none."""
    if data_type in ("text", "choice", "boolean"):
        return NotImplemented
    try:
        return _typed(data_type, token)
    except (ValueError, InvalidOperation):
        return NotImplemented
