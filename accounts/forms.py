"""Forms of accounts' pages."""

from django import forms

from frameworks.models import Framework


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
