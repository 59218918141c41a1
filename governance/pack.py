"""What is prepared before a meeting: how the real accounts lie around each threshold of the draft, and what is open.

Read from live data at every look; nothing is stored, so a pack is never out of date.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from accounts.services.preview import Figure, Histogram, draw_histogram, figures_between
from frameworks.alignment import Voice, matrix
from frameworks.checks.findings import Finding
from frameworks.criteria.ast import thresholds
from frameworks.criteria.parsing import CriteriaError
from frameworks.criteria.types import NUMERIC, AttributeType
from frameworks.criteria.uses import is_growth
from frameworks.definition import Definition, bodies_of
from frameworks.models import Comment, FrameworkVersion, Kind, Signoff, User
from frameworks.parts import PartError
from frameworks.querysets import threads_on
from frameworks.standing import decisions_up_to
from frameworks.version_page import VersionPage
from governance.assumptions import OpenPart, open_parts
from governance.models import Homework

BANDS = (Decimal("0.05"), Decimal("0.10"), Decimal("0.20"))
"""How near is near: shares of the threshold's size on each side."""
MOST_ATTRIBUTES = 12
"""Attributes drawn on the page; the file has all."""
WIDTH, HEIGHT = 480, 72


@dataclass(frozen=True)
class Band:
    """Accounts within `share` of a threshold: below it, and from it on."""

    share: Decimal
    below: Figure
    above: Figure


