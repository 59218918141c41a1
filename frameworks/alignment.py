"""Who agrees with which definition: the matrix of terms and stakeholders, and all that is known of one term."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.db.models import Q

from frameworks.comparison import PartId, bodies_of_parts
from frameworks.models import FrameworkVersion, Kind, Part
from frameworks.standing import RequirementStanding

StandingsByPart = Mapping[PartId, Sequence[RequirementStanding]]
Said = Literal["yes", "no", "open"]


@dataclass(frozen=True)
class Voice:
    """One stakeholder on one term, today's wording; `overruled_by` where a No was approved over, with its reason."""

    person_id: int
    name: str
    said: Said
    reason: str = ""
    at: datetime | None = None
    overruled_by: str = ""
    overruled_because: str = ""


@dataclass
class Row:
    """One term in the matrix; `cells` in the order of the matrix's people, None for somebody who is not asked."""

    key: str
    label: str
    voices: list[Voice]
    cells: list[Voice | None] = field(default_factory=list)

    @property
    def is_aligned(self) -> bool:
        return bool(self.voices) and all(voice.said == "yes" for voice in self.voices)

    @property
    def noes(self) -> list[Voice]:
        return [voice for voice in self.voices if voice.said == "no"]


@dataclass(frozen=True)
class Wording:
    """A wording, from the version that brought it on; `before` is the one it took the place of."""

    version: FrameworkVersion
    text: str
    before: str
    owner: str
    until: FrameworkVersion


def voices_on(standings: Iterable[RequirementStanding]) -> list[Voice]:
    """Everybody who is asked about a part, once each: a No outweighs a Yes, and that an open answer."""
    found: dict[int, Voice] = {}
    for standing in standings:
        for person in standing.missing:
            found.setdefault(person.pk, Voice(person.pk, person.name, "open"))
        for given in standing.approvals:
            if given.signer_id not in found or found[given.signer_id].said == "open":
                found[given.signer_id] = Voice(given.signer_id, given.printed_name, "yes", at=given.signed_at)
        for given in standing.rejections:
            over = standing.overruled_by
            whose = (over.printed_name, over.reason) if over else ("", "")
            voice = Voice(given.signer_id, given.printed_name, "no", given.reason, given.signed_at, *whose)
            found[given.signer_id] = voice
    return sorted(found.values(), key=lambda voice: voice.name)


def matrix(
    version: FrameworkVersion, standings: StandingsByPart, keys: Sequence[str]
) -> tuple[list[tuple[int, str]], list[Row]]:
    """The people asked about these terms, and a row for each term; one query. `standings` of the terms by part."""
    bodies = bodies_of_parts(version, [(Kind.TERM.value, key) for key in keys])
    rows = [
        Row(key, str(bodies[Kind.TERM.value, key].get("label", key)), voices_on(_standings(standings, key)))
        for key in keys
        if (Kind.TERM.value, key) in bodies
    ]
    people = sorted({(voice.name, voice.person_id) for row in rows for voice in row.voices})
    for row in rows:
        said = {voice.person_id: voice for voice in row.voices}
        row.cells = [said.get(pk) for _, pk in people]
    return [(pk, name) for name, pk in people], rows


def unaligned_first(standings: StandingsByPart, keys: Iterable[str]) -> list[str]:
    """Terms with a No, then those with open answers, then the aligned ones; each by key."""
    return sorted(keys, key=lambda key: (_rank(_standings(standings, key)), key))


def _rank(standings: Sequence[RequirementStanding]) -> int:
    if any(standing.is_disputed for standing in standings):
        return 0
    return 2 if standings and all(standing.is_met for standing in standings) else 1


def _standings(standings: StandingsByPart, key: str) -> Sequence[RequirementStanding]:
    return standings.get((Kind.TERM.value, key), ())


def wordings_of(version: FrameworkVersion, key: str) -> list[Wording]:
    """How a term was worded up to this version, newest first; versions that say the same are one."""
    parts = Part.objects.filter(
        version__framework=version.framework_id, version__number__lte=version.number, kind=Kind.TERM, key=key
    )
    found: list[Wording] = []
    for part in parts.select_related("version__framework", "body").order_by("version__number"):
        text, owner = str(part.body.body.get("wording", "")), str(part.body.body.get("owner") or "")
        if found and found[-1].text == text:
            found[-1] = Wording(found[-1].version, text, found[-1].before, owner, part.version)
        else:
            found.append(Wording(part.version, text, found[-1].text if found else "", owner, part.version))
    return found[::-1]


def used_by(body: dict[str, object]) -> list[PartId]:
    """The parts that a term names as those where it matters."""
    kinds = (("attributes", Kind.DATA_SOURCE), ("dimensions", Kind.DIMENSION), ("segments", Kind.SEGMENT))
    said = body.get("used_by")
    named = said if isinstance(said, dict) else {}
    return [(kind.value, str(key)) for name, kind in kinds for key in named.get(name, ())]


def terms_about(version: FrameworkVersion, kind: str, key: str) -> list[tuple[str, str]]:
    """The way back: terms (key, label) that name this attribute, dimension or segment."""
    names = {Kind.DATA_SOURCE: "attributes", Kind.DIMENSION: "dimensions", Kind.SEGMENT: "segments"}
    if kind not in names:
        return []
    named = Q(**{f"body__body__used_by__{names[Kind(kind)]}__contains": [key]})
    rows = version.parts.filter(named, kind=Kind.TERM).order_by("key").values_list("key", "body__body__label")
    return [(term, str(label)) for term, label in rows]
