"""Forms of accounts' pages."""

from typing import Any

from django import forms

from accounts.models import AccountIdentifier
from frameworks.models import AccountList, Framework, User

LINES_MOST = 10_000


class ReasonForm(forms.Form):
    """Why somebody releases or cancels a run; it is kept in the audit log."""

    reason = forms.CharField(
        label="Reason", max_length=1000, min_length=5, widget=forms.Textarea(attrs={"rows": 3}), strip=True
    )


class StartForm(forms.Form):
    """Which framework's accounts to evaluate again."""

    framework = forms.ModelChoiceField(
        Framework.objects.filter(active_version__isnull=False).select_related("active_version"),
        to_field_name="slug",
        empty_label=None,
    )


def _owners() -> "forms.ModelChoiceField[User]":
    people = User.objects.filter(is_active=True, is_service=False).order_by("name")
    return forms.ModelChoiceField(people, required=False, empty_label="Nobody")


class ListForm(forms.Form):
    """What a list is called and for."""

    label = forms.CharField(label="Name", max_length=150)
    purpose = forms.ChoiceField(choices=AccountList.Purpose.choices)
    owner = _owners()


class NewListForm(ListForm):
    """A new list; its key is what rules call it, for good."""

    key = forms.CharField(
        max_length=63, required=False, help_text="What rules call it, for good; made from the name when left empty."
    )
    field_order = ("label", "key", "purpose", "owner")


class EditListForm(ListForm):
    """A list that is there."""

    is_live = forms.BooleanField(label="In use", required=False, help_text="Otherwise it takes no new entries.")


class EntriesForm(forms.Form):
    """Accounts to add to a list, remove from it or replace it with, one a line."""

    ACTIONS = (("add", "Add them"), ("remove", "Remove them"), ("replace", "Replace the list with them"))

    lines = forms.CharField(label="Accounts, one a line", widget=forms.Textarea(attrs={"rows": 6}))
    way = forms.ChoiceField(label="Each line is")
    action = forms.ChoiceField(label="What to do", choices=ACTIONS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sources = AccountIdentifier.objects.order_by("source").values_list("source", flat=True).distinct()
        ids = [(f"id:{source}", f"an id in {source}") for source in sources]
        self.fields["way"].choices = [("name", "a name"), ("domain", "a domain"), *ids]  # type: ignore[attr-defined]

    def clean_lines(self) -> list[str]:
        lines = [line.strip() for line in str(self.cleaned_data["lines"]).splitlines()]
        found = list(dict.fromkeys(line for line in lines if line))
        if len(found) > LINES_MOST:
            raise forms.ValidationError(f"{LINES_MOST:,} lines at most.")
        return found

    def items(self) -> list[dict[str, str]]:
        """The lines as change_list_entries takes them."""
        way, _, source = str(self.cleaned_data["way"]).partition(":")
        lines = self.cleaned_data["lines"]
        if way == "id":
            return [{"source": source, "external_id": line} for line in lines]
        return [{way: line} for line in lines]
