"""Celery tasks of governance: signs of life, and what is looked after each hour and night."""

import logging
import time
from datetime import datetime
from typing import Any

from celery import Task, shared_task
from celery.signals import before_task_publish
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from frameworks.doorbell import ring
from governance.api.idempotency import delete_old_keys
from governance.models import Heartbeat
from governance.services.audit import anchor_chain
from governance.services.documents import SECONDS, look_after_documents, work_document
from governance.services.mailing import deliver_next
from governance.services.reminding import delete_old_notices, watch_notices
from governance.services.requests import time_out_requests
from governance.services.transition_reviews import watch_reviews
from governance.services.versions import watch_versions

logger = logging.getLogger(__name__)

TICK = "governance.tick"
SLICE_SECONDS = 20


@before_task_publish.connect(dispatch_uid="governance.stamp_tick")
def stamp_tick(*, sender: str, headers: dict[str, Any], **kwargs: Any) -> None:
    """Say in the message when beat sent it: its schedule carries constant arguments only."""
    if sender == TICK:
        headers["ticked_at"] = timezone.now().isoformat()


@shared_task(name=TICK, bind=True)
def tick_task(self: Task[Any, Any], queue: str, sent_at: str | None = None) -> None:
    """Write down that a worker consumed a tick from `queue`; `sent_at` is an ISO instant, for a sender by hand."""
    now = timezone.now()
    stamp = sent_at or getattr(self.request, "ticked_at", None) or (self.request.headers or {}).get("ticked_at")
    record_tick(queue=queue, sent_at=parse_datetime(stamp or "") or now, at=now, worker=self.request.hostname or "")


def record_tick(*, queue: str, sent_at: datetime, at: datetime, worker: str) -> None:
    """The newest sign of life of a queue, written by whoever consumed it."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(queue=queue, sent_at=sent_at, consumed_at=at, worker=worker[:200])],
        update_conflicts=True,
        unique_fields=["queue"],
        update_fields=["sent_at", "consumed_at", "worker"],
    )


@shared_task(name="governance.verify_audit", soft_time_limit=230, time_limit=240)
def verify_audit_task() -> None:
    """Each night: prove the audit chain and anchor its end outside the database; shout when it is not sound.

    Its limit stays under the broker's visibility timeout: past that, the message would be delivered again.
    """
    verification = anchor_chain(at=timezone.now())
    if verification.finding:
        logger.critical("The audit chain is not sound: %s", verification.finding.message)


@shared_task(name="governance.time_out_requests")
def time_out_requests_task() -> None:
    """Each hour: close requests that nobody decided before their time was over."""
    time_out_requests(timezone.now())


@shared_task(name="governance.watch_versions")
def watch_versions_task() -> None:
    """Each minute: activate what is scheduled for now, revert emergencies that nobody ratified in time."""
    watch_versions(timezone.now())


@shared_task(name="governance.watch_reviews")
def watch_reviews_task() -> None:
    """Each minute: open reviews of held moves, close those nobody needs, escalate those that are overdue."""
    watch_reviews(timezone.now())


@shared_task(name="governance.forget_old_answers")
def forget_old_answers_task() -> None:
    """Each night: answers kept for repeated requests, once their day is over."""
    delete_old_keys(at=timezone.now())


@shared_task(name="governance.watch_notices")
def watch_notices_task() -> None:
    """Every two minutes, and when something was asked: write what people are to be told."""
    watch_notices(timezone.now())


@shared_task(name="governance.forget_old_notices")
def forget_old_notices_task() -> None:
    """Each night: what people were told so long ago that nobody looks for it."""
    delete_old_notices(timezone.now())


@shared_task(name="governance.deliver_mail")
def deliver_mail_task() -> None:
    """When mail is owed, and each minute for what is tried again: send until none is due or the slice is over."""
    end = time.monotonic() + SLICE_SECONDS
    while deliver_next(at=timezone.now()):
        if time.monotonic() > end:
            ring(deliver_mail_task)
            return


@shared_task(name="governance.prepare_document", soft_time_limit=SECONDS, time_limit=SECONDS + 10)
def prepare_document_task(document_id: int) -> None:
    """Lay one document out as PDF. What goes wrong is kept with it, where the page shows it."""
    work_document(document_id=document_id)


@shared_task(name="governance.look_after_documents")
def look_after_documents_task() -> None:
    """Every 30 seconds: documents whose doorbell was lost; delete files whose time is over."""
    look_after_documents(timezone.now())
