"""Importing a file into accounts.

Only rows that pass are applied, all of them in one transaction with the record of it, the audit entry and the
marks that owe each changed account an evaluation. `import_file` does everything at once; the steps of a person's
import, with a worker in between, are in services/uploads.py and share what is here.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.errors import LeaseLostError
from accounts.intake.applying import Stamp
from accounts.intake.errors import FileProblem, FileRefusedError
from accounts.intake.mapping import ImportMapping, dump_mapping, load_mapping, parse_mapping
from accounts.intake.reading import RowProblem
from accounts.intake.work import FileWork, Outcome, bulk_session, open_file
from accounts.models import Import, ImportRow
from accounts.services.marking import ring_doorbell
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import User

logger = logging.getLogger(__name__)

PERMISSION = "accounts.import_accounts"
LEASE = timedelta(seconds=90)
MAX_ATTEMPTS = 3
State = Import.State

TRANSITIONS: dict[str, tuple[str, ...]] = {
    State.UPLOADED: (State.VALIDATING, State.CANCELLED),
    State.VALIDATING: (State.READY, State.APPLYING, State.FAILED, State.CANCELLED, State.UPLOADED),
    State.READY: (State.APPLYING, State.VALIDATING, State.CANCELLED),
    State.APPLYING: (State.APPLIED, State.READY, State.FAILED, State.CANCELLED),
}
"""Applying goes back to ready when accounts changed since the preview: the person confirms new figures."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or would do while `state` is not applied. Counts as in the model; times in seconds."""

    uuid: uuid.UUID
    state: str
    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    skipped: int
    collapsed: int
    observations: int
    attributes: dict[str, int]
    missing: dict[str, int]
    notes: list[str]
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What a caller wants to be told: `progress(phase, rows read, lines in all)`, `confirm(report)` → go on?"""

    progress: Callable[[str, int, int], None] = field(default=lambda phase, done, total: None)
    confirm: Callable[[ImportReport], bool] | None = None


def shown_name(name: str) -> str:
    """What the person called the file, fit to be stored and shown: no folders, nothing invisible or turning text."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in base)
    return visible[:255] or "unnamed"


def check_may_import(actor: User) -> None:
    """Raises NotAllowedError; asked again at every step, because permissions change in between."""
    if not actor.is_active or not actor.has_perm(PERMISSION):
        raise NotAllowedError("Importing accounts needs the permission to push or import account data.")


# At once: the command, the demo, the bench


def import_file(
    *,
    path: Path,
    mapping: ImportMapping | Path | dict[str, Any],
    actor: User | None,
    at: datetime,
    periods: Iterable[str] = (),
    watch: Watch | None = None,
) -> ImportReport:
    """Check `path` and apply it, in this process; `actor` None is the system itself (a shell on the server).

    Rejected rows are kept with the Import and do not stop the others. Raises FileRefusedError or MappingError
    (nothing was changed; the refusal is on record), NotAllowedError.
    """
    if actor is not None:
        check_may_import(actor)
    chosen, watch = _as_mapping(mapping), watch or Watch()
    batch = Import.objects.create(
        state=State.VALIDATING,
        source=chosen.source,
        original_name=shown_name(path.name),
        mapping=dump_mapping(chosen),
        periods=sorted(str(period) for period in periods),
        uploaded_by=actor,
        uploaded_at=at,
        phase_started_at=timezone.now(),
        lease=uuid.uuid4(),
        leased_until=timezone.now() + LEASE,
    )
    try:
        return _import_now(batch, path, chosen, actor, at, watch)
    except InvalidError as error:
        fail(batch, problems_of(error), at)
        raise
    except Exception:
        fail(batch, [{"code": "error", "message": "The import stopped with an error; nothing was changed."}], at)
        raise


def _as_mapping(mapping: ImportMapping | Path | dict[str, Any]) -> ImportMapping:
    if isinstance(mapping, ImportMapping):
        return mapping
    return load_mapping(mapping) if isinstance(mapping, Path) else parse_mapping(mapping)


def _import_now(
    batch: Import, path: Path, mapping: ImportMapping, actor: User | None, at: datetime, watch: Watch
) -> ImportReport:
    started = timezone.now()
    with bulk_session() as cursor:
        work, outcome = staged_work(cursor, batch, path, mapping, at, watch)
        keep_outcome(batch, outcome)
        if watch.confirm and not watch.confirm(_report(batch, started)):
            finish(batch, State.CANCELLED, at)
            return _report(batch, started)
        watch.progress("applying", work.staged.rows, batch.lines)
        apply_work(batch, work, actor, at)
    return _report(batch, started)


def _report(batch: Import, started: datetime) -> ImportReport:
    preview = batch.preview
    return ImportReport(
        uuid=batch.uuid,
        state=batch.state,
        attributes=preview.get("attributes", {}),
        missing=preview.get("missing", {}),
        notes=preview.get("notes", []),
        seconds=(timezone.now() - started).total_seconds(),
        **batch.counts(),
    )


# What both ways share


