"""Signing the version in force again, also when nothing changed."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from frameworks.attested import attested_digest
from frameworks.coverage import manifest_of
from frameworks.errors import ConflictError, NotAllowedError, StaleSignoffError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, Signoff, User
from frameworks.naming import requirement_names
from frameworks.recertification import Recertification, recertifications
from frameworks.services.signing import Answer, SignoffWriter, labels_of, refuse_malformed
from frameworks.signers import refuse_unproven

Decision = Signoff.Decision


def recertify(
    *,
    version: FrameworkVersion,
    decisions: Sequence[Answer],
    signer: User,
    authentication: str,
    authenticated_at: datetime,
    at: datetime,
) -> list[Signoff]:
    """Record that the signer still stands by what is in force, or no longer does, with the reason.

    The version keeps serving either way; a No keeps the requirement open, where everybody sees it. Signers are
    those whom the policy means today. Raises as `sign` does; ConflictError when nothing is open.
    """
    refuse_malformed(decisions)
    refuse_unproven(signer, authentication, authenticated_at, at)
    with transaction.atomic():
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        known = {each.requirement.pk: each for each in recertifications(version, at)}
        chosen = [(_open(known.get(answer.requirement_id), version), answer) for answer in decisions]
        _refuse_outsiders([each for each, _ in chosen], signer)
        _refuse_stale(chosen)
        with governed("version.recertified", actor=signer, target=version, at=at) as act:
            rows = Signoff.objects.bulk_create(
                _rows(version, chosen, SignoffWriter(version, signer, authentication, authenticated_at, at))
            )
            act.after = {"decisions": [f"{row.decision} {row.code} {row.part_key}".strip() for row in rows]}
            act.after["signoffs"] = attested_digest(rows)
    return rows


def _open(found: Recertification | None, version: FrameworkVersion) -> Recertification:
    if found is None or not found.is_open:
        raise ConflictError(f"Nothing of that is due on version {version.number}. Nothing was signed.")
    return found


def _refuse_outsiders(chosen: Sequence[Recertification], signer: User) -> None:
    for each in chosen:
        if all(person.pk != signer.pk for person in each.pool):
            signers = each.requirement.pool_label
            raise NotAllowedError(
                f"{each.requirement.label} is signed by {signers}, by people who wrote nothing of it."
            )


def _refuse_stale(chosen: Sequence[tuple[Recertification, Answer]]) -> None:
    stale = [each.requirement for each, answer in chosen if answer.expected_digest != each.digest]
    if stale:
        names = requirement_names(stale)
        raise StaleSignoffError(requirement_ids=list(names), labels=list(names.values()))


def _rows(
    version: FrameworkVersion, chosen: Sequence[tuple[Recertification, Answer]], writer: SignoffWriter
) -> list[Signoff]:
    labels = labels_of([each.requirement for each, _ in chosen], manifest_of(version))
    return [
        writer.row(
            each.requirement,
            decision=answer.decision,
            reason=answer.reason.strip(),
            meaning="recertified" if answer.decision == Decision.APPROVE else "refused",
            statement=recertification_statement(each, labels[each.requirement.pk], answer.decision),
            covered_digest=each.digest,
        )
        for each, answer in chosen
    ]


def recertification_statement(standing: Recertification, label: str, decision: str) -> str:
    """The words above the button; they are stored with the signature exactly as shown."""
    version = standing.requirement.version
    where = f"version {version.number} of {version.framework.name}"
    if decision == Decision.REJECT:
        return f"I no longer agree with {label} in {where}."
    return f"I have looked at {label} in {where} again and still agree, for {standing.requirement.recertify_days} days."
