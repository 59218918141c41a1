"""The standing of a version's requirements for pages that list it, kept in the process between two changes.

Whoever decides (signing, activation) derives it anew; a page of ten thousand parts may not. An entry belongs to a
fingerprint of everything that the standing is derived from, so a signature, a person who left their role or a
delegation makes another. Only time is not in it: freshness and delegations may show up to five minutes late.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any, Protocol, TypeVar, cast

from django.contrib.auth.models import Group
from django.contrib.postgres.aggregates import StringAgg
from django.db.models import Count, F, Max, TextField, Value
from django.db.models.functions import MD5, Cast, Concat

from frameworks.models import Delegation, FrameworkVersion, Signoff, User, VersionImpact
from frameworks.standing import Given, RequirementStanding, Standings

PartId = tuple[str, str]
MOST_KEPT = 40_000
"""Requirements kept in one process, over all versions: about 60 MB."""
MINUTES = 5


@dataclass
class Line:
    """All requirements of one code together; `dissents` are each No that was approved over."""

    code: str
    label: str
    standings: list[RequirementStanding] = field(default_factory=list)
    total: int = 0
    met: int = 0
    is_blocked: bool = False
    lacks_signers: bool = False
    missing: dict[int, list[Any]] = field(default_factory=dict)
    rejections: list[tuple[RequirementStanding, Given]] = field(default_factory=list)
    dissents: list[tuple[RequirementStanding, Given]] = field(default_factory=list)
    approved_by: dict[str, None] = field(default_factory=dict)
    lapsed: set[str] = field(default_factory=set)

    def add(self, standing: RequirementStanding, count: int = 1) -> None:
        """Put in a requirement, or so many that stand alike, of which nobody said No to any."""
        self.standings.append(standing)
        self.total += count
        self.is_blocked = self.is_blocked or standing.is_blocked
        self.lacks_signers = self.lacks_signers or standing.lacks_signers
        noes = [(standing, given) for given in standing.rejections]
        if standing.overruled_by:
            self.dissents += noes
        else:
            self.rejections += noes
        self.approved_by.update(dict.fromkeys(given.printed_name for given in standing.approvals))
        if standing.is_met:
            self.met += count
            return
        self.lapsed.update(standing.lapsed)
        for person in standing.missing:
            self.missing.setdefault(person.pk, [person.name, 0])[1] += count

    @property
    def is_done(self) -> bool:
        return self.met == self.total


class Overview:
    """A version's standing, every requirement derived: for documents and what judges all of them."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None:
        self.known = Standings(version, at)
        self.standings: Sequence[RequirementStanding] = self.known.all()

    @property
    def count(self) -> int:
        return len(self.standings)

    @cached_property
    def lines(self) -> list[Line]:
        found: dict[str, Line] = {}
        for standing in self.standings:
            requirement = standing.requirement
            found.setdefault(requirement.code, Line(requirement.code, requirement.label)).add(standing)
        return list(found.values())

    @cached_property
    def by_part(self) -> Mapping[PartId, list[RequirementStanding]]:
        found: dict[PartId, list[RequirementStanding]] = {}
        for standing in self.standings:
            if standing.requirement.part_key:
                part = (standing.requirement.part_kind, standing.requirement.part_key)
                found.setdefault(part, []).append(standing)
        return found

    @cached_property
    def open_parts(self) -> frozenset[PartId]:
        """Parts with a requirement of their own that is not met."""
        return frozenset(part for part, own in self.by_part.items() if not all(each.is_met for each in own))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Kinds of which parts are signed one by one."""
        return frozenset(kind for kind, _ in self.by_part)

    @cached_property
    def sets(self) -> list[RequirementStanding]:
        return [each for each in self.standings if not each.requirement.part_key]


class Kept(Protocol):
    """What is derived of the standing as a whole; `count` requirements are kept with it."""

    def __init__(self, version: FrameworkVersion, at: datetime) -> None: ...

    @property
    def count(self) -> int: ...


KeptT = TypeVar("KeptT", bound=Kept)
_kept: OrderedDict[tuple[type[Kept], int], tuple[tuple[Any, ...], Kept]] = OrderedDict()
_lock = Lock()


def remembered(derived: type[KeptT], version: FrameworkVersion, at: datetime) -> KeptT:
    """`derived` of a version, from memory where nothing that it is derived from has changed."""
    key, fingerprint = (derived, version.pk), _fingerprint(version, at)
    with _lock:
        kept = _kept.get(key)
        if kept and kept[0] == fingerprint:
            _kept.move_to_end(key)
            return cast(KeptT, kept[1])
    found = derived(version, at)
    with _lock:
        _kept[key] = (fingerprint, found)
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(each.count for _, each in _kept.values()) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def forget() -> None:
    """Keep nothing: for tests, in which one version after the other has the same id."""
    with _lock:
        _kept.clear()


def overview_of(version: FrameworkVersion, at: datetime) -> Overview:
    """The standing of a version, each requirement by itself, from memory where nothing has changed."""
    return remembered(Overview, version, at)


def _fingerprint(version: FrameworkVersion, at: datetime) -> tuple[Any, ...]:
    """Three small queries: what was decided, who the people are, and who stands in for whom."""
    decided = Signoff.objects.filter(framework_id=version.framework_id).aggregate(newest=Max("pk"), count=Count("pk"))
    impact = VersionImpact.objects.filter(version=version).aggregate(newest=Max("pk"))
    delegated = Delegation.objects.aggregate(newest=Max("pk"), ended=Count("ended_at"))
    return (
        version.state,
        version.round,
        version.updated_at,
        version.framework.active_version_id,
        *decided.values(),
        *impact.values(),
        *delegated.values(),
        _people(),
        _rights(),
        int(at.timestamp() // (60 * MINUTES)),
    )


def _people() -> str | None:
    line = Concat(
        Cast("pk", TextField()),
        Value(" "),
        F("name"),
        Value(" "),
        F("email"),
        Cast("is_active", TextField()),
        Cast("is_service", TextField()),
        Value(" "),
        Cast("groups__pk", TextField()),
        output_field=TextField(),
    )
    rows = User.objects.annotate(line=line)
    found: str | None = rows.aggregate(all=MD5(StringAgg("line", Value(","), order_by="line")))["all"]
    return found


def _rights() -> str | None:
    line = Concat(Cast("pk", TextField()), Value(" "), Cast("permissions__pk", TextField()), output_field=TextField())
    rows = Group.objects.annotate(line=line)
    found: str | None = rows.aggregate(all=MD5(StringAgg("line", Value(","), order_by="line")))["all"]
    return found
