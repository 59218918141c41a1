"""What governance does when news arrives from the apps below."""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.services.runs import plan_study
from accounts.signals import run_evaluated, run_finished
from frameworks.signals import governed_action
from governance.health import outcomes_found
from governance.services import activation, audit

logger = logging.getLogger(__name__)


def record_act(*, act: Any, **kwargs: Any) -> None:
    audit.append_entry(act=act)


def study_submitted(*, act: Any, **kwargs: Any) -> None:
    """Whoever signs sees what the version would change: it is computed as soon as nobody can edit it any more."""
    if act.action == "version.submitted":
        transaction.on_commit(lambda: plan_study(version=act.target, actor=None, at=timezone.now()), robust=True)


def go_on_with_run(*, run: Any, at: Any, **kwargs: Any) -> None:
    activation.continue_run(run=run, at=at)


def raise_alarm(*, run: Any, **kwargs: Any) -> None:
    """Whatever changes facts marks its accounts, and time is looked up: the nightly run must find nothing."""
    if found := outcomes_found(run):
        logger.critical("%s found %s outcomes that nothing had marked", run, found)


def connect() -> None:
    """Called once from `ready()`."""
    governed_action.connect(record_act, dispatch_uid="governance.record_act")
    governed_action.connect(study_submitted, dispatch_uid="governance.study_submitted")
    run_evaluated.connect(go_on_with_run, dispatch_uid="governance.go_on_with_run")
    run_finished.connect(raise_alarm, dispatch_uid="governance.raise_alarm")
