"""One valid body of every kind, and of every policy, as people would write them."""

from typing import Any

ENTERPRISE_RULE: dict[str, Any] = {
    "key": "value",
    "basis": "value",
    "note": "Agreed in the second meeting.",
    "criteria": {
        "schema": "criteria/1",
        "root": {
            "id": "n1",
            "op": "all",
            "items": [
                {"id": "n2", "op": "ge", "attribute": "employee_count", "value": "1000"},
                {"id": "n3", "op": "ge", "attribute": "arr", "value": "100000"},
            ],
        },
    },
}

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("meta", "meta"): {
        "name": "Customer segmentation",
        "company": "Example Corp",
        "time_zone": "America/New_York",
        "fiscal_year_start_month": 2,
    },
    ("policy", "signoff"): {
        "policy": "signoff",
        "requirements": [
            {
                "code": "terms",
                "label": "Every term",
                "kinds": ["term"],
                "per": "part",
                "level": "semantic",
                "minimum": "all",
                "pool": {"role": "stakeholder"},
            }
        ],
    },
    ("policy", "guard"): {
        "policy": "guard",
        "max_share_moved": "0.20",
        "max_segment_change": "0.20",
        "max_unassigned": "0.25",
        "max_dominance": "0.80",
        "warn_dominance": "0.70",
        "expectations": {"customer_tier/smb": "0.75"},
    },
    ("policy", "limits"): {
        "policy": "limits",
        "max_dimensions": 5,
        "max_segments_per_dimension": 5,
        "max_segments_in_all": 15,
        "warn_segment_accounts": 30,
        "min_segment_accounts": 20,
        "min_populated": "0.8",
    },
    ("policy", "overrides"): {
        "policy": "overrides",
        "max_days_by_reason": {"data_lag": 90, "strategic": 365},
        "arr_two_person_over": "100000",
    },
    ("dimension", "customer_tier"): {
        "label": "Customer Tier",
        "question": "Which level of service does this account get?",
        "segments": ["strategic", "enterprise", "smb"],
    },
    ("segment", "customer_tier/enterprise"): {
        "label": "Enterprise",
        "dimension": "customer_tier",
        "description": "Large companies with a grown contract.",
        "rules": [ENTERPRISE_RULE],
    },
    ("playbook", "customer_tier/enterprise"): {
        "summary": "A named team per account.",
        "sales_motion": "field",
        "coverage": {"accounts_per_csm": 27, "cost_per_account": "12000.00"},
        "compensation": {"base_share": "0.50", "accelerator": "1.5x over quota"},
        "actions": [
            {"key": "plan", "title": "Hold a planning call", "role": "csm", "due_business_days": 5},
            {
                "key": "check_in",
                "title": "Monthly check-in",
                "role": "csm",
                "due_business_days": 3,
                "trigger": "recurring",
                "every_days": 30,
            },
        ],
        "targets": [{"metric": "gross_retention", "comparison": "ge", "value": "90", "unit": "percent"}],
    },
    ("term", "arr"): {
        "label": "ARR",
        "wording": "Yearly value of running subscriptions.",
        "owner": "Finance",
        "variants": [{"department": "sales", "wording": "Signed yearly value, live or not."}],
        "used_by": {"attributes": ["arr"], "segments": ["customer_tier/enterprise"]},
    },
    ("waiver", "overlap__customer_tier"): {
        "code": "overlap",
        "subject": "customer_tier",
        "items": ["enterprise + smb", "strategic + enterprise"],
        "reason": "The order of the bases decides, and everybody has signed it.",
        "finding": "Customer Tier: Enterprise and SMB are both true.",
    },
    ("data_source", "arr"): {
        "label": "ARR",
        "data_type": "money",
        "scale": 2,
        "currency": "USD",
        "missing_tokens": ["-"],
        "system": "Billing",
        "owner": "Finance",
    },
}
