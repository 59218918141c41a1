"""What fields are called on a form, and what somebody who fills them in has to know."""

from frameworks.parts.wording import humanise

_LABELS = {
    "Term.label": "Term",
    "Term.variants": "What departments say instead",
    "Term.used_by": "Where it matters",
    "DataSource.label": "Attribute",
    "DataSource.missing_tokens": "Texts that mean “no value”",
    "DataSource.freshness_days": "Fresh for, in days",
    "Playbook.cs_model": "CS model",
    "Playbook.icp": "Ideal customer profile",
    "Playbook.anti_icp": "Anti-ICP",
    "Playbook.actions": "What people do",
    "Action.due_business_days": "Due in business days",
    "Action.every_days": "Every how many days",
    "Compensation.base_share": "Base, of the whole pay",
    "Requirement.per": "Signed per",
    "Requirement.minimum": "How many must sign",
    "Requirement.keys": "Only these parts",
    "Requirement.include_impact": "The impact is signed with it",
    "Requirement.counts_contributors": "Who contributed may sign too",
    "Requirement.freshness_days": "An approval counts for, in days",
    "Requirement.recertify_days": "Asked again every, in days",
    "Pool.people": "Or these people, by e-mail address",
    "Pool.role": "Everyone in this role",
    "SignoffPolicy.review_days": "Signers have, in business days",
    "GuardPolicy.max_share_moved": "Hold when more accounts of a dimension move than",
    "GuardPolicy.max_segment_change": "Hold when a segment grows or shrinks by more than",
    "GuardPolicy.max_unassigned": "Hold when more accounts are Unassigned or in the fallback than",
    "GuardPolicy.max_dominance": "Hold when one segment has more accounts than",
    "GuardPolicy.warn_dominance": "Warn when one segment has more accounts than",
    "GuardPolicy.impact_tolerance": "Ask signers again when a segment differs from what they signed by more than",
    "GuardPolicy.expectations": "Segments that may be larger",
    "LimitsPolicy.min_populated": "Accounts that should have each attribute",
    "OverridesPolicy.max_days_by_reason": "Longest override by reason, in days",
    "OverridesPolicy.arr_two_person_over": "Two people decide above this ARR",
    "OverridesPolicy.review_business_days": "Held moves are decided within, in business days",
    "OverridesPolicy.warn_days": "Warn this many days before the end",
}
_HINTS = {
    "Term.wording": "What everybody says Yes or No to. A change here asks all of them again.",
    "Term.owner": "Who answers questions about it.",
    "Variant.department": "A key, like sales.",
    "DataSource.scale": "Decimals that are kept; for decimal numbers and money only.",
    "DataSource.currency": "Three letters, like USD; for money only.",
    "DataSource.choices": "For a choice only. Rules refer to the id, people read the label.",
    "DataSource.minimum": "The least value that can occur, like 0 for employees.",
    "DataSource.freshness_days": "A value observed longer ago counts as missing.",
    "Meta.fiscal_year_start_month": "1 is January; quarters are counted from it.",
    "Meta.time_zone": "As in Europe/Berlin, or UTC.",
    "Compensation.base_share": "50 % is an even mix of base and variable pay.",
    "Action.every_days": "For a recurring action, and only that.",
    "Action.key": "A key that stays when the title changes.",
    "Requirement.minimum": "A number, or “all”: everyone in the pool when the version is submitted.",
    "Requirement.keys": "Empty: every part of the kinds above.",
    "Requirement.code": "A key: sign-offs are matched by it across rounds and versions.",
    "Pool.role": "Either a role or people.",
    "GuardPolicy.expectations": "By segment, like customer_tier/smb: the share that was agreed for it.",
}
_UNITS = {
    "lines": "One per line.",
    "integers": "One number per line.",
    "yaml": "As YAML.",
}
_OPTIONS = {
    "csm": "CSM",
    "on_entry": "When an account enters",
    "ge": "At least",
    "gt": "More than",
    "le": "At most",
    "lt": "Less than",
    "part": "Part",
    "set": "All of them at once",
    "cosmetic": "Every word",
    "operational": "What teams do and what it means",
    "semantic": "What it means",
}


def label_of(model: str, name: str) -> str:
    """The label of the field `name` of the schema class `model`."""
    return _LABELS.get(f"{model}.{name}") or humanise(name)


def hint_of(model: str, name: str, widget: str) -> str:
    """What stands under the field: what it means, and how it is written."""
    return " ".join(filter(None, (_HINTS.get(f"{model}.{name}", ""), _UNITS.get(widget, ""))))


def option_label(value: str) -> str:
    return _OPTIONS.get(value) or humanise(value)
