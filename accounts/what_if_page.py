"""The what-if form of one account: what the rules in force read, and what they would say of other values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.db.utils import DataError
from django.http import QueryDict

from accounts.account_page import value_words
from accounts.attributes import CORE_ATTRIBUTES
from accounts.evaluation.engine import active_plans
from accounts.evaluation.explain import VerdictNode
from accounts.evaluation.stages import FrameworkPlan
from accounts.evaluation.what_if import Supposed, what_if
from accounts.intake.targets import importable_targets
from accounts.models import Account, ListEntry, MetricSeries, Override
from accounts.pushed import ItemError
from accounts.services.overrides import overrides_in_force
from accounts.supposing import UNREADABLE, SupposedError, read_changes
from accounts.verdict_tree import rules_shown
from frameworks.criteria.ast import Change, Node, SignalTest, Sustained, walk
from frameworks.criteria.base import AttributeLeaf
from frameworks.criteria.periods import closed_period_end, period_of
from frameworks.criteria.types import NUMERIC, TEMPORAL, AttributeType, Grain
from frameworks.criteria.uses import lists_used, metrics_used, stored_attributes
from frameworks.models import AccountList

NO_VALUE = "-"
PERIODS_MOST = 4
WORDS = {
    "wrong_type": "Write a whole number without separators, such as 1250.",
    "invalid_decimal": "Write digits and one point at most, without separators, such as 1250.50.",
    "invalid_date": "Write the day like 2026-11-21.",
    "invalid_datetime": "Write the moment with its zone, like 2026-11-21T18:30:00Z.",
    "timezone_required": "Write the moment with its zone, like 2026-11-21T18:30:00Z.",
    "no_changes": "Change at least one value.",
}
"""What people read of a refusal whose own words are for programs, by its code."""
SIGNALS_MOST = 20


@dataclass(frozen=True)
class Place:
    """Where the value of a form's field belongs in the body of a what-if; `read` makes JSON of what was typed."""

    name: str
    pointer: str
    kind: str
    about: Any


