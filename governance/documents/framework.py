"""The Segmentation Framework: everything that was agreed, as one text to sign and to keep."""

from collections.abc import Iterator

from frameworks.models import Kind
from frameworks.parts.wording import humanise, money
from governance.documents import dimensions, policies
from governance.documents.blocks import Block, Facts, Points, Prose, Section, Written, missing, table
from governance.documents.playbooks import playbook_blocks, playbook_sections
from governance.documents.source import Divided, Source

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def sections_of(source: Source) -> Iterator[Section]:
    yield Section("About the framework", list(_about(source)))
    if not source.dimensions:
        yield Section("Dimensions", [missing("dimensions")])
    for divided in source.dimensions:
        yield from _dimension(source, divided)
    yield from _playbooks(source)
    yield Section("Definitions", [] if source.document.of_kind(Kind.TERM) else [missing("definitions")])
    for part in source.document.of_kind(Kind.TERM):
        yield Section(part.label, [Prose(part.schema.wording)], level=3)
    found = list(policies.policy_sections(source))
    yield Section("Policies", [] if found else [missing("policies")])
    yield from found
    yield Section("Data sources", [_sources(source)])
    yield from _waivers(source)


def _about(source: Source) -> Iterator[Block]:
    meta = source.meta
    if meta is None:
        yield missing("part about the framework")
        return
    if meta.purpose:
        yield Written(meta.purpose)
    rates = [f"1 {code} is {money(f'{rate}', meta.currency)}" for code, rate in meta.exchange_rates.items()]
    yield Facts(
        [
            ("Company", meta.company),
            ("Currency of rules", meta.currency),
            ("Exchange rates", ", ".join(rates)),
            ("Fiscal year starts in", MONTHS[meta.fiscal_year_start_month - 1]),
            ("Time zone", meta.time_zone),
        ]
    )


def _dimension(source: Source, divided: Divided) -> Iterator[Section]:
    question = [Prose(divided.part.schema.question)] if divided.part.schema.question else []
    yield Section(divided.label, [*question, dimensions.dimension_facts(source, divided)])
    for tier in divided.tiers:
        yield Section(tier.label, list(dimensions.tier_blocks(source, tier)), level=3)
    for short in divided.absent:
        yield Section(humanise(short), [Prose("Missing: the dimension lists it, and nobody described it.", "warn")], 3)
    yield from dimensions.retired_section(source, divided)


def _playbooks(source: Source) -> Iterator[Section]:
    found = source.document.of_kind(Kind.PLAYBOOK)
    yield Section("Playbooks", [] if found else [missing("playbooks")])
    for part in found:
        label = source.document.label_of(part.kind, part.key)
        yield Section(label, list(playbook_blocks(part.schema, source.names)), level=3)
        yield from playbook_sections(part.schema, source.names)


def _sources(source: Source) -> Block:
    rows = [
        (part.label, humanise(part.schema.data_type), part.schema.system, part.schema.owner or "", part.schema.refresh)
        for part in source.document.of_kind(Kind.DATA_SOURCE)
    ]
    heads = ("Attribute", "Type", "System", "Owner", "Refreshed")
    return table("Where each attribute comes from", heads, rows) if rows else missing("data sources")


def _waivers(source: Source) -> Iterator[Section]:
    """Warnings that were accepted are part of what is signed."""
    found = [part.schema for part in source.document.of_kind(Kind.WAIVER)]
    if found:
        points = [f"{humanise(each.code)}{_on(each.subject)}: {each.reason}" for each in found]
        yield Section("Accepted warnings", [Points(points)])


def _on(subject: str) -> str:
    return f" ({subject})" if subject else ""
