"""Who calls: a token in the header Authorization, and nowhere else."""

import ipaddress
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.crypto import hash_token
from knox.settings import CONSTANTS
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from frameworks.api.errors import refused
from frameworks.models import User
from governance.models import ApiToken
from governance.services.tokens import PREFIX, revoke_leaked_token

logger = structlog.get_logger(__name__)

_USED_EVERY: Final = timedelta(minutes=1)
_TOKEN_CHARACTERS: Final = 200


class TokenAuthentication(KnoxAuthentication):
    """Knox's token, of which only a hash is kept, with expiry, active owner and networks.

    Unlike Knox's it deletes nothing: a read request changes no token but its `last_used_at`, once a minute.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        self._refuse_in_query(request)
        found: tuple[User, ApiToken] | None = super().authenticate(request)
        if found is not None:
            self._check_network(request, found[1])
            _note_use(found[1], timezone.now())
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        found = find_token(token.decode("latin-1"))
        if found is None:
            raise AuthenticationFailed("The token is not valid.", code="invalid_token")
        if found.expiry is not None and found.expiry <= timezone.now():
            raise AuthenticationFailed("The token has expired or was revoked.", code="expired_token")
        if not found.user.is_active:
            raise AuthenticationFailed("The token's owner is not active.", code="inactive_owner")
        return found.user, found

    def _refuse_in_query(self, request: Request) -> None:
        """Addresses end up in logs and histories: a token seen there is known to others, so it ends here."""
        for values in request.query_params.lists():
            for value in values[1]:
                if not value.startswith(PREFIX):
                    continue
                token = find_token(value)
                if token is not None:
                    revoke_leaked_token(token=token, at=timezone.now())
                    logger.warning("token_in_query_revoked", token=token.name, owner=token.user.email)
                detail = "A token must never be part of an address. If it was valid, it has been revoked."
                raise AuthenticationFailed(detail, code="token_in_query")

    def _check_network(self, request: Request, token: ApiToken) -> None:
        if token.cidrs and not _is_within(_client_address(request), token.cidrs):
            logger.warning("token_from_foreign_network", token=token.name)
            raise refused("network_refused", "The token may not be used from this network.", kind="forbidden")


def find_token(text: str) -> ApiToken | None:
    """The token with this text, whatever its state."""
    if not text.startswith(PREFIX) or not text.isascii() or len(text) > _TOKEN_CHARACTERS:
        return None
    digest = hash_token(text)
    candidates = ApiToken.objects.filter(token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH]).select_related("user")
    return next((token for token in candidates if compare_digest(token.digest, digest)), None)


def _note_use(token: ApiToken, now: datetime) -> None:
    if token.last_used_at is None or token.last_used_at < now - _USED_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _USED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _client_address(request: Request) -> str:
    """The peer, or what the outermost of our own proxies saw; what a client writes itself counts for nothing."""
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if not proxies:
        return str(request.META.get("REMOTE_ADDR", ""))
    seen = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return seen[-proxies] if len(seen) >= proxies else ""


def _is_within(address: str, cidrs: list[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(cidr) for cidr in cidrs)
