"""A person's import, step by step: upload, mapping, check, confirm, apply, with a worker doing the long ones.

The row of the Import is the work owed. A worker holds it by a lease that it renews with every block of rows;
while it writes, it holds the row's lock. `resume_imports` rings for what a dead worker left; applying is one
transaction, so that beginning again applies every row once.
"""

import logging
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.errors import LeaseLostError
from accounts.intake.errors import FileProblem, FileRefusedError, FileTooLargeError
from accounts.intake.mapping import dump_mapping, parse_mapping
from accounts.intake.reading import inspect_file
from accounts.intake.work import FileWork, Outcome, bulk_session, max_bytes, open_file
from accounts.models import Import
from accounts.services.intake import (
    LEASE,
    TRANSITIONS,
    StalePreviewError,
    State,
    Watch,
    apply_work,
    check_may_import,
    fail,
    finish,
    keep_outcome,
    problems_of,
    shown_name,
    staged_work,
)
from frameworks.doorbell import ring
from frameworks.errors import ConflictError, InvalidError
from frameworks.governed import governed
from frameworks.models import User

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
GIVEN_UP = "It stopped three times without an answer. Nothing was changed. Ask whoever runs this installation."
STALE = "Accounts changed after the preview was made. These are the new figures: look at them and confirm again."


# What people do


def upload_import(*, file: "UploadedFile[Any]", actor: User, at: datetime) -> Import:
    """Keep the file under our own name. Raises NotAllowedError, FileRefusedError when it is no CSV file at all.

    A file in another encoding is kept: the person chooses the encoding on the mapping page.
    """
    check_may_import(actor)
    if (file.size or 0) > max_bytes():
        message = f"The file has {file.size:,} bytes; the limit is {max_bytes():,}."
        raise FileTooLargeError(FileProblem("file_too_large", message))
    batch = Import(
        original_name=shown_name(file.name or ""), size_bytes=file.size or 0, uploaded_by=actor, uploaded_at=at
    )
    batch.file.save("upload.csv", file, save=False)
    try:
        with local_file(batch) as path:
            facts = inspect_file(path, max_bytes=max_bytes())
        batch.lines, batch.sha256 = facts.lines, facts.sha256
    except FileRefusedError as error:
        if error.code != "encoding":
            batch.file.delete(save=False)
            raise
    batch.save()
    return batch


@contextmanager
def local_file(batch: Import) -> Iterator[Path]:
    """The stored file as a path, copied first where the storage has none."""
    try:
        path = batch.file.path
    except NotImplementedError:
        with tempfile.NamedTemporaryFile(suffix=".csv") as copy, batch.file.open("rb") as stored:
            copyfileobj(stored, copy)
            copy.flush()
            yield Path(copy.name)
    else:
        yield Path(path)


def choose_mapping(*, batch: Import, mapping: Any, periods: list[str], actor: User, at: datetime) -> Import:
    """Check the mapping against the file's header and let a worker check the rows.

    Raises MappingError or FileRefusedError with everything that is wrong; the import then stays as it was.
    """
    check_may_import(actor)
    chosen = parse_mapping(mapping)
    with local_file(batch) as path:
        facts = open_file(path, chosen).facts
    with transaction.atomic():
        held = _move(batch, State.VALIDATING)
        held.source, held.mapping, held.periods = chosen.source, dump_mapping(chosen), periods
        held.lines, held.sha256, held.fingerprint = facts.lines, facts.sha256, ""
        _start(held, at)
        held.save()
    return held


def confirm_import(*, batch: Import, actor: User, at: datetime) -> Import:
    """Let a worker apply what the preview showed. Raises ConflictError for all but the first who confirms."""
    check_may_import(actor)
    with governed("import.confirmed", actor=actor, target=batch, at=at) as act:
        held = _move(batch, State.APPLYING)
        if held.rows == held.rejected + held.skipped:
            raise ConflictError("No row of this file can be imported.")
        held.confirmed_by, held.confirmed_at = actor, at
        _start(held, at)
        held.save()
        act.before = {"state": State.READY}
        act.after = {"created": str(held.created), "updated": str(held.updated), "rejected": str(held.rejected)}
    return held