class WhatIfForm(forms.Form):
    """One field for everything the rules read; empty is "as it is"."""

    def __init__(self, data: QueryDict | None, *, account: Account, plans: list[FrameworkPlan], at: datetime) -> None:
        super().__init__(data)
        self.at = at
        # A signal of a day that has not begun where the framework counts its days would not count.
        self.today = min([at.date(), *(at.astimezone(plan.definition.zone).date() for plan in plans)])
        self.places: list[Place] = []
        roots = [(plan, c.criteria.root) for plan in plans for d in plan.dimensions for c in d.candidates]
        self._add_values(account, roots)
        self._add_lists(account, roots)
        self._add_signals(roots)
        self._add_periods(account, roots)

    def _add(self, name: str, kind: str, about: Any, field: forms.Field) -> None:
        field.required = False
        self.fields[name] = field
        self.places.append(Place(name, "", kind, about))

    def _add_values(self, account: Account, roots: list[tuple[FrameworkPlan, Node]]) -> None:
        read = {
            key: plan.definition.attributes[key]
            for plan, root in roots
            for key in stored_attributes(root)
            if key in plan.definition.attributes
        }
        required = {key for key, target in importable_targets().items() if target.is_required}
        for attribute in sorted(read.values(), key=lambda each: each.label.casefold()):
            field = _value_field(account, attribute, may_be_cleared=attribute.key not in required)
            self._add(f"v-{attribute.key}", "value", attribute, field)

    def _add_lists(self, account: Account, roots: list[tuple[FrameworkPlan, Node]]) -> None:
        used = {key for _, root in roots for key in lists_used(root)}
        if not used:
            return
        on = set(ListEntry.objects.filter(account=account).values_list("list__key", flat=True))
        for row in AccountList.objects.filter(key__in=used).order_by("label"):
            stands = "on it" if row.key in on else "not on it"
            choices = [("", f"As it is ({stands})"), ("on", "On it"), ("off", "Not on it")]
            self._add(f"l-{row.key}", "list", row.key, forms.ChoiceField(label=row.label, choices=choices))

    def _add_signals(self, roots: list[tuple[FrameworkPlan, Node]]) -> None:
        tests = [node for _, root in roots for node in walk(root) if isinstance(node, SignalTest)]
        asked = sorted({(node.kind, tuple(sorted((node.details or {}).items()))) for node in tests})
        for number, (kind, details) in enumerate(asked):
            said = f" ({', '.join(text for _, text in details)})" if details else ""
            label = f"More {kind.replace('_', ' ')} signals today{said}"
            field = forms.IntegerField(label=label, min_value=0, max_value=SIGNALS_MOST)
            self._add(f"s-{number}", "signal", (kind, dict(details)), field)

    def _add_periods(self, account: Account, roots: list[tuple[FrameworkPlan, Node]]) -> None:
        backs: dict[tuple[str, Grain], tuple[FrameworkPlan, int]] = {}
        for plan, root in roots:
            deep = max((_looks_back(node) for node in walk(root)), default=0)
            for metric, grain in metrics_used(root):
                known = backs.get((metric, grain))
                backs[metric, grain] = (plan, max(deep, known[1] if known else 0))
        if not backs:
            return
        series = {(row.metric, row.grain): dict(zip(row.ends, row.values, strict=True)) for row in _series(account)}
        for (metric, grain), (plan, deep) in sorted(backs.items(), key=lambda each: each[0]):
            attribute = plan.definition.attributes[metric]
            start, today = plan.definition.start_month, self.at.astimezone(plan.definition.zone).date()
            for back in range(1, min(deep, PERIODS_MOST) + 1):
                end = closed_period_end(today, grain, start, back)
                period = period_of(end, grain, start)
                seen = series.get((metric, grain), {}).get(end)
                field = forms.CharField(label=f"{attribute.label}, {period}", max_length=40)
                field.widget.attrs |= {
                    "inputmode": "decimal",
                    "placeholder": f"{seen.normalize():f}" if seen else "no value",
                }
                self._add(f"p-{metric}-{grain}-{back}", "period", (metric, grain, period, end), field)

    # --- what was typed

    def body(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The body of a what-if, and the field behind each pointer. Only of a valid form."""
        body: dict[str, Any] = {}
        names: dict[str, str] = {}
        for place in self.places:
            given = self.cleaned_data.get(place.name)
            if given in (None, "", 0):
                continue
            for pointer in self._put(body, place, given):
                names[pointer] = place.name
        return body, names

    def _put(self, body: dict[str, Any], place: Place, given: Any) -> list[str]:
        if place.kind == "value":
            body.setdefault("values", {})[place.about.key] = _typed(place.about, given)
            return [f"/values/{place.about.key}"]
        if place.kind == "list":
            body.setdefault("lists", {})[place.about] = given == "on"
            return [f"/lists/{place.about}"]
        if place.kind == "signal":
            kind, details = place.about
            signal = {"kind": kind, "occurred_on": self.today.isoformat(), **({"details": details} if details else {})}
            body.setdefault("signals", []).extend([signal] * given)
            return []
        metric, grain, period, end = place.about
        said = {"metric": metric, "grain": grain, "period": period, "period_end_on": end.isoformat(), "value": given}
        body.setdefault("periods", []).append(said)
        return [f"/periods/{len(body['periods']) - 1}"]

    def refuse(self, error: SupposedError, names: Mapping[str, str]) -> None:
        """Put what was refused beside its field."""
        for each in error.errors:
            found = next((name for pointer, name in names.items() if each.pointer.startswith(pointer)), None)
            self.add_error(found, self._words(each, found))

    def _words(self, error: ItemError, name: str | None) -> str:
        if name and name.startswith("p-") and self.cleaned_data.get(name) == NO_VALUE:
            return "A period can be tried with a value only."
        return WORDS.get(error.code, error.detail)


def _series(account: Account) -> Iterator[MetricSeries]:
    return MetricSeries.objects.filter(account=account).iterator()


def _looks_back(node: Node) -> int:
    """How many closed periods the node looks at, counted from the newest."""
    if isinstance(node, Sustained):
        return node.periods
    if isinstance(node, Change):
        return node.periods + 1
    derived = node.type.derived if isinstance(node, AttributeLeaf) else None
    return derived.periods + 1 if derived and derived.periods else 0


def _value_field(account: Account, attribute: AttributeType, *, may_be_cleared: bool) -> forms.Field:
    """A field whose placeholder, or first choice, is the value that is there."""
    seen = value_words(account, attribute) or "no value"
    options: tuple[tuple[str, str], ...] = attribute.choices
    if attribute.data_type == "boolean":
        options = (("true", "yes"), ("false", "no"))
    if options and attribute.data_type != "tags":
        choices = [("", f"As it is ({seen})"), *options]
        choices += [(NO_VALUE, "No value")] if may_be_cleared else []
        return forms.ChoiceField(label=attribute.label, choices=choices)
    measure = attribute.currency or attribute.unit
    label = f"{attribute.label} ({measure})" if measure else attribute.label
    field = forms.CharField(label=label, max_length=1000)
    field.widget.attrs["placeholder"] = _as_typed(account, attribute) or seen
    if attribute.data_type in NUMERIC:
        field.widget.attrs["inputmode"] = "decimal"
    return field


def _as_typed(account: Account, attribute: AttributeType) -> str:
    """The number or day that is there as the field takes it; "" of everything else, which reads as it is typed."""
    if attribute.data_type not in TEMPORAL | NUMERIC:
        return ""
    is_core = attribute.key in CORE_ATTRIBUTES
    stored = getattr(account, attribute.key) if is_core else account.attributes.get(attribute.key)
    if isinstance(stored, Decimal):
        return f"{stored.normalize():f}"
    return stored.isoformat() if isinstance(stored, date) else str("" if stored is None else stored)


def _typed(attribute: AttributeType, text: str) -> Any:
    """What was typed as JSON has it; what cannot be read stays text, for the reader to refuse."""
    if text == NO_VALUE:
        return None
    if attribute.data_type == "integer":
        return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdecimal() and len(text) < 30 else text
    if attribute.data_type == "boolean":
        return text == "true"
    if attribute.data_type == "tags":
        return [tag.strip() for tag in text.split(";") if tag.strip()]
    return text


@dataclass(frozen=True)
class Row:
    """One dimension of the answer. `tree` is shown where the rules would say another segment, or none would move."""

    supposed: Supposed
    override: Override | None
    tree: list[VerdictNode]


class WhatIfPage:
    """The form, and the answer once something is supposed."""

    def __init__(self, account: Account, query: QueryDict, *, at: datetime) -> None:
        self.account = account
        self.at = at
        self.plans = active_plans()
        is_asked = any(value.strip() for name in query for value in query.getlist(name))
        self.form = WhatIfForm(query if is_asked else None, account=account, plans=self.plans, at=at)
        self.is_asked = is_asked

    @cached_property
    def rows(self) -> list[Row]:
        """Every dimension, as it is and as it would be; none where nothing was supposed or it was refused."""
        if not self.is_asked or not self.form.is_valid():
            return []
        body, names = self.form.body()
        try:
            changes = read_changes(body, today=self.at.date())
            supposed = what_if(account=self.account, changes=changes, at=self.at)
        except SupposedError as error:
            self.form.refuse(error, names)
            return []
        except DataError:
            self.form.add_error(None, UNREADABLE)
            return []
        overrides = {row.dimension_id: row for row in self._overrides}
        return [
            Row(each, overrides.get(each.then.why.dimension_id), rules_shown(each.then.why, is_brief=False))
            for each in supposed
        ]

    @property
    def moving(self) -> list[Row]:
        return [row for row in self.rows if row.supposed.moves]

    @property
    def _overrides(self) -> Any:
        return overrides_in_force(self.at).filter(account=self.account).select_related("segment")
