"""From draft to review and back: what must be true before people are asked to sign."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from frameworks.checks.findings import Report
from frameworks.checks.slot import checked_digest, engine_checks
from frameworks.coverage import Manifest, PartDigests, covered_digest, manifest_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.gates import content_problems
from frameworks.governed import governed
from frameworks.independence import reasons_against_signing
from frameworks.models import Confirmation, Contribution, Framework, FrameworkVersion, Kind, Requirement, User
from frameworks.parts import PartError
from frameworks.parts.naming import own_label, phrased
from frameworks.parts.policy import Requirement as PolicyLine
from frameworks.querysets import contributor_ids
from frameworks.removed_policies import to_be_confirmed
from frameworks.services.access import require_permission
from frameworks.services.signing import settle
from frameworks.signers import Person, belongs, candidates, facts_of, pool_label
from frameworks.standing import signoff_policy
from frameworks.transitions import UNDER_WAY, check_transition

State = FrameworkVersion.State


@dataclass(frozen=True)
class PlannedLine:
    """A line of the sign-off policy applied to a version: what it covers, who can sign, and why others cannot."""

    position: int
    line: PolicyLine
    covered: Sequence[PartDigests]
    pool: Sequence[Person]
    refusals: Sequence[str]

    @property
    def minimum(self) -> int:
        return len(self.pool) if self.line.minimum == "all" else int(self.line.minimum)

    @property
    def pool_label(self) -> str:
        return pool_label(self.line.pool)

    def problem(self) -> str | None:
        """Why this requirement could never be met, with names; None when it can."""
        if self.line.keys and len(self.covered) < len(self.line.keys):
            return f"{self.line.label} names parts that this version does not have."
        return self.shortage()

    def shortage(self) -> str | None:
        """Why fewer people can sign than have to; None when enough can, or nothing is covered."""
        if not self.covered or 0 < self.minimum <= len(self.pool):
            return None
        short = f"{self.line.label} has too few people who can sign: {len(self.pool)} of {max(self.minimum, 1)}."
        return " ".join([short, *(self.refusals or [f"Nobody is {self.pool_label}."])])


def submission_problems(version: FrameworkVersion, report: Report | None = None) -> list[str]:
    """Everything that keeps a version from being submitted; empty when it can be.

    `report` is what the engine and live accounts say; without one, only what the parts alone give away is known.
    """
    problems = [*content_problems(version, report), *policy_problems(version), *base_problems(version)]
    under_way = version.framework.versions.filter(state__in=UNDER_WAY, is_emergency=False)
    if other := under_way.exclude(pk=version.pk).first():
        problems.append(f"Version {other.number} is {other.is_now}: one version is reviewed at a time.")
    try:
        plan = plan_requirements(version, manifest_of(version))
    except PartError:
        return problems  # content_problems has named the place already
    return [*problems, *(problem for line in plan if (problem := line.problem()))]


def base_problems(version: FrameworkVersion) -> list[str]:
    """Whether another version became active since the draft was started."""
    if version.base_version_id == version.framework.active_version_id:
        return []
    active = version.framework.active_version
    return [f"{active} became active after this draft was started: rebase it onto {active}."]


def policy_problems(version: FrameworkVersion) -> list[str]:
    """Policies that differ from those in force, or left, and that nobody but their authors confirmed."""
    if version.base_version is None:
        return []
    before = dict(version.base_version.parts.filter(kind=Kind.POLICY).values_list("key", "body_id"))
    now = version.parts.filter(kind=Kind.POLICY).values_list("key", "body_id")
    changed = [
        f"The {phrased(Kind.POLICY, own_label(Kind.POLICY, key))} was changed: a second person has to confirm it."
        for key, body in now
        if before.get(key) != body and not _is_confirmed_by_another(version, key, body)
    ]
    gone = to_be_confirmed(version)
    return [*changed, *(f"The {each.phrase} was taken out: a second person has to confirm that." for each in gone)]


def _is_confirmed_by_another(version: FrameworkVersion, key: str, body: str) -> bool:
    wrote = Contribution.objects.filter(version=version, kind=Kind.POLICY, key=key, body=body)
    said = Confirmation.objects.filter(
        framework=version.framework_id, kind=Kind.POLICY, key=key, body=body, state=Confirmation.State.CONFIRMED
    )
    return said.exclude(confirmed_by__in=wrote.values("contributed_by")).exists()


def plan_requirements(version: FrameworkVersion, manifest: Manifest) -> list[PlannedLine]:
    """What the version's own policy asks for, line by line, with the people of today."""
    policy = signoff_policy(version)
    lines = policy.requirements if policy else []
    people, wrote = candidates(lines) if lines else [], contributor_ids(version)
    return [_planned(position, line, manifest, people, wrote) for position, line in enumerate(lines)]


