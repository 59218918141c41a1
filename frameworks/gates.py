"""What stands between a draft and its review: every problem at once, in words."""

from collections.abc import Iterator

from frameworks.account_lists import known_lists, list_findings
from frameworks.checks.findings import Finding, Report, with_waivers
from frameworks.checks.static import assumed_finding, static_findings
from frameworks.content import checked_all, storage_problems
from frameworks.definition import Definition, bodies_of, definition_of
from frameworks.document import Document
from frameworks.errors import InvalidError
from frameworks.holds import what_hangs_on
from frameworks.mapping import Departure, departures, record_problems, successions_of
from frameworks.models import FrameworkVersion, Kind
from frameworks.naming import names_of
from frameworks.parts.policy import SignoffPolicy
from frameworks.parts.wording import listed
from frameworks.querysets import assumed

# A playbook is written while people already agree on the segments; it may be confirmed later.
CONFIRMED_LATER = frozenset({Kind.PLAYBOOK.value})


def assumed_findings(version: FrameworkVersion) -> list[Finding]:
    """The parts of a version that have to be CONFIRMED before it is reviewed, as one finding."""
    left = [(part.kind, part.key) for part in assumed(version.parts.exclude(kind__in=CONFIRMED_LATER)).order_by("pk")]
    names = names_of(version, left)
    return list(assumed_finding([names.phrase_of(*part) for part in left]))


def findings_of(version: FrameworkVersion, report: Report | None) -> list[Finding]:
    """Every finding of the checks, errors first, each warning with its waiver.

    `report` has what the engine and live accounts say; one of an earlier wording is left out. Raises InvalidError
    for parts that cannot be read.
    """
    bodies = bodies_of(version)
    checked_all(bodies)
    definition = Definition(bodies)
    found = [
        *assumed_findings(version),
        *static_findings(definition),
        *list_findings(bodies, known_lists()),
        *mapping_findings(version, definition),
    ]
    if report and report.is_current:
        found += report.findings
    return with_waivers(found, definition.waivers)


def mapping_findings(version: FrameworkVersion, definition: Definition) -> Iterator[Finding]:
    """Segments of the base version that are gone although something hangs on them, and mappings of what never was."""
    base = definition_of(version.base_version) if version.base_version else None
    for key, problem in record_problems(definition, base):
        yield Finding("mapping_of_nothing", "error", problem, Kind.DIMENSION.value, key)
    if base is None:
        return
    known = successions_of(version, definition)
    for gone in departures(definition, base, known):
        hanging = [] if gone.is_mapped else _hanging(version, gone)
        if hanging:
            name = (
                f"{definition.dimensions[gone.dimension].label} / {base.segments[gone.dimension][gone.segment].label}"
            )
            text = f"{name} is gone, and nobody said where it goes: {listed(hanging)}. Merge, split or retire it."
            yield Finding("unmapped_segment", "error", text, Kind.DIMENSION.value, gone.dimension, (gone.segment,))


def _hanging(version: FrameworkVersion, gone: Departure) -> list[str]:
    playbook = ["it has a playbook"] if gone.has_playbook else []
    return [*what_hangs_on(version.framework, gone.dimension, gone.segment), *playbook]


def content_problems(version: FrameworkVersion, report: Report | None = None) -> list[str]:
    """Why the content of a version is not ready to be reviewed; empty when it is.

    Errors of the checks, and warnings that nobody waived; `report` as for `findings_of`.
    """
    bodies = bodies_of(version)
    try:
        contents = checked_all(bodies)
    except InvalidError as error:
        return [*(finding.problem for finding in assumed_findings(version)), *error.problems]
    definition = Definition(bodies)
    open_findings = [finding for finding in findings_of(version, report) if finding.is_open]
    return [
        *(finding.problem for finding in open_findings if finding.code == "assumed"),
        *storage_problems(contents),
        *_missing_parts(definition),
        *_segment_problems(definition),
        *_strays(definition, Document(bodies), [content.key for content in contents if content.kind == Kind.SEGMENT]),
        *(finding.problem for finding in open_findings if finding.code != "assumed"),
        *_unsigned_waivers(definition, Document(bodies)),
    ]


def _unsigned_waivers(definition: Definition, document: Document) -> Iterator[str]:
    policy = definition.policy("signoff")
    if not isinstance(policy, SignoffPolicy):
        return
    for key in definition.waivers:
        if not any(line.covers(Kind.WAIVER, key) for line in policy.requirements):
            name = document.label_of(Kind.WAIVER, key)
            yield f"Nobody signs the waiver “{name}”: no line of the sign-off policy covers it."


def _missing_parts(definition: Definition) -> Iterator[str]:
    if definition.meta is None:
        yield "The part about the framework (meta) is missing."
    if definition.policy("signoff") is None:
        yield "There is no sign-off policy: nobody would be asked."
    if not definition.dimensions:
        yield "There is no dimension."
    if not definition.terms:
        yield "There is no definition: write down what your words mean."


def _segment_problems(definition: Definition) -> Iterator[str]:
    for key, dimension in definition.dimensions.items():
        segments = definition.segments[key]
        for short in dimension.segments:
            if short not in segments:
                yield f"{dimension.label} lists {short}, which has no segment part."
                continue


def _strays(definition: Definition, document: Document, segments: list[str]) -> Iterator[str]:
    known = {f"{key}/{short}" for key, body in definition.dimensions.items() for short in body.segments}
    for kind, keys in ((Kind.SEGMENT, segments), (Kind.PLAYBOOK, definition.playbooks)):
        for key in keys:
            if key not in known:
                yield f"{document.title_of(kind, key)} belongs to no dimension's list of segments."
