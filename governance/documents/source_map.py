"""The Data Source Map: for every attribute the system it comes from, its owner, how old it may be and who reads it."""

from collections.abc import Iterator

from frameworks.parts.wording import humanise, listed
from frameworks.templatetags.cutline import DASH, day, share
from governance.documents.blocks import Block, Facts, Link, Prose, Section, Words, missing, table
from governance.documents.source import Source
from governance.field_inventory import InventoryRow

DERIVED = {
    "ratio": "{0} divided by {1}",
    "difference": "{0} minus {1}",
    "growth": "growth of {0}",
    "age_days": "days since {0}",
}


def sections_of(source: Source) -> Iterator[Section]:
    rows = [row for row in source.inventory.rows if row.has_part]
    yield Section("Summary", list(_summary(source, rows)))
    if not rows:
        return
    yield Section("Where each attribute comes from", [_origin(source, rows)])
    yield Section("How much of it is there", [_coverage(rows)])
    yield Section("Who reads it", [_readers(source, rows)])
    yield from _meanings(source)


def _summary(source: Source, rows: list[InventoryRow]) -> Iterator[Block]:
    if not rows:
        yield missing("data sources")
    lacking = [row.label for row in source.inventory.used if not row.has_source]
    absent = [row.label for row in source.inventory.used if not row.has_part]
    systems = sorted({row.system for row in rows if row.system})
    yield Facts(
        [
            ("Attributes", f"{len(rows)}, {len(source.inventory.used)} of them read by rules" if rows else ""),
            ("Systems", ", ".join(systems)),
        ]
    )
    if lacking:
        yield Prose(f"Nobody says which system these come from: {listed(lacking)}.", "warn")
    if absent:
        yield Prose(f"Rules read these, and there is no data source of that name: {listed(absent)}.", "warn")


def _origin(source: Source, rows: list[InventoryRow]) -> Block:
    cells = [
        (
            row.label,
            humanise(row.data_type),
            _system(source, row),
            row.owner or "not named",
            row.refresh or ("with its inputs" if row.is_derived else "not said"),
            f"{row.freshness_days} days" if row.freshness_days else "no limit",
        )
        for row in rows
    ]
    heads = ("Attribute", "Type", "System", "Owner", "Refreshed", "Too old after")
    return table("Origin of each attribute", heads, cells)


def _system(source: Source, row: InventoryRow) -> str:
    derived = source.definition.data_sources[row.key].derived
    if derived is None:
        return row.system or "not named"
    words = DERIVED[derived.kind].format(*(source.names.attribute(key) for key in derived.of))
    over = f", over {derived.periods} {humanise(derived.grain or '').lower()}s" if derived.periods else ""
    return f"Computed: {words}{over}"


def _coverage(rows: list[InventoryRow]) -> Block:
    cells: list[tuple[Words, ...]] = [
        (
            Link(row.label, row.lacking_url if row.missing else ""),
            share(row.share),
            share(row.usable_share),
            f"{row.missing:,}" if row.fill else DASH,
            day(row.fill.newest) if row.fill else DASH,
            ("under the limit" if row.is_under else "too old" if row.is_stale else "") if row.is_used else "",
        )
        for row in rows
    ]
    heads = ("Attribute", "Populated", "Fresh enough", "Without", "Newest value", "Flag")
    return table(f"Coverage over {rows[0].total:,} accounts", heads, cells, figures=[1, 2, 3])


def _readers(source: Source, rows: list[InventoryRow]) -> Block:
    labels = source.inventory.labels
    cells = [
        (
            row.label,
            ", ".join(source.inventory.reader_labels(row)) or "no rule",
            ", ".join(labels.get(key, key) for key in row.decides),
        )
        for row in rows
    ]
    return table("Segments that read each attribute", ("Attribute", "Read by", "Decides"), cells)


def _meanings(source: Source) -> Iterator[Section]:
    """Values of picklists and texts that count as missing: what people ask first when figures look odd."""
    rows = [
        (
            each.label,
            ", ".join(f"{choice.label} ({choice.id})" for choice in each.choices),
            ", ".join(each.missing_tokens),
            source.names.value(key, each.minimum) if each.minimum is not None else "",
        )
        for key, each in source.definition.data_sources.items()
        if each.choices or each.missing_tokens or each.minimum is not None
    ]
    if rows:
        heads = ("Attribute", "Values", "Counts as missing", "Least value")
        yield Section("What values mean", [table("Values of attributes", heads, rows)])
