"""How a dimension decides, in words: its order, what happens to missing data, to conflicts and to moves."""

from collections.abc import Iterator

from frameworks.parts.dimension import Dimension
from frameworks.parts.wording import humanise, listed
from governance.documents.blocks import Block, Facts, Points, Prose, Section, Table, Written, table
from governance.documents.source import Divided, Source, Tier

MOVES = {"auto": "at once", "review": "only after a person has reviewed it", "notify": "at once, and people are told"}


def precedence_words(body: Dimension) -> str:
    """What decides when rules of several segments are true."""
    bases = listed(humanise(basis).lower() for basis in body.basis_order)
    return {
        "basis_precedence": f"The rule whose basis comes first decides, in the order {bases}; within a basis, the"
        " higher segment.",
        "ranked": "The highest segment with a true rule wins, whatever its basis.",
        "unique": "Nobody wins: the account is Unassigned, with the segments that contradict each other named.",
        "raise_only": f"A {humanise(body.base).lower()} rule must be true; then the highest segment with a true rule"
        " wins, so other bases raise an account and never lower it.",
        "manual_review": "Nobody wins: the account is Unassigned until a person decides.",
    }[body.hit_policy]


def missing_words(body: Dimension) -> str:
    """What happens to an account whose data is missing."""
    alone = "An account for which nothing is true and something is unknown is Unassigned, with what is missing named."
    if body.undetermined_higher == "provisional":
        return f"{alone} One that qualifies while a higher segment is still unknown is assigned, marked provisional."
    return f"{alone} So is one that qualifies while a higher segment is still unknown."


def fallback_words(source: Source, key: str, body: Dimension) -> str:
    if body.fallback is None:
        return "An account that fits no rule is Unassigned."
    label = source.names.segment(key, body.fallback)
    return f"An account that fits no rule goes to {label}; one whose data is missing never does."


def move_facts(body: Dimension) -> list[tuple[str, str]]:
    """What a change of segment does, for `Facts`."""
    dwell = f"An account stays {body.min_dwell_days} days after a change" if body.min_dwell_days else ""
    step = f"At most {body.max_step} rank{'' if body.max_step == 1 else 's'} at once" if body.max_step else ""
    others = "what their rules say, overrides left out" if body.basis_of == "computed" else ""
    return [
        ("Moves up", MOVES[body.upgrade]),
        ("Moves down", MOVES[body.downgrade]),
        ("Dwell", dwell),
        ("Steps", step),
        ("Other dimensions are read as", others),
    ]


def dimension_facts(source: Source, divided: Divided) -> Facts:
    body = divided.part.schema
    return Facts(
        [
            ("Segments, highest first", ", ".join(tier.label for tier in divided.tiers)),
            ("When several fit", precedence_words(body)),
            ("When data is missing", missing_words(body)),
            ("When nothing fits", fallback_words(source, divided.part.key, body)),
            *move_facts(body),
        ]
    )


def rule_table(divided: Divided) -> Table:
    """Every rule of a dimension with its basis."""
    rows = [
        (tier.label, humanise(rule.basis), rule.problem or f"{rule.sentence}.")
        for tier in divided.tiers
        for rule in tier.part.rules
    ]
    return table(f"Rules of {divided.label}", ("Segment", "Basis", "An account is in it when"), rows)


def tier_blocks(source: Source, tier: Tier) -> Iterator[Block]:
    """What puts an account into a segment, in full."""
    body = tier.body
    if body.description:
        yield Written(body.description)
    if tier.part.rules:
        heads = ("Basis", "An account is in it when", "Note")
        rows = [(humanise(r.basis), r.problem or f"{r.sentence}.", r.note) for r in tier.part.rules]
        yield table(f"Rules of {tier.label}", heads, rows)
    else:
        yield Prose("No rule: accounts get here as the fallback, or by an override.")
    words = {"move": "Accounts of other segments come in when", "stay": "Accounts of this segment also stay while"}
    parent = source.names.segment(body.dimension, body.parent) if body.parent else ""
    yield Facts(
        [
            *((words[name], f"{said}.") for name, said in source.criteria_words(body)),
            ("Nested", f"inside {parent}, whose rules must hold too" if parent else ""),
            ("Looks right, costs more than it brings", ", ".join(humanise(name) for name in body.anti_icp)),
        ]
    )


def retired_section(source: Source, divided: Divided) -> Iterator[Section]:
    key, retired = divided.part.key, divided.part.schema.retired
    if retired:
        points = [
            f"{humanise(each.segment)} became {listed(source.names.segment(key, into) for into in each.into)}:"
            f" {each.reason}{' Its rules went along.' if each.rules else ''}"
            for each in retired
        ]
        yield Section("Segments that left", [Points(points)], level=3)
