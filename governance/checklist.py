"""The strategic sign-off checklist: read from the state of things at every look, never ticked by hand.

Each line says whether it is met, the figure behind that, who acts next and where. Documents print the same lines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.urls import reverse

from frameworks.comparison import digests_of
from frameworks.criteria.ast import thresholds
from frameworks.criteria.parsing import CriteriaError
from frameworks.definition import Definition, bodies_of
from frameworks.gates import CONFIRMED_LATER
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts import PartError
from frameworks.parts.data_source import DataSource
from frameworks.parts.policy import LimitsPolicy
from frameworks.parts.segment import attributes_used
from frameworks.querysets import assumed
from frameworks.services.carrying import carried_words, is_carried, tally_with_carried
from frameworks.standing import RequirementStanding
from frameworks.standing_tally import Tally
from frameworks.templatetags.cutline import day
from governance.intake_targets import QuestionState, Targets
from governance.models import Attendance, IntakeForm, Meeting, MeetingPart

MOST_DIMENSIONS = 5
"""Where a framework has no limits policy of its own (docs/checks.md)."""
NAMED = 3
"""So many parts or people are named in a line; the page behind it has all."""


@dataclass(frozen=True)
class Line:
    """One condition. `next` is who acts next and on what, empty where it is met."""

    code: str
    title: str
    is_met: bool
    figure: str
    next: str
    url: str
    action: str


@dataclass(frozen=True)
class Checklist:
    """Every line for one version at one moment."""

    version: FrameworkVersion
    lines: Sequence[Line]
    questions: Sequence[QuestionState] = ()
    """What the business asked in the newest intake, each with what answers it in this version."""

    @property
    def met(self) -> int:
        return sum(line.is_met for line in self.lines)

    @property
    def is_complete(self) -> bool:
        return self.met == len(self.lines)

    @property
    def open_lines(self) -> list[Line]:
        return [line for line in self.lines if not line.is_met]


def checklist_of(version: FrameworkVersion, at: datetime) -> Checklist:
    """The checklist of a version as it stands at that moment."""
    facts = Facts(version, at)
    makers: Sequence[Callable[[Facts], Line]] = (
        _definitions,
        _dimensions,
        _thresholds,
        _actions,
        _sources,
        _enrichment,
        _inputs,
        _questions,
        _understanding,
        _final_meeting,
    )
    return Checklist(version, [make(facts) for make in makers], facts.questions)


class Facts:
    """What the lines are made of, each read once."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.version = version
        self.at = at

    @cached_property
    def definition(self) -> Definition:
        return Definition(bodies_of(self.version))

    @property
    def is_draft(self) -> bool:
        return self.version.state == FrameworkVersion.State.DRAFT

    @cached_property
    def tally(self) -> Tally:
        """Of a draft: with what it carries, as if it were submitted now."""
        return tally_with_carried(self.version, self.at)

    @cached_property
    def assumed_ids(self) -> set[tuple[str, str]]:
        return set(assumed(self.version.parts.order_by()).values_list("kind", "key"))

    @cached_property
    def segments(self) -> dict[str, str]:
        """Key → label of every segment that a dimension lists, whether or not its part is there."""
        found: dict[str, str] = {}
        for key, body in self.definition.dimensions.items():
            own = self.definition.segments[key]
            names = {short: own[short].label if short in own else short for short in body.segments}
            found.update({f"{key}/{short}": f"{body.label} / {name}" for short, name in names.items()})
        return found

    @cached_property
    def attributes(self) -> dict[str, DataSource | None]:
        """Every stored attribute that rules look at, derived ones by those they come from; None without a part."""
        sources = self.definition.data_sources
        named = {
            name for own in self.definition.segments.values() for body in own.values() for name in attributes_used(body)
        }
        inputs = {
            name: list(source.derived.of) if (source := sources.get(name)) and source.derived else [name]
            for name in named
        }
        return {stored: sources.get(stored) for name in sorted(inputs) for stored in sorted(inputs[name])}

    @cached_property
    def intake(self) -> IntakeForm | None:
        """The newest of the framework, with its questions and their answers."""
        found = (
            IntakeForm.objects.filter(framework=self.version.framework)
            .order_by("-opened_at", "-pk")
            .select_related("owner")
        )
        return found.prefetch_related("questions__answers").first()

    @cached_property
    def questions(self) -> list[QuestionState]:
        targets = Targets(self.version.framework, self.version)
        return targets.states(self.intake.questions.all()) if self.intake else []

    @cached_property
    def final_meeting(self) -> Meeting | None:
        """The last final review that left this version."""
        held = Meeting.objects.filter(kind=Meeting.Kind.FINAL, left_version=self.version).held()
        return held.order_by("-number").first()

    @cached_property
    def participants(self) -> dict[int, str]:
        """Everybody whose signature the sign-off policy asks for, by name."""
        known = self.tally.known
        wanted = {pk for pool in known.pools.values() for pk in pool}
        found = {pk: person.name for pk, person in known.people.items() if pk in wanted}
        return dict(sorted(found.items(), key=lambda each: each[1]))

    def url(self, name: str) -> str:
        return reverse(f"frameworks:{name}", args=[self.version.framework.slug, self.version.number])

    @property
    def meetings_url(self) -> str:
        return reverse("governance:meeting_list", args=[self.version.framework.slug])


