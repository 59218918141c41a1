"""What a framework becomes in a CRM: fields of Salesforce's Account and of HubSpot's company. Pure.

Limits, as the two publish them. Salesforce: a field's label and its API name without `__c` have at most 40 characters,
a picklist 1,000 values, each with a label of up to 255 characters and a description of up to 255; a number has 18
digits. HubSpot: an internal name has at most 100 characters, an enumeration 5,000 options.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from frameworks.parts.data_source import DataSource

LABEL = 40
NAME = 40
VALUE = 255
DESCRIPTION = 255
HUBSPOT_NAME = 100

# Attributes that both CRMs have from the start: Salesforce's API name and type, HubSpot's internal name and type.
STANDARD: Mapping[str, tuple[str, str, str, str]] = {
    "annual_revenue": ("AnnualRevenue", "Currency", "annualrevenue", "number"),
    "city": ("BillingCity", "Text", "city", "string"),
    "country": ("BillingCountry", "Text", "country", "string"),
    "employee_count": ("NumberOfEmployees", "Number", "numberofemployees", "number"),
    "industry": ("Industry", "Picklist", "industry", "enumeration"),
    "state": ("BillingState", "Text", "state", "string"),
}
TAKEN = frozenset(
    {
        *("name", "domain", "description", "industry", "type", "phone", "website", "city", "state", "country", "zip"),
        *("timezone", "annualrevenue", "numberofemployees", "lifecyclestage", "hubspot_owner_id", "createdate"),
    }
)
"""Names of HubSpot's own properties of a company: a new one cannot be called so."""

SALESFORCE = {
    "integer": "Number(18, 0)",
    "boolean": "Checkbox",
    "date": "Date",
    "choice": "Picklist, restricted",
    "tags": "Multi-select picklist",
    "text": "Text(255)",
}
HUBSPOT = {
    "integer": "number / number",
    "decimal": "number / number",
    "money": "number / number, shown as currency",
    "boolean": "bool / booleancheckbox",
    "date": "date / date",
    "choice": "enumeration / select",
    "tags": "enumeration / checkbox",
    "text": "string / text",
}


@dataclass(frozen=True)
class Value:
    """One value of a picklist: what people read, what is stored, and the rule behind it in full."""

    label: str
    stored: str
    rule: str

    @property
    def description(self) -> str:
        """The rule, as far as a value's description can hold it."""
        return self.rule if len(self.rule) <= DESCRIPTION else f"{self.rule[: DESCRIPTION - 1].rstrip()}…"


@dataclass(frozen=True)
class Field:
    """One field in both CRMs. `is_standard`: it is there already and only has to be filled."""

    label: str
    salesforce: str
    salesforce_type: str
    hubspot: str
    hubspot_type: str
    text: str
    values: tuple[Value, ...] = ()
    is_standard: bool = False


def salesforce_name(label: str) -> str:
    """ "Customer Tier" → "Customer_Tier__c": letters, digits and single underscores, beginning with a letter."""
    words = "_".join(re.findall("[A-Za-z0-9]+", _plain(label)))
    name = words if re.match("[A-Za-z]", words) else f"X{words}"
    return f"{name[:NAME].rstrip('_')}__c"


def hubspot_name(label: str) -> str:
    """ "Customer Tier" → "customer_tier": lower-case letters, digits and underscores, beginning with a letter."""
    words = "_".join(re.findall("[a-z0-9]+", _plain(label).lower()))
    name = words if re.match("[a-z]", words) else f"x{words}"
    return name[:HUBSPOT_NAME].rstrip("_")


def _plain(text: str) -> str:
    """Letters without their accents; what has no Latin letter falls out."""
    return unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()


