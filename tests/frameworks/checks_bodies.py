"""A framework of two segments in which the static checks find nothing but what a test puts in."""

from copy import deepcopy
from typing import Any

Bodies = dict[tuple[str, str], dict[str, Any]]


def _segment(label: str, op: str) -> dict[str, Any]:
    root = {"id": "n1", "op": op, "attribute": "arr", "value": "100"}
    rule = {"key": "value", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
    return {"label": label, "dimension": "tier", "anti_icp": ["do_not_sell"], "rules": [rule]}


def _playbook(title: str) -> dict[str, Any]:
    action = {"key": "act", "title": title, "role": "csm", "due_business_days": 5}
    return {"summary": title, "training": f"{title} course", "actions": [action]}


_CLEAN: Bodies = {
    ("meta", "meta"): {"name": "Clean", "company": "Clean"},
    ("data_source", "arr"): {
        "label": "ARR",
        "data_type": "money",
        "scale": 2,
        "currency": "USD",
        "minimum": "0",
        "system": "Billing",
    },
    ("dimension", "tier"): {"label": "Tier", "hit_policy": "unique", "segments": ["high", "low"]},
    ("segment", "tier/high"): _segment("High", "ge"),
    ("segment", "tier/low"): _segment("Low", "lt"),
    ("playbook", "tier/high"): _playbook("Visit"),
    ("playbook", "tier/low"): _playbook("Write"),
    ("term", "arr"): {"label": "ARR", "wording": "What an “Account” pays in a year."},
    ("term", "account"): {"label": "Account", "wording": "A company in the CRM."},
}


def clean() -> Bodies:
    return deepcopy(_CLEAN)
