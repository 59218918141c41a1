"""Measuring runs: first assignment, re-evaluation without change and after a moved cutline, single edits.

Each measured part begins from the same stored state for the product and for the bare SQL: emptied, or restored
from a copy, then vacuumed. The product works as its workers do, chunk by chunk with leases, in this process.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property, partial
from statistics import median
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account, Assignment, AssignmentRun, Cause, PendingEvaluation
from accounts.services import runs
from accounts.services.chunks import CHUNK_ACCOUNTS
from accounts.services.evaluation import evaluate_pending
from accounts.services.marking import mark_accounts
from accounts.signals import run_evaluated
from frameworks.models import Dimension, FrameworkVersion, Segment
from governance import receivers
from governance.benchmark import bare_sql
from governance.benchmark.framework import MOVED_THRESHOLD, THRESHOLD, make_active
from governance.benchmark.population import AS_OF, TODAY
from governance.benchmark.report import Report, percentile, seconds_of

# An activation owes an evaluation to whatever changed since it was planned: what is measured before it is older.
LATER = AS_OF + timedelta(minutes=1)
EDITS = 200
ACCOUNTS_PER_EDIT = 20
SHOWN = (
    "account_id, dimension_id, computed_id, effective_id, without_override_id, reason, rule_key, missing, conflict,"
    " is_provisional, is_held, override_until, framework_version_id, version, effective_since, changed_at"
)
OUTCOME = f"{SHOWN}, next_flip_at, computed_since, decided_with"
EVENT = (
    "account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key, framework_version_id, version,"
    " effective_at, epoch"
)


@dataclass
class Evaluating:
    """One size of the population under one framework; every timing is made `rounds` times."""

    report: Report
    current: FrameworkVersion
    moved: FrameworkVersion
    rounds: int
    differing: list[str] = field(default_factory=list)

    @cached_property
    def run_by_hand(self) -> AssignmentRun:
        """What transitions written by hand name as their run, as the product's name theirs."""
        return AssignmentRun.objects.create(
            framework=self.current.framework,
            framework_version=self.current,
            kind=AssignmentRun.Kind.REEVALUATION,
            state=AssignmentRun.State.APPLIED,
            as_of=AS_OF,
            created_at=AS_OF,
        )

    # --- the two ways to do the work

    def product(self, version: FrameworkVersion, *, workers: int = 1) -> tuple[float, float]:
        """A re-evaluation of every account: seconds of the whole run, and until the last chunk was written."""
        began = timezone.now()
        run = runs.plan_run(version=version, kind=AssignmentRun.Kind.REEVALUATION, actor=None, at=AS_OF)
        work_off(run, workers)
        ended = timezone.now()
        last = max(finished for finished in run.chunks.values_list("finished_at", flat=True) if finished)
        return (ended - began).total_seconds(), (last - began).total_seconds()

    def bare(self, version: FrameworkVersion, *, in_chunks: bool) -> tuple[float, float]:
        """The same by hand: seconds with the distribution that a run keeps at its end, and without."""
        evaluating = seconds_of(lambda: self._evaluate_by_hand(version, in_chunks=in_chunks))
        return evaluating + seconds_of(_count_by_hand), evaluating

    def _evaluate_by_hand(self, version: FrameworkVersion, *, in_chunks: bool) -> None:
        statement, parameters = bare_sql.assignment_sql(in_chunks=in_chunks), self.parameters(version)
        if not in_chunks:
            _run(statement, parameters)
            return
        (top,) = _row("SELECT max(id) + 1 FROM accounts_account")
        # Compiling a statement to machine code pays for a million accounts, not for a chunk.
        _run("SET jit = off")
        for first in range(0, top, CHUNK_ACCOUNTS):
            _run(statement, {**parameters, "first": first, "end": first + CHUNK_ACCOUNTS})
        _run("RESET jit")

    def parameters(self, version: FrameworkVersion) -> dict[str, Any]:
        return {
            **dict(Dimension.objects.values_list("key", "pk")),
            **dict(Segment.objects.values_list("key", "pk")),
            "as_of": AS_OF,
            "today": TODAY,
            "version_id": version.pk,
            "run_id": self.run_by_hand.pk,
            "cutline": Decimal(MOVED_THRESHOLD if version == self.moved else THRESHOLD),
        }

    # --- what is measured

    def first_assignment(self) -> None:
        """From no assignment at all. Leaves the product's rows, compared with those made by hand."""
        product, statement, chunks = [], [], []
        for turn in range(self.rounds):
            empty_assignments()
            statement.append(self.bare(self.current, in_chunks=False)[0])
            empty_assignments()
            chunks.append(self.bare(self.current, in_chunks=True)[0])
            if turn == 0:
                _keep("by_hand")
            empty_assignments()
            product.append(self.product(self.current)[0])
            if turn == 0:
                self._compare("first assignment")
        self.report.add_comparison("first_assignment", product, {"statement": statement, "chunks": chunks})
        empty_assignments()
        together = self.product(self.current, workers=2)[0]
        self.report.add("first_assignment_two_workers_seconds", together)
        self.report.add("first_assignment_two_workers_ratio", together / min(median(statement), median(chunks)))
        vacuum()

    def reevaluation(self) -> None:
        """Nothing has changed, so nothing is written; needs what `first_assignment` leaves."""
        product, statement, chunks = [], [], []
        for _ in range(max(3, self.rounds)):
            product.append(self.product(self.current))
            statement.append(self.bare(self.current, in_chunks=False))
            chunks.append(self.bare(self.current, in_chunks=True))
        for key, place in (("reevaluation", 0), ("reevaluation_evaluating", 1)):
            bare = {"statement": [pair[place] for pair in statement], "chunks": [pair[place] for pair in chunks]}
            self.report.add_comparison(key, [pair[place] for pair in product], bare)
        rate = Account.objects.count() / self.report.values["reevaluation_seconds"]
        self.report.add("reevaluation_accounts_per_second", rate)

    def two_workers(self) -> None:
        """The same run worked on by two workers; needs what `first_assignment` leaves."""
        # In turn, so that a load that comes and goes weighs on both.
        pairs = [(self.product(self.current)[1], self.product(self.current, workers=2)[1]) for _ in range(3)]
        one, two = (median(seconds) for seconds in zip(*pairs, strict=True))
        self.report.add("reevaluation_two_workers_seconds", two)
        self.report.add("reevaluation_two_workers_speedup", one / two)

    def moved_cutline(self) -> None:
        """A version whose Mid-Market begins elsewhere. Leaves its rows and makes it active."""
        _keep("saved", transitions=False)
        vacuum()
        (last,) = _row("SELECT COALESCE(max(id), 0) FROM accounts_transition")
        product, statement, chunks = [], [], []
        for turn in range(self.rounds):
            statement.append(self.bare(self.moved, in_chunks=False)[0])
            _restore(last)
            chunks.append(self.bare(self.moved, in_chunks=True)[0])
            if turn == 0:
                _keep("by_hand", since=last)
            _restore(last)
            product.append(self.product(self.moved)[0])
            if turn == 0:
                self._compare("moved cutline", since=last)
                (movers,) = _row("SELECT count(DISTINCT account_id) FROM accounts_transition WHERE id > %(last)s", last)
                self.report.add("moved_cutline_share_of_accounts", movers / Account.objects.count())
            _restore(last)
        self.report.add_comparison("moved_cutline", product, {"statement": statement, "chunks": chunks})
        self.report.add("moved_cutline_as_activation_seconds", seconds_of(self._activate_moved))

    def _activate_moved(self) -> None:
        """The way a person's change takes: pass 1 over everything, then only the movers; without gates and guard."""
        with without_gates():
            run = runs.plan_run(version=self.moved, kind=AssignmentRun.Kind.ACTIVATION, actor=None, at=LATER)
            work_off(run, 1)
            run.refresh_from_db()
            with transaction.atomic():
                make_active(self.moved)
                runs.start_applying(run=run, at=LATER)
            work_off(run, 1)

    def edits(self) -> None:
        """One account changes: from the first statement of the change to the assignment that follows it."""
        (top,) = _row("SELECT max(id) FROM accounts_account")
        count = min(EDITS, top // ACCOUNTS_PER_EDIT)
        if PendingEvaluation.objects.exists():
            self.differing.append("marks that nobody ought to have left")
        ids = [1 + place * top // count for place in range(count)]
        product = [seconds_of(partial(_edit, pk)) * 1000 for pk in ids]
        if PendingEvaluation.objects.exists() or strategic(ids) != len(ids):
            self.differing.append("edits")
        bare = [seconds_of(partial(self._edit_by_hand, pk)) * 1000 for pk in ids]
        for name, milliseconds in (("edit", product), ("edit_bare", bare)):
            self.report.add(f"{name}_p50_ms", percentile(milliseconds, 0.5))
            self.report.add(f"{name}_p95_ms", percentile(milliseconds, 0.95))

    def _edit_by_hand(self, pk: int) -> None:
        parameters = {**self.parameters(self.moved), "first": pk, "end": pk + 1}
        with transaction.atomic():
            _run("UPDATE accounts_account SET arr = 1200 WHERE id = %(first)s", parameters)
            _run(bare_sql.assignment_sql(in_chunks=True), parameters)

    # --- the same outcome

    def _compare(self, what: str, *, since: int = 0) -> None:
        """Note `what` when the product's rows are not exactly those that were made by hand."""
        rows = [("accounts_assignment", "by_hand_assignment", OUTCOME, "true")]
        rows += [("accounts_transition", "by_hand_transition", EVENT, "id > %(since)s")]
        for table, by_hand, columns, condition in rows:
            ours = f"SELECT {columns} FROM {table} WHERE {condition}"
            theirs = f"SELECT {columns} FROM {by_hand}"
            (differing,) = _row(
                f"SELECT (SELECT count(*) FROM ({ours} EXCEPT ALL {theirs}) AS a)"
                f" + (SELECT count(*) FROM ({theirs} EXCEPT ALL {ours}) AS b)",
                since,
            )
            if differing:
                self.differing.append(f"{what}: {differing} rows of {table}")


def _count_by_hand() -> None:
    dimensions = list(Dimension.objects.values_list("pk", flat=True))
    _run(bare_sql.DISTRIBUTION, {"as_of": AS_OF, "dimensions": dimensions})


def work_off(run: AssignmentRun, workers: int) -> None:
    """Both passes of a run, each by all the workers: the doorbell rings for them again when the second begins."""
    for state in (AssignmentRun.State.PLANNED, AssignmentRun.State.APPLYING):
        with ThreadPoolExecutor(max_workers=workers) as pool:
            for done in [pool.submit(_work, run.pk, state) for _ in range(workers)]:
                done.result()


def _work(run_id: int, state: str) -> None:
    try:
        while AssignmentRun.objects.filter(pk=run_id, state=state).exists():
            if not runs.work_next_chunk(run_id=run_id, at=AS_OF):
                break
    finally:
        connection.close()


@contextmanager
def without_gates() -> Iterator[None]:
    """Nobody signed the bench's versions: governance does not hear of their runs."""
    run_evaluated.disconnect(dispatch_uid="governance.go_on_with_run")
    try:
        yield
    finally:
        receivers.connect()


def _edit(pk: int) -> None:
    with transaction.atomic():
        Account.objects.filter(pk=pk).update(arr=Decimal("750000.00"))
        mark_accounts(account_ids=[pk], cause=Cause.DATA, at=LATER)
    evaluate_pending(at=LATER)


def strategic(ids: list[int]) -> int:
    """How many of these accounts the rules now call Strategic; excluded ones cannot be and are counted as such."""
    of_tier = Assignment.objects.filter(account_id__in=ids, dimension__key="tier")
    return of_tier.filter(computed__key="strategic").count() + of_tier.filter(reason="excluded").count()


# --- bringing the tables to where a round begins


def empty_assignments() -> None:
    _run("TRUNCATE accounts_assignment, accounts_transition RESTART IDENTITY")
    vacuum()


def _keep(name: str, *, transitions: bool = True, since: int = 0) -> None:
    _run(f"DROP TABLE IF EXISTS {name}_assignment, {name}_transition")
    _run(f"CREATE UNLOGGED TABLE {name}_assignment AS SELECT * FROM accounts_assignment")
    if transitions:
        _run(
            f"CREATE UNLOGGED TABLE {name}_transition AS SELECT * FROM accounts_transition WHERE id > %(since)s",
            {"since": since},
        )


def _restore(last_transition: int) -> None:
    _run("TRUNCATE accounts_assignment")
    _run("INSERT INTO accounts_assignment SELECT * FROM saved_assignment ORDER BY account_id, dimension_id")
    _run("DELETE FROM accounts_transition WHERE id > %(last)s", {"last": last_transition})
    vacuum()


def vacuum() -> None:
    """Leave no work behind for what is measured next: neither dead rows nor, where the role may, unwritten pages."""
    for table in ("accounts_assignment", "accounts_transition", "accounts_account"):
        _run(f"VACUUM (ANALYZE) {table}")
    if _row("SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE')")[0]:
        _run("CHECKPOINT")


def _run(statement: str, parameters: dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _row(statement: str, number: int = 0) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"since": number, "last": number})
        row: tuple[Any, ...] = cursor.fetchone()
    return row
