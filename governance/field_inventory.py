"""Every attribute of accounts: its type, where it comes from, how much of it is known, how old it is, who reads it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from accounts.quality import Fill, StoredAttribute, fill_of
from frameworks.definition import Bodies, bodies_of
from frameworks.models import Attribute, FrameworkVersion, Kind
from governance.rule_reads import RuleReads, rule_reads

MIN_POPULATED = Decimal("0.8")
"""The red flag where a version signs no other limit (`limits.min_populated`)."""

STORED = {"column": "Column", "json": "JSON attribute"}


@dataclass(frozen=True)
class InventoryRow:
    """One attribute. `fill` None: nothing is stored that could be counted.

    `readers` are the segments whose rules read it, `decides` those that nobody reaches without it.
    """

    key: str
    label: str
    data_type: str
    storage: str
    has_part: bool
    system: str
    owner: str
    refresh: str
    freshness_days: int | None
    fill: Fill | None
    total: int
    limit: Decimal
    readers: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    is_derived: bool = False

    @property
    def share(self) -> Decimal | None:
        """Accounts with a value, from 0 to 1; None while there is no account or nothing to count."""
        return Decimal(self.fill.populated) / self.total if self.fill and self.total else None

    @property
    def usable_share(self) -> Decimal | None:
        """As rules see it: a value that is too old is none."""
        return Decimal(self.fill.usable) / self.total if self.fill and self.total else None

    @property
    def is_used(self) -> bool:
        return bool(self.readers)

    @property
    def is_under(self) -> bool:
        """Under the limit, whatever the age of the values."""
        return self.share is not None and self.share < self.limit

    @property
    def is_stale(self) -> bool:
        """Enough accounts have a value, but too many of them are too old."""
        return not self.is_under and self.usable_share is not None and self.usable_share < self.limit

    @property
    def has_source(self) -> bool:
        """Somebody said which system it comes from; a derived one comes from its inputs."""
        return bool(self.system) or self.is_derived

    @property
    def missing(self) -> int:
        return self.total - self.fill.populated if self.fill else self.total

    @property
    def lacking_url(self) -> str:
        """The accounts without a value; "" where the list cannot show them."""
        if self.is_derived or self.fill is None:
            return ""
        return f"{reverse('accounts:account_list')}?{urlencode({'lacks': self.key})}"


@dataclass(frozen=True)
class Inventory:
    """The attributes as one version sees them, by label."""

    version: FrameworkVersion | None
    total: int
    limit: Decimal
    rows: Sequence[InventoryRow]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Segment key ("tier/smb") → "Customer Tier / SMB"."""

    @cached_property
    def used(self) -> list[InventoryRow]:
        return [row for row in self.rows if row.is_used]

    @property
    def score(self) -> Decimal | None:
        """Of all values that rules look at, the share that is there."""
        shares = [row.share for row in self.used if row.share is not None]
        return sum(shares, Decimal(0)) / len(shares) if shares else None

    def reader_labels(self, row: InventoryRow) -> list[str]:
        return [self.labels.get(key, key) for key in row.readers]


def inventory_of(version: FrameworkVersion | None, at: datetime) -> Inventory:
    """Every stored attribute and everything the version has a data source for, counted in one pass over accounts."""
    bodies: Bodies = bodies_of(version) if version else {}
    return inventory_from(version, bodies, at)


def inventory_from(version: FrameworkVersion | None, bodies: Bodies, at: datetime) -> Inventory:
    """`inventory_of` for whoever has read the version's parts already. Two queries."""
    sources = {key: body for (kind, key), body in bodies.items() if kind == Kind.DATA_SOURCE}
    stored = {attribute.key: attribute for attribute in Attribute.objects.all()}
    reads = rule_reads(bodies)
    total, fills = fill_of(_countable(stored.values(), sources), at)
    limit = limit_of(bodies)
    keys = {*stored, *sources, *reads.readers}
    rows = [_row(key, stored.get(key), sources.get(key), reads, fills.get(key), total, limit) for key in keys]
    rows.sort(key=lambda row: (row.label.casefold(), row.key))
    return Inventory(version, total, limit, rows, segment_labels(bodies))


def limit_of(bodies: Bodies) -> Decimal:
    """The share under which an attribute is flagged, as the version signs it."""
    policy = bodies.get((Kind.POLICY, "limits")) or {}
    return Decimal(str(policy.get("min_populated") or MIN_POPULATED))


def segment_labels(bodies: Bodies) -> dict[str, str]:
    names = {key: str(body.get("label") or key) for (kind, key), body in bodies.items() if kind == Kind.DIMENSION}
    return {
        key: f"{names.get(key.partition('/')[0], key.partition('/')[0])} / {body.get('label') or key}"
        for (kind, key), body in bodies.items()
        if kind == Kind.SEGMENT
    }


def _countable(stored: Iterable[Attribute], sources: Mapping[str, Mapping[str, Any]]) -> list[StoredAttribute]:
    """What can be counted: stored attributes, and derived ones that follow from stored values of today."""
    found = [
        StoredAttribute(
            attribute.key,
            attribute.data_type,
            tuple(sources.get(attribute.key, {}).get("missing_tokens") or ()),
            sources.get(attribute.key, {}).get("freshness_days"),
        )
        for attribute in stored
    ]
    for key, body in sources.items():
        derived = body.get("derived")
        if derived and derived.get("kind") != "growth":
            found.append(StoredAttribute(key, body["data_type"], inputs=tuple(derived["of"])))
    return found


def _row(
    key: str,
    stored: Attribute | None,
    source: Mapping[str, Any] | None,
    reads: RuleReads,
    fill: Fill | None,
    total: int,
    limit: Decimal,
) -> InventoryRow:
    body = source or {}
    is_derived = bool(body.get("derived"))
    where = STORED[stored.storage] if stored else "Derived" if is_derived else "Nowhere"
    return InventoryRow(
        key=key,
        label=str(body.get("label") or key.replace("_", " ").capitalize()),
        data_type=str(body.get("data_type") or (stored.data_type if stored else "unknown")),
        storage=where,
        has_part=source is not None,
        system=str(body.get("system") or ""),
        owner=str(body.get("owner") or ""),
        refresh=str(body.get("refresh") or ""),
        freshness_days=body.get("freshness_days"),
        fill=fill,
        total=total,
        limit=limit,
        readers=reads.readers.get(key, ()),
        decides=reads.decides.get(key, ()),
        is_derived=is_derived,
    )
