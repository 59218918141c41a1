"""The Segment Distribution Report: customers and ARR by segment, against the baseline and against what is signed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.db.models import Count, QuerySet, Sum
from django.urls import reverse

from accounts.account_list import UNASSIGNED as ACCOUNTS_UNASSIGNED
from accounts.models import Account, Assignment, AssignmentRun, DistributionSnapshot, Reason
from accounts.querysets import current_segment
from frameworks.models import Segment, VersionImpact
from frameworks.parts.policy import GuardPolicy, LimitsPolicy
from frameworks.templatetags.cutline import day, money, share, signed
from governance.documents.blocks import Block, Facts, Link, Points, Prose, Section, Words, missing, table
from governance.documents.source import Divided, Source

Cell = tuple[int, Decimal]
UNASSIGNED = "Unassigned"
DOMINANT, WARN_DOMINANT = Decimal("0.8"), Decimal("0.7")
MOST_UNASSIGNED = Decimal("0.25")
MOST_CHANGE = Decimal("0.2")
FEW, VERY_FEW = 30, 20
"""The red flags of segmentation where the version signs no others."""


@dataclass
class Placed:
    """Who is where: dimension key → segment key ("" is Unassigned) → accounts and ARR. `what` says which accounts."""

    what: str
    at: datetime | None = None
    cells: dict[str, dict[str, Cell]] = field(default_factory=lambda: defaultdict(dict))
    reasons: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def total(self, dimension: str) -> int:
        return sum(accounts for accounts, _ in self.cells.get(dimension, {}).values())

    def arr(self, dimension: str) -> Decimal:
        return sum((arr for _, arr in self.cells.get(dimension, {}).values()), Decimal(0))


class Distribution:
    """The distribution that the report is about, and the one it is compared with."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @cached_property
    def now(self) -> Placed | None:
        """Live for the version in force, as it was left for one that was, expected for one that never was."""
        if self.source.version.is_active:
            return self._live()
        if self.source.version.activated_at:
            run = self._runs().order_by("-finished_at", "-pk").first()
            return self._snapshot(run, "customers, when its last run ended") if run else None
        return self._expected()

    @cached_property
    def baseline(self) -> Placed | None:
        """What the activation of this version left."""
        run = self._runs().filter(kind=AssignmentRun.Kind.ACTIVATION).order_by("finished_at", "pk").first()
        return self._snapshot(run, "customers, when its activation ended") if run else None

    def _runs(self) -> QuerySet[AssignmentRun]:
        return AssignmentRun.objects.filter(
            framework_version=self.source.version, state=AssignmentRun.State.APPLIED, distribution__isnull=False
        ).distinct()

    def _live(self) -> Placed:
        rows = (
            Assignment.objects.filter(
                dimension__framework=self.source.framework,
                dimension__is_live=True,
                account__stage=Account.Stage.CUSTOMER,
                account__deleted_at__isnull=True,
            )
            .order_by()
            .annotate(segment=current_segment(self.source.at))
            .values_list("dimension__key", "segment", "reason")
            .annotate(accounts=Count("account_id"), arr=Sum("account__arr"))
        )
        found = Placed("customers today", self.source.at)
        keys = self._segment_keys
        for dimension, segment, reason, accounts, arr in rows:
            key = keys.get(segment, "")
            before = found.cells[dimension].get(key, (0, Decimal(0)))
            found.cells[dimension][key] = (before[0] + accounts, before[1] + (arr or 0))
            if not key:
                found.reasons[dimension][reason] += accounts
        return found

    @cached_property
    def _segment_keys(self) -> Mapping[int, str]:
        return dict(Segment.objects.filter(dimension__framework=self.source.framework).values_list("pk", "key"))

    def _snapshot(self, run: AssignmentRun, what: str) -> Placed:
        found = Placed(what, run.finished_at)
        rows = DistributionSnapshot.objects.filter(run=run)
        for dimension, segment, accounts, arr in rows.values_list("dimension__key", "segment__key", "accounts", "arr"):
            found.cells[dimension][segment or ""] = (accounts, arr)
        return found

    def _expected(self) -> Placed | None:
        impact = VersionImpact.objects.filter(version=self.source.version).order_by("-pk").first()
        if impact is None:
            return None
        found = Placed("accounts, as expected from its impact", impact.as_of)
        for key, row in impact.figures.get("segments", {}).items():
            dimension, _, segment = key.partition("/")
            found.cells[dimension][segment] = (int(row["accounts"]), Decimal(str(row["arr"])))
        return found


def sections_of(source: Source) -> Iterator[Section]:
    distribution = Distribution(source)
    now = distribution.now
    yield Section("Summary", list(_summary(source, distribution)))
    if now is None:
        return
    for divided in source.dimensions:
        yield Section(divided.label, list(_dimension(source, divided, now, distribution.baseline)))


