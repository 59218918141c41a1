"""The names of parts for whoever lists or mentions them: labels alone, in one query."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q

from frameworks.document import Document, PartId
from frameworks.models import Comment, FrameworkVersion, Kind, Part, Requirement

IN_SEGMENTS = (Kind.SEGMENT, Kind.PLAYBOOK)
FIELDS = ("label", "code", "subject")
"""What a body is called by; a waiver has no label."""


def names_of(version: FrameworkVersion, parts: Iterable[PartId]) -> Document:
    """A document of labels alone, to call parts of a version by their names."""
    return names_across((version.pk, *part) for part in parts)[version.pk]


def names_across(parts: Iterable[tuple[int, str, str]]) -> Mapping[int, Document]:
    """The same for parts (version id, kind, key) of several versions, by version."""
    wanted: dict[str, set[str]] = defaultdict(set)
    versions = set()
    for version, kind, key in parts:
        versions.add(version)
        for each in _needed(kind, key):
            wanted[each[0]].add(each[1])
    found: dict[int, dict[PartId, dict[str, str]]] = defaultdict(dict)
    if wanted:
        rows = Part.objects.filter(_any_of(wanted), version__in=versions).order_by("kind", "key")
        for version, kind, key, *values in rows.values_list("version", "kind", "key", *_columns()):
            found[version][kind, key] = {name: str(value or "") for name, value in zip(FIELDS, values, strict=True)}
    return defaultdict(lambda: Document({}), {version: Document(bodies) for version, bodies in found.items()})


def _columns() -> list[str]:
    return [f"body__body__{name}" for name in FIELDS]


def _needed(kind: str, key: str) -> Iterable[PartId]:
    """The part, and what lends it its name."""
    yield (kind, key)
    if kind in IN_SEGMENTS:
        yield (Kind.DIMENSION.value, key.partition("/")[0])
        yield (Kind.SEGMENT.value, key)
    elif kind == Kind.WAIVER:
        # "gap__tier__smb" is about the segment, "gap__tier" about the dimension.
        _, *about = key.split("__")
        yield (Kind.DIMENSION.value, about[0] if about else "")
        yield (Kind.SEGMENT.value, "/".join(about))


def _any_of(wanted: Mapping[str, Iterable[str]]) -> Q:
    found = Q()
    for kind, keys in wanted.items():
        found |= Q(kind=kind, key__in=list(keys))
    return found


def subjects_of(comments: Sequence[Comment]) -> dict[int, str]:
    """What each comment is about, inside a sentence, by its id: "definition ARR", "v3"; one query.

    The comments come with their versions.
    """
    names = names_across((each.version_id, each.part_kind, each.part_key) for each in comments if each.part_key)
    return {
        each.pk: names[each.version_id].phrase_of(each.part_kind, each.part_key) if each.part_key else str(each.version)
        for each in comments
    }


def requirement_names(requirements: Sequence[Requirement]) -> dict[int, str]:
    """How each requirement of one version is called in a list, by its id: "Definitions: ARR"; one query."""
    if not requirements:
        return {}
    names = names_of(requirements[0].version, _parts(requirements))
    return {each.pk: requirement_name(each, names) for each in requirements}


def requirement_name(requirement: Requirement, names: Document) -> str:
    """The label, and the part that it is about if it is about one."""
    if not requirement.part_key:
        return requirement.label
    return f"{requirement.label}: {names.label_of(requirement.part_kind, requirement.part_key)}"


def _parts(requirements: Iterable[Requirement]) -> Iterable[PartId]:
    return ((each.part_kind, each.part_key) for each in requirements if each.part_key)
