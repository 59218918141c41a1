"""What an intake is compared with: the version people work on, and which parts of it are there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from django.urls import reverse

from frameworks.models import Framework, FrameworkVersion, Kind, Part
from frameworks.transitions import UNDER_WAY
from governance.answer_pages import PAGES
from governance.models import BusinessQuestion, QuestionAnswer

PartKey = tuple[str, str]
KINDS = (Kind.DIMENSION, Kind.SEGMENT, Kind.TERM, Kind.DATA_SOURCE)


def working_version(framework: Framework) -> FrameworkVersion | None:
    """The version that is drafted or under way, the newest of several; else the active one. One query."""
    rows = list(framework.versions.order_by("-number"))
    for row in rows:
        row.framework = framework
    open_states = {FrameworkVersion.State.DRAFT, *UNDER_WAY}
    drafted = (row for row in rows if row.state in open_states)
    active = (row for row in rows if row.pk == framework.active_version_id)
    return next(drafted, None) or next(active, None) or (rows[0] if rows else None)


@dataclass(frozen=True)
class LinkedAnswer:
    """One link of a question: where it goes, and where the part is not there any more."""

    kind: str
    key: str
    kind_label: str
    label: str
    url: str
    gone_from: str = ""
    """In words, such as "v3 (draft)"; "" while it is there."""


@dataclass(frozen=True)
class QuestionState:
    """A question with its answers of today; answered by what is there, not by what once was."""

    question: BusinessQuestion
    answers: tuple[LinkedAnswer, ...] = field(default=())

    @property
    def is_answered(self) -> bool:
        return any(not answer.gone_from for answer in self.answers)

    @property
    def gone(self) -> list[LinkedAnswer]:
        return [answer for answer in self.answers if answer.gone_from]


class Targets:
    """The parts of the version an intake is compared with, and of the active one beside it."""

    def __init__(self, framework: Framework, version: FrameworkVersion | None) -> None:
        self.framework = framework
        self.version = version

    @cached_property
    def labels(self) -> dict[int, dict[PartKey, str]]:
        """Version id → (kind, key) → label, for both versions. One query."""
        ids = {pk for pk in (self.version.pk if self.version else None, self.framework.active_version_id) if pk}
        found: dict[int, dict[PartKey, str]] = {pk: {} for pk in ids}
        rows = Part.objects.filter(version__in=ids, kind__in=KINDS).order_by("kind", "key")
        for version_id, kind, key, label in rows.values_list("version_id", "kind", "key", "body__body__label"):
            found[version_id][kind, key] = label or key
        return found

    @property
    def here(self) -> dict[PartKey, str]:
        """The parts of the version compared with, by (kind, key), with their labels."""
        return self.labels.get(self.version.pk, {}) if self.version else {}

    def label(self, kind: str, key: str) -> str:
        """How the part is called today, or was in the active version; else its key."""
        name = next((parts[kind, key] for parts in self._newest_first() if (kind, key) in parts), key)
        if kind != Kind.SEGMENT:
            return name
        dimension = key.partition("/")[0]
        return f"{self.label(Kind.DIMENSION, dimension)} / {name}"

    def _newest_first(self) -> list[dict[PartKey, str]]:
        active = self.framework.active_version_id
        return [self.here, *([self.labels[active]] if active else [])]

    def choices(self, kinds: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
        """Parts of the version to choose from, grouped by kind: ("dimension/tier", "Customer Tier")."""
        return [
            (
                Kind(kind).label,
                [(f"{kind}/{key}", self.label(kind, key)) for of, key in self.here if of == kind],
            )
            for kind in kinds
        ]

    def gone_from(self, kind: str, key: str) -> str:
        """Which of the two versions lacks the part, in words; "" when the version compared with has it."""
        if self.version is None or (kind, key) in self.here:
            return ""
        names = [self._named(self.version)]
        active = self.framework.active_version
        if active and active.pk != self.version.pk and (kind, key) not in self.labels[active.pk]:
            names.append(self._named(active))
        return " and ".join(names)

    def _named(self, version: FrameworkVersion) -> str:
        is_active = version.pk == self.framework.active_version_id
        return f"{version} ({'active' if is_active else version.get_state_display().lower()})"

    def part_url(self, kind: str, key: str) -> str:
        if self.version is None:
            return ""
        page = reverse("frameworks:version_detail", args=[self.framework.slug, self.version.number])
        return f"{page}?part={kind}/{key}"

    def linked(self, answer: QuestionAnswer) -> LinkedAnswer:
        if answer.kind == QuestionAnswer.Kind.PAGE:
            page = PAGES.get(answer.key)
            url = page.url(self.version) if page else ""
            gone = "" if page else "this product"
            return LinkedAnswer(answer.kind, answer.key, "Page", page.label if page else answer.key, url, gone)
        gone = self.gone_from(answer.kind, answer.key)
        url = "" if gone else self.part_url(answer.kind, answer.key)
        label = self.label(answer.kind, answer.key)
        return LinkedAnswer(answer.kind, answer.key, answer.get_kind_display(), label, url, gone)

    def states(self, questions: Iterable[BusinessQuestion]) -> list[QuestionState]:
        """Each question with what answers it; `answers` must be prefetched."""
        return [
            QuestionState(question, tuple(self.linked(answer) for answer in question.answers.all()))
            for question in questions
        ]