def _summary(source: Source, distribution: Distribution) -> Iterator[Block]:
    now, baseline = distribution.now, distribution.baseline
    if not source.dimensions:
        yield missing("dimensions")
    if now is None:
        yield Prose("Not computed yet: no run has looked at this version. It is studied when it is submitted.", "warn")
        return
    flags = [flag for divided in source.dimensions for flag in flags_of(source, divided, now, baseline)]
    yield Facts(
        [
            ("Counted", f"{now.what}{f', {day(now.at)}' if now.at else ''}"),
            (
                "Compared with",
                f"{baseline.what}, {day(baseline.at)}" if baseline else "nothing: it was never activated",
            ),
            ("Flags", str(len(flags)) if flags else "none"),
        ]
    )
    if flags:
        yield Points(flags)


def _dimension(source: Source, divided: Divided, now: Placed, baseline: Placed | None) -> Iterator[Block]:
    key = divided.part.key
    total, arr = now.total(key), now.arr(key)
    labels = {tier.part.key.partition("/")[2]: tier.label for tier in divided.tiers}
    order = [*labels, *(short for short in now.cells.get(key, {}) if short and short not in labels), ""]
    rows: list[tuple[Words, ...]] = []
    for short in order:
        accounts, own = now.cells.get(key, {}).get(short, (0, Decimal(0)))
        label = labels.get(short) or (source.names.segment(key, short) if short else UNASSIGNED)
        rows.append(
            (
                Link(label, _accounts_url(source, key, short)),
                f"{accounts:,}",
                share(accounts, total),
                money(own.quantize(Decimal(1)), source.currency),
                share(own, arr),
                *_change(baseline, key, short, accounts),
            )
        )
    heads = ["Segment", "Accounts", "Share", "ARR", "Share of ARR", *(("Baseline", "Change") if baseline else ())]
    yield table(f"{divided.label}: {total:,} {now.what}", heads, rows, figures=range(1, 7))
    if reasons := now.reasons.get(key):
        said = [f"{Reason(reason).label}: {count:,}" for reason, count in sorted(reasons.items(), key=lambda e: -e[1])]
        yield Facts([("Unassigned because", "; ".join(said))])


def _accounts_url(source: Source, dimension: str, short: str) -> str:
    if not source.version.is_active:
        return ""
    return f"{reverse('accounts:account_list')}?in-{dimension}={short or ACCOUNTS_UNASSIGNED}&stage=customer"


def _change(baseline: Placed | None, key: str, short: str, accounts: int) -> tuple[str, ...]:
    if baseline is None:
        return ()
    before = baseline.cells.get(key, {}).get(short, (0, Decimal(0)))[0]
    return f"{before:,}", signed(accounts - before)


def flags_of(source: Source, divided: Divided, now: Placed, baseline: Placed | None) -> Iterator[str]:
    """What somebody has to look at, by the signed policies and, where there is none, the usual red flags."""
    key, total = divided.part.key, now.total(divided.part.key)
    if not total:
        return
    guard, limits = source.definition.policy("guard"), source.definition.policy("limits")
    open_accounts = now.cells[key].get("", (0, Decimal(0)))[0]
    fallback = divided.part.schema.fallback
    resting = now.cells[key].get(fallback, (0, Decimal(0)))[0] if fallback else 0
    most = guard.max_unassigned if isinstance(guard, GuardPolicy) else MOST_UNASSIGNED
    if Decimal(open_accounts + resting) / total > most:
        yield (
            f"{divided.label}: {open_accounts + resting:,} accounts are Unassigned or in the fallback,"
            f" {share(open_accounts + resting, total)}; the limit is {share(most)}."
        )
    for tier in divided.tiers:
        short = tier.part.key.partition("/")[2]
        accounts = now.cells[key].get(short, (0, Decimal(0)))[0]
        name = f"{divided.label} / {tier.label}"
        yield from _dominance(guard, tier.part.key, name, accounts, total)
        yield from _too_few(limits, name, accounts)
        before = baseline.cells.get(key, {}).get(short, (0, Decimal(0)))[0] if baseline else 0
        if before and Decimal(abs(accounts - before)) / before > MOST_CHANGE:
            yield f"{name}: {signed(accounts - before)} accounts since the baseline of {before:,}, more than 20 %."


def _dominance(guard: object, key: str, name: str, accounts: int, total: int) -> Iterator[str]:
    bad, warn = DOMINANT, WARN_DOMINANT
    if isinstance(guard, GuardPolicy):
        expected = guard.expectations.get(key, Decimal(0))
        bad, warn = max(guard.max_dominance, expected), max(guard.warn_dominance, expected)
    held = Decimal(accounts) / total
    if held > bad:
        yield f"{name}: {share(held)} of all accounts; more than {share(bad)} means that something is wrong."
    elif held > warn:
        yield f"{name}: {share(held)} of all accounts; warned from {share(warn)}."


def _too_few(limits: object, name: str, accounts: int) -> Iterator[str]:
    few, very_few = FEW, VERY_FEW
    if isinstance(limits, LimitsPolicy):
        few, very_few = limits.warn_segment_accounts, limits.min_segment_accounts
    if accounts < very_few:
        yield f"{name}: {accounts:,} accounts, fewer than {very_few}: too few for a segment of its own."
    elif accounts < few:
        yield f"{name}: {accounts:,} accounts, fewer than {few}."
