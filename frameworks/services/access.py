"""The one question every governed service asks first."""

from frameworks.errors import NotAllowedError
from frameworks.models import User


def require_permission(actor: User, codename: str, *, to: str) -> None:
    """Raises NotAllowedError unless the actor holds frameworks.`codename`; `to` completes "may not …"."""
    if not actor.has_perm(f"frameworks.{codename}"):
        raise NotAllowedError(f"Your role may not {to}.")
