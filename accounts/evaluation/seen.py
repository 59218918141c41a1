"""What an evaluation saw of one account, in words: values with source and age, closed periods, segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.utils.dateparse import parse_datetime

from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.said import HISTORY
from accounts.models import Account, ListEntry, MetricSeries, Signal
from accounts.signal_keys import details_keys
from frameworks.criteria.ast import Change, ListTest, Node, Sustained
from frameworks.criteria.base import AttributeLeaf, Of
from frameworks.criteria.english import value_text
from frameworks.criteria.periods import closed_period_end, period_of
from frameworks.criteria.types import AttributeType, Grain, LiteralError, parse_literal
from frameworks.criteria.uses import inputs_of
from frameworks.definition import Definition
from frameworks.models import AccountList
from frameworks.templatetags.cutline import day

MEASURED_DECIMALS = 2
"""An average over a period has decimals where the attribute itself has none."""


class Seen:
    """What was seen of `account` at `at`; `effective` are its segments by dimension.

    `beside` is what lies beside the row of an account that is supposed only, as a row of `evaluate_rows` has it;
    without it the tables are asked.
    """

    def __init__(
        self,
        account: Account,
        definition: Definition,
        effective: Mapping[str, str | None],
        at: datetime,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        self.account = account
        self.definition = definition
        self.effective = effective
        self.now = at.astimezone(definition.zone)
        self.today = self.now.date()
        self.grain: Grain | None = None
        self.backs: Sequence[int] = ()
        # Shared by all copies: one query each, and none where no rule asks.
        self._beside = _Beside(account, beside)

    def looking_at(self, node: Node) -> Seen:
        """The same account as `node` and what is under it see it: of a node on history, with its closed periods."""
        if isinstance(node, Sustained):
            return self._in_periods(node.grain, range(1, node.periods + 1))
        if isinstance(node, Change):
            return self._in_periods(node.grain, (1, node.periods + 1))
        derived = node.type.derived if isinstance(node, AttributeLeaf) else None
        if derived is not None and derived.grain and derived.periods:
            return self._in_periods(derived.grain, (1, derived.periods + 1))
        return self

    def _in_periods(self, grain: Grain, backs: Sequence[int]) -> Seen:
        inside = copy(self)
        inside.grain, inside.backs = grain, backs
        return inside

    def periods(self, key: str) -> str:
        """What the history has of the closed periods that count, newest first: "2026-Q3 $86,400, 2026-Q2 no value"."""
        if self.grain is None:
            return ""
        start = self.definition.start_month
        ends = [closed_period_end(self.today, self.grain, start, back) for back in self.backs]
        stored = inputs_of(self.definition.attributes[key])
        return ", ".join(
            f"{period_of(end, self.grain, start)} {' and '.join(self._at(each, self.grain, end) for each in stored)}"
            for end in ends
        )

    def _at(self, stored: AttributeType, grain: Grain, end: date) -> str:
        value = self._beside.series.get((stored.key, grain), {}).get(end)
        if value is None:
            return "no value"
        return value_text(replace(stored, scale=max(stored.scale, MEASURED_DECIMALS)), value)

    def label(self, key: str) -> str:
        if key.startswith(HISTORY):
            return f"the history of {self.label(key.removeprefix(HISTORY))}"
        if key in self.definition.attributes:
            return self.definition.attributes[key].label
        return self.definition.labels[key].label

    def attribute(self, key: str, of: Of = "self") -> tuple[str, str, datetime | None, str]:
        """Value in words, source and moment of one attribute, and why it does not count; ("", …) without a value."""
        parent = self.account.ultimate_parent if of == "ultimate_parent" else None
        holder = parent or self.account
        said = holder.provenance.get(key) or {}
        observed = getattr(holder, f"{key}_observed_at", None) or parse_datetime(str(said.get("at") or ""))
        value, source = self._value(holder, key), str(said.get("source") or "")
        if value and (stale := stale_words(self.definition.attributes[key], observed, self.now)):
            return "", source, observed, stale
        return value, source, observed, ""

    def _value(self, holder: Account, key: str) -> str:
        attribute = self.definition.attributes[key]
        if key in CORE_ATTRIBUTES:
            value = getattr(holder, key)
            return "" if value in (None, "") else value_text(attribute, value).strip("“”")
        stored = holder.attributes.get(key)
        if stored in (None, ""):
            return ""
        if attribute.data_type == "boolean":
            return "yes" if stored in (True, "true") else "no"
        try:
            return value_text(attribute, parse_literal(attribute, str(stored)))
        except LiteralError:
            return str(stored)

    def segment(self, dimension: str) -> str:
        key = self.effective[dimension]
        return self.definition.labels[dimension].segments[key] if key else "Unassigned"

    def list_labels(self, node: Node) -> Mapping[str, str]:
        """Labels of account lists by key, where the node is about one."""
        return self._beside.list_labels if isinstance(node, ListTest) else {}

    def listed_at(self, key: str, of: Of = "self") -> datetime | None:
        """Since when the account is on the list; None of a parent's list, and of a list supposed only."""
        is_own = of == "self" or self.account.ultimate_parent is None
        return self._beside.listed_at.get(key) if is_own else None

    def signals(self, kind: str, details: Mapping[str, str]) -> tuple[str, str]:
        """How many signals of the kind are known, whenever they were, and the newest day, in words."""
        wanted = details_keys(details).items()
        days = [day for found, day, keys in self._beside.signals if found == kind and wanted <= keys.items()]
        return (f"{len(days):,} known", f"newest {day(max(days))}") if days else ("none known", "")


def stale_words(attribute: AttributeType, observed_at: datetime | None, now: datetime) -> str:
    """Why the rules take the value for missing although it is there, or "". `now` is in the framework's zone."""
    days = attribute.freshness_days
    if days is None:
        return ""
    if observed_at is None:
        return "nobody knows how old"
    first_day = now.date() - timedelta(days=days)
    return f"older than {days} days" if observed_at.astimezone(now.tzinfo).date() < first_day else ""


class _Beside:
    """What lies beside an account's row, read once it is asked for: closed periods, lists and signals."""

    def __init__(self, account: Account, given: Mapping[str, Any] | None) -> None:
        self.account = account
        self.given = given

    @cached_property
    def series(self) -> dict[tuple[str, str], dict[date, Decimal]]:
        if self.given is None:
            rows = MetricSeries.objects.filter(account=self.account)
            return {(row.metric, row.grain): dict(zip(row.ends, row.values, strict=True)) for row in rows}
        return {
            (metric, grain): {date.fromisoformat(end): Decimal(value) for end, value in values.items()}
            for metric, grains in self.given.get("series", {}).items()
            for grain, values in grains.items()
        }

    @cached_property
    def list_labels(self) -> dict[str, str]:
        return dict(AccountList.objects.values_list("key", "label"))

    @cached_property
    def listed_at(self) -> dict[str, datetime]:
        if self.given is not None:
            return {}
        return dict(ListEntry.objects.filter(account=self.account).values_list("list__key", "added_at"))

    @cached_property
    def signals(self) -> list[tuple[str, date, dict[str, str]]]:
        """Kind, day and matching keys of the details."""
        if self.given is None:
            rows = Signal.objects.filter(account=self.account)
            return list(rows.values_list("kind", "occurred_on", "details_keys"))
        return [
            (each["kind"], date.fromisoformat(each["occurred_on"]), details_keys(each.get("details", {})))
            for each in self.given.get("signals", [])
        ]
