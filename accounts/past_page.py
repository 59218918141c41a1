"""The part of an account's page that answers for a past day: where it was, and what a version would have said."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.utils import DataError
from django.http import QueryDict
from django.utils import timezone

from accounts.account_page import reason_words
from accounts.evaluation.engine import plan_of
from accounts.evaluation.hypothetical import HypotheticalOutcome
from accounts.evaluation.past import said_at, segments_at
from accounts.evaluation.plan import DimensionPlan
from accounts.evaluation.stages import FrameworkPlan
from accounts.models import Account, Cause, Reason, Transition
from frameworks.models import AccountList, Dimension, FrameworkVersion

_STATE = FrameworkVersion.State
ASKED = (_STATE.ACTIVATED, _STATE.SCHEDULED, _STATE.APPROVED, _STATE.IN_REVIEW)


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when it runs
    """A version that can change no more, named by its framework and number."""

    def label_from_instance(self, version: FrameworkVersion) -> str:
        return f"{version.framework} {version}, {version.standing.lower()}"


class PastForm(forms.Form):
    """The day, and optionally a version to ask about it."""

    on = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    by = VersionField(
        FrameworkVersion.objects.filter(state__in=ASKED).select_related("framework"),
        label="What would have said",
        to_field_name="uuid",
        required=False,
        empty_label="No version",
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["on"].widget.attrs["max"] = today.isoformat()

    def clean_on(self) -> date:
        on: date = self.cleaned_data["on"]
        if on > self.today:
            raise forms.ValidationError("This day has not come yet.")
        return on


@dataclass(frozen=True)
class PastRow:
    """One dimension on that day. `said` is what the asked version says; `differs` that it is another segment."""

    dimension: str
    change: Transition | None
    cause: str = ""
    said: str = ""
    because: str = ""
    differs: bool = False


class PastDay:
    """What the page says about the day in its address; nothing before a day is chosen."""

    def __init__(self, account: Account, query: QueryDict, *, zone: ZoneInfo, at: datetime) -> None:
        """Days end in `zone`; `at` is now."""
        self.account = account
        self.at = at
        self.zone = zone
        is_asked = bool(query.get("on") or query.get("by"))
        # Pages print days in the installation's zone, where it may already be tomorrow.
        today = max(timezone.localdate(at), timezone.localdate(at, zone))
        self.form = PastForm(query if is_asked else None, today=today)
        self.is_valid = is_asked and self.form.is_valid()

    @property
    def day(self) -> date:
        on: date = self.form.cleaned_data["on"]
        return on

    @property
    def version(self) -> FrameworkVersion | None:
        by: FrameworkVersion | None = self.form.cleaned_data["by"]
        return by

    @property
    def moment(self) -> datetime:
        """The last instant of the day; of today, now."""
        # The latest days have no day after them.
        if self.day >= timezone.localdate(self.at, self.zone):
            return self.at
        following = datetime.combine(self.day + timedelta(days=1), time(), tzinfo=self.zone)
        return following - timedelta(microseconds=1)

    @property
    def is_known(self) -> bool:
        """Cutline knew the account on that day."""
        return self.account.created_at <= self.moment

    @cached_property
    def _said(self) -> dict[str, HypotheticalOutcome] | None:
        if self.version is None:
            return {}
        try:
            return said_at(self.account, self.version, self.moment)
        except DataError:
            return None

    @property
    def is_unreadable(self) -> bool:
        """A value of the account cannot be read as what the asked version says it is."""
        return self._said is None

    @cached_property
    def rows(self) -> list[PastRow]:
        """By dimension, in the framework's order: those it was in, and those the asked version has."""
        changes = {change.dimension_id: change for change in segments_at(self.account, self.moment)}
        plan = plan_of(self.version) if self.version and self._said else None
        asked = {d.dimension_id: d for d in plan.dimensions} if plan else {}
        wanted = Dimension.objects.filter(pk__in=[*changes, *asked]).order_by("framework_id", "position", "pk")
        return [self._row(each, changes.get(each.pk), asked.get(each.pk), plan) for each in wanted]

    @cached_property
    def _list_labels(self) -> dict[str, str]:
        return dict(AccountList.objects.values_list("key", "label"))

    def _row(
        self, dimension: Dimension, change: Transition | None, d: DimensionPlan | None, plan: FrameworkPlan | None
    ) -> PastRow:
        cause = "" if change is None else str(Cause(change.cause).label)
        if d is None or plan is None or self._said is None:
            return PastRow(dimension.name, change, cause)
        outcome = self._said[d.key]
        labels = plan.definition.labels[d.key].segments
        was = change.to_segment.key if change and change.to_segment else None
        return PastRow(
            dimension=dimension.name,
            change=change,
            cause=cause,
            said=labels[outcome.segment] if outcome.segment else "Unassigned",
            because=reason_words(plan, d, Reason(outcome.reason), outcome.rule_key, outcome.missing, self._list_labels),
            differs=was != outcome.segment,
        )
