"""Running the checks of a version and keeping what they came to. Fills the slot of frameworks.checks."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.utils import DatabaseError

from accounts.checking.cell_findings import cell_findings
from accounts.checking.cells import run_cell_test
from accounts.checking.report import Computed, compute
from accounts.models import CheckReport
from accounts.services.findings import dimension_findings
from frameworks.checks.findings import Finding, Report, Sample, as_json, from_json
from frameworks.checks.slot import checked_digest
from frameworks.content import checked_all
from frameworks.criteria.parsing import CriteriaError
from frameworks.definition import Definition, definition_of
from frameworks.doorbell import ring
from frameworks.errors import InvalidError
from frameworks.models import FrameworkVersion, User
from frameworks.parts import PartError
from frameworks.services.access import require_permission

logger = logging.getLogger(__name__)
FRESH_FOR = timedelta(hours=24)
# A worker that has said nothing for so long is gone.
LOST_AFTER = timedelta(minutes=10)
AT_ONCE_ACCOUNTS = 50_000
CELLS_WAITED_FOR = 20_000
"""Of each dimension of a file somebody waits for; the checks of its draft ask ten times as many."""


class StoredChecks:
    """Implements frameworks.checks.slot.EngineChecks."""

    def known(self, version: FrameworkVersion) -> Report | None:
        row = CheckReport.objects.filter(version=version).first()
        return _report(row, checked_digest(version)) if row else None

    def ensure(self, version: FrameworkVersion, at: datetime) -> Report:
        """A current report, not older than a day. With many accounts it is not computed here: then not current."""
        known = self.known(version)
        is_fresh = known and known.checked_at and known.checked_at > at - FRESH_FOR
        if known and known.is_current and is_fresh:
            return known
        if not _is_quick():
            return known or Report()
        return run_checks(version_id=version.pk, at=at)

    def start(self, *, version: FrameworkVersion, actor: User, at: datetime) -> Report:
        require_permission(actor, "edit_draft", to="run the checks")
        if _is_quick():
            return run_checks(version_id=version.pk, at=at)
        with transaction.atomic():
            row, _ = CheckReport.objects.select_for_update().get_or_create(version=version)
            if not _is_at_work(row, at):
                row.is_running, row.started_at, row.done, row.total, row.failure = True, at, 0, 0, ""
                row.save()
                from accounts.tasks import run_checks_task

                ring(run_checks_task, version.pk)
        return _report(row, checked_digest(version))

    def of_rules(self, definition: Definition, at: datetime) -> list[Finding]:
        try:
            most = CELLS_WAITED_FOR
            tests = [
                run_cell_test(definition, key, as_of=at, at_most=most, sample_at_most=most)
                for key in definition.dimensions
            ]
            return [each.finding for test in tests for each in cell_findings(test)]
        except (PartError, CriteriaError, ValueError) as error:
            raise InvalidError([str(error)]) from error

    def of_dimension(self, definition: Definition, dimension: str, at: datetime) -> list[Finding]:
        try:
            return dimension_findings(definition, dimension, at=at)
        except (PartError, CriteriaError, ValueError) as error:
            raise InvalidError([str(error)]) from error


def run_checks(*, version_id: int, at: datetime) -> Report:
    """Compute and keep the report of a version. Raises InvalidError where its parts cannot be read."""
    version = FrameworkVersion.objects.select_related("framework", "base_version").get(pk=version_id)
    digest = checked_digest(version)
    began = time.perf_counter()
    try:
        definition = _readable(version)
        base = _readable(version.base_version) if version.base_version else None
        found = compute(definition, digest=digest, as_of=at, base=base, tell=lambda d, t: _tell(version_id, d, t))
    except (InvalidError, DatabaseError) as error:
        CheckReport.objects.filter(version=version).update(is_running=False, failure=_words(error))
        if isinstance(error, InvalidError):
            raise
        raise InvalidError([f"The checks could not be run: {_words(error)}"]) from error
    row, _ = CheckReport.objects.update_or_create(
        version=version,
        defaults={**_columns(found), "digest": digest, "checked_at": at, "seconds": time.perf_counter() - began},
    )
    return _report(row, digest)


def run_checks_in_worker(*, version_id: int, at: datetime) -> None:
    """Like `run_checks`; what goes wrong stays with the report, where the page shows it."""
    try:
        run_checks(version_id=version_id, at=at)
    except InvalidError as error:
        logger.info("The checks of version %s could not be run: %s", version_id, error)


def _readable(version: FrameworkVersion) -> Definition:
    definition = definition_of(version)
    try:
        checked_all(definition.bodies)
    except (PartError, CriteriaError, ValueError) as error:
        raise InvalidError([str(error)]) from error
    return definition


def _words(error: Exception) -> str:
    return " ".join(error.problems) if isinstance(error, InvalidError) else str(error).splitlines()[0]


def _tell(version_id: int, done: int, total: int) -> None:
    CheckReport.objects.filter(version_id=version_id, is_running=True).update(done=done, total=total)


def _columns(found: Computed) -> dict[str, Any]:
    return {
        "findings": [as_json(finding) for finding in found.findings],
        "samples": [asdict(sample) for sample in found.samples],
        "unreached": found.unreached,
        "notes": found.notes,
        "cells": found.cells,
        "accounts": found.accounts,
        "is_running": False,
        "failure": "",
    }


def _report(row: CheckReport, digest: str) -> Report:
    return Report(
        findings=tuple(from_json(finding) for finding in row.findings),
        samples=tuple(_sample(stored) for stored in row.samples),
        unreached=tuple(row.unreached),
        notes=tuple(row.notes),
        cells=row.cells,
        accounts=row.accounts,
        seconds=row.seconds,
        checked_at=row.checked_at,
        digest=row.digest,
        is_current=row.digest == digest,
        is_running=row.is_running,
        done=row.done,
        total=row.total,
        failure=row.failure,
    )


def _sample(stored: dict[str, Any]) -> Sample:
    values = tuple((label, value) for label, value in stored["values"])
    return Sample(stored["number"], values, stored["segments"], stored["reasons"], stored["before"])


def _is_at_work(row: CheckReport, at: datetime) -> bool:
    return row.is_running and row.started_at is not None and row.started_at > at - LOST_AFTER


def _is_quick() -> bool:
    """By the table's statistics: counting a million rows would itself take a while."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'accounts_account'::regclass")
        (estimate,) = cursor.fetchone()
    return int(estimate) <= AT_ONCE_ACCOUNTS
