"""A playbook with everything in it: whatever field it has gets printed, also one that is added later."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, get_args

from pydantic.fields import FieldInfo

from frameworks.parts.base import Piece, Shown
from frameworks.parts.playbook import Action, Playbook, Target
from frameworks.parts.wording import Names, humanise
from governance.documents.blocks import Block, Facts, Points, Prose, Section, Words, Written, table
from governance.documents.policies import role_label

OWN = frozenset({"summary", "actions", "targets"})
"""Fields that are no fact among others."""
SIGNS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
SCOPES = {
    "segment": "",
    "top_two": "over the two highest segments",
    "top_three": "over the three highest",
    "all": "over all",
}
LABELS = {
    "icp": "Ideal customers",
    "anti_icp": "Look right, and cost more than they bring",
    "base_share": "Base pay",
    "cost_per_account": "Cost per account and year",
    "cost_per_rep_from": "Monthly cost per rep, from",
    "cost_per_rep_to": "Monthly cost per rep, to",
    "marketing_approach": "Marketing",
    "quota": "Quota per year",
}


def playbook_blocks(playbook: Playbook, names: Names) -> Iterator[Block]:
    """Summary, facts, lists, actions and targets of one playbook."""
    yield Written(playbook.summary)
    yield Facts(list(_facts(playbook, names)))
    if playbook.actions:
        rows = [(action.title, role_label(action.role), due_words(action)) for action in playbook.actions]
        yield table("What people do", ("Action", "Who", "By when"), rows)
    else:
        yield Prose("Missing: no action, so nobody would act on this segment.", "warn")
    if playbook.targets:
        rows = [(humanise(target.metric), target_words(target, names), target.note) for target in playbook.targets]
        yield table("Targets", ("Figure", "Target", "Note"), rows)


def playbook_sections(playbook: Playbook, names: Names) -> Iterator[Section]:
    """The pieces that have several fields of their own: messages, channels, compensation and the like."""
    for name, value in playbook:
        if isinstance(value, Piece):
            lists = [(label, "\n".join(lines)) for _, label, lines in _lines(value)]
            yield Section(humanise(name), [Facts([*_facts(value, names), *lists])], level=4)
    for name, label, lines in _lines(playbook):
        if name not in OWN:
            yield Section(label, [Points(lines)], level=4)


def _facts(piece: Piece, names: Names) -> Iterator[tuple[str, Words]]:
    for name, field in type(piece).model_fields.items():
        value = getattr(piece, name)
        if name not in OWN and value not in (None, "") and not isinstance(value, list | Piece):
            yield _label(name), _said(field, value, names)


def _lines(piece: Piece) -> Iterator[tuple[str, str, list[str]]]:
    for name, value in piece:
        if isinstance(value, list) and value and isinstance(value[0], str):
            yield name, _label(name), list(value)


def _said(field: FieldInfo, value: Any, names: Names) -> str:
    how = next(_shown(field.annotation, field.metadata), "")
    if how == "share":
        return f"{Decimal(value) * 100:.0f} %"
    if how == "money" or isinstance(value, Decimal):
        return names.shown("quota", value)
    return humanise(value) if field.annotation is not str and isinstance(value, str) else names.shown("", value)


def _shown(annotation: Any, marks: Iterable[Any] = ()) -> Iterator[str]:
    """How values of a field are written; the mark of an optional field is within its type."""
    yield from (mark.how for mark in (*marks, *getattr(annotation, "__metadata__", ())) if isinstance(mark, Shown))
    for inner in get_args(annotation):
        yield from _shown(inner)


def _label(name: str) -> str:
    return LABELS.get(name, humanise(name))


def due_words(action: Action) -> str:
    """ "within 5 business days", "every 90 days, within 5 business days"."""
    days = action.due_business_days
    due = "the same day" if days == 0 else f"within {days} business day{'' if days == 1 else 's'}"
    return f"every {action.every_days} days, {due}" if action.every_days else due


def target_words(target: Target, names: Names) -> str:
    """ "at least 90 %", over which segments where it is not the segment alone."""
    amount = names.shown("quota" if target.unit == "money" else "", target.value)
    unit = {"percent": " %", "days": " days"}.get(target.unit, "")
    return f"{SIGNS[target.comparison]} {amount}{unit} {SCOPES[target.scope or 'segment']}".strip()
