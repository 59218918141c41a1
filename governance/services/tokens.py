"""API tokens: issuing and revoking them. The text of a token exists once, in the answer to whoever issued it."""

import ipaddress
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final, cast

from frameworks.errors import InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import User
from governance.models import ApiToken, Scope

PREFIX: Final = "cut_"
DAYS_DEFAULT: Final = 365
DAYS_MOST: Final = 730

PERMISSION_BY_SCOPE: Final[dict[Scope, str | None]] = {
    Scope.ACCOUNTS_READ: None,
    Scope.ACCOUNTS_WRITE: "accounts.import_accounts",
    Scope.ASSIGNMENTS_READ: None,
    Scope.COMMENTS_WRITE: "frameworks.comment_version",
    Scope.FRAMEWORKS_READ: None,
    # The least that a draft is written with; editing single parts asks for frameworks.edit_draft besides.
    Scope.FRAMEWORKS_WRITE: "frameworks.apply_file",
    Scope.OVERRIDES_REQUEST: "governance.request_override",
}
"""What the owner must be allowed for a scope to count. None: everyone who may log in reads it."""


def issue_token(
    *,
    owner: User,
    name: str,
    scopes: Collection[str],
    expires_at: datetime,
    cidrs: Collection[str] = (),
    actor: User | None,
    at: datetime,
) -> tuple[ApiToken, str]:
    """A new token and its text, which is not kept. `actor` None: somebody with a shell on the server.

    Raises NotAllowedError, or InvalidError naming everything that is wrong.
    """
    with governed("token.issued", actor=actor, target=owner, at=at) as act:
        _check_actor(actor)
        problems = _problems(owner, name, scopes, expires_at, cidrs, at)
        if problems:
            raise InvalidError(problems)
        token, text = cast(
            "tuple[ApiToken, str]",
            ApiToken.objects.create(
                user=owner,
                expiry=expires_at - at,
                prefix=PREFIX,
                name=name.strip(),
                scopes=sorted(set(scopes)),
                cidrs=list(cidrs),
                created_by=actor,
            ),
        )
        # Knox counts the time to live from its own clock; the moment promised is the one asked for.
        token.expiry = expires_at
        token.save(update_fields=["expiry"])
        act.after = {
            "token": token.name,
            "key": token.token_key,
            "scopes": token.scopes,
            "until": expires_at.isoformat(),
        }
    return token, text


def revoke_token(*, token: ApiToken, reason: str, actor: User | None, at: datetime) -> ApiToken:
    """End a token now; it stays listed. Ending an ended one changes nothing. Raises NotAllowedError."""
    with governed("token.revoked", actor=actor, target=token.user, at=at, reason=reason) as act:
        _check_actor(actor)
        locked = ApiToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
        act.before = {"until": locked.expiry.isoformat() if locked.expiry else ""}
        if locked.expiry is None or locked.expiry > at:
            locked.expiry = at
            locked.save(update_fields=["expiry"])
        act.after = {"token": locked.name, "key": locked.token_key, "until": locked.expiry.isoformat()}
    return cast(ApiToken, locked)


def revoke_leaked_token(*, token: ApiToken, at: datetime) -> None:
    """End a token that was sent as part of an address; nothing to do, nor to write down, when it has ended."""
    if token.expiry is None or token.expiry > at:
        revoke_token(token=token, reason="The token was sent as part of an address.", actor=None, at=at)


def _check_actor(actor: User | None) -> None:
    if actor is not None and not actor.has_perm("governance.manage_tokens"):
        raise NotAllowedError("Your role may not issue or revoke API tokens.")


def _problems(
    owner: User, name: str, scopes: Collection[str], expires_at: datetime, cidrs: Iterable[str], at: datetime
) -> list[str]:
    checks = {
        f"{owner} is not active.": not owner.is_active,
        f"{owner} is a person; tokens belong to service accounts.": not owner.is_service,
        "Give the token a name of 1 to 100 characters.": not 1 <= len(name.strip()) <= 100,
        "Choose at least one scope.": not scopes,
        "The end lies in the past.": expires_at <= at,
        f"A token lasts {DAYS_MOST} days at most.": expires_at > at + timedelta(days=DAYS_MOST),
    }
    found = [problem for problem, applies in checks.items() if applies]
    return (
        found + _scope_problems(owner, scopes) + [f"{cidr} is not a network." for cidr in cidrs if not _is_cidr(cidr)]
    )


def _scope_problems(owner: User, scopes: Iterable[str]) -> list[str]:
    found = []
    for scope in scopes:
        if scope not in Scope.values:
            found.append(f"There is no scope {scope}; there are: {', '.join(Scope.values)}.")
        elif (permission := PERMISSION_BY_SCOPE[Scope(scope)]) and not owner.has_perm(permission):
            found.append(f"{owner} lacks the right that the scope {scope} is for.")
    return found


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
