"""Proof of who is signing: the session's last authentication, or the password or a code asked for again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from allauth.mfa.base.forms import ReauthenticateForm
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from frameworks.errors import NotAllowedError
from frameworks.independence import AUTHENTICATION_LASTS
from frameworks.models import User

# allauth's words for its methods, and ours; a second factor's type says which one.
_METHODS = {"password": "password", "totp": "totp", "webauthn": "passkey", "recovery_codes": "recovery_code"}


def fresh_proof(request: HttpRequest, at: datetime) -> tuple[str, datetime] | None:
    """The method and moment of this session's last authentication, if it is fresh enough to sign with."""
    if not isinstance(request.user, User):
        return None
    for record in reversed(get_authentication_records(request, request.user)):
        moment = datetime.fromtimestamp(record["at"], UTC)
        method = _METHODS.get(record.get("type") or record["method"])
        if method and at - moment <= AUTHENTICATION_LASTS:
            return method, moment
    return None


def proof(request: HttpRequest, at: datetime) -> tuple[str, datetime] | None:
    """A fresh proof, else the form's `password` or `code`; None when it is wrong or missing.

    A code is of the authenticator app or a recovery code; a passkey is asked for by a page of its own, and is a
    fresh proof afterwards. Raises NotAllowedError after too many attempts. What was right is remembered as the
    session's proof.
    """
    known = fresh_proof(request, at)
    password, code = request.POST.get("password", ""), request.POST.get("code", "").replace(" ", "")
    if known or not isinstance(request.user, User):
        return known
    if code:
        return _prove_by_code(request, code, at)
    return _prove_by_password(request, request.user, password, at) if password else None


def _prove_by_password(request: HttpRequest, user: User, password: str, at: datetime) -> tuple[str, datetime] | None:
    if not ratelimit.consume(request, action="reauthenticate", user=user):
        raise NotAllowedError("Too many attempts. Wait a minute, then try again.")
    if not user.check_password(password):
        return None
    reauthenticate_by_password(request)
    return "password", at


def _prove_by_code(request: HttpRequest, code: str, at: datetime) -> tuple[str, datetime] | None:
    """allauth counts the attempts, and takes every code once."""
    form = ReauthenticateForm({"code": code}, user=request.user)
    if not form.is_valid():
        return None
    form.save()
    kind = _METHODS.get(form.authenticator.type)
    return (kind, at) if kind else None


@dataclass(frozen=True)
class Ways:
    """How this person can prove who they are on the page they are about to sign on."""

    is_proven: bool
    has_code: bool
    has_passkey: bool


def ways_to_prove(request: HttpRequest, at: datetime) -> Ways:
    """One query; what is set up is said on the page of the person's log-in."""
    if not isinstance(request.user, User):
        return Ways(is_proven=False, has_code=False, has_passkey=False)
    kinds = set(Authenticator.objects.filter(user=request.user).values_list("type", flat=True))
    return Ways(
        is_proven=fresh_proof(request, at) is not None,
        has_code=bool(kinds & {Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES}),
        has_passkey=Authenticator.Type.WEBAUTHN in kinds,
    )
