"""Why a segment cannot leave a draft, as far as accounts know: people decided by name that accounts count as it."""

from collections.abc import Iterator
from datetime import datetime

from accounts.services.overrides import overrides_in_force
from frameworks.models import Framework


def overrides_name_it(framework: Framework, dimension: str, segment: str, at: datetime) -> Iterator[str]:
    """Overrides in force that point to the segment."""
    count = (
        overrides_in_force(at)
        .filter(dimension__framework=framework, dimension__key=dimension, segment__key=segment)
        .count()
    )
    if count:
        name = "override in force points" if count == 1 else "overrides in force point"
        yield (
            f"{segment} cannot be taken out: {count} {name} to it. End them or let them run out first, or keep the"
            " segment without rules."
        )
