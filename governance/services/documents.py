"""Preparing a document as PDF: whoever asks leaves the text, a worker lays it out, and the file is kept for a while.

The row is the work owed. A worker holds it by a lease, so that one that dies with it is followed by another; the
layout itself runs outside any transaction, because it takes seconds.
"""

import logging
import uuid
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from frameworks.doorbell import ring
from frameworks.models import FrameworkVersion
from governance.documents import Printable
from governance.documents.drawing import Printed, printed
from governance.documents.pdf import LaidOut, NoPdfError, lay_out
from governance.models import PreparedDocument

logger = logging.getLogger(__name__)
State = PreparedDocument.State

KEEP = timedelta(hours=1)
"""A file is handed out so long: its content is today's by its digest, but the moment it prints gets older."""
SECONDS = 230
"""How long a layout may take; under the broker's visibility timeout, past which another would begin it as well."""
LEASE = timedelta(seconds=SECONDS + 20)
MAX_ATTEMPTS = 3
TOO_LONG = "It was not laid out after four minutes, and was given up. The page itself has all of it."
GIVEN_UP = "It stopped three times without an answer. Ask whoever runs this installation."
BROKEN = "It could not be laid out. The page itself has all of it; the reason is in the worker's log."


def prepare_document(*, printable: Printable, version: FrameworkVersion, at: datetime) -> PreparedDocument:
    """The file of this document as it reads now, ready or on its way.

    Content that somebody asked for within the last hour is not laid out again; what failed is tried anew.
    """
    said = printed(printable, version, at)
    with transaction.atomic():
        row, is_new = PreparedDocument.objects.select_for_update(of=("self",)).get_or_create(
            version=version,
            document=printable.slug,
            digest=said.digest,
            defaults={"texts": said.texts, "asked_at": at},
        )
        if not is_new and not _is_good(row, at):
            _begin_anew(row, said, at)
            is_new = True
        if is_new:
            _ring_after_commit(row.pk)
    return row


def _is_good(row: PreparedDocument, at: datetime) -> bool:
    return row.is_working or (row.state == State.READY and row.asked_at > at - KEEP)


def _begin_anew(row: PreparedDocument, said: Printed, at: datetime) -> None:
    row.state, row.texts, row.asked_at = State.QUEUED, said.texts, at
    row.started_at = row.finished_at = row.lease = row.leased_until = row.content = None
    row.attempts, row.pages, row.failure = 0, 0, ""
    row.save()


def _ring_after_commit(pk: int) -> None:
    from governance.tasks import prepare_document_task

    transaction.on_commit(lambda: ring(prepare_document_task, pk), robust=True)


# What a worker does


def work_document(*, document_id: int) -> None:
    """Lay one document out, if it waits for that and nobody else is at it. What goes wrong stays with the row."""
    row = _take(document_id)
    if row is None:
        return
    try:
        _finish(row, lay_out(row.texts))
    except NoPdfError as error:
        _fail(row, str(error))
    except SoftTimeLimitExceeded:
        _fail(row, TOO_LONG)
    except Exception:
        logger.exception("The PDF of %s could not be laid out.", row)
        _fail(row, BROKEN)


def _take(pk: int) -> PreparedDocument | None:
    now = timezone.now()
    with transaction.atomic():
        waiting = PreparedDocument.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            _is_free(now), pk=pk
        )
        row = waiting.first()
        if row is None:
            return None
        row.lease, row.leased_until = uuid.uuid4(), now + LEASE
        row.state, row.started_at, row.attempts = State.WORKING, now, row.attempts + 1
        row.save(update_fields=["lease", "leased_until", "state", "started_at", "attempts"])
    if row.attempts > MAX_ATTEMPTS:
        _fail(row, GIVEN_UP)
        return None
    return row


def _is_free(at: datetime) -> Q:
    return Q(state__in=PreparedDocument.WORK) & (Q(leased_until=None) | Q(leased_until__lte=at))


def _finish(row: PreparedDocument, found: LaidOut) -> None:
    _end(row, state=State.READY, content=found.content, pages=found.pages)


def _fail(row: PreparedDocument, failure: str) -> None:
    _end(row, state=State.FAILED, failure=failure)


def _end(row: PreparedDocument, **fields: object) -> None:
    """Only under the lease it was taken with; the texts have done their duty."""
    held = PreparedDocument.objects.filter(pk=row.pk, lease=row.lease)
    held.update(finished_at=timezone.now(), texts=[], lease=None, leased_until=None, **fields)


def look_after_documents(at: datetime) -> None:
    """Delete files whose time is over, and ring for documents that wait and have no worker."""
    from governance.tasks import prepare_document_task

    PreparedDocument.objects.filter(asked_at__lte=at - KEEP).exclude(_is_held(at)).delete()
    for pk in PreparedDocument.objects.filter(_is_free(at)).values_list("pk", flat=True):
        ring(prepare_document_task, pk)


def _is_held(at: datetime) -> Q:
    return Q(state=State.WORKING, leased_until__gt=at)
