"""Where too few people can sign: which requirements, why, and asking those who can change that."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from frameworks.coverage import manifest_of
from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import FrameworkVersion, HelpRequest, User
from frameworks.parts import PartError
from frameworks.querysets import able_to_help
from frameworks.recertification import Recertification, recertifications
from frameworks.services.access import require_permission
from frameworks.services.review import plan_requirements
from frameworks.standing import RequirementStanding
from frameworks.standing_tally import tally_of
from frameworks.transitions import UNDER_WAY

State = FrameworkVersion.State
CHARACTERS = 2_000
WAITS = timedelta(days=14)
"""So long a request stands in the inbox; who still needs help asks again."""


@dataclass(frozen=True)
class Shortage:
    """A line of the sign-off policy that fewer people can sign than have to; `reason` says why, with names.

    `recurs`: it has to be signed again on the version in force.
    """

    code: str
    label: str
    pool_label: str
    reason: str
    recurs: bool = False


def shortages_of(version: FrameworkVersion, at: datetime) -> list[Shortage]:
    """What too few people can sign, in the policy's order; nothing for a version that asks nobody any more."""
    if version.state == State.DRAFT:
        return _of_draft(version)
    first: list[Shortage] = []
    if version.state in UNDER_WAY or version.awaits_ratification:
        first = shortages_among(group.one for group in tally_of(version, at).groups)
    again = shortages_to_recertify(recertifications(version, at))
    return [*first, *(each for each in again if each.code not in {one.code for one in first})]


def _of_draft(version: FrameworkVersion) -> list[Shortage]:
    try:
        plan = plan_requirements(version, manifest_of(version))
    except PartError:
        return []  # the gates name what cannot be read
    return [
        Shortage(planned.line.code, planned.line.label, planned.pool_label, reason)
        for planned in plan
        if (reason := planned.shortage())
    ]


def shortages_among(standings: Iterable[RequirementStanding]) -> list[Shortage]:
    """The same of a version that is being signed: one for each code, of its first requirement that is short."""
    found: dict[str, Shortage] = {}
    for standing in standings:
        requirement = standing.requirement
        if standing.lacks_signers and requirement.code not in found:
            left = standing.counted + len(standing.missing)
            short = f"{requirement.label} has too few people who can sign: {left} of {standing.needed}."
            reason = " ".join([short, *standing.lapsed])
            found[requirement.code] = Shortage(requirement.code, requirement.label, requirement.pool_label, reason)
    return list(found.values())


def shortages_to_recertify(recurring: Iterable[Recertification]) -> list[Shortage]:
    """The same of what is signed again: one for each code, of its first requirement that is short."""
    found: dict[str, Shortage] = {}
    for each in recurring:
        asked = each.requirement
        if each.shortage and asked.code not in found:
            found[asked.code] = Shortage(asked.code, asked.label, asked.pool_label, each.shortage, recurs=True)
    return list(found.values())


def ask_for_help(*, version: FrameworkVersion, code: str, message: str, actor: User, at: datetime) -> HelpRequest:
    """Ask whoever may change the sign-off policy or give roles, about one line of the policy, once a day.

    Raises NotAllowedError, InvalidError (no message, no such line), ConflictError (enough people can sign, somebody
    asked today, or nobody else could help).
    """
    require_permission(actor, "comment_version", to="ask for help")
    message = message.strip()
    if not message or len(message) > CHARACTERS:
        raise InvalidError([f"Say what you need, in {CHARACTERS:,} characters at most."])
    with transaction.atomic():
        version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
        shortage = _shortage(version, code, at)
        refuse_second(version, shortage.code, shortage.label, at)
        told = _who_is_told(actor)
        with governed("version.help_asked", actor=actor, target=version, at=at, reason=message) as act:
            row = HelpRequest.objects.create(
                version=version,
                code=shortage.code,
                label=shortage.label,
                reason=shortage.reason,
                message=message,
                asked_by=actor,
                printed_name=actor.name,
                asked_at=at,
                asked_on=timezone.localdate(at),
            )
            row.told.set(told)
            act.after = {"requirement": shortage.code, "told": str(len(told))}
    return row


def _shortage(version: FrameworkVersion, code: str, at: datetime) -> Shortage:
    found = next((each for each in shortages_of(version, at) if each.code == code), None)
    if found is None:
        raise ConflictError("There is nothing to ask for: enough people can sign this.")
    return found


def refuse_second(version: FrameworkVersion, code: str, label: str, at: datetime) -> None:
    """Raises ConflictError when somebody asked about this line of the policy today."""
    row = version.help_requests.filter(code=code, asked_on=timezone.localdate(at)).first()
    if row:
        raise ConflictError(f"{row.printed_name} asked for help with {label} today. Ask again tomorrow.")


def _who_is_told(actor: User) -> list[User]:
    told = list(able_to_help().exclude(pk=actor.pk))
    if not told:
        raise ConflictError("Nobody else may change the sign-off policy or give roles. Ask whoever runs Cutline.")
    return told


def waiting_for_help(at: datetime) -> list[HelpRequest]:
    """The newest request about each line that too few people can still sign, oldest first."""
    rows = HelpRequest.objects.filter(asked_at__gt=at - WAITS).order_by("pk")
    rows = rows.select_related("version__framework__active_version").prefetch_related("told")
    newest = {(row.version_id, row.code): row for row in rows}
    versions = {row.version_id: row.version for row in newest.values()}
    short = {(pk, each.code) for pk, version in versions.items() for each in shortages_of(version, at)}
    return sorted((row for about, row in newest.items() if about in short), key=lambda row: row.pk)


def help_asked(version: FrameworkVersion, code: str) -> list[HelpRequest]:
    """What was asked about one line of a version's policy, newest first, with whom it told."""
    return list(version.help_requests.filter(code=code).prefetch_related("told").order_by("-pk")[:20])
