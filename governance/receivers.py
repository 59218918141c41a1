"""What governance does when news arrives from the apps below."""

from typing import Any

from frameworks.signals import governed_action
from governance.services import audit


def record_act(*, act: Any, **kwargs: Any) -> None:
    audit.append_entry(act=act)


def connect() -> None:
    """Called once from `ready()`."""
    governed_action.connect(record_act, dispatch_uid="governance.record_act")