def staged_work(
    cursor: Any, batch: Import, path: Path, mapping: ImportMapping, at: datetime, watch: Watch
) -> tuple[FileWork, Outcome]:
    """Open, stage, check and compare the file, and keep the rejected rows; every block renews the lease."""
    opened = open_file(path, mapping)
    if batch.sha256 and batch.sha256 != opened.facts.sha256:
        raise FileRefusedError(FileProblem("file_changed", "The stored file is not the one that was uploaded."))
    batch.lines, batch.size_bytes, batch.sha256 = opened.facts.lines, opened.facts.size, opened.facts.sha256
    batch.save(update_fields=["lines", "size_bytes", "sha256"])
    stamp = Stamp(source=mapping.source, import_id=str(batch.uuid), at=at)
    work = FileWork(cursor, opened, stamp)

    def on_block(rows: int) -> None:
        _renew(batch, rows)
        watch.progress("reading", rows, batch.lines)

    work.stage(periods=frozenset(batch.periods), on_block=on_block)
    outcome = work.compare()
    _keep_rejected(cursor, batch, work.rejected())
    batch.preview = {"notes": _notes(work)}
    return work, outcome


def _renew(batch: Import, rows: int) -> None:
    """Progress and lease in one statement. Raises LeaseLostError when another worker took over, or on cancel."""
    held = Import.objects.filter(pk=batch.pk, lease=batch.lease, state=batch.state)
    if not held.update(rows=rows, leased_until=timezone.now() + LEASE):
        raise LeaseLostError("The import was cancelled or taken over.")


def _notes(work: FileWork) -> list[str]:
    plan, facts = work.plan, work.reader.facts
    notes = [f"The column “{header}” is not in the file: its values stay as they are." for header in plan.absent]
    if plan.ignored:
        notes.append(f"Ignored columns: {', '.join(plan.ignored)}.")
    if work.checked.collapsed:
        notes.append(f"{work.checked.collapsed:,} rows repeat another row exactly and were taken once.")
    if facts.bad_lines:
        notes.append(
            f"{facts.bad_lines:,} lines hold bytes that are not UTF-8; the first is byte {facts.first_bad_byte:,}."
        )
    return notes


def _keep_rejected(cursor: Any, batch: Import, problems: Iterable[RowProblem]) -> None:
    """By COPY: a file of which every row is wrong is reported in seconds, too."""
    ImportRow.objects.filter(batch=batch).delete()
    columns = "batch_id, line, external_id, field, code, message, received"
    rows = list(problems)
    with cursor.copy(f"COPY {ImportRow._meta.db_table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                (batch.pk, row.line, row.external_id, row.field[:255], row.code, row.message[:400], row.received[:200])
            )


def keep_outcome(batch: Import, outcome: Outcome) -> None:
    staged, checked, effect = outcome.staged, outcome.checked, outcome.effect
    batch.rows, batch.skipped = staged.rows, staged.skipped
    batch.rejected, batch.collapsed = checked.rejected, checked.collapsed
    batch.created, batch.updated, batch.unchanged = effect.created, effect.updated, effect.unchanged
    batch.observations, batch.fingerprint = effect.observations, effect.fingerprint
    batch.preview = {**batch.preview, "attributes": effect.attributes, "missing": checked.missing}
    batch.save()


class StalePreviewError(Exception):
    """Accounts changed between preview and apply: what would be done now is `outcome`, and was not."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("Accounts changed since the preview.")
        self.outcome = outcome


def apply_work(batch: Import, work: FileWork, actor: User | None, at: datetime, *, promised: str = "") -> None:
    """The governed act: accounts, marks and the record of it, all or nothing.

    `promised` is the fingerprint of the preview a person confirmed. Raises LeaseLostError, StalePreviewError.
    """
    with governed("import.applied", actor=actor, target=batch, at=at) as act:
        held = Import.objects.select_for_update().filter(pk=batch.pk, lease=batch.lease, state=batch.state)
        if not held.exists():
            raise LeaseLostError("The import was cancelled or taken over.")
        outcome = work.apply()
        if promised and outcome.effect.fingerprint != promised:
            raise StalePreviewError(outcome)
        keep_outcome(batch, outcome)
        batch.confirmed_by, batch.confirmed_at = batch.confirmed_by or actor, batch.confirmed_at or at
        finish(batch, State.APPLIED, at)
        act.after = {"source": batch.source, **{name: str(count) for name, count in batch.counts().items()}}
        ring_doorbell()


def finish(batch: Import, state: str, at: datetime) -> None:
    batch.state, batch.finished_at = state, at
    batch.lease = batch.leased_until = None
    batch.save()


def fail(batch: Import, problems: list[dict[str, Any]], at: datetime) -> None:
    batch.problems = problems
    finish(batch, State.FAILED, at)


def problems_of(error: InvalidError) -> list[dict[str, Any]]:
    """The reasons as the Import keeps them and the API sends them: code, message and place."""
    if isinstance(error, FileRefusedError):
        return [detail.as_json() for detail in error.details]
    return [{"code": "mapping", "message": problem} for problem in error.problems]
