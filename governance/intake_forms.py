"""Forms of the intake's pages. They read what was typed; the services judge it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from frameworks.models import User
from frameworks.roles import PEOPLE, Role
from governance.forms import DAY
from governance.models import CurrentField, IntakeForm, IntakeScope
from governance.services.intake_scope import takes_part

ROLES = [("", "Does not take part"), *((role.value, role.label) for role in Role if role in PEOPLE)]


def editors() -> Any:
    """People who can be responsible for an intake: those whose role may fill it in."""
    held = {
        "groups__permissions__codename": "edit_intake",
        "groups__permissions__content_type__app_label": "governance",
    }
    return User.objects.filter(is_active=True, is_service=False, **held).distinct().order_by("name", "pk")


UNSEEN = forms.HiddenInput(attrs={"id": False})
"""Several forms of one page have such a field: an id would stand there twice."""


class DutyForm(forms.Form):
    """Who sees to it that the intake ends, and until when."""

    owner = forms.ModelChoiceField(
        label="Responsible", queryset=User.objects.none(), empty_label="Choose…", to_field_name="uuid"
    )
    due_on = forms.DateField(label="Due on", widget=DAY)
    version = forms.IntegerField(required=False, widget=UNSEEN)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = editors()


class OpenQuestion(forms.CharField):
    """Asked for, so nobody calls it optional; and may be left for later, so that half a form can be saved."""

    def validate(self, value: Any) -> None:
        """Blank is an answer that is still missing."""


class SectionsForm(forms.Form):
    """The form's own answers. `version` is the intake's when the page was opened."""

    use_required_attribute = False

    crm = OpenQuestion(label="CRM", max_length=200)
    cs_platform = OpenQuestion(label="CS platform", max_length=200)
    consumers = OpenQuestion(
        label="Who consumes segments",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Teams, people, systems: who looks at them, and where.",
    )
    enrichment_tools = OpenQuestion(
        label="Enrichment tools",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Which, and for what. Write “none” when there is none.",
    )
    has_no_fields = forms.BooleanField(label="Nothing segments accounts today", required=False)
    version = forms.IntegerField(widget=UNSEEN)

    @staticmethod
    def of(intake: IntakeForm) -> "SectionsForm":
        names = ("crm", "cs_platform", "consumers", "enrichment_tools", "has_no_fields", "version")
        return SectionsForm(initial={name: getattr(intake, name) for name in names})


class FieldForm(forms.Form):
    """One thing that segments accounts today."""

    type = forms.ChoiceField(label="What it is", choices=CurrentField.Type.choices)
    name = forms.CharField(label="Name", max_length=150, help_text="As it is called in the system.")
    system = forms.CharField(label="System", max_length=150)
    owner = forms.CharField(label="Owner", max_length=150, required=False)
    populated_guess = forms.IntegerField(
        label="Populated, in percent", required=False, min_value=0, max_value=100, help_text="A guess is enough."
    )
    fate = forms.ChoiceField(label="Kept or replaced", required=False, choices=CurrentField.Fate.choices)
    counterpart = forms.ChoiceField(
        label="Its counterpart in the framework",
        required=False,
        help_text="The dimension or attribute that says the same, or takes its place.",
    )
    version = forms.IntegerField(required=False, widget=UNSEEN)

    def __init__(self, *args: Any, counterparts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "None yet"), *counterparts]
        self.fields["counterpart"] = forms.ChoiceField(
            label=self.fields["counterpart"].label,
            required=False,
            choices=choices,
            help_text=self.fields["counterpart"].help_text,
        )
        self.order_fields(["type", "name", "system", "owner", "populated_guess", "fate", "counterpart", "version"])

    @staticmethod
    def values(field: CurrentField) -> dict[str, Any]:
        named = ("type", "name", "system", "owner", "populated_guess", "fate", "version")
        counterpart = f"{field.counterpart_kind}/{field.counterpart_key}" if field.counterpart_kind else ""
        return {name: getattr(field, name) for name in named} | {"counterpart": counterpart}


class QuestionForm(forms.Form):
    text = forms.CharField(
        label="Question", max_length=500, widget=forms.TextInput(attrs={"placeholder": "Which accounts …?"})
    )
    asked_by = forms.CharField(label="Asked by", max_length=150, required=False)
    version = forms.IntegerField(required=False, widget=UNSEEN)


class VersionForm(forms.Form):
    """The version of the row that the person saw."""

    version = forms.IntegerField()


class ScopeForm(forms.Form):
    """What segments will be used for. Who takes part is one field for each person, read by `participants_of`."""

    uses = forms.MultipleChoiceField(
        label="What segments will be used for",
        error_messages={"required": "Say what segments will be used for."},
        choices=IntakeScope.Use.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    uses_note = forms.CharField(
        label="In words",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Which reports, which playbooks, whose capacity.",
    )
    number = forms.IntegerField(widget=UNSEEN)


class DecideScopeForm(forms.Form):
    decision = forms.ChoiceField(choices=[("approve", "Yes"), ("reject", "No")])
    reason = forms.CharField(required=False, max_length=2000)
    digest = forms.CharField(max_length=64)


def participants_of(values: Mapping[str, str]) -> list[tuple[UUID, str]]:
    """Who was given a role: fields `role-<uuid>`. Raises ValueError for a name that is no person's."""
    return [
        (UUID(name.removeprefix("role-")), role) for name, role in values.items() if name.startswith("role-") and role
    ]


def people_rows(chosen: Mapping[str, str]) -> list[tuple[User, str]]:
    """Everyone who may take part with the role chosen for them: those who take part first."""
    people = list(takes_part().order_by("name", "pk"))
    return sorted(((person, chosen.get(str(person.uuid), "")) for person in people), key=lambda row: not row[1])
