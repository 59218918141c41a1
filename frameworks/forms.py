"""Forms of the frameworks pages: shape only; what may be done and what is valid content is said by services."""

from typing import Any

from django import forms
from django.utils.text import slugify

from frameworks.yaml_text import read_yaml


class FrameworkForm(forms.Form):
    """A new framework: its name, its address, and the template it starts from."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        max_length=63, label="Address", required=False, help_text="Part of every link; from the name if left empty."
    )
    template = forms.CharField(max_length=63, required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["slug"] = cleaned.get("slug") or slugify(cleaned.get("name", ""))[:63] or "framework"
        return cleaned


class EvidenceForm(forms.Form):
    evidence = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 3}), label="How do you know?")


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))


class RetireForm(forms.Form):
    """Where segments go that leave a draft; which they are, and what takes their place, are ticked beside it."""

    digest = forms.CharField(required=False, widget=forms.HiddenInput)
    new_label = forms.CharField(max_length=120, required=False, label="Or a new segment, made of their rules")
    overrides = forms.CharField(max_length=63, required=False)
    takes_over = forms.BooleanField(required=False, initial=True)
    rules_go_along = forms.BooleanField(required=False, initial=True)
    reason = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class BodyForm(forms.Form):
    """Any part as YAML. `digest` is the body the editor started from."""

    digest = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(max_length=127)
    text = forms.CharField(
        label="Content", strip=False, widget=forms.Textarea(attrs={"rows": 22, "spellcheck": "false"})
    )

    def body(self) -> Any:
        """The body as written. Raises InvalidError naming line and column."""
        return read_yaml(self.cleaned_data["text"])
