"""Where the values of an evaluation are: attributes as columns or JSON, other dimensions as earlier stages.

Compiled expressions name the table `accounts_account`; the stages give every level that alias, so the same
expression reads a real row, a hypothetical one, or the outcome of the level below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import (
    BooleanField,
    CharField,
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
from django.db.models.functions import Cast, NullIf
from django.db.models.lookups import In

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.errors import NoSuchAttributeError
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, matching_key
from frameworks.criteria.types import AttributeType

TEXT_KEYS = frozenset({"industry", "country", "state", "city"})
_JSON_FIELDS: dict[str, Field[Any, Any]] = {
    "date": DateField(),
    "datetime": DateTimeField(),
    "boolean": BooleanField(),
}
# Of any precision: a numeric with a scale would round 24999.995 up to the threshold.
_NUMERIC = DecimalField()


class AccountResolver:
    """Finds values for compiled criteria. Implements frameworks.criteria.compile.Resolver."""

    def __init__(self, attributes: Mapping[str, AttributeType], segment_columns: Mapping[str, str]) -> None:
        """`segment_columns` maps a dimension to the column that holds its effective segment's key."""
        self.attributes = attributes
        self.segment_columns = segment_columns

    def value(self, key: str) -> Expression:
        if key in CORE_ATTRIBUTES:
            return NullIf(F(key), Value("")) if self.attributes[key].data_type in ("text", "choice") else F(key)  # type: ignore[return-value]
        return self._json(self.attributes[key])

    def text_key(self, key: str) -> Expression:
        """The stored matching key. It knows the usual missing tokens; the attribute's own are taken out here."""
        if key not in TEXT_KEYS:
            raise NoSuchAttributeError(
                f"{key} is text, and company-specific attributes hold no text that rules compare."
            )
        column = F(f"{key}_key")
        own = [token for token in self.attributes[key].missing_tokens if token not in DEFAULT_MISSING_TOKENS]
        tokens = [folded for folded in (matching_key(token, missing_tokens=()) for token in own) if folded]
        if not tokens:
            return column  # type: ignore[return-value]
        return Case(When(In(column, tokens), then=Value(None)), default=column, output_field=CharField())

    def observed_at(self, key: str) -> Expression:
        if key in OBSERVED:
            return F(f"{key}_observed_at")  # type: ignore[return-value]
        stamp = KeyTextTransform("at", KeyTextTransform(key, "provenance"))
        return Cast(stamp, DateTimeField())

    def segment(self, dimension: str) -> Expression:
        column = self.segment_columns[dimension]
        return RawSQL(  # noqa: S611 - the column is one of our own stages
            f'"accounts_account"."{column}"', (), output_field=TextField()
        )

    def _json(self, attribute: AttributeType) -> Expression:
        text = KeyTextTransform(attribute.key, "attributes")
        if attribute.data_type in ("text", "choice"):
            return NullIf(Func(text, function="btrim", output_field=TextField()), Value(""))
        return Cast(NullIf(text, Value("")), _JSON_FIELDS.get(attribute.data_type, _NUMERIC))
