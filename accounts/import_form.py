"""The forms of the import pages: the file, how to read it, and what each of its columns is."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms import BoundField

from accounts.intake.guessing import Guess
from accounts.intake.mapping import ImportMapping
from accounts.intake.reading import DELIMITERS
from accounts.intake.targets import Target
from accounts.models import Account

IGNORE = "-"
ENCODINGS = [
    ("utf-8", "UTF-8"),
    ("windows-1252", "Windows-1252 (Western Excel)"),
    ("iso-8859-1", "Latin-1 (ISO 8859-1)"),
    ("utf-16", "UTF-16"),
    ("shift_jis", "Shift JIS"),
]
_NUMBER_FORMS = ("plain", "1,234.56", "1.234,56", "1 234,56")
_DATE_FORMS = ("YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY")
_FORMS = [
    ("", "As it is: 1234.56, 2026-01-31"),
    ("Numbers", [(form, form) for form in _NUMBER_FORMS[1:]]),
    ("Dates", [(form, form) for form in _DATE_FORMS[1:]]),
]


class UploadForm(forms.Form):
    """One CSV file."""

    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,  # an empty file gets the importer's own words
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )


class ReadingForm(forms.Form):
    """How the file is read before its columns can be named. By GET: it changes nothing."""

    encoding = forms.ChoiceField(choices=ENCODINGS, required=False)
    delimiter = forms.ChoiceField(
        choices=[("", "Detect")] + [(sign, words.capitalize()) for sign, words in DELIMITERS.items()],
        required=False,
        label="Columns are separated by",
    )
    like = forms.ChoiceField(label="Mapping", required=False)

    def __init__(self, *args: Any, known: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        like: Any = self.fields["like"]
        like.choices = [("", "Guess from the headers"), *known]


class MappingForm(forms.Form):
    """A mapping as a form: one row of fields for each column of the file, and what holds for the whole file."""

    source = forms.CharField(
        label="Source system",
        max_length=63,
        help_text="Whose ids these are, such as “salesforce”. Small letters, digits, dot, dash, underscore.",
    )
    external_id = forms.ChoiceField(label="Column with the account's id")
    allow_new = forms.BooleanField(label="Create accounts that are not known yet", required=False)
    ignore_rest = forms.BooleanField(
        label="Leave out all columns that are not chosen", required=False, help_text="They are listed in the preview."
    )
    missing = forms.CharField(
        label="Cells that mean “missing”", required=False, max_length=200, help_text="Separated by commas."
    )
    blank = forms.ChoiceField(
        label="Blank cells",
        choices=[("leave", "Leave the stored value"), ("clear", "Clear the stored value")],
    )
    period = forms.ChoiceField(label="Column with the period", required=False)
    grain = forms.ChoiceField(
        label="Periods are",
        choices=[("fiscal_year", "Fiscal years"), ("fiscal_quarter", "Fiscal quarters"), ("month", "Months")],
    )
    fiscal_year_end = forms.CharField(label="The fiscal year ends on", initial="12-31", help_text="Month and day.")
    only_periods = forms.CharField(
        label="Only these periods", required=False, max_length=200, help_text="Separated by commas; empty means all."
    )
    constant_currency = forms.CharField(label="Currency", required=False, max_length=3)
    constant_country = forms.CharField(label="Country", required=False, max_length=100)
    constant_stage = forms.ChoiceField(label="Stage", required=False, choices=[("", "–"), *Account.Stage.choices])

    def __init__(self, *args: Any, headers: Sequence[str], targets: Mapping[str, Target], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headers, self.targets = headers, targets
        named = [(header, header) for header in headers]
        self._choose("external_id", named)
        self._choose("period", [("", "The file has no periods"), *named])
        choices = [("", "Choose…"), (IGNORE, "Do not import"), *((key, targets[key].label) for key in sorted(targets))]
        for number, header in enumerate(headers):
            self.fields[f"target_{number}"] = forms.ChoiceField(choices=choices, label=header, required=False)
            self.fields[f"form_{number}"] = forms.ChoiceField(choices=_FORMS, label=f"{header}: form", required=False)
            self.fields[f"multiply_{number}"] = forms.DecimalField(
                label=f"{header}: times", required=False, min_value=0, max_digits=20
            )

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def column_fields(self) -> list[tuple[str, BoundField, BoundField, BoundField]]:
        """(header, what it is, how it is written, factor) of each column."""
        return [
            (header, self[f"target_{number}"], self[f"form_{number}"], self[f"multiply_{number}"])
            for number, header in enumerate(self.headers)
        ]

    def mapping(self, *, encoding: str, delimiter: str) -> dict[str, Any]:
        """The content of a mapping; `parse_mapping` says whether it is one. Call when the form is valid."""
        data = self.cleaned_data
        columns = self._columns()
        period = data["period"]
        numbers = [rule["attribute"] for rule in columns.values() if self._is_observable(rule)]
        return {
            "source": data["source"],
            "external_id": data["external_id"],
            "columns": columns,
            "ignore": [header for header in self._left_out() if header not in (data["external_id"], period)],
            "constants": self._constants(),
            "period": self._period() if period else None,
            "observations": numbers if period else [],
            "allow": ["new_accounts"] if data["allow_new"] else [],
            "missing": _listed(data["missing"]),
            "blank": data["blank"],
            "encoding": encoding or "utf-8",
            "delimiter": delimiter,
        }

    def _left_out(self) -> list[str]:
        ways = (IGNORE, "") if self.cleaned_data["ignore_rest"] else (IGNORE,)
        return [header for number, header in enumerate(self.headers) if self.cleaned_data[f"target_{number}"] in ways]

    def _is_observable(self, rule: Mapping[str, Any]) -> bool:
        return "attribute" in rule and self.targets[rule["attribute"]].is_number

    def periods(self) -> list[str]:
        return _listed(self.cleaned_data["only_periods"])

    def _period(self) -> dict[str, str]:
        data = self.cleaned_data
        return {"column": data["period"], "grain": data["grain"], "fiscal_year_end": data["fiscal_year_end"]}

    def _constants(self) -> dict[str, str]:
        values = {key: self.cleaned_data[f"constant_{key}"].strip() for key in ("currency", "country", "stage")}
        return {key: value for key, value in values.items() if value}

    def _columns(self) -> dict[str, dict[str, Any]]:
        columns = {}
        for number, header in enumerate(self.headers):
            key = self.cleaned_data[f"target_{number}"]
            if key and key != IGNORE:
                columns[header] = self._rule(number, self.targets[key])
        return columns

    def _rule(self, number: int, target: Target) -> dict[str, Any]:
        is_field = target.key in ("name", "domain", "currency")
        rule: dict[str, Any] = {"field" if is_field else "attribute": target.key}
        form, factor = self.cleaned_data[f"form_{number}"], self.cleaned_data[f"multiply_{number}"]
        if form in _NUMBER_FORMS and target.is_number:
            rule["number_format"] = form
        if form in _DATE_FORMS:
            rule["date_format"] = form
        if factor and target.is_number:
            rule["multiply"] = str(factor)
        return rule


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def initial_values(headers: Sequence[str], guess: Guess, known: ImportMapping | None) -> dict[str, Any]:
    """What the form shows at first: the guess, or a mapping that was used before."""
    values: dict[str, Any] = {"external_id": guess.external_id, "period": guess.period, "allow_new": True}
    values |= {"missing": "-, N/A", "fiscal_year_end": "12-31"}
    for number, column in enumerate(guess.columns):
        is_ignored = column.header in (guess.external_id, guess.period)
        is_ignored |= known is not None and (known.ignore_unknown or column.header in known.ignore)
        values[f"target_{number}"] = column.key or (IGNORE if is_ignored else "")
        values[f"form_{number}"] = "" if column.form in ("plain", "YYYY-MM-DD") else column.form
    if known is None:
        return values
    values |= {"source": known.source, "allow_new": known.allows_new_accounts, "blank": known.blank}
    values["missing"] = ", ".join(known.missing)
    values |= {f"constant_{key}": value for key, value in known.constants.items()}
    if known.period:
        values |= {"grain": known.period.grain, "fiscal_year_end": known.period.fiscal_year_end}
    for number, header in enumerate(headers):
        rule = known.columns.get(header)
        if rule and rule.multiply != 1:
            values[f"multiply_{number}"] = rule.multiply
    return values
