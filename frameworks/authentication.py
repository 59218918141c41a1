"""Proof of who is signing: the session's last authentication, or the password asked for again."""

from datetime import UTC, datetime

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
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


def proof(request: HttpRequest, password: str, at: datetime) -> tuple[str, datetime] | None:
    """A fresh proof, else the password; None when the password is wrong or missing.

    Raises NotAllowedError after too many attempts. A right password is remembered as the session's proof.
    """
    known = fresh_proof(request, at)
    if known or not password or not isinstance(request.user, User):
        return known
    if not ratelimit.consume(request, action="reauthenticate", user=request.user):
        raise NotAllowedError("Too many attempts. Wait a minute, then try again.")
    if not request.user.check_password(password):
        return None
    reauthenticate_by_password(request)
    return "password", at