def _planned(
    position: int, line: PolicyLine, manifest: Manifest, people: Sequence[Person], wrote: set[int]
) -> PlannedLine:
    covered = [part for part in manifest.parts.values() if line.covers(part.kind, part.key)]
    pool, refusals = [], []
    for person in people:
        if not belongs(line.pool, person):
            continue
        facts = facts_of(
            person,
            pool=line.pool,
            requirement=line,
            contributed=person.pk in wrote,
            in_pool=True,
            named=person.name,
        )
        if reasons := reasons_against_signing(facts):
            refusals.append(" ".join(reasons))
        else:
            pool.append(person)
    return PlannedLine(position, line, covered, pool, refusals)


def submit_version(*, version: FrameworkVersion, actor: User, at: datetime) -> FrameworkVersion:
    """Freeze a draft and ask people to sign it. Raises InvalidError with every gate that is not passed.

    What was signed in an earlier round or version and did not change counts at once; if that is everything,
    the version comes out approved.
    """
    require_permission(actor, "submit_version", to="submit a version for review")
    report = _engine_report(version, at)
    with transaction.atomic():
        # The framework first, as activation does: two people submitting two drafts meet here.
        Framework.objects.select_for_update(no_key=True).get(pk=version.framework_id)
        _lock(version)
        check_transition(version, State.IN_REVIEW)
        if problems := [*submission_problems(version, report), *_unchecked(version, report)]:
            raise InvalidError(problems)
        with governed("version.submitted", actor=actor, target=version, at=at) as act:
            freeze_version(version, at)
            act.after = {"round": str(version.round), "manifest": version.manifest_digest}
            settle(version=version, actor=actor, at=at)
    return version


def _engine_report(version: FrameworkVersion, at: datetime) -> Report | None:
    """What the engine says of the wording of today: before the locks, because it can take seconds."""
    checks = engine_checks()
    if checks is None or version.state != State.DRAFT:
        return None
    try:
        return checks.ensure(version, at)
    except InvalidError:
        return None  # parts that cannot be read are named by the gate


def _unchecked(version: FrameworkVersion, report: Report | None) -> list[str]:
    if report is None:
        return []
    if not report.is_current:
        return ["The checks have not run over this wording: run them on the Checks tab first."]
    is_edited = report.digest != checked_digest(version)
    return ["A part was saved while the checks ran: submit again."] if is_edited else []


def freeze_version(version: FrameworkVersion, at: datetime) -> None:
    """Out of draft into a new round: parts frozen, requirements and pools snapshotted from its own policy.

    For services that have locked the framework and the version, and checked what must be true before.
    """
    manifest = manifest_of(version)
    version.state, version.round = State.IN_REVIEW, version.round + 1
    version.manifest_digest, version.submitted_at, version.state_reason = manifest.digest, at, ""
    fields = ["state", "round", "manifest_digest", "submitted_at", "state_reason", "is_emergency", "emergency_reason"]
    version.save(update_fields=[*fields, "updated_at"])
    create_requirements(version, plan_requirements(version, manifest), manifest)


def create_requirements(version: FrameworkVersion, plan: Sequence[PlannedLine], manifest: Manifest) -> None:
    """Snapshot the policy for this round: one row per part or set, with the people who can sign it."""
    planned = list(planned_requirements(version, plan, manifest))
    Requirement.objects.bulk_create([row for row, _ in planned], batch_size=1000)
    through = Requirement.pool.through
    through.objects.bulk_create(
        [through(requirement_id=row.pk, user_id=person.pk) for row, pool in planned for person in pool],
        batch_size=5000,
    )


