"""The ASSUMED parts of a framework with who settles each and until when. Read from the state of things."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.utils import timezone

from frameworks.comparison import PartId
from frameworks.document import Document
from frameworks.models import Framework, FrameworkVersion, Kind, User
from frameworks.querysets import assumed
from frameworks.version_page import VersionPage
from governance.models import PartResolver
from governance.rounds import working_version


@dataclass(frozen=True)
class OpenPart:
    """An ASSUMED part. `resolver` is None where nobody was named; `who` is a person or a data source, in words."""

    kind: str
    key: str
    label: str
    url: str
    resolver: PartResolver | None
    who: str
    is_overdue: bool

    @property
    def kind_label(self) -> str:
        return str(Kind(self.kind).label)

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.key}"

    @property
    def due_on(self) -> date | None:
        return self.resolver.due_on if self.resolver else None


def open_parts(version: FrameworkVersion, user: User, at: datetime) -> list[OpenPart]:
    """The ASSUMED parts of a version: overdue ones first, then by day, those of nobody last."""
    page = VersionPage(version, user, at)
    parts = sorted(page.assumed_ids)
    known = {
        (row.kind, row.key): row
        for row in PartResolver.objects.filter(framework=version.framework_id).select_related("person", "assigned_by")
    }
    sources = {(Kind.DATA_SOURCE.value, row.source_key) for row in known.values() if row.source_key}
    names = page.names([*parts, *sources])
    today = timezone.localdate(at)
    found = []
    for part in parts:
        row = known.get(part)
        label = names.label_of(*part)
        who = _who(row, names)
        found.append(OpenPart(*part, label, page.part_url(part), row, who, bool(row and row.due_on < today)))
    return sorted(found, key=lambda each: (each.due_on or date.max, each.kind, each.key))


def _who(row: PartResolver | None, names: Document) -> str:
    if row is None:
        return ""
    return row.person.name if row.person else f"{names.label_of(Kind.DATA_SOURCE, row.source_key)} (data)"


def resolvers_waiting_for(user: User) -> list[tuple[PartResolver, FrameworkVersion]]:
    """What this person settles and is still ASSUMED in the version that people work on; the next due first.

    A part that a data source settles waits for whoever assigned it.
    """
    mine = PartResolver.objects.filter(Q(person=user) | Q(person=None, assigned_by=user))
    rows = list(mine.select_related("framework", "person", "assigned_by").order_by("due_on", "pk"))
    frameworks: Mapping[int, Framework] = {row.framework_id: row.framework for row in rows}
    versions = {pk: working_version(framework) for pk, framework in frameworks.items()}
    still = {pk: _open_among(version, [r for r in rows if r.framework_id == pk]) for pk, version in versions.items()}
    return [(row, versions[row.framework_id]) for row in rows if (row.kind, row.key) in still[row.framework_id]]


def _open_among(version: FrameworkVersion, rows: Iterable[PartResolver]) -> set[PartId]:
    wanted = Q(pk__in=[])
    for row in rows:
        wanted |= Q(kind=row.kind, key=row.key)
    return set(assumed(version.parts.filter(wanted).order_by()).values_list("kind", "key"))
