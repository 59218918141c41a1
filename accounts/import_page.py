"""What the pages of imports show: the state in words and who acts next, the preview in figures, the mapping step."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Count

from accounts.exporting import safe_text
from accounts.import_form import MappingForm, ReadingForm, initial_values
from accounts.intake.errors import FileRefusedError
from accounts.intake.guessing import guess_columns, known_guess
from accounts.intake.mapping import ImportMapping, parse_mapping
from accounts.intake.reading import DELIMITERS, FileReader, inspect_file
from accounts.intake.targets import file_targets
from accounts.intake.work import max_bytes
from accounts.models import Import, ImportRow
from accounts.services.uploads import local_file
from accounts.tables import duration_words
from frameworks.errors import InvalidError

State = Import.State
TONES: dict[str, str] = {
    State.UPLOADED: "a",
    State.VALIDATING: "a",
    State.READY: "warn",
    State.APPLYING: "a",
    State.APPLIED: "ok",
    State.FAILED: "bad",
}
SAMPLE_ROWS = 5
SHOWN_REJECTED = 50
KNOWN_MAPPINGS = 10


class ImportPage:
    """One import at one moment."""

    def __init__(self, batch: Import, at: datetime) -> None:
        self.batch, self.at = batch, at

    @property
    def tone(self) -> str:
        return TONES.get(self.batch.state, "")

    @property
    def sentence(self) -> str:
        """The state in words, and who acts next."""
        batch = self.batch
        words: dict[str, str] = {
            State.UPLOADED: "Nothing was read into accounts yet. Say what each column is; then the rows are checked.",
            State.VALIDATING: "The rows are being checked. Nothing changes yet; you may leave this page.",
            State.READY: "Checked. Nothing has changed: somebody who may import confirms it, or cancels it.",
            State.APPLYING: "Being written, all of it or nothing. You may leave this page.",
            State.APPLIED: "Applied. Changed accounts are evaluated now; nobody has to do anything.",
            State.CANCELLED: "Cancelled. Nothing was changed.",
            State.FAILED: "Refused. Nothing was changed. Correct the file and upload it again.",
        }
        return words[batch.state]

    # --- progress

    @property
    def total_rows(self) -> int:
        """Lines but the header; rows with line breaks in cells make it a little too many."""
        return max(self.batch.lines - 1, self.batch.rows)

    @property
    def rate(self) -> int:
        """Rows per second since this phase began; 0 while unknown."""
        started = self.batch.phase_started_at
        seconds = (self.at - started).total_seconds() if started else 0
        return round(self.batch.rows / seconds) if seconds > 0 else 0

    @property
    def time_left(self) -> str:
        left = self.total_rows - self.batch.rows
        return duration_words(left / self.rate) if self.rate and left else ""

    @property
    def phase(self) -> str:
        if self.batch.lease is None:
            return "Waiting for a worker"
        if self.batch.rows >= self.total_rows:
            return "Writing" if self.batch.state == State.APPLYING else "Comparing with the stored accounts"
        return "Reading and checking"

    # --- figures

    @property
    def figures(self) -> list[dict[str, Any]]:
        batch, is_done = self.batch, self.batch.state == State.APPLIED
        rejected = {"label": "Rejected rows", "value": f"{batch.rejected:,}"}
        if batch.rejected:
            rejected |= {"detail": "not imported, with reasons", "tone": "bad", "url": "#rejected"}
        figures = [
            {"label": "Rows read", "value": f"{batch.rows:,}", "detail": self._left_out},
            {"label": "New accounts" if not is_done else "Created", "value": f"{batch.created:,}"},
            {"label": "Accounts that change" if not is_done else "Updated", "value": f"{batch.updated:,}"},
            {"label": "Unchanged", "value": f"{batch.unchanged:,}"},
            rejected,
        ]
        if batch.observations:
            figures[3] = {"label": "Metric values", "value": f"{batch.observations:,}", "detail": "of periods"}
        return figures

    @property
    def _left_out(self) -> str:
        parts = [f"{self.batch.skipped:,} of other periods"] if self.batch.skipped else []
        parts += [f"{self.batch.collapsed:,} repeated"] if self.batch.collapsed else []
        return ", ".join(parts)

    @cached_property
    def changes(self) -> list[tuple[str, int, int]]:
        """(attribute, values that change, cells that say "missing")."""
        changed, missing = self.batch.preview.get("attributes", {}), self.batch.preview.get("missing", {})
        targets = file_targets()
        keys = sorted({*changed, *missing}, key=lambda key: (-changed.get(key, 0), key))
        labels = {key: targets[key].label if key in targets else key for key in keys}
        return [(labels[key], changed.get(key, 0), missing.get(key, 0)) for key in keys]

    @property
    def has_rows(self) -> bool:
        """Whether confirming would do anything at all."""
        return self.batch.rows > self.batch.rejected + self.batch.skipped

    @cached_property
    def rejected_rows(self) -> list[ImportRow]:
        return list(self.batch.rejected_rows.all()[:SHOWN_REJECTED])

    @cached_property
    def reasons(self) -> list[tuple[str, int]]:
        """How often each reason was given, most often first."""
        rows = self.batch.rejected_rows.order_by().values_list("code").annotate(count=Count("pk"))
        return list(rows.order_by("-count", "code"))


def rejected_csv(batch: Import) -> Iterator[list[Any]]:
    """Head and rows of the list of rejected cells; what came from the file is made harmless for spreadsheets."""
    yield ["line", "external_id", "column", "code", "reason", "received"]
    for row in batch.rejected_rows.iterator(chunk_size=2000):
        texts = (row.external_id, row.field, row.code, row.message, row.received)
        yield [row.line, *(safe_text(text) for text in texts)]


class MappingStep:
    """The uploaded file as far as it can be read, and the form that says what its columns are."""

    def __init__(self, batch: Import, query: Any) -> None:
        self.batch = batch
        self.known = known_mappings()
        names = [(str(uuid), f"{mapping.source}, as in “{name}”") for uuid, name, mapping in self.known]
        self.reading = ReadingForm(query or None, known=names)
        chosen = self.reading.cleaned_data if self.reading.is_valid() else {}
        self.like = next((mapping for uuid, _, mapping in self.known if str(uuid) == chosen.get("like")), None)
        self.encoding = chosen.get("encoding") or (self.like.encoding if self.like else "utf-8")
        self.delimiter = chosen.get("delimiter") or (self.like.delimiter if self.like else "")
        self.problems: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.sample: list[list[str]] = []
        try:
            self._read()
        except FileRefusedError as error:
            self.problems = [detail.as_json() for detail in error.details]

    def _read(self) -> None:
        with local_file(self.batch) as path:
            facts = inspect_file(path, encoding=self.encoding, max_bytes=max_bytes())
            reader = FileReader(
                path, facts, delimiter=self.delimiter, expected=self.like.headers if self.like else set()
            )
            self.headers, self.delimiter = reader.headers, reader.delimiter
            self.sample = [cells for _, cells in islice(reader, SAMPLE_ROWS)]

    @property
    def delimiter_name(self) -> str:
        return DELIMITERS.get(self.delimiter, "")

    def form(self, data: Any = None) -> MappingForm:
        targets = file_targets()
        if data is not None:
            return MappingForm(data, headers=self.headers, targets=targets)
        guess = known_guess(self.headers, self.like) if self.like else guess_columns(self.headers, self.sample, targets)
        initial = initial_values(self.headers, guess, self.like)
        return MappingForm(initial=initial, headers=self.headers, targets=targets)

    def rows(self, form: MappingForm) -> list[dict[str, Any]]:
        """Each column with its first cells and its three fields."""
        return [
            {
                "header": header,
                "cells": [cells[place][:40] for cells in self.sample if place < len(cells)][:3],
                "target": target,
                "form": written,
                "multiply": factor,
            }
            for place, (header, target, written, factor) in enumerate(form.column_fields())
        ]


def known_mappings() -> list[tuple[UUID, str, ImportMapping]]:
    """Mappings of applied imports, the newest of each source; those that are none any more are left out."""
    found: dict[str, tuple[UUID, str, ImportMapping]] = {}
    applied = Import.objects.filter(state=State.APPLIED).order_by("-pk")
    for uuid, name, content in applied.values_list("uuid", "original_name", "mapping")[:200]:
        source = content.get("source", "")
        if source in found or len(found) >= KNOWN_MAPPINGS:
            continue
        try:
            found[source] = (uuid, name, parse_mapping(content))
        except InvalidError:
            continue
    return list(found.values())
