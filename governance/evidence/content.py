"""The files of an evidence bundle, written piece by piece: a version of ten thousand parts fits in little memory.

Everything but export.json depends on the version alone, so two bundles of the same version have the same bytes there.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import rfc8785
from django.db.models import Q, QuerySet

from accounts.models import AssignmentRun
from frameworks.attested import attested
from frameworks.comparison import differences, digests_at, digests_of, typed
from frameworks.models import (
    Comment,
    Confirmation,
    Contribution,
    Delegation,
    FrameworkVersion,
    Kind,
    Part,
    PartBody,
    Requirement,
    Signoff,
    VersionImpact,
)
from frameworks.parts import canonical, combine_digests
from frameworks.parts.base import write_decimal
from frameworks.parts.diff import PartChange
from frameworks.removed_policies import removed_policies
from frameworks.standing import decisions_not_passed_over
from governance.evidence.levels import level_table
from governance.models import AuditEntry, AuditHead
from governance.services.audit import entry_content, instant

FORMAT = "cutline-evidence/1"
VERIFIER = Path(__file__).with_name("verify.py")
EXPORTED = "evidence.exported"
SIGNING = (
    *("version.signed", "signoff.withdrawn", "version.recertified"),
    *("version.dissent_overruled", "version.overruling_withdrawn"),
)
CHUNK = 500
PartId = tuple[str, str]
Chunks = Iterator[bytes]
File = tuple[str, Chunks]
Row = dict[str, Any]
Item = TypeVar("Item")


class Evidence:
    """What a version's bundle holds; the version is locked by whoever writes it.

    The chain is read up to `head`: acts on a run or a thread do not wait for the lock.
    """

    def __init__(self, version: FrameworkVersion, head: AuditHead) -> None:
        self.version = version
        self.head = head
        self.framework = version.framework

    @cached_property
    def digests(self) -> dict[PartId, str]:
        """The body digest of every part, by kind and key."""
        return dict(sorted(digests_of(self.version).items()))

    @cached_property
    def manifest_digest(self) -> str:
        return combine_digests((kind, key, digest) for (kind, key), digest in self.digests.items())

    def files(self) -> Iterator[File]:
        """Names and contents, in an order of their own; contents are read when they are asked for."""
        yield "manifest.json", _one(self._manifest())
        yield "levels.json", _one(level_table())
        yield from self._parts()
        yield from self._earlier_bodies()
        yield "wordings.jsonl", _lines(self._wordings())
        yield "diff.jsonl", _lines(self._diff())
        yield "requirements.jsonl", _lines(self._requirements())
        yield "pools.jsonl", _lines(self._pools())
        yield "signoffs.jsonl", _lines(_signoff_row(each) for each in self.signoffs)
        yield "dissent.json", _one(self._dissent())
        yield "confirmations.jsonl", _lines(self._confirmations())
        yield "contributions.jsonl", _lines(self._contributions())
        yield "comments.jsonl", _lines(self._comments())
        yield "impacts.jsonl", _lines(map(_impact_row, self.impacts.iterator(chunk_size=10)))
        yield "audit/entries.jsonl", _lines(map(_entry_row, self.entries.iterator(chunk_size=CHUNK)))
        yield "audit/hashes.txt", self._hashes()

    # The version

    def _manifest(self) -> Row:
        version, base = self.version, self.version.base_version
        return {
            "format": FORMAT,
            "framework": {"uuid": str(self.framework.uuid), "slug": self.framework.slug, "name": self.framework.name},
            "version": self._version_row(version),
            "base": {"number": base.number, "manifest_digest": base.manifest_digest} if base else None,
            "manifest_digest": version.manifest_digest or self.manifest_digest,
            "parts": [[kind, key, digest] for (kind, key), digest in self.digests.items()],
        }

    def _version_row(self, version: FrameworkVersion) -> Row:
        moments = ("created_at", "submitted_at", "activated_at", "superseded_at", "scheduled_for", "ratified_at")
        return {
            "uuid": str(version.uuid),
            "number": version.number,
            "title": version.title,
            "state": version.state,
            "round": version.round,
            "author": version.author.name,
            "is_emergency": version.is_emergency,
            "emergency_reason": version.emergency_reason,
            "rollback_of": version.rollback_of.number if version.rollback_of else None,
            **{name: _moment(getattr(version, name)) for name in moments},
        }

    def _parts(self) -> Iterator[File]:
        rows = (
            Part.objects.filter(version=self.version).order_by("kind", "key").values_list("kind", "key", "body__body")
        )
        for kind, key, body in rows.iterator(chunk_size=CHUNK):
            yield f"parts/{kind}/{key}.json", iter([canonical(kind, body)])

    def _diff(self) -> Iterator[Row]:
        """Every typed difference to the base version, in reading order."""
        for batch in _batched(differences(self.version.base_version, self.version), 200):
            yield from (_change_row(change) for change in typed(batch, self.version))

    # What was signed

    @cached_property
    def signoffs(self) -> list[Signoff]:
        """All given on this version, and the whole acts in which earlier versions got what may count here."""
        carried = self._carried
        versions, moments = {version for version, _ in carried}, {at for _, at in carried}
        acts = Q(version_id__in=versions, signed_at__in=moments)
        rows = Signoff.objects.filter(Q(version=self.version) | acts).order_by("pk")
        return [
            each
            for each in rows.select_related("version", "requirement")
            if each.version_id == self.version.pk or (each.version_id, each.signed_at) in carried
        ]

    @cached_property
    def _carried(self) -> set[tuple[int, datetime]]:
        """Version and moment of each signer's newest decision on what this version asks, given on an earlier one."""
        asked = Requirement.objects.filter(version=self.version, round=self.version.round)
        counted = decisions_not_passed_over(self.version, lambda: asked.values("covered_digest"))
        newest = counted.filter(code__in=set(asked.values_list("code", flat=True)))
        about = ("code", "part_kind", "part_key", "principal_id")
        found = newest.order_by(*about, "-pk").distinct(*about).values_list("version_id", "signed_at", *about)
        return {(row[0], row[1]) for row in found if row[0] != self.version.pk}

    @cached_property
    def wordings(self) -> dict[tuple[int, int], tuple[str, dict[PartId, str] | None]]:
        """By version and round: the manifest digest that was signed, and its parts; None if not to be rebuilt."""
        found: dict[tuple[int, int], tuple[str, dict[PartId, str] | None]] = {}
        for each in self.signoffs:
            place = (each.version.number, each.round)
            if place not in found:
                parts = digests_at(each.version, each.signed_at)
                digest = combine_digests((kind, key, digest) for (kind, key), digest in parts.items())
                found[place] = (each.manifest_digest, parts if digest == each.manifest_digest else None)
        return found

    def _wordings(self) -> Iterator[Row]:
        for (number, round_), (digest, parts) in sorted(self.wordings.items()):
            differs = None if parts is None else self._differing(parts)
            yield {"version": number, "round": round_, "manifest_digest": digest, "differs": differs}

    def _differing(self, parts: dict[PartId, str]) -> list[list[str]]:
        """What another wording has instead of today's parts; an empty digest where it lacks one."""
        return [
            [*part, parts.get(part, "")]
            for part in sorted({*parts, *self.digests})
            if parts.get(part) != self.digests.get(part)
        ]

    def _earlier_bodies(self) -> Iterator[File]:
        others = {digest for _, parts in self.wordings.values() for digest in (parts or {}).values()}
        for batch in _batched(sorted(others - set(self.digests.values())), CHUNK):
            rows = PartBody.objects.filter(digest__in=batch).order_by("digest")
            for digest, kind, body in rows.values_list("digest", "kind", "body"):
                yield f"bodies/{digest}.json", iter([canonical(kind, body)])

    def _requirements(self) -> Iterator[Row]:
        rows = Requirement.objects.filter(version=self.version).order_by("round", "position", "pk")
        for each in rows.iterator(chunk_size=CHUNK):
            yield {
                "round": each.round,
                "label": each.label,
                "minimum": each.minimum,
                "pool": each.pool_label,
                "counts_contributors": each.counts_contributors,
                "includes_impact": each.includes_impact,
                "freshness_days": each.freshness_days,
                "recertify_days": each.recertify_days,
                "covered_digest": each.covered_digest,
                **_covering(each),
            }

    def _pools(self) -> Iterator[Row]:
        """Who was asked: all requirements of a code in one round share one pool."""
        firsts = (
            Requirement.objects.filter(version=self.version).order_by("round", "code", "pk").distinct("round", "code")
        )
        for each in firsts.prefetch_related("pool"):
            people = sorted(
                ({"id": str(one.pk), "name": one.name} for one in each.pool.all()), key=lambda one: one["id"]
            )
            yield {"round": each.round, "code": each.code, "label": each.pool_label, "people": people}

    def _dissent(self) -> Row:
        """Every No, what was taken back, and departments whose own wording stands beside the agreed one."""
        against = [
            each for each in self.signoffs if each.decision in (Signoff.Decision.REJECT, Signoff.Decision.WITHDRAW)
        ]
        rows = Part.objects.filter(version=self.version, kind=Kind.TERM, body__body__has_key="variants").order_by("key")
        return {
            "signoffs": [
                {"uuid": str(each.uuid), "by": each.signed_by, "decision": each.decision, "reason": each.reason}
                for each in against
            ],
            "wordings": [
                {"term": key, "variants": said} for key, said in rows.values_list("key", "body__body__variants")
            ],
        }

    # What was said and done

    @property
    def impacts(self) -> QuerySet[VersionImpact]:
        return VersionImpact.objects.filter(version=self.version).select_related("computed_by").order_by("pk")

    def _confirmations(self) -> Iterator[Row]:
        """What was said of exactly these bodies, earlier too, and of policies that left with this one."""
        gone = {(Kind.POLICY.value, each.key): each.digest for each in removed_policies(self.version)}
        digests = {**self.digests, **gone}
        rows = Confirmation.objects.filter(framework=self.framework, body__in=set(digests.values())).order_by("pk")
        for each in rows.iterator(chunk_size=CHUNK):
            if digests.get((each.kind, each.key)) == each.body_id:
                yield {
                    **{name: getattr(each, name) for name in ("kind", "key", "state", "evidence", "printed_name")},
                    "digest": each.body_id,
                    "confirmed_at": instant(each.confirmed_at),
                }

    def _contributions(self) -> Iterator[Row]:
        rows = Contribution.objects.filter(version=self.version).select_related("contributed_by").order_by("pk")
        for each in rows.iterator(chunk_size=CHUNK):
            yield {
                **{name: getattr(each, name) for name in ("kind", "key", "source")},
                "digest": each.body_id or "",
                "contributed_by": each.contributed_by.name,
                "contributed_at": instant(each.contributed_at),
            }

    def _comments(self) -> Iterator[Row]:
        rows = Comment.objects.filter(version=self.version).select_related("thread", "resolved_by").order_by("pk")
        for each in rows.iterator(chunk_size=CHUNK):
            yield {
                "uuid": str(each.uuid),
                "thread": str(each.thread.uuid) if each.thread else "",
                **{name: getattr(each, name) for name in ("part_kind", "part_key", "text", "printed_name")},
                "created_at": instant(each.created_at),
                "resolved_at": _moment(each.resolved_at),
                "resolved_by": each.resolved_by.name if each.resolved_by else "",
            }

    # The audit chain

    @cached_property
    def entries(self) -> QuerySet[AuditEntry]:
        """The acts on the version, its runs, its threads and the delegations used on it; taking evidence is none."""
        behalf = [each for each in self.signoffs if each.on_behalf_of_id]
        delegations = Delegation.objects.filter(
            delegator__in=[each.on_behalf_of_id for each in behalf], delegate__in=[each.signer_id for each in behalf]
        )
        concerned = {
            "frameworks.frameworkversion": [self.version.uuid],
            "accounts.assignmentrun": AssignmentRun.objects.filter(framework_version=self.version).values_list("uuid"),
            "frameworks.comment": Comment.objects.filter(version=self.version).values_list("uuid"),
            "frameworks.delegation": delegations.values_list("uuid"),
        }
        wanted = Q(action="framework.created", object_id=str(self.framework.uuid))
        for kind, found in concerned.items():
            ids = [str(each[0] if isinstance(each, tuple) else each) for each in found]
            wanted |= Q(object_type=kind, object_id__in=ids)
        for version, moments in self._earlier_moments.items():
            acts = {"object_type": "frameworks.frameworkversion", "object_id": version, "action__in": SIGNING}
            wanted |= Q(**acts, at__in=moments)
        return AuditEntry.objects.filter(wanted, seq__lte=self.head.seq).exclude(action=EXPORTED).order_by("seq")

    @property
    def _earlier_moments(self) -> dict[str, set[datetime]]:
        """When the sign-offs that are here were given on earlier versions; at the same moment others may have been."""
        found: dict[str, set[datetime]] = {}
        for each in self.signoffs:
            if each.version_id != self.version.pk:
                found.setdefault(str(each.version.uuid), set()).add(each.signed_at)
        return found

    def _hashes(self) -> Chunks:
        """The hash of each entry from the one before the first to the last: what they are about is not told."""
        first, last = self.entries.first(), self.entries.last()
        if first is None or last is None:
            return
        if first.seq == 1:
            yield f"0 {first.prev_hash}\n".encode()
        rows = AuditEntry.objects.filter(seq__gte=first.seq - 1, seq__lte=last.seq).order_by("seq")
        for seq, digest in rows.values_list("seq", "hash").iterator(chunk_size=5000):
            yield f"{seq} {digest}\n".encode()