def _definitions(facts: Facts) -> Line:
    terms = facts.version.parts.filter(kind=Kind.TERM).order_by("key").values_list("key", "body__body__label")
    labels = {key: str(label) for key, label in terms}
    standings = {key: _about(facts.tally, key) for key in labels}
    aligned = [key for key, own in standings.items() if own and all(each.is_met for each in own)]
    left = [labels[key] for key in labels if key not in aligned]
    if facts.is_draft:
        after = "RevOps submits the draft; then stakeholders are asked." if labels else "RevOps writes definitions."
    else:
        missing = {person.name for own in standings.values() for each in own for person in each.missing}
        noes = {given.printed_name for own in standings.values() for each in own for given in each.rejections}
        after = _refused(facts, noes) or _who(missing, "to sign") or f"Nobody is asked about {_few(left)}."
    is_met = bool(labels) and not left
    carried = sum(is_carried(facts.version, standings[key]) for key in aligned)
    figure = f"{len(aligned)} of {len(labels)} terms aligned{carried_words(facts.version, carried)}"
    return _line(
        facts, "definitions", "Definitions signed", figure, after, "version_alignment", "Alignment", is_met=is_met
    )


def _about(tally: Tally, key: str) -> Sequence[RequirementStanding]:
    """What is asked about a term: of itself, else with others."""
    return tally.by_part.get((Kind.TERM.value, key)) or [
        each
        for each in tally.sets
        if Kind.TERM in each.requirement.kinds and (not each.requirement.keys or key in each.requirement.keys)
    ]


def _dimensions(facts: Facts) -> Line:
    limits = facts.definition.policy("limits")
    most = limits.max_dimensions if isinstance(limits, LimitsPolicy) else MOST_DIMENSIONS
    dimensions = facts.definition.dimensions
    empty = [label for key, label in facts.segments.items() if not _has_way_in(facts, key)]
    is_met = 0 < len(dimensions) <= most and not empty
    without = f"; {len(empty)} of {len(facts.segments)} segments without criteria" if empty else ""
    figure = f"{_counted(len(dimensions), 'dimension')} of at most {most}{without}"
    after = f"RevOps writes criteria for {_few(empty)}." if empty else "RevOps keeps to the limits policy."
    title = "Dimensions within the limits, with criteria"
    return _line(facts, "dimensions", title, figure, after, "version_dimensions", "Dimensions", is_met=is_met)


def _has_way_in(facts: Facts, key: str) -> bool:
    dimension, _, short = key.partition("/")
    segment = facts.definition.segments[dimension].get(short)
    return bool(segment and segment.rules) or facts.definition.dimensions[dimension].fallback == short


def _thresholds(facts: Facts) -> Line:
    count, broken = 0, []
    for dimension, own in facts.definition.segments.items():
        for short, segment in own.items():
            try:
                roots = [facts.definition.criteria_of(dimension, each).root for _, each in segment.documents()]
            except (CriteriaError, PartError):
                broken.append(facts.segments[f"{dimension}/{short}"])
                continue
            count += sum(len(thresholds(root)) for root in roots)
    figure = f"{_counted(count, 'threshold')} in rules" + (f"; {len(broken)} segments cannot be read" if broken else "")
    after = f"RevOps mends the rules of {_few(broken)}." if broken else "RevOps writes thresholds into the rules."
    is_met = count > 0 and not broken
    return _line(
        facts, "thresholds", "Thresholds defined", figure, after, "version_dimensions", "Dimensions", is_met=is_met
    )


def _actions(facts: Facts) -> Line:
    playbooks = facts.definition.playbooks
    left = [label for key, label in facts.segments.items() if key not in playbooks or not playbooks[key].actions]
    done = len(facts.segments) - len(left)
    figure = f"{done} of {len(facts.segments)} segments have a playbook with actions"
    after = f"RevOps writes what is done in {_few(left)}."
    is_met = bool(facts.segments) and not left
    title = "Actions mapped to every segment"
    return _line(facts, "actions", title, figure, after, "version_playbooks", "Playbooks", is_met=is_met)


def _sources(facts: Facts) -> Line:
    left = [_label(key, source) for key, source in facts.attributes.items() if source is None or not source.system]
    figure = f"{len(facts.attributes) - len(left)} of {len(facts.attributes)} attributes in rules name their system"
    is_met = bool(facts.attributes) and not left
    after = f"RevOps names the system of {_few(left)}." if left else "RevOps writes rules first."
    title = "A data source for every attribute used"
    return _line(facts, "sources", title, figure, after, "version_data_sources", "Data sources", is_met=is_met)