@dataclass(frozen=True)
class Cut:
    """A threshold and the accounts around it. `segments` are the labels of those whose rules name it."""

    value: Decimal
    segments: tuple[str, ...]
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Bar:
    """A bar of the drawing, in its own units."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class AroundAttribute:
    """One attribute: its thresholds, and the drawing of how accounts are spread over it."""

    attribute: AttributeType
    cuts: tuple[Cut, ...]
    accounts: int = 0
    present: int = 0
    bars: tuple[Bar, ...] = ()
    lines: tuple[float, ...] = ()

    @property
    def missing(self) -> int:
        return self.accounts - self.present


@dataclass(frozen=True)
class OpenTerm:
    """A term without alignment: who said No and why, and who has not answered."""

    key: str
    label: str
    noes: tuple[Voice, ...]
    waiting: tuple[str, ...] = ()


@dataclass
class Pack:
    """The pack for one reader, each piece read when it is looked at."""

    version: FrameworkVersion
    user: User
    at: datetime
    page: VersionPage = field(init=False)

    def __post_init__(self) -> None:
        self.page = VersionPage(self.version, self.user, self.at)

    @cached_property
    def definition(self) -> Definition:
        return Definition(bodies_of(self.version))

    @cached_property
    def found_thresholds(self) -> Mapping[str, Mapping[Decimal, list[str]]]:
        """Numeric attribute → threshold → labels of the segments whose rules name it. Rules not to be read are left."""
        found: dict[str, dict[Decimal, list[str]]] = {}
        for key, value, label in self._literals():
            labels = found.setdefault(key, {}).setdefault(value, [])
            if label not in labels:
                labels.append(label)
        return dict(sorted(found.items()))

    def _literals(self) -> Iterator[tuple[str, Decimal, str]]:
        for dimension, own in self.definition.segments.items():
            for segment in own.values():
                for _, document in segment.documents():
                    try:
                        root = self.definition.criteria_of(dimension, document).root
                    except (CriteriaError, PartError):
                        continue
                    for each in thresholds(root):
                        attribute = self.definition.attributes[each.attribute]
                        # A share of nothing is nothing: no account is near a threshold of 0.
                        if attribute.data_type in NUMERIC and not is_growth(attribute) and Decimal(str(each.value)):
                            yield each.attribute, Decimal(str(each.value)), segment.label

    @cached_property
    def attributes(self) -> list[AroundAttribute]:
        """Those that are drawn."""
        return [self._drawn(key) for key in list(self.found_thresholds)[:MOST_ATTRIBUTES]]

    @property
    def left_out(self) -> int:
        return max(0, len(self.found_thresholds) - MOST_ATTRIBUTES)

    def cuts_of(self, key: str) -> tuple[Cut, ...]:
        """The thresholds of one attribute with the accounts around each; one query."""
        values = sorted(self.found_thresholds[key])
        edges = sorted({float(edge) for value in values for edge in _edges(value)})
        figures = figures_between(
            version=self.version, bodies=self.definition.bodies, attribute=key, edges=edges, at=self.at
        )
        return tuple(
            Cut(value, tuple(self.found_thresholds[key][value]), tuple(_bands(value, edges, figures)))
            for value in values
        )

    def _drawn(self, key: str) -> AroundAttribute:
        cuts = self.cuts_of(key)
        histogram = draw_histogram(version=self.version, bodies=self.definition.bodies, attribute=key, at=self.at)
        return AroundAttribute(
            attribute=self.definition.attributes[key],
            cuts=cuts,
            accounts=histogram.accounts,
            present=histogram.present,
            bars=tuple(_bars(histogram)),
            lines=tuple(_place(float(cut.value), histogram) for cut in cuts if _is_drawn(cut.value, histogram)),
        )

    # What is open

    @cached_property
    def assumed(self) -> list[OpenPart]:
        return open_parts(self.version, self.user, self.at)

    @cached_property
    def comments(self) -> list[tuple[Comment, str]]:
        """Open threads with what each is about."""
        rows = list(threads_on(self.version).filter(resolved_at__isnull=True))
        names = self.page.names([(each.part_kind, each.part_key) for each in rows if each.part_key])
        return [(e, names.label_of(e.part_kind, e.part_key) if e.part_key else "The version") for e in rows]

    @cached_property
    def terms(self) -> list[OpenTerm]:
        """Terms that are not aligned; of a draft those whose last answer, to an earlier wording, was a No."""
        if self.version.state == FrameworkVersion.State.DRAFT:
            return self._terms_refused_before()
        keys = [key for _, key in self.page.keys_of(Kind.TERM)]
        _, rows = matrix(self.version, self.page.tally.about([(Kind.TERM.value, key) for key in keys]), keys)
        return [
            OpenTerm(row.key, row.label, tuple(row.noes), tuple(v.name for v in row.voices if v.said == "open"))
            for row in rows
            if not row.is_aligned
        ]

    def _terms_refused_before(self) -> list[OpenTerm]:
        keys = [key for _, key in self.page.keys_of(Kind.TERM)]
        said = decisions_up_to(self.version).filter(part_kind=Kind.TERM, part_key__in=keys)
        newest = said.order_by("part_key", "principal_id", "-pk").distinct("part_key", "principal_id")
        noes: dict[str, list[Voice]] = {}
        for row in newest:
            if row.decision == Signoff.Decision.REJECT:
                voice = Voice(row.principal_id, row.printed_name, "no", row.reason, row.signed_at)
                noes.setdefault(row.part_key, []).append(voice)
        names = self.page.names([(Kind.TERM.value, key) for key in noes])
        return [OpenTerm(key, names.label_of(Kind.TERM, key), tuple(own)) for key, own in sorted(noes.items())]

    @cached_property
    def findings(self) -> list[Finding]:
        return [finding for finding in self.page.findings if finding.is_open and finding.code != "assumed"]

    @cached_property
    def homework(self) -> list[Homework]:
        return list(Homework.objects.of_framework(self.version.framework_id).open().with_people())


def _edges(value: Decimal) -> list[Decimal]:
    return [value, *(value + side * abs(value) * share for share in BANDS for side in (-1, 1))]


def _bands(value: Decimal, edges: Sequence[float], figures: Sequence[Figure]) -> Iterator[Band]:
    for share in BANDS:
        low, high = value - abs(value) * share, value + abs(value) * share
        yield Band(share, _sum(edges, figures, low, value), _sum(edges, figures, value, high))


def _sum(edges: Sequence[float], figures: Sequence[Figure], low: Decimal, high: Decimal) -> Figure:
    """From `low` up to but not including `high`; both are edges."""
    first, last = edges.index(float(low)), edges.index(float(high))
    return sum(figures[first + 1 : last + 1], Figure())


def _bars(histogram: Histogram) -> Iterator[Bar]:
    if not histogram.bars:
        return
    most = max(count for _, _, count in histogram.bars) or 1
    width = WIDTH / len(histogram.bars)
    for place, (low, high, count) in enumerate(histogram.bars):
        height = round(HEIGHT * count / most, 2)
        if count:
            title = f"{low:,.6g} up to {high:,.6g}: {count:,}"
            yield Bar(round(place * width, 2), HEIGHT - max(height, 1), round(width * 0.86, 2), max(height, 1), title)


def _is_drawn(value: Decimal, histogram: Histogram) -> bool:
    return bool(histogram.bars) and histogram.bars[0][0] <= float(value) <= histogram.bars[-1][1]


def _place(value: float, histogram: Histogram) -> float:
    """Where a value lies on the axis: bars are equally wide, whatever they span."""
    width = WIDTH / len(histogram.bars)
    edges = [histogram.bars[0][0], *(high for _, high, _ in histogram.bars)]
    place = next((i for i, (_, high) in enumerate(pairwise(edges)) if value < high), len(histogram.bars) - 1)
    low, high = edges[place], edges[place + 1]
    return round((place + min(max((value - low) / (high - low), 0), 1)) * width, 2)
