"""What random rules may read, and the instants at which they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

# Zones in which midnight comes twice (Havana, Azores), not at all (Santiago, Cairo), or a day is missing (Apia).
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Atlantic/Azores",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
SPECIAL_DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        *("2011-12-29", "2011-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-09-08"),
        *("2024-10-27", "2024-11-03", "2025-02-28", "2025-03-09", "2025-03-30", "2025-04-25", "2025-10-26"),
        *("2025-11-02", "2025-12-31", "2026-01-01", "2026-02-01", "2026-04-01", "2026-07-01", "2028-02-29"),
    )
)

TEXT, CHOICE, INTEGER, DECIMAL, MONEY = "text", "choice", "integer", "decimal", "money"
DATE, DATETIME, BOOLEAN, TAGS = "date", "datetime", "boolean", "tags"

STAGES = ("prospect", "customer", "churned")
PLANS = ("basic", "Pro, Inc", "unknown", "straße")
REGIONS = ("emea", "Latin America", "unknown")


@dataclass(frozen=True)
class Attribute:
    """One attribute that rules may read; `low` and `high` are what its column takes."""

    key: str
    data_type: str
    scale: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()
    derived: Mapping[str, Any] | None = None

    @property
    def step(self) -> Decimal:
        return Decimal(1).scaleb(-self.scale)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The stored attributes behind it."""
        return tuple(self.derived["of"]) if self.derived else (self.key,)


def _derived(key: str, data_type: str, kind: str, of: Sequence[str], scale: int = 0, **how: Any) -> Attribute:
    return Attribute(key, data_type, scale, derived={"kind": kind, "of": list(of), **how})


ATTRIBUTES = {
    attribute.key: attribute
    for attribute in (
        Attribute("employee_count", INTEGER, low=Decimal(0)),
        Attribute("health_score", INTEGER, low=Decimal(0), high=Decimal(100)),
        Attribute("arr", MONEY, 2, low=Decimal(0)),
        Attribute("annual_revenue", MONEY, 2),
        Attribute("weekly_active_share", DECIMAL, 2, low=Decimal(0), high=Decimal(100)),
        Attribute("last_activity_on", DATE),
        Attribute("contract_end_on", DATE),
        Attribute("industry", TEXT),
        Attribute("city", TEXT),
        Attribute("stage", CHOICE, choices=STAGES),
        Attribute("seats", INTEGER),
        Attribute("growth", DECIMAL, 4),
        Attribute("spend", MONEY, 2),
        Attribute("renewed_on", DATE),
        Attribute("seen_at", DATETIME),
        Attribute("plan", CHOICE, choices=PLANS),
        Attribute("is_partner", BOOLEAN),
        Attribute("motto", TEXT),
        Attribute("tools", TAGS),
        Attribute("regions", TAGS, choices=REGIONS),
        _derived("arr_per_head", DECIMAL, "ratio", ["arr", "employee_count"], 4),
        _derived("margin", MONEY, "difference", ["arr", "spend"], 2),
        _derived("arr_growth", DECIMAL, "growth", ["arr"], 4, grain="fiscal_quarter", periods=2),
        _derived("quiet_days", INTEGER, "age_days", ["last_activity_on"]),
        _derived("unseen_days", INTEGER, "age_days", ["seen_at"]),
    )
}
JSON = frozenset(
    {"seats", "growth", "spend", "renewed_on", "seen_at", "plan", "is_partner", "motto", "tools", "regions"}
)
NUMBERS = (INTEGER, DECIMAL, MONEY)
HISTORIC = frozenset(
    key
    for key, each in ATTRIBUTES.items()
    if each.data_type in NUMBERS and (each.derived is None or each.derived["kind"] in ("ratio", "difference"))
)
"""What closed periods can say: numbers, and those derived from the numbers of one period."""

THRESHOLDS: dict[str, tuple[str, ...]] = {
    "employee_count": ("0", "1", "200", "1000", "5000", "999999999999999999"),
    "health_score": ("0", "30", "60", "100", "32768"),
    "arr": ("0.00", "0.01", "25000.10", "25000", "100000.00", "500000"),
    "annual_revenue": ("-1", "0", "1000000.50", "99999999999999999.99"),
    "weekly_active_share": ("0", "0.01", "33.33", "50", "100"),
    "seats": ("-5", "0", "9", "80000", "999999999999999999"),
    "growth": ("-0.5", "0", "0.3333", "1.0001"),
    "spend": ("-0.01", "0", "25000.00", "24999.99"),
    "arr_per_head": ("0", "125", "0.3333", "100.0005"),
    "margin": ("-25000", "0", "0.01"),
    "arr_growth": ("-50", "0", "20", "33.3333"),
    "quiet_days": ("-1", "0", "1", "30", "90"),
    "unseen_days": ("-1", "0", "1", "30"),
}
LITERALS = (
    "straße", "STRASSE", "Caf\u00e9", "Smith, Jones & Co", "a%b_c", "a\\b", "New\u00a0York", "\ufb03",
    "\u0130stanbul", "9", "80000", "e", "null island", "\u039f\u03b4\u03cc\u03c2", "x\u200by",
)  # fmt: skip
BLANKS = ("", " ", "\u00a0", "\u200b", "N/A", "n/a", "-", "Unknown", "\uff2e/\uff21", "TBD", " tbd ")
OWN_TOKENS = {TEXT: ["tbd"], CHOICE: ["TBD"], INTEGER: ["-5", "99"], DECIMAL: ["100"], MONEY: ["0"],
              DATE: ["2025-12-31"]}  # fmt: skip
LISTS = ("fortune", "logos")
DETAILS: tuple[dict[str, str], ...] = ({}, {"role": "Sales Ops"}, {"role": "straße", "level": "VP"})
CURRENCIES = ("USD", "EUR", "GBP")


@dataclass(frozen=True)
class Clock:
    """The instant of an evaluation, seen from the framework's zone."""

    zone: ZoneInfo
    as_of: datetime

    @property
    def today(self) -> date:
        return self.as_of.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """About when the day begins; on days with two midnights, the second."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone, fold=1).astimezone(UTC)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    day = draw(st.sampled_from(SPECIAL_DAYS))
    seconds = draw(st.sampled_from([-3601, -1, 0, 1, 1800, 3600, 43200]))
    return Clock(zone, Clock(zone, datetime.now(UTC)).midnight(day) + timedelta(seconds=seconds))


def nodes_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The node and everything under it."""
    items = [*node.get("items", ()), *([node["item"]] if "item" in node else [])]
    return [node, *(each for item in items for each in nodes_of(item))]
