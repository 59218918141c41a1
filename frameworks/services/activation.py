"""Putting an approved version in force: the pointer moves, and nothing else says which version is active.

The run over the accounts is planned and applied by the apps above, around `flip_active_version`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from frameworks.definition import definition_of
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import Framework, FrameworkVersion, Kind, User
from frameworks.naming import requirement_names
from frameworks.services.access import require_permission
from frameworks.services.catalog import bring_live
from frameworks.signals import version_activated
from frameworks.standing import RequirementStanding, Standings
from frameworks.standing_tally import FrozenStandings
from frameworks.transitions import UNDER_WAY

State = FrameworkVersion.State
RATIFY_WITHIN = timedelta(hours=72)


def activation_blockers(version: FrameworkVersion, at: datetime) -> list[str]:
    """Why the version cannot be activated now, one sentence each; empty when it can.

    Everything is derived again: digests, decisions, freshness, and whether each signer still has their role.
    """
    standings = Standings(version, at)
    return blockers_of(standings, standings.all())


def blockers_of(standings: Standings, requirements: Sequence[RequirementStanding]) -> list[str]:
    """`activation_blockers` from what is read already."""
    open_ones = waited_for(standings, requirements)
    names = requirement_names([standing.requirement for standing in open_ones])
    said = [requirement_words(standing, names[standing.requirement.pk]) for standing in open_ones]
    return [*version_blockers(standings), *said]


def waited_for(standings: Standings, requirements: Sequence[RequirementStanding]) -> list[RequirementStanding]:
    """The requirements that keep the version from being activated: an emergency waits for none."""
    return [] if standings.version.is_emergency else [standing for standing in requirements if not standing.is_met]


def version_blockers(standings: Standings | FrozenStandings) -> list[str]:
    """What keeps the version from being activated besides its requirements: state, base, parts."""
    version = standings.version
    blockers = _state_blockers(version)
    if version.base_version_id != version.framework.active_version_id:
        active = version.framework.active_version
        base = f"version {version.base_version.number}" if version.base_version else "no version"
        blockers.append(f"It was drafted from {base}, but {active} is active now: rebase it into a new draft round.")
    if version.manifest_digest and standings.parts_digest != version.manifest_digest:
        blockers.append("Its parts are not the ones that were submitted.")
    return blockers


def _state_blockers(version: FrameworkVersion) -> list[str]:
    ready = UNDER_WAY if version.is_emergency else (State.APPROVED, State.SCHEDULED)
    return [] if version.state in ready else [f"Version {version.number} is {version.is_now}, not approved."]


def requirement_words(standing: RequirementStanding, name: str) -> str:
    """An open requirement in words: what is missing, and from whom."""
    given = len(standing.approvals)
    words = [f"{name}: {given} of {standing.needed} signed."]
    words += [f"{each.printed_name} said No: “{each.reason}”." for each in standing.rejections]
    if standing.missing and given < standing.needed:
        words.append(f"Still to sign: {', '.join(person.name for person in standing.missing)}.")
    return " ".join([*words, *standing.lapsed])


def flip_active_version(*, version: FrameworkVersion, actor: User | None, at: datetime) -> Framework:
    """Make the version the active one, in the caller's transaction if there is one.

    Raises ConflictError listing every blocker, found again under the framework's lock. An emergency needs its
    own permission and no signatures yet: it has to be ratified by `ratify_by`. `actor` None is the system, which
    puts nothing in force but a rollback to what an unratified emergency replaced.
    """
    with transaction.atomic():
        framework = Framework.objects.select_for_update(no_key=True).get(pk=version.framework_id)
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        version.framework = framework
        refuse_unauthorised(version, actor)
        standings = Standings(version, at)
        requirements = standings.all()
        if blockers := blockers_of(standings, requirements):
            raise ConflictError(f"Version {version.number} cannot be activated.", reasons=blockers)
        with governed("version.activated", actor=actor, target=version, at=at, reason=version.emergency_reason) as act:
            act.before = {"active": str(framework.active_version or "")}
            act.after = {"active": str(version), "manifest": version.manifest_digest}
            if version.is_emergency:
                _start_ratification(version, requirements, at)
                act.after["ratify_by"] = version.ratify_by.isoformat() if version.ratify_by else ""
            _put_in_force(framework, version, at)
            version_activated.send(sender=FrameworkVersion, version=version, actor=actor, at=at)
    return framework


def refuse_unauthorised(version: FrameworkVersion, actor: User | None) -> None:
    """Raises NotAllowedError unless this person, or the system (None), may put this version in force."""
    if actor is None:
        if not (version.is_emergency and version.rollback_of_id):
            raise NotAllowedError("The system itself activates nothing but the rollback of an emergency.")
    elif version.is_emergency:
        require_permission(actor, "activate_emergency", to="activate a version before it is signed")
    else:
        require_permission(actor, "activate_version", to="activate a version")


def _start_ratification(version: FrameworkVersion, requirements: Sequence[RequirementStanding], at: datetime) -> None:
    """What brings back a predecessor's parts was signed then; everything else waits for its signatures."""
    if version.rollback_of_id or all(standing.is_met for standing in requirements):
        version.ratified_at = at
    else:
        version.ratify_by = at + RATIFY_WITHIN
    version.save(update_fields=["ratified_at", "ratify_by", "updated_at"])


def _put_in_force(framework: Framework, version: FrameworkVersion, at: datetime) -> None:
    if framework.active_version:
        framework.active_version.superseded_at = at
        framework.active_version.save(update_fields=["superseded_at", "updated_at"])
    version.state, version.activated_at, version.state_reason = State.ACTIVATED, at, ""
    version.scheduled_for = version.scheduled_by = None
    version.save(update_fields=["state", "activated_at", "state_reason", "scheduled_for", "scheduled_by", "updated_at"])
    framework.active_version = version
    framework.save(update_fields=["active_version", "updated_at"])
    order = version.parts.filter(kind=Kind.DIMENSION).order_by("pk").values_list("key", flat=True)
    bring_live(framework=framework, definition=definition_of(version), order=list(order))
