"""The bench's rules as data that each engine is given in its own form. `framework.yaml` is what they must agree with.

A condition is ("all" | "any", [conditions]) or (field, operator, value) with the operators of `OPERATORS`.
"""

from typing import Any

Condition = tuple[Any, ...]

OPERATORS = ("ge", "gt", "le", "lt", "eq", "in", "true")

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


def _between(field: str, low: float, high: float, upper: str = "lt") -> list[Condition]:
    return [(field, "ge", low), (field, upper, high)]


_ACTIVE = _between("since_activity", 0, 90, "le")

ENGAGEMENT: list[tuple[str, Condition]] = [
    ("high", ("all", [*_ACTIVE, ("health", "ge", 70)])),
    ("medium", ("all", [*_ACTIVE, ("health", "ge", 40)])),
    ("low", ("all", _ACTIVE)),
    ("dormant", ("since_activity", "gt", 90)),
]
INDUSTRY: list[tuple[str, Condition]] = [
    ("finance", ("industry", "in", ["Banks", "Insurance", "Funds"])),
    ("health", ("industry", "in", ["Pharma", "Hospitals", "Devices"])),
    ("technology", ("industry", "in", ["Software", "Hardware", "Telecom", "Media"])),
    ("industrial", ("industry", "in", ["Energy", "Chemicals", "Motors", "Media"])),
]
LIFECYCLE: list[tuple[str, Condition]] = [
    ("onboarding", ("all", [("stage", "eq", "customer"), *_between("since_start", 0, 90, "le")])),
    ("renewal", ("all", _between("until_end", 0, 120, "le"))),
    ("growth", ("any", [("since_start", "gt", 365), ("expansion", "true", True)])),
    ("adoption", ("all", [])),
]


def tier(cutline: int) -> list[tuple[str, Condition]]:
    """The Customer tier, in the order in which its rules are asked; reads the field `engagement`."""
    nearly = ("all", [*_between("arr", 50_000, 100_000), ("engagement", "eq", "high")])
    return [
        ("strategic", ("arr", "ge", 500_000)),
        ("enterprise", ("any", [("all", _between("arr", 100_000, 500_000)), nearly])),
        ("mid_market", ("all", _between("arr", cutline, 100_000))),
        ("smb", ("arr", "lt", cutline)),
        ("enterprise", ("employees", "ge", 5_000)),
        ("mid_market", ("all", _between("employees", 500, 5_000))),
    ]


def dimensions(cutline: int) -> dict[str, list[tuple[str, Condition]]]:
    """Dimension key → rules; Industry is the only one in which two that are true are a conflict."""
    return {"engagement": ENGAGEMENT, "industry": INDUSTRY, "lifecycle": LIFECYCLE, "tier": tier(cutline)}
