"""The bench's rules as data that each engine is given in its own form. `framework.yaml` is what they must agree with.

A condition is ("all" | "any", [conditions]) or (field, operator, value) with the operators of `OPERATORS`. A rule is
"segment/rule" and its condition; rules stand in the order in which they are asked.
"""

from typing import Any

Condition = tuple[Any, ...]

OPERATORS = ("ge", "gt", "le", "lt", "eq", "in", "true")

Rules = list[tuple[str, Condition]]

FIELDS = {
    "arr": "arr::float8",
    "employees": "employee_count",
    "industry": "industry",
    "health": "health_score",
    "stage": "stage",
    "since_activity": "%(today)s - last_activity_on",
    "since_start": "%(today)s - customer_since_on",
    "until_end": "contract_end_on - %(today)s",
    "expansion": "(attributes ->> 'expansion_opportunity')::boolean",
}
"""What the engines see of an account, as SQL: days are counted by the database, which spares them that."""

ATTRIBUTES = {
    "arr": "arr",
    "employees": "employee_count",
    "industry": "industry",
    "health": "health_score",
    "stage": "stage",
    "since_activity": "last_activity_on",
    "since_start": "customer_since_on",
    "until_end": "contract_end_on",
    "expansion": "expansion_opportunity",
    "engagement": "engagement",
}
"""What an outcome calls a field that was missing."""


def _between(field: str, low: float, high: float, upper: str = "lt") -> list[Condition]:
    return [(field, "ge", low), (field, upper, high)]


_ACTIVE = _between("since_activity", 0, 90, "le")

ENGAGEMENT: Rules = [
    ("high/usage", ("all", [*_ACTIVE, ("health", "ge", 70)])),
    ("medium/usage", ("all", [*_ACTIVE, ("health", "ge", 40)])),
    ("low/usage", ("all", _ACTIVE)),
    ("dormant/silence", ("since_activity", "gt", 90)),
]
INDUSTRY: Rules = [
    ("finance/sector", ("industry", "in", ["Banks", "Insurance", "Funds"])),
    ("health/sector", ("industry", "in", ["Pharma", "Hospitals", "Devices"])),
    ("technology/sector", ("industry", "in", ["Software", "Hardware", "Telecom", "Media"])),
    ("industrial/sector", ("industry", "in", ["Energy", "Chemicals", "Motors", "Media"])),
]
LIFECYCLE: Rules = [
    ("onboarding/first_days", ("all", [("stage", "eq", "customer"), *_between("since_start", 0, 90, "le")])),
    ("renewal/contract_ends", ("all", _between("until_end", 0, 120, "le"))),
    ("growth/past_first_year", ("any", [("since_start", "gt", 365), ("expansion", "true", True)])),
]


def tier(cutline: int) -> Rules:
    """The Customer tier, in the order in which its rules are asked; reads the field `engagement`."""
    nearly = ("all", [*_between("arr", 50_000, 100_000), ("engagement", "eq", "high")])
    return [
        ("strategic/value", ("arr", "ge", 500_000)),
        ("enterprise/value", ("any", [("all", _between("arr", 100_000, 500_000)), nearly])),
        ("mid_market/value", ("all", _between("arr", cutline, 100_000))),
        ("smb/value", ("arr", "lt", cutline)),
        ("enterprise/size", ("employees", "ge", 5_000)),
        ("mid_market/size", ("all", _between("employees", 500, 5_000))),
    ]


def dimensions(cutline: int) -> dict[str, Rules]:
    """Dimension key → rules."""
    return {"engagement": ENGAGEMENT, "industry": INDUSTRY, "lifecycle": LIFECYCLE, "tier": tier(cutline)}


ALONE = "industry"
"""The dimension in which two segments that are true are a conflict."""
CAUTIOUS = "lifecycle"
"""The dimension in which nothing is decided while a rule above is unknown."""
FALLBACKS = {"lifecycle": "adoption"}
"""The segment of accounts for which every rule is false."""