def export_row(head: AuditHead, *, by: str, at: datetime) -> bytes:
    """The one file that differs between two exports: when, for whom, and where the chain ended."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "exported_at": instant(at),
        "exported_by": by,
        "audit_head": {"seq": str(head.seq), "hash": head.hash},
    }
    return rfc8785.dumps(content) + b"\n"


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


def _one(row: Row) -> Chunks:
    yield rfc8785.dumps(_plain(row)) + b"\n"


def _lines(rows: Iterable[Row]) -> Chunks:
    for row in rows:
        yield rfc8785.dumps(_plain(row)) + b"\n"


def _plain(value: Any) -> Any:
    """The value as JSON has it: decimals as text, choices as the words they stand for."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return write_decimal(value)
    return str(value) if isinstance(value, str) else value


def _moment(at: datetime | None) -> str | None:
    return instant(at) if at else None


def _change_row(change: PartChange) -> Row:
    fields = [
        {name: getattr(each, name) for name in ("pointer", "change", "level", "old", "new", "text")}
        for each in change.fields
    ]
    names = ("kind", "key", "label", "change", "level", "text")
    return {**{name: getattr(change, name) for name in names}, "fields": fields}


def _covering(requirement: Requirement) -> Row:
    """What says which parts a requirement covers, and at which level."""
    return {name: getattr(requirement, name) for name in ("code", "part_kind", "part_key", "kinds", "keys", "level")}


def _signoff_row(signoff: Signoff) -> Row:
    return {
        **attested(signoff),
        "uuid": str(signoff.uuid),
        "version": signoff.version.number,
        "signer": str(signoff.signer_id),
        "on_behalf_of": str(signoff.on_behalf_of_id or ""),
        "requirement": _covering(signoff.requirement),
    }


def _impact_row(impact: VersionImpact) -> Row:
    return {
        "uuid": str(impact.uuid),
        "computed_at": instant(impact.computed_at),
        "computed_by": impact.computed_by.name if impact.computed_by else "Cutline",
        "as_of": impact.as_of.astimezone(UTC).isoformat(timespec="microseconds"),
        "digest": impact.digest,
        "figures": impact.figures,
    }


def _entry_row(entry: AuditEntry) -> Row:
    return {**entry_content(entry), "hash": entry.hash}
