"""Forms of the requests pages. They read what was typed; the services judge it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import Account
from frameworks.models import Dimension, Segment
from governance.models import Decision, OverrideRequest
from governance.services.eligibility import reason_codes

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
AGES = {"1": "More than a day", "3": "More than 3 days", "7": "More than a week"}


def start_of(day: date) -> datetime:
    """The instant a day begins, in UTC: what overrides start and end with."""
    return datetime.combine(day, time.min, tzinfo=UTC)


class OverrideForm(forms.Form):
    """What a request asks for. The dimension is the segment's."""

    segment = forms.ModelChoiceField(
        label="Segment it should count as", queryset=Segment.objects.none(), empty_label="Choose…"
    )
    reason_code = forms.ChoiceField(label="Kind of reason")
    reason = forms.CharField(
        label="Reason",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the rules cannot know. CS Ops reads it; at least 15 visible characters.",
    )
    evidence = forms.CharField(
        label="Evidence",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A link or a quotation: the contract, the e-mail, the ticket.",
    )
    start_on = forms.DateField(label="From", required=False, widget=DAY, help_text="Empty: as soon as it is approved.")
    end_on = forms.DateField(
        label="Until", widget=DAY, help_text="Up to but not including this day (UTC); 12 months at most."
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = Segment.objects.filter(is_live=True, dimension__is_live=True).select_related("dimension__framework")
        segments = list(live.order_by("dimension__position", "dimension_id", "rank"))
        field = self.fields["segment"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = live
            field.choices = [("", "Choose…"), *_grouped(segments)]
        frameworks = {segment.dimension.framework for segment in segments}
        codes = {code: label for framework in frameworks for code, label in reason_codes(framework).items()}
        self.fields["reason_code"] = forms.ChoiceField(label="Kind of reason", choices=list(codes.items()))
        self.order_fields(["segment", "reason_code", "reason", "evidence", "start_on", "end_on"])

    def wanted(self, at: datetime) -> dict[str, Any]:
        """The arguments of `request_override` that the form knows; call it only when the form is valid."""
        data = self.cleaned_data
        segment: Segment = data["segment"]
        return {
            "dimension": segment.dimension,
            "segment": segment,
            "reason_code": data["reason_code"],
            "reason": data["reason"],
            "evidence": data["evidence"],
            "valid_from": start_of(data["start_on"]) if data["start_on"] else at,
            "valid_until": start_of(data["end_on"]),
        }


def _grouped(segments: list[Segment]) -> list[tuple[str, list[tuple[int, str]]]]:
    groups: dict[Dimension, list[tuple[int, str]]] = {}
    for segment in segments:
        groups.setdefault(segment.dimension, []).append((segment.pk, segment.name))
    return [(dimension.name, choices) for dimension, choices in groups.items()]


class DecisionForm(forms.Form):
    verdict = forms.ChoiceField(choices=Decision.Verdict.choices)
    reason = forms.CharField(required=False, max_length=2000)
    expected_version = forms.IntegerField()


class ReviewForm(forms.Form):
    verdict = forms.ChoiceField(choices=[("accept", "Accept"), ("keep", "Keep")])
    reason = forms.CharField(required=False, max_length=2000)


class ReasonForm(forms.Form):
    reason = forms.CharField(required=False, max_length=2000)


class RequestFilter(forms.Form):
    """The list's filters, all in the address."""

    state = forms.ChoiceField(required=False, label="State")
    whose = forms.ChoiceField(
        required=False, label="Whose", choices=[("", "Everyone’s"), ("mine", "Asked by me"), ("book", "My book")]
    )
    age = forms.ChoiceField(required=False, label="Waiting for", choices=[("", "Any time"), *AGES.items()])
    dimension = forms.ModelChoiceField(
        required=False, label="Dimension", queryset=Dimension.objects.filter(is_live=True), empty_label="Any"
    )

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        states = [("", "Open"), ("closed", "Closed"), ("all", "Any"), *OverrideRequest.State.choices]
        self.fields["state"] = forms.ChoiceField(required=False, label="State", choices=states)
        self.order_fields(["state", "whose", "age", "dimension"])


class AuditFilter(forms.Form):
    """The audit log's filters."""

    q = forms.CharField(
        required=False,
        max_length=100,
        label="Search",
        widget=forms.TextInput(attrs={"placeholder": "Person, object or its id"}),
    )
    action = forms.ChoiceField(required=False, label="Act")
    since = forms.DateField(required=False, label="From", widget=DAY)
    until = forms.DateField(required=False, label="Until", widget=DAY)

    def __init__(self, data: Mapping[str, Any], *, actions: list[str]) -> None:
        super().__init__(data)
        choices = [("", "Any"), *((name, name) for name in actions)]
        self.fields["action"] = forms.ChoiceField(required=False, label="Act", choices=choices)
        self.order_fields(["q", "action", "since", "until"])


def today() -> date:
    return timezone.now().astimezone(UTC).date()
