"""Separation of duties for signing: who may sign what, and why not. Pure: facts are passed in.

Nothing here asks whether somebody is a superuser: what makes a signature independent holds for everyone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

AUTHENTICATION_LASTS = timedelta(minutes=5)
METHODS = frozenset({"password", "totp", "passkey", "recovery_code"})


@dataclass(frozen=True)
class SignerFacts:
    """What counts about a person and one requirement.

    `has_role`: in the role, or named, as the policy says, today. `in_pool`: was eligible when the version was
    submitted. `holds_permission`: by one of their roles, not by being a superuser. `named`: how the person is called
    where others read the reasons; empty: the reasons speak to the person.
    """

    is_active: bool
    is_service: bool
    holds_permission: bool
    has_role: bool
    contributed: bool
    counts_contributors: bool
    pool_label: str
    in_pool: bool = True
    named: str = ""


def reasons_against_signing(facts: SignerFacts) -> list[str]:
    """Why this person's signature cannot meet the requirement, in words; empty: it can."""
    reasons = standing_reasons(facts)
    if facts.contributed and not facts.counts_contributors:
        reasons.append(f"{facts.named or 'You'} wrote or changed parts of this version, so somebody else signs it.")
    if not reasons and not facts.in_pool:
        who = f"{facts.named} was" if facts.named else "You were"
        reasons.append(f"{who} not among the signers ({facts.pool_label}) when this version was submitted.")
    return reasons


def standing_reasons(facts: SignerFacts) -> list[str]:
    """Why this person may sign nothing of the kind, whoever wrote the version."""
    reasons = []
    if facts.is_service:
        program = f"{facts.named} is a program and" if facts.named else "A program"
        reasons.append(f"{program} cannot sign; only a person can.")
    if not facts.is_active:
        reasons.append(f"{f'The login of {facts.named}' if facts.named else 'Your login'} is deactivated.")
    if not facts.has_role:
        reasons.append(f"This is signed by {facts.pool_label}.")
    elif not facts.holds_permission:
        reasons.append(f"None of {f'the roles of {facts.named}' if facts.named else 'your roles'} may sign.")
    return reasons


@dataclass(frozen=True)
class StandInFacts:
    """What counts about somebody who signs in another's place.

    `signs_already`: for themselves or for a third person, so that one hand would count twice.
    """

    principal: str
    is_active: bool
    is_service: bool
    is_delegate: bool
    contributed: bool
    counts_contributors: bool
    signs_already: bool


def reasons_against_standing_in(facts: StandInFacts) -> list[str]:
    """Why this person cannot sign for the other; what stands against that other one counts besides."""
    reasons = []
    if facts.is_service:
        reasons.append("A program cannot sign; only a person can.")
    if not facts.is_active:
        reasons.append("Your login is deactivated.")
    if not facts.is_delegate:
        reasons.append(f"{facts.principal} has not asked you to sign in their place at this time.")
    if facts.contributed and not facts.counts_contributors:
        reasons.append("You wrote or changed parts of this version, so you cannot sign it for anybody.")
    if facts.signs_already:
        reasons.append(f"You sign this yourself: one person counts once, so not for {facts.principal} too.")
    return reasons


def reasons_against_authentication(*, method: str, authenticated_at: datetime, at: datetime) -> list[str]:
    """Why the proof of who is signing does not do. A session may be hours old; a signature needs a fresh proof."""
    if method not in METHODS:
        return ["Signing needs your password, a passkey or a second factor; API tokens cannot sign."]
    if at - authenticated_at > AUTHENTICATION_LASTS:
        return ["Confirm who you are again: your last confirmation is more than 5 minutes old."]
    return []
