"""What governance does when news arrives from the apps below."""

from typing import Any

from accounts.signals import run_evaluated
from frameworks.signals import governed_action
from governance.services import activation, audit


def record_act(*, act: Any, **kwargs: Any) -> None:
    audit.append_entry(act=act)


def go_on_with_activation(*, run: Any, at: Any, **kwargs: Any) -> None:
    activation.continue_activation(run=run, at=at)


def connect() -> None:
    """Called once from `ready()`."""
    governed_action.connect(record_act, dispatch_uid="governance.record_act")
    run_evaluated.connect(go_on_with_activation, dispatch_uid="governance.go_on_with_activation")
