"""Where the values of an evaluation are: attributes as columns or JSON, other dimensions as earlier stages.

Compiled expressions name the table `accounts_account`; the stages give every level that alias, so the same
expression reads a real row, a hypothetical one, or the outcome of the level below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    F,
    Field,
    Func,
    TextField,
    Value,
)
from django.db.models.expressions import Case, RawSQL, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Lower, NullIf
from django.db.models.lookups import In

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from frameworks.criteria.base import Of
from frameworks.criteria.resolver import BasisOf
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, matching_key
from frameworks.criteria.types import AttributeType, Grain

# What Python's strip and the matching keys take away at both ends, as far as people's data has it.
_BLANKS = " \t\r\n\u00a0\u2007\u202f\u3000\u200b\ufeff"


class _AnyNumeric(DecimalField):  # type: ignore[type-arg]
    """A numeric of any precision: one with a scale would round 24999.995 up to the threshold."""

    def cast_db_type(self, connection: Any) -> str:
        return "numeric"


_STORED: dict[str, Field[Any, Any]] = {
    "integer": _AnyNumeric(),
    "decimal": _AnyNumeric(),
    "money": _AnyNumeric(),
    "date": DateField(),
    "datetime": DateTimeField(),
    "boolean": BooleanField(),
}


class AccountResolver:
    """Finds values for compiled criteria. Implements frameworks.criteria.compile.Resolver."""

    def __init__(self, attributes: Mapping[str, AttributeType], segment_columns: Mapping[str, str]) -> None:
        """`segment_columns` maps a dimension to the column that holds its effective segment's key."""
        self.attributes = attributes
        self.segment_columns = segment_columns

    def value(self, key: str, of: Of = "self") -> Expression:
        _of_itself(of)
        attribute = self.attributes[key]
        if attribute.data_type in ("text", "choice"):
            return self._words(attribute)
        value: Any = F(key) if key in CORE_ATTRIBUTES else _from_json(attribute)
        for token in _typed_tokens(attribute):
            value = NullIf(value, Value(token), output_field=_STORED[attribute.data_type])
        return value  # type: ignore[no-any-return]

    def _words(self, attribute: AttributeType) -> Expression:
        """A text as it is stored, or a choice's id; its missing tokens are no choice, and nothing at all is no text."""
        is_column = attribute.key in CORE_ATTRIBUTES
        stored: Any = F(attribute.key) if is_column else _json_text(attribute.key)
        if attribute.data_type == "choice" and not is_column:
            stored = _trimmed(stored)
        value = NullIf(stored, Value("", output_field=TextField()), output_field=TextField())
        # Columns of choices have been checked on their way in: the usual tokens cannot be there.
        tokens = _token_keys(attribute, known=DEFAULT_MISSING_TOKENS if is_column else ())
        if attribute.data_type == "text" or not tokens:
            return value
        return Case(When(In(Lower(stored), tokens), then=Value(None)), default=value, output_field=TextField())

    def text_key(self, key: str, of: Of = "self") -> Expression:
        """The stored matching key. It knows the usual missing tokens; the attribute's own are taken out here."""
        _of_itself(of)
        column: Any = F(f"{key}_key") if key in CORE_ATTRIBUTES else KeyTextTransform(key, "attribute_keys")
        tokens = _token_keys(self.attributes[key], known=DEFAULT_MISSING_TOKENS)
        if not tokens:
            return column  # type: ignore[no-any-return]
        return Case(When(In(column, tokens), then=Value(None)), default=column, output_field=TextField())

    def observed_at(self, key: str, of: Of = "self") -> Expression:
        _of_itself(of)
        if key in OBSERVED:
            return F(f"{key}_observed_at")  # type: ignore[return-value]
        stamp = KeyTextTransform("at", KeyTextTransform(key, "provenance"))
        return Cast(stamp, DateTimeField())

    def tag_keys(self, key: str, of: Of = "self") -> Expression:
        raise NotImplementedError("Tags cannot be read yet.")

    def period_value(self, metric: str, grain: Grain, back: int) -> Expression:
        raise NotImplementedError("The metric history cannot be read yet.")

    def has_period(self, metric: str, grain: Grain, back: int) -> Expression:
        raise NotImplementedError("The metric history cannot be read yet.")

    def signal_count(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        raise NotImplementedError("Signals cannot be read yet.")

    def next_signal_end(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        raise NotImplementedError("Signals cannot be read yet.")

    def on_list(self, list_key: str, of: Of = "self") -> Expression:
        raise NotImplementedError("Account lists cannot be read yet.")

    def segment(self, dimension: str, basis_of: BasisOf = "effective") -> Expression:
        if basis_of == "computed":
            raise NotImplementedError("The computed segment of another dimension cannot be read yet.")
        column = self.segment_columns[dimension]
        return RawSQL(  # noqa: S611 - the column is one of our own stages
            f'"accounts_account"."{column}"', (), output_field=TextField()
        )


def _of_itself(of: Of) -> None:
    if of != "self":
        raise NotImplementedError("The ultimate parent cannot be read yet.")


def _json_text(key: str) -> Expression:
    return KeyTextTransform(key, "attributes")


def _trimmed(text: Expression) -> Expression:
    return Func(text, Value(_BLANKS), function="btrim", output_field=TextField())


def _from_json(attribute: AttributeType) -> Expression:
    """A number, date, moment or boolean of the account's JSON. Blanks and missing tokens never reach the cast."""
    text: Expression = Lower(_trimmed(_json_text(attribute.key)), output_field=TextField())
    for token in ("", *_token_keys(attribute, known=())):
        text = NullIf(text, Value(token, output_field=TextField()), output_field=TextField())
    return Cast(text, _STORED[attribute.data_type])


def _token_keys(attribute: AttributeType, *, known: Iterable[str]) -> list[str]:
    """Matching keys of the attribute's missing tokens, but for those the place of the value already knows.

    A choice that the framework declares is a value: a token that reads like its id is none.
    """
    declared = {matching_key(choice_id, missing_tokens=()) for choice_id, _ in attribute.choices}
    keys = [matching_key(token, missing_tokens=()) for token in attribute.missing_tokens if token not in known]
    return [key for key in keys if key and key not in declared]


def _typed_tokens(attribute: AttributeType) -> list[Decimal | date]:
    """Missing tokens that are values of the attribute's type, such as -1 or 9999-12-31."""
    read = _TOKEN_READERS.get(attribute.data_type)
    if read is None:
        return []
    found = (read(token) for token in attribute.missing_tokens if token not in DEFAULT_MISSING_TOKENS)
    return [token for token in found if token is not None]


def _number(token: str) -> Decimal | None:
    return Decimal(token) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", token) else None


def _day(token: str) -> date | None:
    try:
        return date.fromisoformat(token)
    except ValueError:
        return None


_TOKEN_READERS: dict[str, Callable[[str], Decimal | date | None]] = {
    "integer": _number,
    "decimal": _number,
    "money": _number,
    "date": _day,
}
