"""The facts that decide who may ask for an override, who decides it next, and what both should know.

Reads only; the rules themselves are in `governance.approval`.
"""

from collections.abc import Sequence

from accounts.models import Account, Assignment
from frameworks.models import Dimension, Framework, Kind, Part, Segment, User
from frameworks.parts import parse_body
from frameworks.parts.policy import OverridesPolicy
from frameworks.roles import Role, roles_of
from governance import approval
from governance.models import Decision, OverrideRequest

Verdict = Decision.Verdict


def overrides_policy(framework: Framework) -> OverridesPolicy | None:
    """The active version's policy on overrides; None while there is none."""
    if framework.active_version_id is None:
        return None
    part = (
        Part.objects.filter(version_id=framework.active_version_id, kind=Kind.POLICY, key="overrides")
        .select_related("body")
        .first()
    )
    policy = parse_body("policy", part.body.body) if part else None
    return policy if isinstance(policy, OverridesPolicy) else None


def reason_codes(framework: Framework) -> dict[str, str]:
    """The reason codes a request may carry, with their labels: the policy's, else all that we know."""
    policy = overrides_policy(framework)
    codes = list(policy.max_days_by_reason) if policy else list(OverrideRequest.ReasonCode.values)
    return {code: reason_label(code) for code in codes}


def reason_label(code: str) -> str:
    """A reason code in words; a policy may have codes of its own."""
    labels = {str(known): str(label) for known, label in OverrideRequest.ReasonCode.choices}
    return labels.get(code, code.replace("_", " ").capitalize())


def person_facts(user: User, permission: str) -> approval.Person:
    """The facts about a person for the approval rules, read anew: a role taken away counts at once."""
    fresh = User.objects.prefetch_related("groups").get(pk=user.pk)
    return approval.Person(
        pk=fresh.pk,
        is_active=fresh.is_active,
        is_service=fresh.is_service,
        has_permission=fresh.has_perm(permission),
        roles=frozenset(roles_of(fresh)),
    )


def computed_segment(account: Account, dimension: Dimension) -> Segment | None:
    """What the rules say today; None when Unassigned."""
    assignment = Assignment.objects.filter(account=account, dimension=dimension).select_related("computed").first()
    return assignment.computed if assignment else None


def request_refusals(user: User, account: Account) -> list[str]:
    """Why the person may not ask for an override of the account, in words; empty: may."""
    person = person_facts(user, "governance.request_override")
    return approval.request_refusals(person, owners=(account.csm_id, account.ae_id))


def _computed_segments(requests: Sequence[OverrideRequest]) -> dict[tuple[int, int], Segment | None]:
    """What the rules say today, by account and dimension; one query however many requests."""
    rows = Assignment.objects.filter(
        account_id__in={row.account_id for row in requests}, dimension_id__in={row.dimension_id for row in requests}
    ).select_related("computed")
    return {(row.account_id, row.dimension_id): row.computed for row in rows}


def awaited_roles(requests: Sequence[OverrideRequest]) -> dict[int, Role]:
    """Whose approval each open request waits for, by its primary key; closed ones are left out.

    Three queries however many requests, when their accounts, segments, dimensions' frameworks and decisions
    are there (`with_people`).
    """
    waiting = [row for row in requests if row.state in OverrideRequest.OPEN]
    computed = _computed_segments(waiting)
    frameworks = {row.dimension.framework for row in waiting}
    policies = {framework.pk: overrides_policy(framework) for framework in frameworks}
    found = {}
    for row in waiting:
        by_rule, policy = computed.get((row.account_id, row.dimension_id)), policies[row.dimension.framework_id]
        stake = approval.Stake(
            from_rank=by_rule.rank if by_rule else None,
            to_rank=row.segment.rank,
            arr=row.account.arr,
            two_person_over=policy.arr_two_person_over if policy else None,
        )
        role = approval.next_role(approval.required_roles(stake), len(approvals_of(row)))
        if role:
            found[row.pk] = role
    return found


def awaited_role(request: OverrideRequest) -> Role | None:
    """Whose approval an open request waits for, by the account of today and the active policy."""
    return awaited_roles([request]).get(request.pk)


def approvals_of(request: OverrideRequest) -> list[Decision]:
    """Approvals of what the request says today; an edit voids those before it."""
    decisions = request.decisions.all()
    return [row for row in decisions if row.verdict == Verdict.APPROVE and row.request_version == request.version]


def decision_refusals(request: OverrideRequest, user: User, verdict: str) -> list[str]:
    """Why the person cannot decide the request this way, in words; empty: can."""
    person = person_facts(user, "governance.decide_override")
    account = request.account
    reasons = approval.conflicts_of_interest(
        person, requested_by=request.requested_by_id, owners=(account.csm_id, account.ae_id)
    )
    role = awaited_role(request)
    if verdict == Verdict.REJECT or role is None:
        return reasons + approval.rejection_refusals(person)
    approved_by = [row.decided_by_id for row in approvals_of(request)]
    return reasons + approval.approval_refusals(person, role=role, approved_by=approved_by)


def eligible_deciders(request: OverrideRequest) -> list[User]:
    """Who could give the approval that is missing next, by name."""
    role = awaited_role(request)
    if role is None:
        return []
    people = User.objects.filter(is_active=True, is_service=False, groups__name=role).prefetch_related("groups")
    return [person for person in people if not decision_refusals(request, person, Verdict.APPROVE)]


def request_warnings(request: OverrideRequest) -> list[str]:
    """What whoever asks or decides should know, though it stops nobody."""
    warnings = []
    if computed_segment(request.account, request.dimension) == request.segment:
        warnings.append("The rules give this segment already: the override would close at once.")
    role = awaited_role(request)
    if role and not eligible_deciders(request):
        warnings.append(
            f"Nobody can decide this as {role.label} today. Ask RevOps to give the role to somebody who"
            " neither asked for it nor owns the account."
        )
    return warnings
