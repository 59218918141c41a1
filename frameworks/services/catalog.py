"""Identity rows of what parts name: dimensions and segments that assignments point to, attributes of accounts."""

from collections.abc import Sequence

from frameworks.content import Content
from frameworks.definition import Definition
from frameworks.models import Attribute, Dimension, Framework, Kind, Segment


def ensure_identities(*, framework: Framework, contents: Sequence[Content]) -> None:
    """Make the rows that are missing. Rows that exist keep their names until a version is activated."""
    _ensure_attributes(contents)
    dimensions = [content for content in contents if content.kind == Kind.DIMENSION]
    segments = [content for content in contents if content.kind == Kind.SEGMENT]
    named = {content.key: content.label for content in dimensions}
    wanted = {content.key.partition("/")[0] for content in segments} | named.keys()
    if not wanted:
        return
    Dimension.objects.bulk_create(
        [Dimension(framework=framework, key=key, name=named.get(key, _humanised(key))) for key in sorted(wanted)],
        ignore_conflicts=True,
    )
    rows = {row.key: row for row in Dimension.objects.filter(framework=framework, key__in=wanted)}
    Segment.objects.bulk_create(
        [
            Segment(dimension=rows[dimension], key=short, name=content.label)
            for content in segments
            for dimension, _, short in [content.key.partition("/")]
        ],
        ignore_conflicts=True,
    )


def bring_live(*, framework: Framework, definition: Definition, order: Sequence[str]) -> None:
    """Make names, order and `is_live` those of the version that is now in force.

    `order` are the dimension keys in the version's order.
    """
    positions = {key: place for place, key in enumerate(order)}
    dimensions = list(Dimension.objects.filter(framework=framework))
    for dimension in dimensions:
        body = definition.dimensions.get(dimension.key)
        dimension.is_live = body is not None
        if body is not None:
            dimension.name, dimension.position = body.label, positions[dimension.key]
    Dimension.objects.bulk_update(dimensions, ["is_live", "name", "position"])
    _bring_segments_live(framework, definition)


def _bring_segments_live(framework: Framework, definition: Definition) -> None:
    segments = list(Segment.objects.filter(dimension__framework=framework).select_related("dimension"))
    for segment in segments:
        ranked = definition.segments.get(segment.dimension.key, {})
        segment.is_live = segment.key in ranked
        if segment.is_live:
            segment.name = ranked[segment.key].label
            segment.rank = list(ranked).index(segment.key) + 1
    Segment.objects.bulk_update(segments, ["is_live", "name", "rank"])


def _ensure_attributes(contents: Sequence[Content]) -> None:
    """A data source of an attribute that accounts do not have yet makes it a company-specific one; none if derived."""
    sources = [each for each in contents if each.kind == Kind.DATA_SOURCE and "derived" not in each.body]
    Attribute.objects.bulk_create(
        [Attribute(key=source.key, data_type=source.body["data_type"]) for source in sources], ignore_conflicts=True
    )


def _humanised(key: str) -> str:
    return key.replace("_", " ").capitalize()
