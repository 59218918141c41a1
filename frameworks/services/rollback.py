"""Going back: a new version whose parts equal an old one's. Nothing that was signed is ever reopened."""

from datetime import datetime

from django.db import transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import Framework, FrameworkVersion, User
from frameworks.services.access import require_permission
from frameworks.services.emergency import copy_parts

State = FrameworkVersion.State


def draft_rollback(*, version: FrameworkVersion, reason: str, actor: User, at: datetime) -> FrameworkVersion:
    """A draft with the parts of a version that was in force once, based on the active one.

    It carries that version's sign-offs: what was signed then and has not changed is asked of nobody again, but
    for impact and freshness. Raises InvalidError without a reason, ConflictError for a version that was never
    in force or is in force now.
    """
    require_permission(actor, "edit_draft", to="start a rollback")
    if not reason.strip():
        raise InvalidError(["Say why you go back."])
    with transaction.atomic():
        framework = Framework.objects.select_for_update(of=("self",), no_key=True).get(pk=version.framework_id)
        if version.state != State.ACTIVATED or framework.active_version_id == version.pk:
            raise ConflictError(f"Version {version.number} is {version.is_now}: there is nothing to go back to.")
        newest = framework.versions.order_by("-number")[0]
        rollback = FrameworkVersion(
            framework=framework,
            number=newest.number + 1,
            base_version=framework.active_version,
            rollback_of=version,
            author=actor,
            title=f"Back to v{version.number}",
        )
        with governed("version.rollback_drafted", actor=actor, target=rollback, at=at, reason=reason.strip()) as act:
            rollback.save()
            copy_parts(version, rollback)
            act.after = {"number": str(rollback.number), "to": str(version)}
    return rollback
