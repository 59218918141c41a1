"""Putting a version in force before it is signed, and taking it back when nobody ratifies it."""

from datetime import datetime

from django.db import transaction

from frameworks.errors import ConflictError, InvalidError
from frameworks.gates import content_problems
from frameworks.governed import governed
from frameworks.models import Framework, FrameworkVersion, Part, User
from frameworks.services.access import require_permission
from frameworks.services.review import base_problems, freeze_version, policy_problems

State = FrameworkVersion.State
REASON_CHARACTERS = 15


def declare_emergency(*, version: FrameworkVersion, reason: str, actor: User, at: datetime) -> FrameworkVersion:
    """Free a draft or a version in review for activation without its signatures; it passes others in review.

    The version is frozen and its signers are asked as always. What it says has to be complete, and there has to
    be something to fall back to. Raises NotAllowedError, InvalidError, ConflictError. The app above activates.
    """
    require_permission(actor, "activate_emergency", to="activate a version before it is signed")
    reason = reason.strip()
    if sum(character.isprintable() and not character.isspace() for character in reason) < REASON_CHARACTERS:
        raise InvalidError([f"Say why this cannot wait, in {REASON_CHARACTERS} characters at least."])
    with transaction.atomic():
        framework = Framework.objects.select_for_update(no_key=True).get(pk=version.framework_id)
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        version.framework = framework
        if version.state not in (State.DRAFT, State.IN_REVIEW):
            raise ConflictError(f"Version {version.number} is {version.is_now}: it needs no emergency.")
        if problems := _problems(version):
            raise InvalidError(problems)
        with governed("version.emergency_declared", actor=actor, target=version, at=at, reason=reason) as act:
            act.before = {"state": version.state}
            version.is_emergency, version.emergency_reason = True, reason
            if version.state == State.DRAFT:
                freeze_version(version, at)
            version.save(update_fields=["is_emergency", "emergency_reason", "updated_at"])
            act.after = {"round": str(version.round), "manifest": version.manifest_digest}
    return version


def _problems(version: FrameworkVersion) -> list[str]:
    problems = [*content_problems(version), *policy_problems(version), *base_problems(version)]
    if version.framework.active_version_id is None:
        problems.append("Nothing is active yet, so there is nothing to fall back to: collect the signatures.")
    other = version.framework.versions.filter(state__in=("in_review", "approved", "scheduled"), is_emergency=True)
    if other.exclude(pk=version.pk).exists():
        problems.append("Another emergency is under way.")
    return problems


def unratified(at: datetime) -> list[FrameworkVersion]:
    """Active emergency versions whose time to be ratified is over."""
    rows = FrameworkVersion.objects.filter(
        state=State.ACTIVATED, is_emergency=True, ratified_at=None, superseded_at=None, ratify_by__lte=at
    )
    return list(rows.select_related("framework__active_version", "base_version").order_by("ratify_by", "pk"))


def draft_revert(*, version: FrameworkVersion, at: datetime) -> FrameworkVersion | None:
    """The rollback version of an emergency that nobody ratified in time, frozen and free for activation.

    Made by the system. The same one again if it is made already; None when the emergency was ratified or
    superseded meanwhile.
    """
    with transaction.atomic():
        framework = Framework.objects.select_for_update(no_key=True).get(pk=version.framework_id)
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        before = version.base_version
        if not version.awaits_ratification or before is None or version.ratify_by is None or version.ratify_by > at:
            return None
        if made := framework.versions.filter(base_version=version, rollback_of=before, state=State.IN_REVIEW).first():
            return made
        _step_aside(framework, at)
        reason = f"{version} was activated as an emergency and not ratified by {version.ratify_by:%Y-%m-%d %H:%M} UTC."
        newest = framework.versions.order_by("-number")[0]
        rollback = FrameworkVersion(
            framework=framework,
            number=newest.number + 1,
            base_version=version,
            rollback_of=before,
            author=before.author,
            is_emergency=True,
            emergency_reason=reason,
        )
        with governed("version.reverted", actor=None, target=rollback, at=at, reason=reason) as act:
            rollback.save()
            copy_parts(before, rollback)
            freeze_version(rollback, at)
            act.after = {"from": str(version), "to": str(before), "number": str(rollback.number)}
    return rollback


def _step_aside(framework: Framework, at: datetime) -> None:
    """Another emergency on its way meets the stale base: it goes back to draft, so that the revert can pass."""
    for other in framework.versions.filter(state=State.IN_REVIEW, is_emergency=True):
        with governed("version.changes_requested", actor=None, target=other, at=at, reason="Reverted meanwhile"):
            other.state, other.is_emergency, other.emergency_reason = State.DRAFT, False, ""
            other.state_reason = "The version it was based on was reverted."
            other.save(update_fields=["state", "is_emergency", "emergency_reason", "state_reason", "updated_at"])


def copy_parts(source: FrameworkVersion, target: FrameworkVersion) -> None:
    """The same bodies in a version that is still a draft; nobody's contribution."""
    rows = source.parts.order_by("pk").values_list("kind", "key", "body_id")
    Part.objects.bulk_create([Part(version=target, kind=kind, key=key, body_id=body) for kind, key, body in rows])
