"""What governance does when news arrives from the apps below."""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.services.runs import plan_study
from accounts.signals import run_evaluated, run_finished
from frameworks.doorbell import ring
from frameworks.signals import governed_action, version_activated
from governance.health import outcomes_found
from governance.services import activation, audit, reminding
from governance.tasks import watch_notices_task

logger = logging.getLogger(__name__)


def record_act(*, act: Any, **kwargs: Any) -> None:
    audit.append_entry(act=act)


def study_submitted(*, act: Any, **kwargs: Any) -> None:
    """Whoever signs sees what the version would change: it is computed as soon as nobody can edit it any more."""
    if act.action == "version.submitted":
        transaction.on_commit(lambda: plan_study(version=act.target, actor=None, at=timezone.now()), robust=True)


def tell_people(*, act: Any, **kwargs: Any) -> None:
    """What an act ended is told with it; whom it asks is found by the sweep, which need not wait its turn."""
    if act.action in reminding.RETURNED:
        reminding.tell_return(act.target, act.action, act.reason, act.actor, act.at)
    if act.action.partition(".")[0] in ("version", "signoff", "comment"):
        transaction.on_commit(lambda: ring(watch_notices_task), robust=True)


def tell_activation(*, version: Any, at: Any, **kwargs: Any) -> None:
    reminding.tell_activation(version, at)


def go_on_with_run(*, run: Any, at: Any, **kwargs: Any) -> None:
    activation.continue_run(run=run, at=at)


def raise_alarm(*, run: Any, at: Any, **kwargs: Any) -> None:
    """Whatever changes facts marks its accounts, and time is looked up: the nightly run must find nothing."""
    if found := outcomes_found(run):
        logger.critical("%s found %s outcomes that nothing had marked", run, found)
        reminding.tell_found_at_night(run, found, at)


def connect() -> None:
    """Called once from `ready()`."""
    # What people are told is written first: the audit chain's head stays locked from its entry to the commit.
    governed_action.connect(tell_people, dispatch_uid="governance.tell_people")
    governed_action.connect(record_act, dispatch_uid="governance.record_act")
    governed_action.connect(study_submitted, dispatch_uid="governance.study_submitted")
    version_activated.connect(tell_activation, dispatch_uid="governance.tell_activation")
    run_evaluated.connect(go_on_with_run, dispatch_uid="governance.go_on_with_run")
    run_finished.connect(raise_alarm, dispatch_uid="governance.raise_alarm")
