"""What an audit entry says of the sign-offs it was written for: one digest over all that was said. Pure."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import rfc8785

from frameworks.models import Signoff

FIELDS = (
    *("code", "part_kind", "part_key", "round", "decision", "meaning", "statement", "reason", "covered_digest"),
    *("manifest_digest", "impact_digest", "printed_name", "on_behalf_of_name", "role", "authentication"),
    *("authenticated_at", "signed_at"),
)


def attested(signoff: Signoff) -> dict[str, Any]:
    """What was said and how it was proven, JSON-ready; the names are those of the fields."""
    found = {name: getattr(signoff, name) for name in FIELDS}
    return {name: _instant(value) if isinstance(value, datetime) else value for name, value in found.items()}


def attested_digest(signoffs: Iterable[Signoff]) -> str:
    """SHA-256 (hex) of these sign-offs in the order in which they were given, in canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps([attested(signoff) for signoff in signoffs])).hexdigest()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
