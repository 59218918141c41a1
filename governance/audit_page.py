"""What an audit entry says has changed, for people: parts and requirements by their names, with their keys beside them.

The entry itself keeps keys: it is evidence, and names change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frameworks.document import Document
from frameworks.models import FrameworkVersion, Kind, Requirement, Signoff
from frameworks.naming import names_across, requirement_name
from governance.models import AuditEntry

VERSION = FrameworkVersion._meta.label_lower
DECISIONS = {str(value): str(label) for value, label in Signoff.Decision.choices}


@dataclass(frozen=True)
class Said:
    """One value, before or after: `name` what it is, `words` for people, `raw` as it is stored if that differs."""

    is_new: bool
    name: str
    words: str
    raw: str = ""


@dataclass(frozen=True)
class Line:
    """An entry and its change."""

    entry: AuditEntry
    changes: Sequence[Said]


def lines_of(entries: Sequence[AuditEntry]) -> list[Line]:
    """The entries as they are shown; a fixed number of queries, none where no version was acted on."""
    names = _Names(entries)
    return [Line(entry, list(_changes(entry, names))) for entry in entries]


def _changes(entry: AuditEntry, names: "_Names") -> Iterator[Said]:
    for is_new, told in ((False, entry.before), (True, entry.after)):
        for name, value in told.items():
            for each in value if isinstance(value, list) else [value]:
                raw = "–" if each is None else str(each)
                words = names.words_of(entry, raw)
                yield Said(is_new, name, words or raw, raw if words else "")


class _Names:
    """How the parts and requirements that these entries mention are called in the version that was acted on."""

    def __init__(self, entries: Iterable[AuditEntry]) -> None:
        said = [(entry.object_id, raw) for entry in entries if entry.object_type == VERSION for raw in _texts(entry)]
        found = FrameworkVersion.objects.filter(uuid__in={uuid for uuid, _ in said}) if said else []
        self._versions = {str(version.uuid): version.pk for version in found}
        about = [(self._versions[uuid], raw) for uuid, raw in said if uuid in self._versions]
        self._requirements = _requirements({pk for pk, raw in about if _decision(raw)})
        parts = [(pk, *part) for pk, raw in about if (part := _part(raw))]
        signed = [(each.version_id, each.part_kind, each.part_key) for each in self._requirements.values()]
        self._names: Mapping[int, Document] = names_across([*parts, *(each for each in signed if each[2])])

    def words_of(self, entry: AuditEntry, raw: str) -> str:
        """The value in words; empty where it is no key of anything."""
        version = self._versions.get(entry.object_id) if entry.object_type == VERSION else None
        if version is None:
            return ""
        if part := _part(raw):
            return self._names[version].title_of(*part)
        decision = _decision(raw)
        asked = self._requirements.get((version, *decision[1:])) if decision else None
        if decision is None or asked is None:
            return ""
        return f"{DECISIONS[decision[0]]}: {requirement_name(asked, self._names[version])}"


def _texts(entry: AuditEntry) -> Iterator[str]:
    for value in (*entry.before.values(), *entry.after.values()):
        yield from (str(each) for each in (value if isinstance(value, list) else [value]))


def _part(raw: str) -> tuple[str, str] | None:
    """Kind and key of a text like "term arr"."""
    kind, _, key = raw.partition(" ")
    return (kind, key) if kind in Kind.values and key and " " not in key else None


def _decision(raw: str) -> tuple[str, str, str] | None:
    """Decision, code and part key of a text like "approve terms arr"; the last is empty for a set."""
    decision, *about = raw.split(" ")
    if decision not in DECISIONS or len(about) not in (1, 2):
        return None
    return decision, about[0], about[1] if len(about) == 2 else ""


def _requirements(versions: set[int]) -> dict[tuple[int, str, str], Requirement]:
    rows: Any = Requirement.objects.filter(version__in=versions).order_by("round", "pk") if versions else ()
    return {(each.version_id, each.code, each.part_key): each for each in rows}
