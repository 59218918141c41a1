"""What a token may do: its scopes, as far as its owner's rights reach, judged at every call."""

from collections.abc import Iterable
from typing import Any, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from frameworks.api.errors import refused
from frameworks.models import User
from governance.models import ApiToken, Scope
from governance.services.tokens import PERMISSION_BY_SCOPE


def effective_scopes(token: ApiToken, owner: User) -> frozenset[str]:
    """The token's scopes whose permission the owner holds now."""
    return frozenset(scope for scope in token.scopes if _may(owner, scope))


def _may(owner: User, scope: str) -> bool:
    permission = PERMISSION_BY_SCOPE.get(Scope(scope))
    return permission is None or owner.has_perm(permission)


class TokenMay(BasePermission):
    """The caller is a token with every scope that the view needs. A view that names none is closed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not isinstance(token, ApiToken):
            return False  # DRF answers 401 when nobody is authenticated
        needed: tuple[str, ...] = view.scopes_for(request.method)
        if not needed:
            raise _insufficient(needed, "No scope opens this address.")
        for scope in needed:
            if scope not in token.scopes:
                raise _insufficient(needed, f"The token needs the scope {scope}.")
            if not _may(token.user, scope):
                raise _insufficient(needed, f"The token's owner may no longer do what the scope {scope} is for.")
        return True


def _insufficient(needed: Iterable[str], detail: str) -> Exception:
    challenge: Final = f'Bearer error="insufficient_scope", scope="{" ".join(needed)}"'
    problem = refused("insufficient_scope", detail, kind="insufficient-scope")
    problem.headers["WWW-Authenticate"] = challenge
    return problem
