"""The audit chain: appending under the head's lock, and proving that nobody touched it.

Every entry's hash covers its whole content in canonical JSON (RFC 8785, numbers as strings) and the hash of
the entry before. The head row is locked by each writer: without the lock, concurrent writers fork the chain.
The chain cannot see its own end cut off: `anchor_chain` writes (seq, hash, count) to a place outside the database.
"""

import hashlib
import json
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


def entry_content(entry: AuditEntry) -> dict[str, Any]:
    """Every field of the entry but the hash itself, JSON-ready: what the hash covers."""
    return {
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


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 (hex) over `entry_content` in canonical JSON."""
    return hashlib.sha256(rfc8785.dumps(entry_content(entry))).hexdigest()


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
    """The first thing wrong with the chain.

    `kind` is edited, gap, swapped, broken (it does not follow the entry before, which somebody rewrote together
    with its hash), truncated, head (the head row was changed) or anchor (the anchor file cannot be read).
    """

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
    """Walk the chain up to where its head stands now and name the first bad entry. Holds nobody up."""
    head = AuditHead.objects.get(pk=1)
    count, last_seq, last_hash = 0, 0, GENESIS
    with transaction.atomic():
        for entry in AuditEntry.objects.filter(seq__lte=head.seq).order_by("seq").iterator(chunk_size=5000):
            finding = _check(entry, last_seq, last_hash)
            if finding:
                return Verification(count, last_hash, finding)
            count, last_seq, last_hash = count + 1, entry.seq, entry.hash
    return Verification(count, last_hash, _check_end(head, last_seq, last_hash))


def _check(entry: AuditEntry, last_seq: int, last_hash: str) -> Finding | None:
    if entry.seq != last_seq + 1:
        return Finding("gap", last_seq + 1, f"Entry {last_seq + 1} is missing.")
    if entry_hash(entry) != entry.hash:
        return _edited_or_swapped(entry)
    if entry.prev_hash != last_hash:
        message = f"Entry {entry.seq} does not follow entry {last_seq}, which was rewritten with its hash."
        return Finding("broken", entry.seq, message)
    return None


def _edited_or_swapped(entry: AuditEntry) -> Finding:
    """An entry moved to another place is whole again under the number it was written with."""
    here = entry.seq
    successor = AuditEntry.objects.filter(prev_hash=entry.hash).exclude(seq=here + 1).first()
    predecessor = AuditEntry.objects.filter(hash=entry.prev_hash).first()
    for seq in (successor.seq - 1 if successor else here, predecessor.seq + 1 if predecessor else here):
        entry.seq = seq
        if seq != here and entry_hash(entry) == entry.hash:
            return Finding("swapped", here, f"Entry {here} was written as entry {seq}.")
    return Finding("edited", here, f"Entry {here} was changed after it was written.")


def _check_end(head: AuditHead, last_seq: int, last_hash: str) -> Finding | None:
    if head.seq > last_seq:
        return Finding("truncated", last_seq + 1, f"Entries {last_seq + 1} to {head.seq} were cut off.")
    if head.hash != last_hash:
        return Finding("head", last_seq, f"The head does not fit entry {last_seq}.")
    # One statement, hence one snapshot: an act that is written meanwhile moves the head with it.
    beyond = AuditEntry.objects.filter(seq__gt=AuditHead.objects.filter(pk=1).values("seq")[:1]).order_by("seq").first()
    if beyond:
        return Finding("head", beyond.seq, f"Entry {beyond.seq} lies beyond the head.")
    return _check_anchors(last_seq)


def _check_anchors(last_seq: int) -> Finding | None:
    """A cut tail with the head set back, and a chain written anew, are seen only from outside."""
    try:
        anchors = read_anchors()
    except UnreadableAnchorError as error:
        return Finding("anchor", error.line, f"Line {error.line} of {anchor_path()} is no anchor.")
    stored = dict(AuditEntry.objects.filter(seq__in=[row["seq"] for row in anchors]).values_list("seq", "hash"))
    for row in anchors:
        if row["seq"] > last_seq:
            message = f"The anchor of {row['at']} knows entry {row['seq']}; it is gone."
            return Finding("truncated", last_seq + 1, message)
        if row["seq"] and stored[row["seq"]] != row["hash"]:
            return Finding("edited", row["seq"], f"Entry {row['seq']} is not what the anchor of {row['at']} saw.")
    return None


class UnreadableAnchorError(Exception):
    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(f"line {line}")


def anchor_path() -> Path:
    return Path(settings.AUDIT_ANCHOR_FILE)


def read_anchors() -> list[dict[str, Any]]:
    """What was written outside the database: dicts of seq, hash, entries, at; oldest first.

    Raises UnreadableAnchorError.
    """
    path = anchor_path()
    if not path.exists():
        return []
    return [_read_anchor(number, line) for number, line in enumerate(path.read_text().splitlines(), 1) if line]


def _read_anchor(number: int, line: str) -> dict[str, Any]:
    try:
        row: Any = json.loads(line)
        return {"seq": int(row["seq"]), "hash": str(row["hash"]), "entries": row["entries"], "at": row["at"]}
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableAnchorError(number) from error


def anchor_chain(*, at: datetime) -> Verification:
    """Verify, and append the end to the anchor file unless the chain is unsound or its end is already there."""
    verification = verify_chain()
    if not verification.is_sound or not verification.entries:
        return verification
    anchors = read_anchors()
    if anchors and anchors[-1]["hash"] == verification.last_hash:
        return verification
    count = verification.entries
    line = {"seq": count, "hash": verification.last_hash, "entries": count, "at": instant(at)}
    path = anchor_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return verification
