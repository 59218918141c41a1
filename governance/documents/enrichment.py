"""The Enrichment Refresh Guide: which values to bring in anew, from where, how often, and which accounts first."""

from collections.abc import Iterator
from decimal import Decimal
from math import ceil

from frameworks.models import VersionImpact
from frameworks.parts.wording import listed
from frameworks.templatetags.cutline import DASH, day, share
from governance.documents.blocks import Block, Link, Points, Prose, Section, Words, missing, table
from governance.documents.source import Source
from governance.field_inventory import InventoryRow

UNNAMED = "System not named"


def sections_of(source: Source) -> Iterator[Section]:
    used = source.inventory.used
    yield Section("What is due", list(_due(source)))
    by_system: dict[str, list[InventoryRow]] = {}
    for row in used:
        if not row.is_derived:
            by_system.setdefault(row.system or UNNAMED, []).append(row)
    yield Section("By system", [] if by_system else [missing("attribute that rules read")])
    for system, rows in sorted(by_system.items()):
        yield Section(system, [_system_table(system, rows)], level=3)
    yield Section("Coverage", [coverage_table(source), *expected_blocks(source)])
    yield Section("How a refresh is done", [Points(list(_steps(source)), is_ordered=True)])


def _due(source: Source) -> Iterator[Block]:
    """Attributes that need somebody now: those that decide a segment first."""
    late = [row for row in source.inventory.used if not row.is_derived and (row.is_under or _old(row))]
    late.sort(key=lambda row: (-len(row.decides), row.share or Decimal(0), row.label))
    if not late:
        yield Prose("Nothing: every attribute that rules read is populated above its limit, and fresh.")
        return
    rows: list[tuple[Words, ...]] = [
        (
            Link(row.label, row.lacking_url),
            f"{row.missing:,}",
            f"{_old(row):,}" if row.freshness_days else DASH,
            ", ".join(source.inventory.labels.get(key, key) for key in row.decides) or "nothing by itself",
            row.owner or "RevOps",
        )
        for row in late
    ]
    heads = ("Attribute", "Without a value", "Too old", "Decides", "Owner")
    yield table("To refresh now, what decides a segment first", heads, rows, figures=[1, 2])


def _old(row: InventoryRow) -> int:
    return row.fill.stale if row.fill else 0


def _system_table(system: str, rows: list[InventoryRow]) -> Block:
    cells = [
        (
            row.label,
            row.refresh or "not said",
            f"{row.freshness_days} days" if row.freshness_days else "no limit",
            day(row.fill.newest) if row.fill else DASH,
            f"{_old(row):,}",
            row.owner or "not named",
        )
        for row in rows
    ]
    heads = ("Attribute", "Refreshed", "Counts as missing after", "Newest value", "Too old", "Owner")
    return table(f"Attributes from {system}", heads, cells, figures=[4])


def plan_table(source: Source) -> Block:
    """Each attribute that rules read: system, owner, refresh."""
    rows = [
        (row.label, row.system or "not named", row.owner or "not named", row.refresh or "not said")
        for row in source.inventory.used
        if not row.is_derived
    ]
    heads = ("Attribute", "System", "Owner", "Refreshed")
    return table("Where values come from", heads, rows) if rows else missing("attribute that rules read")


def coverage_table(source: Source) -> Block:
    """Populated today, usable today, and how many accounts are missing for the goal."""
    rows = [
        (
            row.label,
            share(row.share),
            share(row.usable_share),
            share(row.limit),
            f"{accounts_to_goal(row):,}" if row.share is not None else DASH,
        )
        for row in source.inventory.used
    ]
    if not rows:
        return Prose("No rule reads an attribute yet.")
    heads = ("Attribute", "Populated", "Fresh enough", "Goal", "Accounts to go")
    return table(f"Coverage over {source.inventory.total:,} accounts", heads, rows, figures=[1, 2, 3, 4])


def accounts_to_goal(row: InventoryRow) -> int:
    """How many more accounts need a value that rules can use, for the limit to be met."""
    return max(0, ceil(row.limit * row.total) - (row.fill.usable if row.fill else 0))


def expected_blocks(source: Source) -> Iterator[Block]:
    """How many accounts of each dimension get a segment, from the version's own impact."""
    impact = VersionImpact.objects.filter(version=source.version).order_by("-pk").first()
    if impact is None:
        yield Prose("Expected assignment: not computed yet; the impact is studied when the version is submitted.")
        return
    segments = impact.figures.get("segments", {})
    rows = []
    for divided in source.dimensions:
        own = {key: row for key, row in segments.items() if key.startswith(f"{divided.part.key}/")}
        total = sum(int(row["accounts"]) for row in own.values())
        lost = int(own.get(f"{divided.part.key}/", {}).get("accounts", 0))
        rows.append((divided.label, f"{total - lost:,}", share(total - lost, total), f"{lost:,}"))
    heads = ("Dimension", "Get a segment", "Share", "Unassigned")
    yield table(f"Expected, from account data of {day(impact.as_of)}", heads, rows, figures=[1, 2, 3])


def _steps(source: Source) -> Iterator[str]:
    yield "Take the accounts without a value: each attribute above leads to them, and the list can be exported."
    yield "Send 50 to 100 of them to the provider as a test batch. Count how many it finds (the match rate)."
    yield "Compare 20 values with a source that people trust. If more than one in ten is wrong, stop and talk to them."
    yield "Run the rest. Give every value the day on which it was observed: that day decides when it is too old."
    yield "Import the file (Imports), or push it by the API. Before it writes, the import shows who would move."
    yield "Look at the run and at Unassigned. More than 30 new accounts without a segment: ask CS Ops before going on."
    goal = share(source.inventory.limit)
    owners = listed(sorted({row.owner for row in source.inventory.used if row.owner})) or "the owners"
    yield f"Document the coverage: {goal} populated is the goal. Tell {owners}."
