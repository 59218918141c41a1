"""What the active versions say of moves and conflicts, by dimension."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import F

from frameworks.models import Dimension, Kind, Part


def manual_dimensions() -> list[int]:
    """Dimensions in which a person solves conflicts."""
    return [pk for pk, body in _active_dimensions() if body.get("hit_policy") == "manual_review"]


def told_dimensions() -> dict[int, frozenset[str]]:
    """Dimensions that tell of moves: upgrade, downgrade or both."""
    found = {
        pk: frozenset(move for move in ("upgrade", "downgrade") if body.get(move) == "notify")
        for pk, body in _active_dimensions()
    }
    return {pk: moves for pk, moves in found.items() if moves}


def _active_dimensions() -> Iterator[tuple[int, Mapping[str, Any]]]:
    parts = Part.objects.filter(kind=Kind.DIMENSION, version=F("version__framework__active_version"))
    bodies = {
        (framework, key): body for framework, key, body in parts.values_list("version__framework", "key", "body__body")
    }
    for pk, framework, key in Dimension.objects.filter(is_live=True).values_list("pk", "framework", "key"):
        if (framework, key) in bodies:
            yield pk, bodies[framework, key]
