"""What hangs on a segment, as far as accounts know: those that are in it, and overrides that name it."""

from collections.abc import Iterator

from accounts.models import Assignment, Override
from frameworks.models import Framework, Segment


def accounts_and_overrides(framework: Framework, dimension: str, segment: str) -> Iterator[str]:
    """Accounts that count as the segment, and overrides that point to it, also those that begin later."""
    row = Segment.objects.filter(dimension__framework=framework, dimension__key=dimension, key=segment).first()
    if row is None:
        return
    # Both keys: the index of assignments begins with the dimension.
    accounts = Assignment.objects.filter(dimension_id=row.dimension_id, effective_id=row.pk).count()
    if accounts:
        yield f"{accounts:,} {'account is' if accounts == 1 else 'accounts are'} in it"
    overrides = Override.objects.filter(segment=row, ended_at__isnull=True).count()
    if overrides:
        yield f"{overrides:,} {'override points' if overrides == 1 else 'overrides point'} to it"
