"""What hangs on segments, as far as accounts know: those that are in it, and overrides that name it."""

from collections.abc import Collection, Iterator

from django.db.models import Count

from accounts.models import Assignment, Override
from frameworks.models import Framework, Segment


def accounts_and_overrides(framework: Framework, dimension: str, segments: Collection[str]) -> dict[str, list[str]]:
    """Accounts that count as each segment, and overrides that point to it, also those that begin later."""
    rows = list(Segment.objects.filter(dimension__framework=framework, dimension__key=dimension, key__in=segments))
    if not rows:
        return {}
    ids = [row.pk for row in rows]
    # Both keys: the index of assignments begins with the dimension.
    placed = Assignment.objects.filter(dimension_id=rows[0].dimension_id, effective_id__in=ids).order_by()
    pointing = Override.objects.filter(segment__in=ids, ended_at__isnull=True).order_by()
    accounts = dict(placed.values_list("effective_id").annotate(count=Count("account_id")))
    overrides = dict(pointing.values_list("segment_id").annotate(count=Count("pk")))
    return {row.key: [*_said(accounts.get(row.pk, 0), overrides.get(row.pk, 0))] for row in rows}


def _said(accounts: int, overrides: int) -> Iterator[str]:
    if accounts:
        yield f"{accounts:,} {'account is' if accounts == 1 else 'accounts are'} in it"
    if overrides:
        yield f"{overrides:,} {'override points' if overrides == 1 else 'overrides point'} to it"
