"""Who may ask for an override, who may decide it, and whose approvals it needs. Pure: facts are passed in.

The matrix: CS Ops alone decides one tier up or down under the policy's ARR limit; above the limit, or across
two tiers and more, CS Ops decides first and Deal Desk second. Deal Desk may say no to any request at any step.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from frameworks.roles import Role


@dataclass(frozen=True)
class Person:
    """What counts about whoever asks or decides. `has_permission` is the permission of the act at hand."""

    pk: int
    is_active: bool
    is_service: bool
    has_permission: bool
    roles: frozenset[Role]


@dataclass(frozen=True)
class Stake:
    """How far a request reaches. Ranks count from 1, the top; None is Unassigned. Money in account currency."""

    from_rank: int | None
    to_rank: int
    arr: Decimal | None
    two_person_over: Decimal | None

    @property
    def tiers(self) -> int:
        """Tiers between the rules' answer and the segment asked for; 0 from Unassigned, which is no tier."""
        return 0 if self.from_rank is None else abs(self.to_rank - self.from_rank)


def required_roles(stake: Stake) -> tuple[Role, ...]:
    """The roles that must approve, in order. Without a policy (`two_person_over` None) CS Ops decides alone."""
    if stake.two_person_over is None:
        return (Role.CS_OPS,)
    is_large = stake.arr is not None and stake.arr > stake.two_person_over
    return (Role.CS_OPS, Role.DEAL_DESK) if is_large or stake.tiers >= 2 else (Role.CS_OPS,)


def next_role(required: Sequence[Role], approvals: int) -> Role | None:
    """Whose approval is awaited when the first `approvals` steps are done; None when none is missing."""
    return required[approvals] if approvals < len(required) else None


def request_refusals(person: Person, *, owners: Collection[int | None]) -> list[str]:
    """Why this person may not ask for an override of the account with these owners (CSM, AE); empty: may."""
    if not person.is_active:
        return ["Your login is deactivated."]
    if not person.has_permission:
        return ["Your role may not ask for overrides."]
    if person.roles == {Role.CSM} and person.pk not in owners:
        return ["You may ask for overrides of accounts in your own book only."]
    return []


def conflicts_of_interest(person: Person, *, requested_by: int | None, owners: Collection[int | None]) -> list[str]:
    """Why this person may not decide, whatever their role is; superusers are not exempt. Empty: no conflict.

    `requested_by` is None where nobody asked: the rules did.
    """
    reasons = []
    if not person.is_active:
        reasons.append("Your login is deactivated.")
    if person.is_service:
        reasons.append("Programs do not decide; a person does.")
    if person.pk == requested_by:
        reasons.append("You asked for this override, so somebody else decides it.")
    if person.pk in owners:
        reasons.append("You own this account and benefit from the outcome, so somebody else decides it.")
    return reasons


def approval_refusals(person: Person, *, role: Role, approved_by: Collection[int]) -> list[str]:
    """Why this person cannot give the approval that `role` owes next. One person counts once, in one role."""
    if not person.has_permission:
        return ["Your role may not decide overrides."]
    if person.pk in approved_by:
        return ["You have approved this request; the second approval is somebody else's."]
    if role not in person.roles:
        return [f"This step is decided by {role.label}."]
    return []


def rejection_refusals(person: Person) -> list[str]:
    """Why this person cannot say no; CS Ops and Deal Desk can at every step."""
    if not person.has_permission or not person.roles & {Role.CS_OPS, Role.DEAL_DESK}:
        return ["Your role may not decide overrides."]
    return []
