"""What stands between a draft and its review: every problem at once, in words."""

from collections.abc import Iterator

from frameworks.content import checked_all, storage_problems
from frameworks.definition import Definition, bodies_of
from frameworks.errors import InvalidError
from frameworks.models import FrameworkVersion, Kind, Part
from frameworks.querysets import assumed

# A playbook is written while people already agree on the segments; it may be confirmed later.
CONFIRMED_LATER = frozenset({Kind.PLAYBOOK.value})
NAMED_AT_MOST = 5


def content_problems(version: FrameworkVersion) -> list[str]:
    """Why the content of a version is not ready to be reviewed; empty when it is."""
    bodies = bodies_of(version)
    try:
        contents = checked_all(bodies)
    except InvalidError as error:
        return [*_assumed_problems(version), *error.problems]
    definition = Definition(bodies)
    return [
        *_assumed_problems(version),
        *storage_problems(contents),
        *_missing_parts(definition),
        *_segment_problems(definition),
        *_strays(definition, [content.key for content in contents if content.kind == Kind.SEGMENT]),
    ]


def _assumed_problems(version: FrameworkVersion) -> Iterator[str]:
    left = assumed(version.parts.exclude(kind__in=CONFIRMED_LATER)).order_by("pk")
    count = left.count()
    if count:
        names = ", ".join(_name(part) for part in left[:NAMED_AT_MOST])
        more = f" and {count - NAMED_AT_MOST} more" if count > NAMED_AT_MOST else ""
        yield f"{count} {'part is' if count == 1 else 'parts are'} still ASSUMED: {names}{more}."


def _name(part: Part) -> str:
    return f"{part.get_kind_display().lower()} {part.key}"


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
            name = f"{key}/{short}"
            if short not in segments:
                yield f"{dimension.label} lists {short}, which has no segment part."
                continue
            if not segments[short].rules and dimension.fallback != short:
                yield f"{dimension.label} / {segments[short].label} has no rule, so no account ever gets there."
            playbook = definition.playbooks.get(name)
            if playbook is None or not playbook.actions:
                yield f"{dimension.label} / {segments[short].label} has no playbook action: nobody would act on it."


def _strays(definition: Definition, segments: list[str]) -> Iterator[str]:
    known = {f"{key}/{short}" for key, body in definition.dimensions.items() for short in body.segments}
    for kind, keys in (("Segment", segments), ("Playbook", definition.playbooks)):
        for key in keys:
            if key not in known:
                yield f"{kind} {key} belongs to no dimension's list of segments."
