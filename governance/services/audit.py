"""The audit chain: appending under the head's lock, and proving that nobody touched it.

Every entry's hash covers its whole content in canonical JSON (RFC 8785, numbers as strings) and the hash of
the entry before. The head row is locked by each writer: without the lock, concurrent writers fork the chain.
The chain cannot see its own end cut off: `anchor` writes (seq, hash, count) to a place outside the database.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785
import structlog
from django.conf import settings
from django.db import transaction

from frameworks.governed import Act
from governance.models import AuditEntry, AuditHead

GENESIS = "0" * 64


def ensure_head(**kwargs: Any) -> None:
    """Make the head's one row; after every migrate, so that a flush keeps it."""
    AuditHead.objects.bulk_create([AuditHead(id=1)], ignore_conflicts=True)


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 (hex) over every field of the entry but the hash itself."""
    content = {
        "seq": str(entry.seq),
        "at": instant(entry.at),
        "actor": str(entry.actor_id or ""),
        "actor_name": entry.actor_name,
        "actor_kind": entry.actor_kind,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "object_label": entry.object_label,
        "reason": entry.reason,
        "before": entry.before,
        "after": entry.after,
        "request_id": entry.request_id,
        "prev_hash": entry.prev_hash,
    }
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def append_entry(*, act: Act) -> AuditEntry:
    """Write the act to the chain, in the transaction that `governed()` opened."""
    head = AuditHead.objects.select_for_update().get(pk=1)
    after = act.after | ({"joined": act.joined} if act.joined else {})
    entry = AuditEntry(
        seq=head.seq + 1,
        at=act.at,
        actor=act.actor,
        actor_name=act.actor.name if act.actor else "Cutline",
        actor_kind=act.actor_kind,
        action=act.action,
        object_type=act.target._meta.label_lower,
        object_id=str(getattr(act.target, "uuid", act.target.pk)),
        object_label=str(act.target)[:255],
        reason=act.reason,
        before=act.before,
        after=after,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64],
        prev_hash=head.hash,
    )
    entry.hash = entry_hash(entry)
    entry.save(force_insert=True)
    head.seq, head.hash = entry.seq, entry.hash
    head.save(update_fields=["seq", "hash"])
    return entry


@dataclass(frozen=True)
class Finding:
    """The first thing wrong with the chain. `kind` is edited, gap, swapped, truncated or head."""

    kind: str
    seq: int
    message: str


@dataclass(frozen=True)
class Verification:
    entries: int
    last_hash: str
    finding: Finding | None

    @property
    def is_sound(self) -> bool:
        return self.finding is None


def verify_chain() -> Verification:
    """Walk the whole chain in one snapshot and name the first bad entry."""
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().get(pk=1)
        count, last_seq, last_hash = 0, 0, GENESIS
        for entry in AuditEntry.objects.order_by("seq").iterator(chunk_size=5000):
            finding = _check(entry, last_seq, last_hash)
            if finding:
                return Verification(count, last_hash, finding)
            count, last_seq, last_hash = count + 1, entry.seq, entry.hash
        return Verification(count, last_hash, _check_end(head, last_seq, last_hash))


def _check(entry: AuditEntry, last_seq: int, last_hash: str) -> Finding | None:
    own = entry_hash(entry)
    if entry.seq != last_seq + 1:
        return Finding("gap", last_seq + 1, f"Entry {last_seq + 1} is missing.")
    if entry.prev_hash != last_hash and own == entry.hash:
        return Finding("swapped", entry.seq, f"Entry {entry.seq} does not follow entry {last_seq}.")
    if own != entry.hash:
        return Finding("edited", entry.seq, f"Entry {entry.seq} was changed after it was written.")
    return None


def _check_end(head: AuditHead, last_seq: int, last_hash: str) -> Finding | None:
    if head.seq > last_seq:
        return Finding("truncated", last_seq + 1, f"Entries {last_seq + 1} to {head.seq} were cut off.")
    if head.seq != last_seq or head.hash != last_hash:
        return Finding("head", last_seq, f"The head does not fit entry {last_seq}.")
    return next(_check_anchors(last_seq), None)


def _check_anchors(last_seq: int) -> Iterator[Finding]:
    """A cut tail with the head set back is seen only from outside: by the anchors."""
    for anchor in read_anchors():
        if anchor["seq"] > last_seq:
            yield Finding(
                "truncated",
                last_seq + 1,
                f"The anchor of {anchor['at']} knows entry {anchor['seq']}; it is gone.",
            )
            return
        stored = AuditEntry.objects.filter(seq=anchor["seq"]).values_list("hash", flat=True).first()
        if anchor["seq"] and stored != anchor["hash"]:
            yield Finding("edited", anchor["seq"], f"Entry {anchor['seq']} is not what the anchor saw.")
            return


def anchor_path() -> Path:
    return Path(settings.AUDIT_ANCHOR_FILE)


def read_anchors() -> list[dict[str, Any]]:
    """What was written outside the database: dicts of seq, hash, entries, at; oldest first."""
    path = anchor_path()
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def write_anchor(*, verification: Verification, at: datetime) -> None:
    """Append the chain's end to the anchor file, unless the chain is unsound or the end is already there."""
    anchors = read_anchors()
    if not verification.is_sound or (anchors and anchors[-1]["hash"] == verification.last_hash):
        return
    line = {
        "seq": verification.entries,
        "hash": verification.last_hash,
        "entries": verification.entries,
        "at": instant(at),
    }
    path = anchor_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