def dimension_fields(label: str, key: str, question: str, values: Sequence[Value]) -> Iterator[Field]:
    """The segment, since when, and why: the three fields of one dimension."""
    # A label without a Latin letter gives no name of its own; the key always does.
    base = label if re.search("[A-Za-z]", _plain(label)) else key.replace("_", " ")
    text = f"{question} Written by Cutline only." if question else "Written by Cutline only."
    names = salesforce_name(base), hubspot_name(base)
    yield Field(label, names[0], "Picklist, restricted", names[1], "enumeration / select", text, tuple(values))
    since = "Since when the account is in its segment."
    yield _beside(label, base, "Since", "Date/Time", "datetime / date", since)
    reason = "Why: matched, provisional, missing_data, conflict and the like, with what is missing."
    yield _beside(label, base, "Reason", "Text(255)", "string / text", reason)


def _beside(label: str, base: str, what: str, salesforce: str, hubspot: str, text: str) -> Field:
    # The word at the end tells the field from the others of the dimension, so the rest makes room for it.
    short = base[: NAME - len(what) - 1].rstrip()
    name, other = salesforce_name(f"{short} {what}"), hubspot_name(f"{base[: HUBSPOT_NAME - len(what) - 1]} {what}")
    return Field(f"{label} {what}", name, salesforce, other, hubspot, text)


def attribute_field(key: str, source: DataSource) -> Field:
    """The field that an attribute is read from or filled into."""
    text = source.refresh and f"Refreshed: {source.refresh}."
    if key in STANDARD:
        name, kind, other, other_kind = STANDARD[key]
        return Field(source.label, name, kind, other, other_kind, text, is_standard=True)
    base = source.label if re.search("[A-Za-z]", _plain(source.label)) else key.replace("_", " ")
    values = tuple(Value(choice.label, choice.id, "") for choice in source.choices)
    names = salesforce_name(base), hubspot_name(base)
    return Field(source.label, names[0], _salesforce_type(source), names[1], _hubspot_type(source), text, values)


def _salesforce_type(source: DataSource) -> str:
    places = source.scale or 0
    if source.data_type == "money":
        return f"Currency({18 - places}, {places})"
    if source.data_type == "decimal":
        return f"{'Percent' if source.unit == 'percent' else 'Number'}({18 - places}, {places})"
    if source.data_type == "tags" and not source.choices:
        return "Text Area(255)"
    return SALESFORCE.get(source.data_type, "Text(255)")


def _hubspot_type(source: DataSource) -> str:
    if source.data_type == "tags" and not source.choices:
        return "string / textarea"
    return HUBSPOT.get(source.data_type, "string / text")


def problems(fields: Iterable[Field]) -> Iterator[str]:
    """What a CRM would refuse, or make one of two things, each as a sentence."""
    every = list(fields)
    for name, fits in (("salesforce", "Salesforce"), ("hubspot", "HubSpot")):
        taken = Counter(str(getattr(field, name)).lower() for field in every)
        for known, count in taken.items():
            if count > 1:
                labels = ", ".join(field.label for field in every if str(getattr(field, name)).lower() == known)
                yield f"{fits}: {known} would be the name of {count} fields ({labels}). Give one of them another label."
    for field in every:
        if field.hubspot in TAKEN and not field.is_standard:
            yield f"HubSpot: {field.hubspot} is a property of its own, so {field.label} needs another label there."
        yield from _problems_of(field)


def _problems_of(field: Field) -> Iterator[str]:
    if len(field.label) > LABEL and not field.is_standard:
        yield f"Salesforce: the label “{field.label}” has {len(field.label)} characters, and {LABEL} fit."
    stored = Counter(value.stored for value in field.values)
    for text, count in stored.items():
        if count > 1:
            yield f"{field.label}: {count} values are stored as “{text}”, so they could not be told apart."
    for value in field.values:
        if len(value.stored) > VALUE:
            yield f"{field.label}: the value “{value.stored[:40]}…” is longer than {VALUE} characters."
        if ";" in value.stored:
            yield f"{field.label}: “{value.stored}” has a semicolon, with which both CRMs part several values."
