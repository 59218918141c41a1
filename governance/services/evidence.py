"""Taking the evidence of a version along. It changes nothing, and who took it is in the audit chain."""

from datetime import datetime
from typing import IO

from django.db import transaction

from frameworks.errors import ConflictError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, User
from governance.evidence.bundle import write_bundle
from governance.evidence.content import EXPORTED

READ = "governance.view_audit"


def export_evidence(*, version: FrameworkVersion, out: IO[bytes], actor: User | None, at: datetime) -> str:
    """Write the version's bundle to `out`; answers its digest, which the audit entry holds too.

    `actor` None is whoever has the server's shell. The version is locked meanwhile, so that nobody signs or edits
    between two of its files. Raises NotAllowedError, ConflictError for a draft.
    """
    if actor is not None and not actor.has_perm(READ):
        raise NotAllowedError("Your role may not read the audit log, so it may not take evidence along.")
    with transaction.atomic():
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        if version.state == FrameworkVersion.State.DRAFT:
            raise ConflictError(
                f"Version {version.number} is still being written: there is evidence once it is submitted."
            )
        digest = write_bundle(version, out, by=actor.name if actor else "Cutline", at=at)
        with governed(EXPORTED, actor=actor, target=version, at=at) as act:
            act.after = {"bundle": digest, "manifest": version.manifest_digest}
    return digest
