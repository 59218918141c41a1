"""Forms of the meetings pages. They read what was typed; the services judge it."""

from typing import Any
from zoneinfo import available_timezones

from django import forms

from frameworks.errors import InvalidError
from frameworks.models import FrameworkVersion, Kind, User
from governance.forms import DAY
from governance.models import Attendance, Meeting
from governance.services.meetings import Plan, local_start

MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def active_people() -> Any:
    """Who can be invited, or asked: people who work here, by name."""
    return User.objects.filter(is_active=True, is_service=False).order_by("name", "pk")


class WallClockField(forms.DateTimeField):
    """A date and time as a clock in some time zone shows it: without a zone until one is chosen."""

    def prepare_value(self, value: Any) -> Any:
        return value

    def to_python(self, value: Any) -> Any:
        return None if value in self.empty_values else self._parsed(str(value).strip())

    def _parsed(self, value: str) -> Any:
        for pattern in MOMENTS:
            try:
                return self.strptime(value, pattern)
            except ValueError:
                continue
        raise forms.ValidationError("Write a date and a time, such as 2026-12-04 14:30.", code="invalid")


class PlanForm(forms.Form):
    """What a meeting is planned as. One line of the agenda is one item."""

    kind = forms.ChoiceField(label="Kind", choices=Meeting.Kind.choices)
    start = WallClockField(label="Begins", widget=MOMENT, input_formats=MOMENTS)
    time_zone = forms.ChoiceField(label="Time zone")
    focus = forms.CharField(
        label="Focus", max_length=300, help_text="One sentence: what shall be settled when people leave."
    )
    agenda = forms.CharField(
        label="Agenda",
        required=False,
        max_length=15_000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="One item a line, in their order.",
    )
    people = forms.ModelMultipleChoiceField(
        label="Invited", queryset=User.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    notes = forms.CharField(
        label="Notes",
        required=False,
        max_length=8_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What people should know beforehand.",
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone", choices=zones, help_text="The clock that the beginning is read on."
        )
        self.order_fields(["kind", "start", "time_zone", "focus", "agenda", "people", "notes", "revision"])
        people = self.fields["people"]
        if isinstance(people, forms.ModelMultipleChoiceField):
            people.queryset = active_people()

    def plan(self) -> Plan:
        """Call it only when the form is valid. Raises InvalidError for a moment that is none."""
        data = self.cleaned_data
        return Plan(
            kind=data["kind"],
            starts_at=local_start(data["start"], data["time_zone"]),
            time_zone=data["time_zone"],
            focus=data["focus"],
            agenda=[line.strip() for line in data["agenda"].splitlines() if line.strip()],
            people=list(data["people"]),
            notes=data["notes"],
        )


class CloseForm(forms.Form):
    """Who came, and the notes. One field for each person invited."""

    notes = forms.CharField(required=False, max_length=8_000, widget=forms.Textarea(attrs={"rows": 4}), label="Notes")

    def __init__(self, *args: Any, meeting: Meeting, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = list(meeting.attendances.select_related("person"))
        came = [Attendance.State.ATTENDED, Attendance.State.ABSENT]
        for row in self.rows:
            self.fields[f"came-{row.person_id}"] = forms.ChoiceField(
                label=row.person.name, choices=[(state.value, state.label) for state in came], widget=forms.RadioSelect
            )

    def attendance(self) -> dict[int, str]:
        return {row.person_id: self.cleaned_data[f"came-{row.person_id}"] for row in self.rows}


class DecisionForm(forms.Form):
    """What was decided, about what, by whom."""

    text = forms.CharField(label="What was decided", max_length=8_000, widget=forms.Textarea(attrs={"rows": 3}))
    part = forms.CharField(
        label="Concerns",
        required=False,
        max_length=150,
        help_text="Kind and key of a part, such as term/arr; empty where it concerns none.",
        widget=forms.TextInput(attrs={"list": "parts", "autocomplete": "off"}),
    )
    decided_by = forms.ModelChoiceField(label="Decided by", queryset=User.objects.none(), empty_label="Choose…")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _set_people(self, "decided_by")

    def part_id(self) -> tuple[str, str]:
        """Kind and key, two empty texts for no part. Raises InvalidError for what is neither."""
        kind, slash, key = self.cleaned_data["part"].strip().partition("/")
        if not kind and not slash:
            return ("", "")
        if kind not in Kind.values or not key:
            raise InvalidError(["Name a part as kind/key, such as term/arr, or none."])
        return (kind, key)


class HomeworkForm(forms.Form):
    text = forms.CharField(label="What is to be done", max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}))
    assignee = forms.ModelChoiceField(label="Who", queryset=User.objects.none(), empty_label="Choose…")
    due_on = forms.DateField(label="Until", widget=DAY)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _set_people(self, "assignee")


class RemarkForm(forms.Form):
    text = forms.CharField(label="Comment", max_length=8_000, widget=forms.Textarea(attrs={"rows": 3}))


class CancelForm(forms.Form):
    reason = forms.CharField(max_length=2_000)


class ResolverForm(forms.Form):
    """Who, or which data source, settles the parts that were ticked."""

    person = forms.ModelChoiceField(label="Person", required=False, queryset=User.objects.none(), empty_label="Nobody")
    source = forms.ChoiceField(label="Or a data source", required=False)
    due_on = forms.DateField(label="Until", widget=DAY)

    def __init__(self, *args: Any, version: FrameworkVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _set_people(self, "person")
        rows = version.parts.filter(kind=Kind.DATA_SOURCE).order_by("key").values_list("key", "body__body__label")
        choices = [("", "None"), *((key, str(label)) for key, label in rows)]
        self.fields["source"] = forms.ChoiceField(label="Or a data source", required=False, choices=choices)
        self.order_fields(["person", "source", "due_on"])


def _set_people(form: forms.Form, name: str) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ModelChoiceField):
        field.queryset = active_people()
