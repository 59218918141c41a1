"""What every document is made from: one version of a framework at one moment, each piece read when it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from frameworks.criteria.english import sentence
from frameworks.criteria.parsing import CriteriaError
from frameworks.definition import Definition, bodies_of
from frameworks.document import Document, PartText
from frameworks.models import Framework, FrameworkVersion, Kind
from frameworks.parts import PartError
from frameworks.parts.meta import Meta
from frameworks.parts.segment import Segment
from frameworks.parts.wording import Names, names_of
from governance.field_inventory import Inventory, inventory_from


@dataclass(frozen=True)
class Tier:
    """A segment within its dimension: `rank` counts from 1, the highest, and `of` is how many there are."""

    part: PartText
    rank: int
    of: int

    @property
    def label(self) -> str:
        return self.part.label

    @property
    def body(self) -> Segment:
        found: Segment = self.part.schema
        return found


@dataclass(frozen=True)
class Divided:
    """A dimension with its segments, highest first. `absent` are keys that it lists and that have no part."""

    part: PartText
    tiers: tuple[Tier, ...]
    absent: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.part.label


class Source:
    """A version as documents read it. A version without any part is one, too."""

    def __init__(self, framework: Framework, version: FrameworkVersion, at: datetime) -> None:
        self.framework = framework
        self.version = version
        self.at = at

    @cached_property
    def document(self) -> Document:
        return Document(bodies_of(self.version))

    @property
    def definition(self) -> Definition:
        return self.document.definition

    @cached_property
    def names(self) -> Names:
        return names_of(self.document.bodies)

    @property
    def meta(self) -> Meta | None:
        return self.definition.meta

    @property
    def currency(self) -> str:
        return self.meta.currency if self.meta else "USD"

    @cached_property
    def dimensions(self) -> list[Divided]:
        return [self._divided(part) for part in self.document.of_kind(Kind.DIMENSION)]

    def _divided(self, part: PartText) -> Divided:
        segments = self.document.segments_of(part.key)
        there = {segment.key.partition("/")[2] for segment in segments}
        absent = tuple(short for short in part.schema.segments if short not in there)
        tiers = tuple(Tier(segment, rank, len(segments)) for rank, segment in enumerate(segments, 1))
        return Divided(part, tiers, absent)

    @cached_property
    def inventory(self) -> Inventory:
        """Every attribute with how much is known of it; counted when it is asked for."""
        return inventory_from(self.version, self.document.bodies, self.at)

    def criteria_words(self, segment: Segment) -> Iterator[tuple[str, str]]:
        """What a move and a stay ask for, in words."""
        for name in ("move", "stay"):
            criteria = getattr(segment, name)
            if criteria is None:
                continue
            try:
                root = self.definition.criteria_of(segment.dimension, criteria).root
                yield name, sentence(root, self.definition.attributes, self.definition.labels)
            except (CriteriaError, PartError) as error:
                yield name, f"These criteria cannot be read: {error}"
