"""Measure this machine, this database and this version: `manage.py bench`. docs/performance.md reads the lines."""

import logging
import os
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from governance.benchmark.evaluating import Evaluating
from governance.benchmark.framework import make_versions
from governance.benchmark.history import measure_history
from governance.benchmark.impact import measure_impact
from governance.benchmark.importing import measure_import
from governance.benchmark.own_schema import migrate_own_schema, own_schema
from governance.benchmark.population import AS_OF, override_some, populate
from governance.benchmark.pushing import measure_pushes
from governance.benchmark.report import Report, growth_exponent, machine, peak_memory_mb

FEWEST, MOST = 1_000, 20_000_000
IMPORTED = 200_000
SIZES = (10_000, 100_000, 1_000_000)
REPEATED_UP_TO = 200_000


class Command(BaseCommand):
    requires_system_checks = []
    help = "Measures imports, runs and edits over made-up accounts, next to hand-written SQL, in a schema of its own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", type=int, default=100_000, metavar="N", help="default: 100000")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
        parser.add_argument("--keep", action="store_true", help="leave the schema for a closer look")
        parser.add_argument("--engines", action="store_true", help="only compare with other rule engines")
        parser.add_argument("--scaling", action="store_true", help="also with fewer accounts, to see how time grows")

    def _print(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def handle(self, *args: Any, **options: Any) -> None:
        count = options["accounts"]
        if not FEWEST <= count <= MOST:
            raise CommandError(f"--accounts takes a number from {FEWEST:,} to {MOST:,}.")
        report = Report(None if options["json"] else self._print)
        schema = f"bench_{os.getpid()}"
        # Each doorbell would be a line. They do ring: ringing is part of what an edit costs.
        logging.getLogger("django_structlog").setLevel(logging.WARNING)
        with own_schema(schema, keep=options["keep"]):
            migrate_own_schema()
            if options["engines"]:
                measure_engines(report, count)
            else:
                measure(report, count, with_scaling=options["scaling"])
            if options["keep"]:
                report.add("schema", schema)
        if options["json"]:
            self.stdout.write(report.as_json())
        if report.values["same_outcome"] != "yes":
            raise CommandError(f"Product and bare SQL differ: {report.values['same_outcome']}")


def measure_engines(report: Report, count: int) -> None:
    """The same rules in other engines. Needs what requirements-bench.in names."""
    try:
        from governance.benchmark.engines.comparing import compare_engines
    except ImportError as error:
        raise CommandError(f"{error.name} is missing: pip install -r requirements-bench.txt") from error
    current, moved, _ = make_versions(at=AS_OF)
    report.add("accounts", count)
    report.add("machine", machine(_database_version()))
    report.add("load_at_start", os.getloadavg()[0])
    populate(count=count)
    override_some(count=count, author_id=current.author_id)
    differing = compare_engines(Evaluating(report, current, moved, 1))
    report.add("load_at_end", os.getloadavg()[0])
    report.add("same_outcome", "; ".join(differing) or "yes")


def measure(report: Report, count: int, *, with_scaling: bool) -> None:
    """Everything, in the order of the report. Begins in an empty, migrated schema."""
    current, moved, watching = make_versions(at=AS_OF)
    report.add("accounts", count)
    report.add("machine", machine(_database_version()))
    report.add("load_at_start", os.getloadavg()[0])
    rounds = 3 if count <= REPEATED_UP_TO else 1
    differing = measure_import(report, rows=min(count, IMPORTED), rounds=3)
    evaluating = Evaluating(report, current, moved, rounds)
    growth: dict[int, float] = {}
    for size in [size for size in SIZES if with_scaling and size < count]:
        populate(count=size)
        override_some(count=size, author_id=current.author_id)
        small = Evaluating(Report(), current, moved, 1)
        small.first_assignment()
        small.reevaluation()
        growth[size] = small.report.values["reevaluation_seconds"]
        report.add(f"reevaluation_seconds_of_{size}", growth[size])
        differing += small.differing
    populate(count=count)
    override_some(count=count, author_id=current.author_id)
    for part in (
        evaluating.first_assignment,
        evaluating.reevaluation,
        evaluating.two_workers,
        partial(measure_impact, evaluating),
        partial(measure_history, evaluating, watching, with_more=count <= REPEATED_UP_TO),
        evaluating.moved_cutline,
        evaluating.edits,
        partial(measure_pushes, evaluating),
    ):
        part()
    growth[count] = report.values["reevaluation_seconds"]
    if len(growth) > 1:
        report.add("reevaluation_growth_exponent", growth_exponent(growth))
    report.add("memory_peak_mb", peak_memory_mb())
    report.add("load_at_end", os.getloadavg()[0])
    report.add("same_outcome", "; ".join(differing + evaluating.differing) or "yes")


def _database_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"
