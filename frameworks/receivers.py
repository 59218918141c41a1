"""What frameworks does when news arrives from the log-in library: proofs of who signs are governed acts.

The library tells after its own transaction; a factor that was set up is then written down in one of its own.
"""

from typing import Any

from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.utils import timezone

from frameworks.governed import governed
from frameworks.models import User


def _record(action: str, user: User, authenticator: Authenticator) -> None:
    with governed(action, actor=user, target=user, at=timezone.now()) as act:
        act.after = {"type": str(authenticator.type)}


def factor_added(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("person.factor_added", user, authenticator)


def factor_removed(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("person.factor_removed", user, authenticator)


def factor_reset(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("person.factor_reset", user, authenticator)


def connect() -> None:
    """Called once from `ready()`."""
    signals.authenticator_added.connect(factor_added, dispatch_uid="frameworks.factor_added")
    signals.authenticator_removed.connect(factor_removed, dispatch_uid="frameworks.factor_removed")
    signals.authenticator_reset.connect(factor_reset, dispatch_uid="frameworks.factor_reset")
