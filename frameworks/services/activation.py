"""Putting an approved version in force: the pointer moves, and nothing else says which version is active.

The run over the accounts is planned and applied by the apps above, around `flip_active_version`.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from frameworks.definition import definition_of
from frameworks.errors import ConflictError
from frameworks.governed import governed
from frameworks.models import Framework, FrameworkVersion, Kind, User
from frameworks.services.access import require_permission
from frameworks.services.catalog import bring_live
from frameworks.signals import version_activated
from frameworks.standing import RequirementStanding, Standings

State = FrameworkVersion.State


def activation_blockers(version: FrameworkVersion, at: datetime) -> list[str]:
    """Why the version cannot be activated now, one sentence each; empty when it can.

    Everything is derived again: digests, decisions, freshness, and whether each signer still has their role.
    """
    standings = Standings(version, at)
    return blockers_of(standings, standings.all())


def blockers_of(standings: Standings, requirements: Sequence[RequirementStanding]) -> list[str]:
    """`activation_blockers` from what is read already."""
    version = standings.version
    blockers = []
    if version.state not in (State.APPROVED, State.SCHEDULED):
        blockers.append(f"Version {version.number} is {version.standing.lower()}, not approved.")
    active = version.framework.active_version
    if version.base_version_id != version.framework.active_version_id:
        base = f"version {version.base_version.number}" if version.base_version else "no version"
        blockers.append(f"It was drafted from {base}, but {active} is active now: start a new draft from {active}.")
    if version.manifest_digest and standings.manifest.digest != version.manifest_digest:
        blockers.append("Its parts are not the ones that were submitted.")
    blockers += [requirement_words(standing) for standing in requirements if not standing.is_met]
    return blockers


def requirement_words(standing: RequirementStanding) -> str:
    """An open requirement in words: what is missing, and from whom."""
    name, given = str(standing.requirement), len(standing.approvals)
    words = [f"{name}: {given} of {standing.needed} signed."]
    words += [f"{each.printed_name} said No: “{each.reason}”." for each in standing.rejections]
    if standing.missing and given < standing.needed:
        words.append(f"Still to sign: {', '.join(person.name for person in standing.missing)}.")
    return " ".join([*words, *standing.lapsed])


def flip_active_version(*, version: FrameworkVersion, actor: User, at: datetime) -> Framework:
    """Make the version the active one, in the caller's transaction if there is one.

    Raises ConflictError listing every blocker, found again under the framework's lock.
    """
    require_permission(actor, "activate_version", to="activate a version")
    with transaction.atomic():
        framework = Framework.objects.select_for_update().get(pk=version.framework_id)
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",)))
        version.framework = framework
        if blockers := activation_blockers(version, at):
            raise ConflictError(f"Version {version.number} cannot be activated.", reasons=blockers)
        with governed("version.activated", actor=actor, target=version, at=at) as act:
            act.before = {"active": str(framework.active_version or "")}
            act.after = {"active": str(version), "manifest": version.manifest_digest}
            if framework.active_version:
                framework.active_version.superseded_at = at
                framework.active_version.save(update_fields=["superseded_at", "updated_at"])
            version.state, version.activated_at, version.scheduled_for = State.ACTIVATED, at, None
            version.save(update_fields=["state", "activated_at", "scheduled_for", "updated_at"])
            framework.active_version = version
            framework.save(update_fields=["active_version", "updated_at"])
            order = version.parts.filter(kind=Kind.DIMENSION).order_by("pk").values_list("key", flat=True)
            bring_live(framework=framework, definition=definition_of(version), order=list(order))
            version_activated.send(sender=FrameworkVersion, version=version, actor=actor, at=at)
    return framework
