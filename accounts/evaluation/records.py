"""Accounts that are in no table, given as texts: cells of a file or fields of a form, made rows of the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.intake.cells import tag_keys
from frameworks.criteria.text_keys import matching_key
from frameworks.criteria.types import AttributeType, LiteralError, format_literal, parse_literal
from frameworks.definition import Definition

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
TAG_SEPARATOR = ";"


@dataclass
class Record:
    """One account as `evaluate_rows` takes it. `problems` says, by attribute key, why a text is no value."""

    row: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def record_of(texts: Mapping[str, str], *, definition: Definition, observed_at: datetime) -> Record:
    """The texts by attribute key, read with the framework's types; empty ones and missing tokens are no value.

    Everything counts as observed at `observed_at`. Tags are separated by semicolons.
    """
    record = Record(row={"attributes": {}, "attribute_keys": {}, "provenance": {}})
    for key, text in texts.items():
        attribute = definition.attributes[key]
        if _says_nothing(attribute, text):
            continue
        try:
            _put(record.row, attribute, _value(attribute, text.strip()), observed_at)
        except LiteralError as error:
            record.problems[key] = str(error)
    return record


def _says_nothing(attribute: AttributeType, text: str) -> bool:
    """Empty or a missing token; a choice that the framework declares is a value, also where it reads like one."""
    declared = {matching_key(choice_id, missing_tokens=()) for choice_id, _ in attribute.choices}
    is_missing = matching_key(text, missing_tokens=attribute.missing_tokens) is None
    return is_missing and matching_key(text, missing_tokens=()) not in declared - {None}


def _value(attribute: AttributeType, text: str) -> Any:
    if attribute.data_type == "boolean":
        if text.casefold() not in _TRUTHS:
            raise LiteralError("not_a_boolean", f'{attribute.label} is "true" or "false", not "{text[:40]}".')
        return _TRUTHS[text.casefold()]
    if attribute.data_type == "tags":
        return [tag.strip() for tag in text.split(TAG_SEPARATOR) if tag.strip()]
    return format_literal(attribute, parse_literal(attribute, text))


def _put(row: dict[str, Any], attribute: AttributeType, value: Any, observed_at: datetime) -> None:
    key, is_text = attribute.key, attribute.data_type == "text"
    if attribute.data_type == "money":
        row["currency"] = attribute.currency
    if key in CORE_ATTRIBUTES:
        row[key] = value
        if is_text:
            row[f"{key}_key"] = matching_key(value)
        if key in OBSERVED:
            row[f"{key}_observed_at"] = observed_at.isoformat()
    else:
        row["attributes"][key] = value
        if is_text:
            row["attribute_keys"][key] = matching_key(value)
        elif attribute.data_type == "tags":
            row["attribute_keys"][key] = tag_keys(value)
    row["provenance"][key] = {"at": observed_at.isoformat()}
