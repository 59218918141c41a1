"""Where compiled criteria find the facts of one account: the seam between the language and the tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from django.db.models import Expression

from frameworks.criteria.base import Of
from frameworks.criteria.types import Grain


class Resolver(Protocol):
    """Where the values of one evaluation are. Every expression is NULL where the value is missing, unless said.

    `of` is whose value: of the account itself, or of its ultimate parent (an account without parent is its own).
    Attributes are stored ones: the compiler makes derived values from them.
    """

    def value(self, key: str, of: Of = "self") -> Expression:
        """The attribute, in its type: integer, numeric, date, timestamptz, text or boolean; not asked for tags."""
        ...

    def text_key(self, key: str, of: Of = "self") -> Expression:
        """The matching key (text_keys.matching_key) of a text attribute."""
        ...

    def tag_keys(self, key: str, of: Of = "self") -> Expression:
        """The matching keys of a tags attribute as text[]; an empty array is a value."""
        ...

    def observed_at(self, key: str, of: Of = "self") -> Expression:
        """The instant the attribute was observed. Asked for only where a freshness limit is set."""
        ...

    def period_value(self, metric: str, grain: Grain, back: int) -> Expression:
        """The metric at the back-th newest period that was closed before `as_of`: 1 is the newest, numeric."""
        ...

    def has_period(self, metric: str, grain: Grain, back: int) -> Expression:
        """Whether period_value has a value there; true or false, never NULL."""
        ...

    def has_older_period(self, metric: str, grain: Grain, back: int) -> Expression:
        """Whether period_value has a value at any place after that one, however far back; true or false, never NULL."""
        ...

    def signal_count(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        """How many signals of the kind have all these details (name to matching key) and a day in
        [today - within_days, today]; an integer, never NULL.
        """
        ...

    def next_signal_end(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        """The first day after today on which time alone changes signal_count, as a date, or NULL.

        That is the day after the last day a counted signal counts (its day + within_days + 1), or the day of a
        signal dated ahead, whichever comes first.
        """
        ...

    def on_list(self, list_key: str, of: Of = "self") -> Expression:
        """Whether the account has a live entry on the list; true or false, never NULL."""
        ...

    def segment(self, dimension: str) -> Expression:
        """The segment key of another dimension that the rule reads, effective or computed; NULL when Unassigned."""
        ...
