"""Accepting a warning of the checks, in writing. A waiver is a part: it is diffed, signed and carried along."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from frameworks.checks.findings import Finding
from frameworks.errors import InvalidError
from frameworks.models import FrameworkVersion, Kind, Part, User
from frameworks.services.access import require_permission
from frameworks.services.drafting import save_part

_FINDING_CHARACTERS = 4_000


def waive_findings(
    *, version: FrameworkVersion, findings: Sequence[Finding], reason: str, actor: User, at: datetime, source: str
) -> list[Part]:
    """Write one waiver per finding, as they were shown to the author, with the same reason.

    Raises NotAllowedError, ConflictError (not a draft) and InvalidError (an error, nothing, or no reason).
    """
    require_permission(actor, "edit_draft", to="waive a warning")
    if not findings:
        raise InvalidError(["Say which warning you accept."])
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidError([f"An error cannot be waived: {finding.text}" for finding in errors])
    with transaction.atomic():
        stored = dict(version.parts.filter(kind=Kind.WAIVER).values_list("key", "body_id"))
        return [
            save_part(
                version=version,
                kind=Kind.WAIVER,
                key=finding.waiver_key,
                body=_body(finding, reason),
                expected_digest=stored.get(finding.waiver_key),
                actor=actor,
                at=at,
                source=source,
            )
            for finding in findings
        ]


def _body(finding: Finding, reason: str) -> dict[str, object]:
    return {
        "code": finding.code,
        "subject": finding.subject,
        "items": list(finding.items),
        "reason": reason.strip(),
        "finding": finding.text[:_FINDING_CHARACTERS],
    }
