"""The tier tables that companies publish, taken literally, as frameworks. Each leaves gaps or overlaps."""

from __future__ import annotations

from itertools import count
from typing import Any

Bodies = dict[tuple[str, str], dict[str, Any]]
Node = dict[str, Any]

EMPLOYEES: dict[str, Any] = {
    "label": "Employees",
    "data_type": "integer",
    "unit": "employees",
    "minimum": "0",
    "system": "CRM",
}
ARR: dict[str, Any] = {
    "label": "ARR",
    "data_type": "money",
    "scale": 2,
    "currency": "USD",
    "minimum": "0",
    "system": "Billing",
}
POTENTIAL: dict[str, Any] = {**ARR, "label": "Potential ARR"}
REVENUE: dict[str, Any] = {**ARR, "label": "Revenue"}
STAGE_DAYS: dict[str, Any] = {"label": "Customer since", "data_type": "date", "system": "CRM"}
CONTRACT_END: dict[str, Any] = {"label": "Contract end", "data_type": "date", "system": "CRM"}
EXPANSION: dict[str, Any] = {"label": "Expansion opportunity", "data_type": "boolean", "system": "CRM"}
VERTICAL: dict[str, Any] = {"label": "Target vertical", "data_type": "boolean", "system": "CRM"}
FORTUNE: dict[str, Any] = {"label": "Fortune 2000", "data_type": "boolean", "system": "CRM"}


def leaf(op: str, attribute: str, value: Any = None, **fields: Any) -> Node:
    return {"op": op, "attribute": attribute, **({} if value is None else {"value": value}), **fields}


def both(*items: Node) -> Node:
    return {"op": "all", "items": list(items)}


def either(*items: Node) -> Node:
    return {"op": "any", "items": list(items)}


def employees(low: str, high: str | None = None) -> Node:
    """From low to high, both meant: "200 to 1,000" takes exactly 200 and exactly 1,000."""
    if high is None:
        return leaf("ge", "employee_count", low)
    return leaf("range", "employee_count", ge=low, le=high)


def arr(low: str | None, high: str | None = None) -> Node:
    if low is None:
        return leaf("lt", "arr", high)
    return leaf("range", "arr", ge=low, le=high) if high else leaf("ge", "arr", low)


def framework(
    segments: dict[str, Node], sources: dict[str, dict[str, Any]], *, hit_policy: str = "ranked", key: str = "tier"
) -> Bodies:
    """One dimension; segments highest first, one rule each."""
    bodies: Bodies = {("meta", "meta"): {"name": "Table", "company": "Table", "currency": "USD"}}
    bodies |= {("data_source", name): body for name, body in sources.items()}
    bodies["dimension", key] = {"label": "Tier", "hit_policy": hit_policy, "segments": list(segments)}
    for short, root in segments.items():
        rule = {
            "key": "table",
            "basis": "value",
            "criteria": {"schema": "criteria/1", "root": _numbered(root, count(1))},
        }
        label = short.replace("_", "-").title().replace("Smb", "SMB")
        bodies["segment", f"{key}/{short}"] = {"label": label, "dimension": key, "rules": [rule]}
    return bodies


def _numbered(node: Node, numbers: Any) -> Node:
    new = {"id": f"n{next(numbers)}", **node}
    if "items" in node:
        new["items"] = [_numbered(item, numbers) for item in node["items"]]
    return new


_BOTH: dict[str, dict[str, Any]] = {"employee_count": EMPLOYEES, "arr": ARR}

SOURCE_A = framework(
    {
        "strategic": both(either(employees("5000"), leaf("is_true", "fortune_2000")), arr("500000")),
        "enterprise": both(employees("1000", "5000"), arr("100000", "500000")),
        "mid_market": both(employees("200", "1000"), arr("25000", "100000")),
        "smb": both(employees("1", "200"), arr(None, "25000")),
    },
    {**_BOTH, "fortune_2000": FORTUNE},
)
SOURCE_B = framework(
    {
        "strategic": both(employees("2000"), leaf("ge", "potential_arr", "1000000")),
        "enterprise": both(employees("500", "2000"), arr("100000", "1000000")),
        "mid_market": both(employees("100", "500"), arr("25000", "100000")),
        "smb": both(employees("1", "100"), arr(None, "25000")),
    },
    {**_BOTH, "potential_arr": POTENTIAL},
)
SOURCE_C = framework(
    {
        "strategic": both(employees("10000"), arr("500000")),
        "enterprise": both(employees("2000", "10000"), arr("120000", "500000")),
        "mid_market": both(employees("200", "2000"), arr("25000", "120000")),
        "smb": both(leaf("lt", "employee_count", "200"), arr(None, "25000")),
    },
    _BOTH,
)
SOURCE_D = framework(
    {
        "enterprise": either(employees("1000"), arr("500000")),
        "mid_market": leaf("range", "employee_count", ge="100", lt="1000"),
        "smb": both(leaf("lt", "employee_count", "100"), arr(None, "50000")),
    },
    _BOTH,
)
SIZES_200 = framework(
    {
        "enterprise": employees("2001"),
        "mid_market": employees("201", "2000"),
        "smb": employees("1", "200"),
    },
    {"employee_count": EMPLOYEES},
)
SIZES_100 = framework(
    {
        "enterprise": employees("1000"),
        "mid_market": employees("101", "1000"),
        "smb": employees("1", "100"),
    },
    {"employee_count": EMPLOYEES},
)
_TARGETS: dict[str, dict[str, Any]] = {
    "employee_count": EMPLOYEES,
    "annual_revenue": REVENUE,
    "target_vertical": VERTICAL,
}
_LARGE, _RICH = employees("2000"), leaf("ge", "annual_revenue", "500000000")
_IN_VERTICAL = leaf("is_true", "target_vertical")
# "2,000+ employees or $500M+ revenue and in a target vertical": nobody wrote the brackets.
UNBRACKETED_OR_LAST = framework({"enterprise": either(_LARGE, both(_RICH, _IN_VERTICAL))}, _TARGETS)
UNBRACKETED_AND_LAST = framework({"enterprise": both(either(_LARGE, _RICH), _IN_VERTICAL)}, _TARGETS)
UNBRACKETED_TEXT = "employee_count >= 2000 or annual_revenue >= 500000000 and target_vertical is true"

LIFECYCLE = framework(
    {
        "onboarding": leaf("within_last", "customer_since_on", n=90, unit="days"),
        "adoption": both(
            leaf("older_than", "customer_since_on", n=90, unit="days"),
            leaf("within_last", "customer_since_on", n=365, unit="days"),
        ),
        "renewal": leaf("within_next", "contract_end_on", n=120, unit="days"),
        "growth": leaf("is_true", "expansion_opportunity"),
    },
    {"customer_since_on": STAGE_DAYS, "contract_end_on": CONTRACT_END, "expansion_opportunity": EXPANSION},
    key="lifecycle",
)

# The sizes of source A alone: "1 to 200", "200 to 1,000", "1,000 to 5,000", "5,000+".
SIZES_A = framework(
    {
        "strategic": employees("5000"),
        "enterprise": employees("1000", "5000"),
        "mid_market": employees("200", "1000"),
        "smb": employees("1", "200"),
    },
    {"employee_count": EMPLOYEES},
)
