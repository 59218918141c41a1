"""Who signed a version and who disagreed, as documents print it: today's decisions, each person's newest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from frameworks.document import Document
from frameworks.models import FrameworkVersion, Signoff
from frameworks.services.carrying import carried_lines
from frameworks.standing import Given, RequirementStanding, decisions_up_to
from frameworks.standing_cache import Line, overview_of
from frameworks.templatetags.cutline import day
from governance.documents.blocks import Block, Points, Prose, table

Decision = Signoff.Decision


@dataclass(frozen=True)
class Answer:
    """What one person said to one requirement. `yes` and `of` count its parts; both 1 where all are signed at once.

    `lapsed` of the answers count no longer: their signer left the role, they are too old, or the impact is another.
    """

    requirement: str
    name: str
    role: str
    yes: int
    of: int
    signed_at: datetime
    lapsed: int = 0

    @property
    def words(self) -> str:
        said = "Yes" if self.of == 1 else f"Yes to {self.yes} of {self.of}"
        if not self.lapsed:
            return said
        return f"{said}; counts no longer" if self.lapsed == self.yes else f"{said}; {self.lapsed} count no longer"


@dataclass(frozen=True)
class Dissent:
    """A No. `overruled_by` approved over it because of `because`; `is_earlier` was said of an earlier wording."""

    name: str
    role: str
    about: str
    reason: str
    signed_at: datetime
    overruled_by: str = ""
    because: str = ""
    is_earlier: bool = False

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        role = f", {self.role}" if self.role else ""
        when = f"{day(self.signed_at)}{', to an earlier wording' if self.is_earlier else ''}"
        over = f" Approved over this dissent by {self.overruled_by}" if self.overruled_by else ""
        because = f": “{self.because}”" if over and self.because else ""
        return (
            f"No from {self.name}{role}, on {self.about}, {when}: “{self.reason}”{over}{because}{'.' if over else ''}"
        )


@dataclass
class Decided:
    """Everything that was decided about a version's wording of today; of a draft, what carries over into it."""

    answers: list[Answer] = field(default_factory=list)
    dissents: list[Dissent] = field(default_factory=list)
    waiting: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    lapsed: list[str] = field(default_factory=list)
    is_draft: bool = False

    @property
    def signers(self) -> list[str]:
        """Those with an answer that counts."""
        return list(dict.fromkeys(answer.name for answer in self.answers if answer.yes > answer.lapsed))

    @property
    def dissenters(self) -> list[str]:
        return list(dict.fromkeys(each.name for each in self.dissents))


def decision_blocks(decided: Decided) -> Iterator[Block]:
    """The last chapter of every document: the dissent first, then who signed, who is missing and what lapsed."""
    if decided.dissents:
        yield Points([each.words for each in decided.dissents])
    elif decided.answers:
        yield Prose("Dissent: nobody said No.")
    if not decided.answers:
        yield Prose("Not signed yet.")
        return
    heads = ("Who", "As", "Requirement", "Answer", "Signed")
    rows = [
        (each.name, each.role, each.requirement, each.words, f"{timezone.localtime(each.signed_at):%Y-%m-%d %H:%M %Z}")
        for each in decided.answers
    ]
    yield table("Signed before, and counts as it stands" if decided.is_draft else "Who signed what", heads, rows)
    waiting = [f"{label}: still to sign are {', '.join(names)}." for label, names in decided.waiting]
    if waiting or decided.lapsed:
        yield Points([*waiting, *decided.lapsed])


def decided_on(version: FrameworkVersion, document: Document, at: datetime) -> Decided:
    """The decisions on a version. Of a draft what would count if it were submitted now, and who said No last.

    The signatures of people who have left, or left their role, stay printed; `lapsed` says that they count no longer.
    """
    if version.state == FrameworkVersion.State.DRAFT:
        return _carried_into(version, document, at)
    found = Decided()
    lines = overview_of(version, at).lines
    roles = _roles({given.pk for line in lines for each in line.standings for given in _of_today(each)})
    for line in lines:
        found.answers += _answers(line, roles)
        found.dissents += _dissents(line, roles, document)
        if line.missing and not line.is_done:
            found.waiting.append((line.label, sorted(name for name, _ in line.missing.values())))
        found.lapsed += sorted({words for each in line.standings for words in each.lapsed})
    return found


def _carried_into(version: FrameworkVersion, document: Document, at: datetime) -> Decided:
    lines = carried_lines(version, at)
    roles = _roles({given.pk for line in lines for each in line.standings for given in _of_today(each)})
    found = Decided(is_draft=True)
    for line in lines:
        found.answers += [each for each in _answers(line, roles) if each.yes > each.lapsed]
        found.dissents += _dissents(line, roles, document)
    said = {(each.name, each.about) for each in found.dissents}
    earlier = _left_of_earlier_rounds(version, document)
    found.dissents += [each for each in earlier if (each.name, each.about) not in said]
    return found


def _of_today(standing: RequirementStanding) -> list[Given]:
    """Each person's newest decision, as far as it covers today's wording."""
    return [given for given in standing.newest.values() if given.covered_digest == standing.digest]


def _roles(ids: set[int]) -> dict[int, str]:
    return dict(Signoff.objects.filter(pk__in=ids).values_list("pk", "role"))


def _answers(line: Line, roles: dict[int, str]) -> Iterator[Answer]:
    """One answer for each person, however many parts the requirement has."""
    said: dict[int, list[Given]] = {}
    live = {given.pk for standing in line.standings for given in standing.approvals}
    for standing in line.standings:
        for given in _of_today(standing):
            if given.decision == Decision.APPROVE:
                said.setdefault(given.signer_id, []).append(given)
    for own in sorted(said.values(), key=lambda own: own[0].printed_name):
        last = max(own, key=lambda given: given.signed_at)
        count = len(line.standings)
        lapsed = sum(given.pk not in live for given in own)
        yield Answer(line.label, last.printed_name, roles.get(last.pk, ""), len(own), count, last.signed_at, lapsed)


def _dissents(line: Line, roles: dict[int, str], document: Document) -> Iterator[Dissent]:
    for standing in line.standings:
        part = standing.requirement
        about = document.label_of(part.part_kind, part.part_key) if part.part_key else line.label
        over = standing.overruled_by
        for given in _of_today(standing):
            if given.decision == Decision.REJECT:
                whose = (over.printed_name, over.reason) if over else ("", "")
                role = roles.get(given.pk, "")
                yield Dissent(given.printed_name, role, about, given.reason, given.signed_at, *whose)


def _left_of_earlier_rounds(version: FrameworkVersion, document: Document) -> Iterator[Dissent]:
    said = decisions_up_to(version).filter(version=version).exclude(decision=Decision.OVERRULE)
    by_person = ("code", "part_kind", "part_key", "principal_id")
    for row in said.order_by(*by_person, "-pk").distinct(*by_person):
        if row.decision == Decision.REJECT:
            about = document.label_of(row.part_kind, row.part_key) if row.part_key else row.code
            yield Dissent(row.name, row.role, about, row.reason, row.signed_at, is_earlier=True)