def cancel_import(*, batch: Import, actor: User, at: datetime) -> Import:
    """Give the import up; nothing of it has been written. Raises ConflictError when it is too late."""
    check_may_import(actor)
    with governed("import.cancelled", actor=actor, target=batch, at=at) as act:
        act.before = {"state": batch.state}
        held = _move(batch, State.CANCELLED)
        finish(held, State.CANCELLED, at)
        act.after = {"state": held.state}
    return held


def _move(batch: Import, state: str) -> Import:
    """The locked row in its new state, unsaved. A row that a worker is writing from is not waited for."""
    held = Import.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=batch.pk).first()
    if held is None:
        raise ConflictError("This import is being written right now.")
    if state not in TRANSITIONS.get(held.state, ()):
        raise ConflictError(f"This import is not waiting for that: it is {held.get_state_display().lower()}.")
    held.state = state
    return held


def _start(batch: Import, at: datetime) -> None:
    """Owe the work to whoever takes it first, and ring after commit."""
    from accounts.tasks import apply_import_task

    batch.rows, batch.attempts, batch.phase_started_at = 0, 0, at
    batch.lease = batch.leased_until = None
    transaction.on_commit(lambda: ring(apply_import_task, batch.pk), robust=True)


# What a worker does


def work_import(*, import_id: int) -> None:
    """Check or apply one import, if it waits for that and nobody else is at it."""
    batch = _take(import_id)
    if batch is None:
        return
    try:
        _work(batch)
    except LeaseLostError:
        logger.info("Import %s was cancelled or taken over.", batch.uuid)
    except InvalidError as error:
        fail(batch, problems_of(error), timezone.now())
    except Exception:
        # The next doorbell, or the sweeper, tries again; the third time the person is told.
        Import.objects.filter(pk=batch.pk, lease=batch.lease).update(leased_until=timezone.now())
        raise


def _take(import_id: int) -> Import | None:
    now = timezone.now()
    with transaction.atomic():
        free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
        waiting = Import.objects.select_for_update(skip_locked=True).filter(pk=import_id, state__in=Import.WORKING)
        batch = waiting.filter(free).first()
        if batch is None:
            return None
        if batch.attempts >= MAX_ATTEMPTS or not batch.file:
            message = (
                "It stopped three times without an answer. Nothing was changed. Ask whoever runs this installation."
            )
            fail(batch, [{"code": "error", "message": message}], now)
            return None
        batch.attempts += 1
        batch.lease, batch.leased_until, batch.phase_started_at = uuid.uuid4(), now + LEASE, now
        batch.save(update_fields=["attempts", "lease", "leased_until", "phase_started_at"])
        return batch


def _work(batch: Import) -> None:
    """The file is read again when it is applied: nothing but the file and its mapping has to survive in between.

    Values count as observed when the file was uploaded, so that check and apply compare the same.
    """
    at = batch.uploaded_at
    with local_file(batch) as path, bulk_session() as cursor:
        work, outcome = staged_work(cursor, batch, path, parse_mapping(batch.mapping), at, Watch())
        if batch.state == State.VALIDATING:
            _ready(batch, outcome)
        elif batch.fingerprint != outcome.effect.fingerprint:
            _ready(batch, outcome, note=STALE)
        else:
            _apply(batch, work)


def _apply(batch: Import, work: FileWork) -> None:
    try:
        apply_work(batch, work, batch.confirmed_by, timezone.now(), promised=batch.fingerprint)
    except StalePreviewError as stale:
        _ready(batch, stale.outcome, note=STALE)


def _ready(batch: Import, outcome: Outcome, *, note: str = "") -> None:
    """Show the figures and wait for a person."""
    keep_outcome(batch, outcome)
    batch.state, batch.validated_at = State.READY, timezone.now()
    batch.confirmed_by = batch.confirmed_at = None
    batch.lease = batch.leased_until = None
    if note:
        batch.preview = {**batch.preview, "notes": [note, *batch.preview.get("notes", [])]}
    batch.save()


def resume_imports(*, at: datetime) -> int:
    """Ring for imports that wait for a worker and have none; how many. For the sweeper."""
    from accounts.tasks import apply_import_task

    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    waiting = Import.objects.filter(free, state__in=Import.WORKING).values_list("pk", flat=True)
    for pk in waiting:
        ring(apply_import_task, pk)
    return len(waiting)
