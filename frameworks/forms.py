"""Forms of the frameworks pages: shape only; what may be done and what is valid content is said by services."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.text import slugify

from frameworks.criteria.text import CriteriaTextError, parse_text, print_text
from frameworks.definition import Definition
from frameworks.errors import InvalidError
from frameworks.parts import parse_body
from frameworks.parts.base import Basis
from frameworks.parts.segment import Rule, Segment
from frameworks.yaml_text import read_yaml

BASES = [(basis, basis.capitalize()) for basis in Basis.__args__]  # type: ignore[attr-defined]


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


class SegmentForm(forms.Form):
    """A segment with its rules in text form: one text per rule, an empty text takes the rule out."""

    digest = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(widget=forms.HiddenInput)
    label = forms.CharField(max_length=120, label="Name")
    description = forms.CharField(required=False, max_length=8000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, stored: Mapping[str, Any], definition: Definition, key: str, **kwargs: Any) -> None:
        self.stored, self.definition, self.segment_key = stored, definition, key
        super().__init__(*args, **kwargs)
        segment = parse_body("segment", stored)
        self.old_rules: list[Rule] = list(segment.rules) if isinstance(segment, Segment) else []
        for place, rule in enumerate([*self.old_rules, None]):
            self._add_rule(place, rule)

    def _add_rule(self, place: int, rule: Rule | None) -> None:
        name = f"Rule {rule.key}" if rule else "Another rule"
        self.fields[f"basis_{place}"] = forms.ChoiceField(
            choices=BASES, label=f"{name}: looks at", initial=rule.basis if rule else "value"
        )
        self.fields[f"text_{place}"] = forms.CharField(
            label=name,
            required=False,
            initial=self._printed(rule) if rule else "",
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        )

    def _printed(self, rule: Rule) -> str:
        return print_text(self.definition.criteria_of(self.segment_key.partition("/")[0], rule.criteria).root)

    def rule_rows(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return [(self[f"basis_{place}"], self[f"text_{place}"]) for place in range(len(self.old_rules) + 1)]

    def body(self) -> dict[str, Any]:
        """The whole body. Raises InvalidError naming rule, line and column."""
        rules, problems = [], []
        for place in range(len(self.old_rules) + 1):
            old = self.old_rules[place] if place < len(self.old_rules) else None
            text = self.cleaned_data[f"text_{place}"].strip()
            if not text:
                continue
            try:
                criteria = self._read(text, old)
            except CriteriaTextError as error:
                problems += [
                    f"{self.fields[f'text_{place}'].label}, line {problem.place.line},"
                    f" column {problem.place.column}: {problem.message}"
                    for problem in error.problems
                ]
                continue
            rules.append(self._rule(place, old, criteria))
        if problems:
            raise InvalidError(problems)
        said = {name: self.cleaned_data[name] for name in ("label", "description")}
        return {**self.stored, **said, "rules": rules}

    def _read(self, text: str, old: Rule | None) -> dict[str, Any]:
        dimension = self.segment_key.partition("/")[0]
        previous = self.definition.criteria_of(dimension, old.criteria) if old else None
        return parse_text(
            text,
            previous=previous,
            attributes=self.definition.attributes,
            dimensions=self.definition.segment_keys,
            own_dimension=dimension,
        ).document()

    def _rule(self, place: int, old: Rule | None, criteria: dict[str, Any]) -> dict[str, Any]:
        taken = {rule.key for rule in self.old_rules}
        free = next(name for number in range(1, 99) if (name := f"rule_{number}") not in taken)
        plain: dict[str, Any] = {"key": old.key if old else free, "criteria": criteria}
        plain["basis"] = self.cleaned_data[f"basis_{place}"]
        if old and old.note:
            plain["note"] = old.note
        return plain
