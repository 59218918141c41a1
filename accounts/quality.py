"""How much is known of the accounts: per attribute how many have a value, and how old the values are.

One pass over the accounts answers for all attributes. Counted are the accounts that segmentation looks at: neither
deleted, merged nor excluded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import Count, DateTimeField, Expression, F, Max, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Lower, Trim

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.models import Account
from accounts.models.account import LISTED
from frameworks.criteria.text_keys import DEFAULT_MISSING_TOKENS, matching_key
from frameworks.models import Attribute, Framework, Kind, Part

# How an empty list or object reads as text: tags that are none.
_EMPTY = ("", "[]", "{}")


@dataclass(frozen=True)
class StoredAttribute:
    """An attribute to count: `missing_tokens` are its own texts for "no value", besides the usual ones.

    `freshness_days`: a value observed longer ago counts as missing for rules. `inputs`: of a derived attribute, the
    stored ones it follows from; it is known where all of them are.
    """

    key: str
    data_type: str
    missing_tokens: tuple[str, ...] = ()
    freshness_days: int | None = None
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fill:
    """Accounts with a value, those of them whose value is too old for rules, and when one was last observed.

    `newest` is known where a column keeps the moment, and where the data source asks for fresh values.
    """

    populated: int
    stale: int = 0
    newest: datetime | None = None

    @property
    def usable(self) -> int:
        return self.populated - self.stale


def segmented_accounts() -> QuerySet[Account]:
    """The accounts that segmentation looks at."""
    return Account.objects.filter(LISTED, exclusion=Account.Exclusion.NONE)


def fill_of(attributes: Iterable[StoredAttribute], at: datetime) -> tuple[int, dict[str, Fill]]:
    """How many accounts there are, and the fill of each attribute by its key. One query."""
    wanted = list(attributes)
    accounts: QuerySet[Account, Any] = segmented_accounts()
    known: dict[str, Q] = {}
    counts: dict[str, Any] = {"total": Count("pk")}
    # Aliases are numbers of our own: an attribute's key never becomes a name in the query.
    for place, attribute in enumerate(wanted):
        if attribute.inputs:
            continue
        accounts, known[attribute.key] = _with_presence(accounts, attribute, f"v{place}")
        if not _is_dated(attribute):
            continue
        accounts = accounts.annotate(**{f"o{place}": _observed_at(attribute.key)})
        counts[f"newest{place}"] = Max(f"o{place}")
        if attribute.freshness_days is not None:
            old = Q(**{f"o{place}__lt": at - timedelta(days=attribute.freshness_days)})
            counts[f"stale{place}"] = Count("pk", filter=known[attribute.key] & old)
    for place, attribute in enumerate(wanted):
        keys = attribute.inputs or (attribute.key,)
        if all(key in known for key in keys):
            counts[f"populated{place}"] = Count("pk", filter=reduce(and_, (known[key] for key in keys)))
    found = accounts.aggregate(**counts)
    return found["total"], {
        attribute.key: Fill(found[f"populated{place}"], found.get(f"stale{place}", 0), found.get(f"newest{place}"))
        for place, attribute in enumerate(wanted)
        if f"populated{place}" in found
    }


def stored_attribute(key: str) -> StoredAttribute | None:
    """The attribute with what active versions take for "no value" in it; None where nothing of that name is stored."""
    attribute = Attribute.objects.filter(key=key).first()
    if attribute is None:
        return None
    active = Framework.objects.filter(active_version__isnull=False).values("active_version")
    bodies = Part.objects.filter(version__in=active, kind=Kind.DATA_SOURCE, key=key).values_list(
        "body__body", flat=True
    )
    tokens = {token for body in bodies for token in body.get("missing_tokens") or ()}
    return StoredAttribute(attribute.key, attribute.data_type, tuple(sorted(tokens)))


def lacking(accounts: QuerySet[Account], attribute: StoredAttribute) -> QuerySet[Account, Any]:
    """Those of the accounts that segmentation looks at and that have no value for the stored attribute."""
    looked_at = accounts.filter(exclusion=Account.Exclusion.NONE)
    rows, present = _with_presence(looked_at, attribute, "lacked")
    return rows.exclude(pk__in=rows.filter(present).values("pk"))


def _with_presence(
    accounts: QuerySet[Account, Any], attribute: StoredAttribute, alias: str
) -> tuple[QuerySet[Account, Any], Q]:
    """The accounts with what the condition "has a value" needs, and the condition."""
    tokens = {key for token in attribute.missing_tokens if (key := matching_key(token, missing_tokens=()))}
    if attribute.key in CORE_ATTRIBUTES:
        if attribute.data_type == "text":
            name = f"{attribute.key}_key"
            present = Q(**{f"{name}__isnull": False})
            return accounts, present & ~Q(**{f"{name}__in": sorted(tokens)}) if tokens else present
        return accounts, Q(**{f"{attribute.key}__isnull": False})
    usual = {matching_key(token, missing_tokens=()) or "" for token in DEFAULT_MISSING_TOKENS}
    value = Lower(Trim(KeyTextTransform(attribute.key, "attributes")))
    present = Q(**{f"{alias}__isnull": False}) & ~Q(**{f"{alias}__in": sorted({*_EMPTY, *usual, *tokens})})
    return accounts.annotate(**{alias: value}), present


def _is_dated(attribute: StoredAttribute) -> bool:
    """Whether its age is asked about: reading the provenance of every account takes longer than all the counting."""
    return attribute.key in OBSERVED or attribute.freshness_days is not None


def _observed_at(key: str) -> Expression | F:
    """When the account's value was observed: a column beside it, or its provenance."""
    if key in OBSERVED:
        return F(f"{key}_observed_at")
    return Cast(KeyTextTransform("at", KeyTextTransform(key, "provenance")), DateTimeField())