def _enrichment(facts: Facts) -> Line:
    """Who fills an attribute is not told apart from other systems, so every attribute in rules is held to it."""
    unplanned = [
        _label(key, source)
        for key, source in facts.attributes.items()
        if source is None or not (source.system and source.owner and source.refresh)
    ]
    unsaid = [
        _label(key, source)
        for key, source in facts.attributes.items()
        if (Kind.DATA_SOURCE.value, key) in facts.assumed_ids
    ]
    left = list(dict.fromkeys([*unplanned, *unsaid]))
    done = len(facts.attributes) - len(left)
    figure = f"{done} of {len(facts.attributes)} attributes with system, owner and refresh, CONFIRMED"
    after = f"RevOps completes {_few(unplanned)}." if unplanned else f"Whoever knows confirms {_few(unsaid)}."
    is_met = bool(facts.attributes) and not left
    return _line(
        facts,
        "enrichment",
        "Enrichment plan approved",
        figure,
        after,
        "version_data_sources",
        "Data sources",
        is_met=is_met,
    )


def _inputs(facts: Facts) -> Line:
    critical = facts.version.parts.exclude(kind__in=[*CONFIRMED_LATER, Kind.WAIVER]).count()
    left = sum(kind not in CONFIRMED_LATER for kind, _ in facts.assumed_ids)
    figure = f"{critical - left} of {critical} critical parts CONFIRMED"
    url = reverse("governance:assumed_list", args=[facts.version.framework.slug])
    after = "" if left == 0 else "Whoever settles them: each has a resolver and a day."
    return Line("inputs", "All critical inputs CONFIRMED", critical > 0 and left == 0, figure, after, url, "ASSUMED")


def _questions(facts: Facts) -> Line:
    """An answer counts while it is in this version; a page of the product always does."""
    left = [state.question.text for state in facts.questions if not state.is_answered]
    done = len(facts.questions) - len(left)
    figure = f"{done} of {_counted(len(facts.questions), 'question')} answered" if facts.intake else "no intake"
    after = "RevOps opens an intake and asks what segmentation must answer."
    if left:
        after = f"{facts.intake.owner.name if facts.intake else 'RevOps'} names what answers {_few_quoted(left)}."
    url = reverse("governance:intake_detail", args=[facts.version.framework.slug]) + "#questions"
    is_met = bool(facts.questions) and not left
    return Line("questions", "Business questions answered", is_met, figure, "" if is_met else after, url, "Intake")


def _understanding(facts: Facts) -> Line:
    """Each participant signed something of this version, or came to its final meeting; and nobody's No is open."""
    standings = [group.one for group in facts.tally.groups]
    signed = {given.signer_id for each in standings for given in each.approvals}
    noes = {given.printed_name for each in standings for given in each.rejections}
    came = set(_attended(facts.final_meeting))
    left = [name for pk, name in facts.participants.items() if pk not in signed | came]
    done = len(facts.participants) - len(left)
    figure = f"{done} of {len(facts.participants)} participants signed or came to the final meeting"
    figure += f"; {len(noes)} No open" if noes else ""
    after = _refused(facts, noes) or _who(left, "to sign, or to come to the final meeting") or "Nobody is asked yet."
    is_met = bool(facts.participants) and not left and not noes
    return Line(
        "understanding",
        "Stakeholders understand what will be built",
        is_met,
        figure,
        "" if is_met else after,
        facts.meetings_url,
        "Meetings",
    )


def _attended(meeting: Meeting | None) -> Iterator[int]:
    if meeting:
        yield from meeting.attendances.filter(state=Attendance.State.ATTENDED).values_list("person_id", flat=True)


def _final_meeting(facts: Facts) -> Line:
    meeting = facts.final_meeting
    if meeting is None:
        after = "RevOps plans the final review and closes it."
        return Line("final", "Final meeting held", False, "not held", after, facts.meetings_url, "Meetings")
    left = {(p.kind, p.key): p.body_id for p in MeetingPart.objects.filter(meeting=meeting)}
    now = {part: digest for part, digest in digests_of(facts.version).items() if part[0] != Kind.WAIVER}
    moved = sum(left.get(part) != now.get(part) for part in {*left, *now})
    figure = f"held on {day(meeting.starts_at)}" + (f"; {_counted(moved, 'part')} changed since" if moved else "")
    url = reverse("governance:meeting_detail", args=[facts.version.framework.slug, meeting.number])
    after = "RevOps holds another final review over what changed."
    return Line("final", "Final meeting held", not moved, figure, "" if not moved else after, url, "Meeting")


# --- words


def _line(
    facts: Facts, code: str, title: str, figure: str, after: str, name: str, action: str, *, is_met: bool
) -> Line:
    return Line(code, title, is_met, figure, "" if is_met else after, facts.url(name), action)


def _label(key: str, source: DataSource | None) -> str:
    return source.label if source else key


def _few(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"{', '.join(labels[:NAMED])}{more}"


def _few_quoted(texts: Sequence[str]) -> str:
    return _few([f"“{text}”" for text in texts])


def _who(names: Iterable[str], what: str) -> str:
    found = sorted(names)
    return f"{_few(found)} {what}." if found else ""


def _refused(facts: Facts, names: Iterable[str]) -> str:
    found = sorted(names)
    return f"{_few(found)} said No; {facts.version.author.name} settles it with them." if found else ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
