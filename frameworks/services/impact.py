"""Recording what a version would change. The apps above compute it; here it becomes part of what is signed."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785
from django.db import transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.impact import figure_problems
from frameworks.models import FrameworkVersion, User, VersionImpact
from frameworks.services.signing import settle
from frameworks.transitions import UNDER_WAY

State = FrameworkVersion.State


def record_impact(
    *, version: FrameworkVersion, figures: Mapping[str, Any], as_of: datetime, actor: User | None, at: datetime
) -> VersionImpact:
    """Keep the figures of a version that is not in force yet; `actor` None is the system itself.

    The newest one is what signers are shown and sign. Where it lies outside the tolerance of what somebody
    signed, that signature no longer counts, and an approved version goes back into review. The figures of
    today again change nothing. Raises InvalidError for malformed figures, ConflictError when the version ended.
    """
    if problems := figure_problems(figures):
        raise InvalidError(problems)
    digest = impact_digest(figures, as_of)
    with transaction.atomic():
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        if version.state != State.DRAFT and version.state not in UNDER_WAY:
            raise ConflictError(f"Version {version.number} is {version.is_now}: it changes nothing more.")
        newest = version.impacts.order_by("-pk").first()
        if newest and newest.digest == digest:
            return newest
        with governed("impact.recorded", actor=actor, target=version, at=at) as act:
            impact = VersionImpact.objects.create(
                version=version, computed_at=at, as_of=as_of, figures=dict(figures), digest=digest, computed_by=actor
            )
            act.after = {"impact": digest, "as_of": _instant(as_of)}
            settle(version=version, actor=actor, at=at)
    return impact


def impact_digest(figures: Mapping[str, Any], as_of: datetime) -> str:
    """SHA-256 (hex) of the figures and their moment in canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps({"as_of": _instant(as_of), "figures": dict(figures)})).hexdigest()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
