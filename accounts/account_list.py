"""What the list of accounts shows: which dimensions, which segment each account is in, how many there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, F, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import Account, Assignment, AssignmentRun, Reason, RunMove, Transition
from accounts.models.account import LISTED
from accounts.querysets import in_segment, with_current_segment
from frameworks.models import Dimension, Segment
from frameworks.templatetags.cutline import swatch

UNASSIGNED = "-"
"""In an address: Unassigned. With a reason behind it (`-missing_data`): Unassigned for that reason."""

UNASSIGNED_REASONS = (
    Reason.MISSING_DATA,
    Reason.INSUFFICIENT_HISTORY,
    Reason.NO_MATCH,
    Reason.CONFLICT,
    Reason.EXCLUDED,
    Reason.ERROR,
)


@dataclass(frozen=True)
class ListedDimension:
    """A dimension of an active version as a column and a filter. `parameter` is its name in addresses."""

    dimension: Dimension
    parameter: str

    @cached_property
    def segments(self) -> dict[int, Segment]:
        """By id, highest rank first; also those of earlier versions, which rows may still name during a run."""
        return {segment.pk: segment for segment in self.dimension.segments.all()}

    @cached_property
    def live(self) -> list[Segment]:
        return [segment for segment in self.segments.values() if segment.is_live]

    def segment_named(self, key: str) -> Segment | None:
        return next((segment for segment in self.segments.values() if segment.key == key), None)


@dataclass(frozen=True)
class Standing:
    """Where one account is in one dimension. Without a segment it is Unassigned, and `reason` says why."""

    segment: Segment | None
    ranks: int
    reason: str
    is_overridden: bool
    is_provisional: bool


def listed_dimensions() -> list[ListedDimension]:
    """The dimensions of all active versions in their order; empty while no version is active. Two queries."""
    rows = list(
        Dimension.objects.filter(is_live=True, framework__active_version__isnull=False)
        .select_related("framework")
        .prefetch_related("segments")
        .order_by("framework__name", "position", "pk")
    )
    keys = [row.key for row in rows]
    return [
        # Only with several frameworks can two dimensions have the same key; then the framework is named too.
        ListedDimension(row, f"in-{row.key}" if keys.count(row.key) == 1 else f"in-{row.framework.slug}.{row.key}")
        for row in rows
    ]


def in_standing(
    accounts: QuerySet[Account], dimension: ListedDimension, wanted: str, at: datetime
) -> QuerySet[Account]:
    """Accounts whose segment in the dimension is `wanted`: a segment's key, or UNASSIGNED with or without a reason."""
    rows = Assignment.objects.filter(dimension=dimension.dimension)
    if wanted.startswith(UNASSIGNED):
        rows = in_segment(rows, None, at)
        if reason := wanted.removeprefix(UNASSIGNED):
            rows = rows.filter(reason=reason)
    else:
        segment = dimension.segment_named(wanted)
        rows = in_segment(rows, segment.pk, at) if segment else rows.none()
    return accounts.filter(pk__in=rows.values("account_id"))


def standings_of(
    account_ids: Iterable[int], dimensions: Sequence[ListedDimension], at: datetime
) -> dict[int, dict[int, Standing]]:
    """Account id → dimension id → standing, for one page of accounts. One query."""
    by_id = {listed.dimension.pk: listed for listed in dimensions}
    rows = with_current_segment(Assignment.objects.filter(account_id__in=list(account_ids), dimension_id__in=by_id), at)
    found: dict[int, dict[int, Standing]] = {}
    for row in rows:
        listed = by_id[row.dimension_id]
        found.setdefault(row.account_id, {})[row.dimension_id] = Standing(
            segment=listed.segments.get(row.current_segment),
            ranks=len(listed.live),
            reason=row.get_reason_display(),
            is_overridden=row.override_until is not None and row.override_until > at,
            is_provisional=row.is_provisional,
        )
    return found


# --- accounts that a run moved


