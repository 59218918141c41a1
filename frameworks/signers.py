"""Who is asked to sign: the pool of a policy line, and what stands against each person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from frameworks.errors import NotAllowedError
from frameworks.independence import SignerFacts, reasons_against_authentication, standing_reasons
from frameworks.models import Requirement, User
from frameworks.parts.policy import Pool, SignoffPolicy
from frameworks.parts.policy import Requirement as PolicyLine
from frameworks.querysets import with_signing_rights
from frameworks.roles import Role


@dataclass(frozen=True)
class Person:
    """A possible signer as they stand today."""

    pk: int
    name: str
    email: str
    is_active: bool
    is_service: bool
    may_sign: bool
    roles: frozenset[str]


def pool_label(pool: Pool) -> str:
    """How a pool is called on screens: the role, or the people's addresses."""
    if pool.role is None:
        return ", ".join(pool.people)
    return str(Role(pool.role).label) if pool.role in Role.values else pool.role


def belongs(pool: Pool, person: Person) -> bool:
    """Whether the policy means this person, today."""
    return pool.role in person.roles if pool.role else person.email.lower() in pool.people


def candidates(lines: Iterable[PolicyLine]) -> list[Person]:
    """Everyone whom a policy line means, whether or not they can sign; one query."""
    pools = [line.pool for line in lines]
    roles = {pool.role for pool in pools if pool.role}
    emails = {email for pool in pools for email in pool.people}
    meant = Q(groups__name__in=roles) | Q(email__in=emails)
    return people(User.objects.filter(pk__in=User.objects.filter(meant).values("pk")).values_list("pk", flat=True))


def people(ids: Iterable[int]) -> list[Person]:
    """These people as they stand today, by name; one query."""
    users = with_signing_rights(User.objects.filter(pk__in=ids)).order_by("name", "pk")
    return [
        Person(
            pk=user.pk,
            name=user.name,
            email=user.email,
            is_active=user.is_active,
            is_service=user.is_service,
            may_sign=user.may_sign,
            roles=frozenset(user.role_names),
        )
        for user in users
    ]


def facts_of(
    person: Person,
    *,
    pool: Pool | None,
    requirement: Requirement | PolicyLine,
    contributed: bool,
    in_pool: bool,
    named: str = "",
) -> SignerFacts:
    """What counts about a person and a requirement. `pool` None: the policy is gone, only the snapshot is left.

    `named`: the person's name, where the reasons are read by others.
    """
    label = requirement.pool_label if isinstance(requirement, Requirement) else pool_label(requirement.pool)
    return SignerFacts(
        is_active=person.is_active,
        is_service=person.is_service,
        holds_permission=person.may_sign,
        has_role=in_pool if pool is None else belongs(pool, person),
        contributed=contributed,
        counts_contributors=requirement.counts_contributors,
        pool_label=label,
        in_pool=in_pool,
        named=named,
    )


def still_stands(person: Person, *, pool: Pool | None, requirement: Requirement) -> bool:
    """Whether a signature this person gave counts today: active, in role, allowed to sign."""
    return not standing_reasons(facts_of(person, pool=pool, requirement=requirement, contributed=False, in_pool=True))


def pools_by_code(policy: SignoffPolicy | None) -> dict[str, Pool]:
    return {line.code: line.pool for line in policy.requirements} if policy else {}


def refuse_unproven(signer: User, method: str, authenticated_at: datetime, at: datetime) -> None:
    """Raises NotAllowedError unless a person proved freshly who they are."""
    if signer.is_service:
        raise NotAllowedError("A program cannot sign; only a person can.")
    if reasons := reasons_against_authentication(method=method, authenticated_at=authenticated_at, at=at):
        raise NotAllowedError(*reasons)
