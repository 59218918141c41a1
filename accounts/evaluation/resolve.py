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

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    F,
    Field,
    Func,
    IntegerField,
    TextField,
    Value,
)
from django.db.models.expressions import Case, RawSQL, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Lower, NullIf
from django.db.models.lookups import Exact, In, IsNull, LessThan

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.evaluation.facts import FactsRead
from accounts.models import Account
from frameworks.criteria.base import Of
from frameworks.criteria.expressions import AllTrue, Infix, ValueWhere
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, matching_key
from frameworks.criteria.types import AttributeType, Grain
from frameworks.definition import Definition

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
    """Finds values for compiled criteria. Implements frameworks.criteria.resolver.Resolver."""

    def __init__(self, definition: Definition, segment_columns: Mapping[str, str], facts: FactsRead) -> None:
        """`segment_columns` maps a dimension to the column that holds the segment's key that rules read."""
        self.attributes = definition.attributes
        self.meta = definition.meta
        self.segment_columns = segment_columns
        self.facts = facts

    # --- the account's row, or its ultimate parent's

    def value(self, key: str, of: Of = "self") -> Expression:
        attribute = self.attributes[key]
        if attribute.data_type in ("text", "choice"):
            return self._words(attribute, of)
        value = self._column(key, of) if key in CORE_ATTRIBUTES else self._from_json(attribute, of)
        return self._meant(attribute, value, of)

    def text_key(self, key: str, of: Of = "self") -> Expression:
        """The stored matching key. It knows the usual missing tokens; the attribute's own are taken out here."""
        column = (
            self._column(f"{key}_key", of)
            if key in CORE_ATTRIBUTES
            else KeyTextTransform(key, self._column("attribute_keys", of))
        )
        tokens = _token_keys(self.attributes[key], known=DEFAULT_MISSING_TOKENS)
        if not tokens:
            return column
        return Case(When(In(column, tokens), then=Value(None)), default=column, output_field=TextField())

    def tag_keys(self, key: str, of: Of = "self") -> Expression:
        """The stored keys of the tags. They are stored as they came: which of them says nothing is known only here."""
        tokens = _token_keys(self.attributes[key], known=())
        return _stage_column(self.facts.tags(key, of, tokens), ArrayField(TextField()))

    def observed_at(self, key: str, of: Of = "self") -> Expression:
        if key in OBSERVED:
            return self._column(f"{key}_observed_at", of)
        stamp = KeyTextTransform("at", KeyTextTransform(key, self._column("provenance", of)))
        return Cast(stamp, DateTimeField())

    def _column(self, column: str, of: Of) -> Expression:
        if of == "self":
            return F(column)  # type: ignore[return-value]
        name = self.facts.parent(column)
        return _stage_column(name, Account._meta.get_field(column))

    def _words(self, attribute: AttributeType, of: Of) -> Expression:
        """A text as it is stored, or a choice's id; its missing tokens are no choice, and nothing at all is no text."""
        is_column = attribute.key in CORE_ATTRIBUTES
        stored = self._column(attribute.key, of) if is_column else self._json_text(attribute.key, of)
        if attribute.data_type == "choice" and not is_column:
            stored = _trimmed(stored)
        value = NullIf(stored, Value("", output_field=TextField()), output_field=TextField())
        # Columns of choices have been checked on their way in: the usual tokens cannot be there.
        tokens = _token_keys(attribute, known=DEFAULT_MISSING_TOKENS if is_column else ())
        if attribute.data_type == "text" or not tokens:
            return value
        return Case(When(In(Lower(stored), tokens), then=Value(None)), default=value, output_field=TextField())

    def _json_text(self, key: str, of: Of) -> Expression:
        return KeyTextTransform(key, self._column("attributes", of))

    def _from_json(self, attribute: AttributeType, of: Of) -> Expression:
        """A number, date, moment or boolean of the account's JSON. Blanks and missing tokens never reach the cast."""
        text: Expression = Lower(_trimmed(self._json_text(attribute.key, of)), output_field=TextField())
        for token in ("", *_token_keys(attribute, known=())):
            text = NullIf(text, Value(token, output_field=TextField()), output_field=TextField())
        return Cast(text, _STORED[attribute.data_type])

    def _meant(self, attribute: AttributeType, value: Expression, of: Of) -> Expression:
        """What a stored value means: nothing where it is a missing token, money in the attribute's currency."""
        for token in _typed_tokens(attribute):
            value = NullIf(value, Value(token), output_field=_STORED[attribute.data_type])
        return self._converted(attribute, value, of) if attribute.data_type == "money" else value

    def _converted(self, attribute: AttributeType, value: Expression, of: Of) -> Expression:
        """NULL in a currency nobody gave a rate for. Never rounded: the threshold is a cut between two accounts."""
        if not attribute.currency:
            return value
        currency = self._column("currency", of)
        has_rates = self.meta is not None and self.meta.currency == attribute.currency
        rates = self.meta.exchange_rates if self.meta is not None and has_rates else {}
        if not rates:
            return ValueWhere(Exact(currency, Value(attribute.currency)), value, output_field=_AnyNumeric())
        factors = {attribute.currency: Decimal(1), **rates}
        cases = [When(Exact(currency, Value(code)), then=Value(rate)) for code, rate in sorted(factors.items())]
        return Infix("*", value, Case(*cases, output_field=_AnyNumeric()), output_field=_AnyNumeric())

    # --- what is joined to it

    def period_value(self, metric: str, grain: Grain, back: int) -> Expression:
        observed = _stage_column(self.facts.period(metric, grain, back), _AnyNumeric())
        return self._meant(self.attributes[metric], observed, "self")

    def has_period(self, metric: str, grain: Grain, back: int) -> Expression:
        return IsNull(self.period_value(metric, grain, back), False)

    def has_older_period(self, metric: str, grain: Grain, back: int) -> Expression:
        attribute = self.attributes[metric]
        first = _stage_column(self.facts.first_period(metric, grain, _typed_tokens(attribute)), DateField())
        is_older = Coalesce(LessThan(first, self.facts.period_start(grain, back)), Value(value=False))
        if attribute.data_type != "money":
            return is_older
        # In a currency nobody gave a rate for no period has a value.
        rate = self._converted(attribute, Value(1, output_field=_AnyNumeric()), "self")
        return AllTrue(is_older, IsNull(rate, False))

    def signal_count(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        return _stage_column(self.facts.signals(kind, details, within_days), IntegerField())

    def next_signal_end(self, kind: str, details: Mapping[str, str], within_days: int) -> Expression:
        return _stage_column(self.facts.next_signal_day(kind, details, within_days), DateField())

    def on_list(self, list_key: str, of: Of = "self") -> Expression:
        return _stage_column(self.facts.listed(list_key, of), BooleanField())

    # --- other dimensions

    def segment(self, dimension: str) -> Expression:
        return _stage_column(self.segment_columns[dimension], TextField())


def _stage_column(name: str, field: Any) -> Expression:
    """A column of our own stages."""
    return RawSQL(f'"accounts_account"."{name}"', (), output_field=field)  # noqa: S611 - no text of a person's


def _trimmed(text: Expression) -> Expression:
    return Func(text, Value(_BLANKS), function="btrim", output_field=TextField())


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