@dataclass(frozen=True)
class Moved:
    """Accounts that one run moved (or would move) in one dimension; None as a segment is Unassigned or new."""

    run: AssignmentRun
    dimension: ListedDimension
    was: Segment | None
    now: Segment | None

    @property
    def sentence(self) -> str:
        was = self.was.name if self.was else "Unassigned or new"
        verb = "Moved" if self.run.state in (self.run.State.APPLYING, self.run.State.APPLIED) else "Would be moved"
        return (
            f"{verb} by {self.run} in {self.dimension.dimension.name}"
            f" from {was} to {self.now.name if self.now else 'Unassigned'}"
        )

    def accounts(self, accounts: QuerySet[Account]) -> QuerySet[Account]:
        was_previewed = self.run.kind == AssignmentRun.Kind.ACTIVATION and not self.run.is_initial
        ends = {"dimension": self.dimension.dimension, "from_segment": self.was, "to_segment": self.now}
        if was_previewed and self.was:
            return accounts.filter(pk__in=RunMove.objects.filter(run=self.run, **ends).values("account_id"))
        return accounts.filter(pk__in=Transition.objects.filter(run=self.run, **ends).values("account_id"))


def moved_url(run: AssignmentRun, dimension: str, was: str, now: str) -> str:
    """The list of the accounts that the run moved; segments by key, "" for Unassigned or new."""
    query = {"run": str(run.uuid), "moved-in": dimension, "from": was or UNASSIGNED, "to": now or UNASSIGNED}
    return f"{reverse('accounts:account_list')}?{urlencode(query)}"


def moved_from(values: Mapping[str, Any], dimensions: Sequence[ListedDimension]) -> Moved | None:
    """What `moved_url` wrote into the address; None when it names nothing that is there."""
    run = values.get("run")
    listed = next((each for each in dimensions if each.parameter == f"in-{values.get('moved-in')}"), None)
    if run is None or listed is None:
        return None
    ends = [str(values.get(end) or "") for end in ("from", "to")]
    named = [listed.segment_named(end) for end in ends]
    if any(segment is None and end != UNASSIGNED for segment, end in zip(named, ends, strict=True)):
        return None
    return Moved(run, listed, *named)


# --- figures


def distribution(dimension: ListedDimension) -> list[tuple[Segment | None, int]]:
    """Accounts per live segment of the dimension, in rank order, and Unassigned last.

    Counts what is stored, as reports do: an override that has just run out is counted on until the sweeper has
    been there. So the index answers it alone, whatever the number of accounts.
    """
    rows = Assignment.objects.filter(dimension=dimension.dimension).order_by()
    counts = dict(rows.values_list("effective_id").annotate(accounts=Count("account_id")))
    hidden = rows.filter(account_id__in=Account.objects.filter(~LISTED).values("pk"))
    for segment, count in hidden.values_list("effective_id").annotate(accounts=Count("account_id")):
        counts[segment] -= count
    placed: list[tuple[Segment | None, int]] = [(segment, counts.get(segment.pk, 0)) for segment in dimension.live]
    return [*placed, (None, counts.get(None, 0))]


def figures(dimension: ListedDimension) -> list[dict[str, Any]]:
    """The strip above the list: one figure per segment, each leading to its accounts."""
    counted = distribution(dimension)
    total = sum(count for _, count in counted)
    return [
        {
            "label": segment.name if segment else "Unassigned",
            "tone": swatch(segment.rank if segment else None, len(dimension.live)),
            "count": count,
            "total": total,
            "value": segment.key if segment else UNASSIGNED,
        }
        for segment, count in counted
    ]


ORDERINGS: dict[str, Any] = {
    "arr": F("arr"),
    "employee_count": F("employee_count"),
    "health_score": F("health_score"),
    "csm": F("csm__name"),
}


def known_ordering(by: str) -> str:
    """What an address asks to sort by, when it is known; otherwise by name."""
    return by if by.removeprefix("-") in (*ORDERINGS, "name") else "name"


def ordered(accounts: QuerySet[Account], by: str) -> QuerySet[Account]:
    """By name or one of ORDERINGS, with "-" before it descending; missing values last, then the primary key."""
    if by.removeprefix("-") == "name":
        # The key is folded, so that "adidas" stands beside "Adobe"; an index has it in this order.
        return accounts.order_by(*(("-name_key", "-pk") if by.startswith("-") else ("name_key", "pk")))
    column = ORDERINGS[by.removeprefix("-")]
    return accounts.order_by(column.desc(nulls_last=True) if by.startswith("-") else column.asc(nulls_last=True), "pk")
