"""The CSM quick-reference card: who is in which segment, and what to do for it, on exactly one page."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from django.template.defaultfilters import pluralize

from frameworks.parts.playbook import Playbook
from frameworks.parts.wording import humanise
from frameworks.templatetags.cutline import money
from governance.documents.blocks import Block, Points, Prose, Section, missing, table
from governance.documents.playbooks import due_words
from governance.documents.policies import role_label
from governance.documents.source import Divided, Source, Tier


@dataclass(frozen=True)
class Room:
    """How much may stand on the page: rows in all, characters of a rule, a name and a way to serve, actions in a row.

    Actions stand there whole or not at all: half of what somebody has to do is worse than the way to all of it.
    """

    rows: int
    rule: int
    name: int
    served: int
    actions: int


ROOMS = (
    Room(24, 220, 60, 130, 2),
    Room(24, 220, 60, 130, 1),
    Room(24, 160, 40, 90, 1),
    Room(24, 110, 34, 80, 1),
    Room(24, 90, 30, 60, 1),
    Room(24, 70, 30, 40, 1),
    Room(24, 60, 26, 26, 1),
    Room(18, 60, 26, 40, 1),
    Room(18, 60, 26, 40, 0),
    Room(8, 50, 24, 40, 0),
)
"""From what a usual framework needs down to what always fits."""


def sections_of(source: Source, room: Room = ROOMS[0]) -> Iterator[Section]:
    left = room.rows
    if not source.dimensions:
        yield Section("Segments", [missing("dimensions")])
    for divided in source.dimensions:
        shown = divided.tiers[:left]
        left -= len(shown)
        if shown:
            yield Section(cut(divided.label, room.name), [_segments(source, divided, shown, room)])
    left_out = sum(len(divided.tiers) for divided in source.dimensions) - (room.rows - left)
    if left_out:
        yield Section("More", [Prose(f"{left_out} more segments do not fit here: see the Segmentation Framework.")])
    yield Section("When an account looks wrong, or you need more", [Points(list(_wrong(source)))])


def shorter() -> list[partial[Iterator[Section]]]:
    """The same with less and less room, for the page to hold it."""
    return [partial(sections_of, room=room) for room in ROOMS[1:]]


def cut(text: str, most: int) -> str:
    """The text on one line, ending with … where it is longer than `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _segments(source: Source, divided: Divided, shown: tuple[Tier, ...], room: Room) -> Block:
    rows = [
        (
            cut(tier.label, room.name),
            cut(_who(source, divided, tier), room.rule),
            *_doing(source.definition.playbooks.get(tier.part.key), room),
        )
        for tier in shown
    ]
    heads = ("Segment", "An account is in it when", "How we serve it", "First thing to do")
    return table(f"{cut(divided.label, room.name)}, highest first", heads, rows)


def _who(source: Source, divided: Divided, tier: Tier) -> str:
    if tier.part.rules:
        return "; or ".join(rule.problem or rule.sentence for rule in tier.part.rules)
    is_fallback = divided.part.schema.fallback == tier.part.key.partition("/")[2]
    return "nothing else fits" if is_fallback else "somebody decided so, by an override"


def _doing(playbook: Playbook | None, room: Room) -> tuple[str, str]:
    if playbook is None:
        return "no playbook yet", ""
    served = ", ".join(part for part in (humanise(playbook.cs_model or ""), playbook.cadence) if part)
    return cut(served or playbook.summary, room.served), _actions(playbook, room.actions)


def _actions(playbook: Playbook, most: int) -> str:
    """What is to be done when an account comes in, before what recurs."""
    actions = [action for action in playbook.actions if action.trigger == "on_entry"] or playbook.actions
    said = [f"{action.title} ({role_label(action.role)}, {due_words(action)})" for action in actions[:most]]
    if not actions:
        return "no action yet"
    return "; ".join(said) or f"{len(playbook.actions)} action{pluralize(playbook.actions)} in its playbook"


def _wrong(source: Source) -> Iterator[str]:
    yield "Open the account and press “Why?”: each rule with the value seen, its source and its age."
    yield "Data is wrong: have it corrected where it comes from. The account moves by itself, in minutes."
    policy = source.definition.policy("overrides")
    if policy:
        over = money(policy.arr_two_person_over, source.currency)
        longest = max(policy.max_days_by_reason.values())
        yield (
            f"The rule is wrong for this account: ask for an override there, with a reason and an end within {longest}"
            f" days. CS Ops decides; over {over} of ARR or across two segments Deal Desk as well."
        )
    yield "What comes after the first thing to do, and all else about a segment: its playbook, on the account's page."
    yield "Unassigned: something is missing, too old or contradictory; the account says what. Nothing is guessed."