def planned_requirements(
    version: FrameworkVersion, plan: Sequence[PlannedLine], manifest: Manifest
) -> Iterator[tuple[Requirement, Sequence[Person]]]:
    """One requirement for each part or set that the plan asks about, not stored, with the people who can sign it."""
    for planned in plan:
        whole = planned.line.per == "set"
        for part in planned.covered[:1] if whole else planned.covered:
            row = _requirement(version, planned, None if whole else part)
            row.covered_digest = covered_digest(row, manifest)
            yield row, planned.pool


def _requirement(version: FrameworkVersion, planned: PlannedLine, part: PartDigests | None) -> Requirement:
    line = planned.line
    return Requirement(
        version=version,
        round=version.round,
        position=planned.position,
        code=line.code,
        label=line.label,
        kinds=list(line.kinds),
        keys=list(line.keys),
        part_kind=part.kind if part else "",
        part_key=part.key if part else "",
        level=line.level.value,
        # An emergency passes submission's gates: "all" of nobody must not be met by nobody.
        minimum=max(planned.minimum, 1),
        pool_label=planned.pool_label,
        counts_contributors=line.counts_contributors,
        includes_impact=line.include_impact,
        freshness_days=line.freshness_days,
        recertify_days=line.recertify_days,
        dissent_role=line.dissent_role or "",
    )


def withdraw_version(*, version: FrameworkVersion, actor: User, at: datetime, reason: str) -> FrameworkVersion:
    """Take a version out of review, also an approved one; it can be reopened as a draft."""
    require_permission(actor, "submit_version", to="withdraw a version")
    return _leave(version, UNDER_WAY, State.WITHDRAWN, "version.withdrawn", actor=actor, at=at, reason=reason)


def reopen_version(*, version: FrameworkVersion, actor: User, at: datetime) -> FrameworkVersion:
    """A withdrawn version becomes a draft again; its sign-offs keep counting for what does not change."""
    require_permission(actor, "submit_version", to="reopen a version")
    ended = {State.WITHDRAWN}
    return _leave(version, ended, State.DRAFT, "version.reopened", actor=actor, at=at, reason="Reopened")


def request_changes(*, version: FrameworkVersion, actor: User, at: datetime, reason: str) -> FrameworkVersion:
    """Send a version back to draft; who is asked to sign may, and whoever may submit."""
    _require_say(version, actor, "ask for changes")
    return _leave(version, UNDER_WAY, State.DRAFT, "version.changes_requested", actor=actor, at=at, reason=reason)


def reject(*, version: FrameworkVersion, actor: User, at: datetime, reason: str) -> FrameworkVersion:
    """End a version for good; the active one stays in force."""
    require_permission(actor, "activate_version", to="reject a version")
    return _leave(version, UNDER_WAY, State.REJECTED, "version.rejected", actor=actor, at=at, reason=reason)


def _leave(
    version: FrameworkVersion,
    states: Collection[str],
    to: State,
    action: str,
    *,
    actor: User,
    at: datetime,
    reason: str,
) -> FrameworkVersion:
    if not reason.strip():
        raise InvalidError(["Say why, so that the author knows what to do."])
    with transaction.atomic():
        _lock(version)
        check_transition(version, to)
        if version.state not in states:
            raise ConflictError(f"Version {version.number} is {version.is_now}, not in review.")
        with governed(action, actor=actor, target=version, at=at, reason=reason.strip()) as act:
            act.before, act.after = {"state": version.state}, {"state": to.value}
            version.state, version.state_reason = to, f"{actor.name}: {reason.strip()}"
            forget_way(version)
            version.save(update_fields=["state", *WAY, "updated_at"])
    return version


WAY = ("state_reason", "scheduled_for", "scheduled_by", "is_emergency", "emergency_reason")


def forget_way(version: FrameworkVersion) -> None:
    """A version that left review has no schedule any more and is no emergency; not saved here."""
    version.scheduled_for = version.scheduled_by = None
    version.is_emergency, version.emergency_reason = False, ""


def _require_say(version: FrameworkVersion, actor: User, to: str) -> None:
    asked = Requirement.objects.filter(version=version, round=version.round, pool=actor).exists()
    if not (actor.is_active and (asked or actor.has_perm("frameworks.submit_version"))):
        raise NotAllowedError(f"Only people who are asked to sign this version may {to}.")


def _lock(version: FrameworkVersion) -> None:
    version.refresh_from_db(from_queryset=FrameworkVersion.objects.select_for_update(of=("self",), no_key=True))
