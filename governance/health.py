"""What can be wrong with an installation, in words. Behind `manage.py doctor`; each check is one function.

A worker is judged by a tick it consumed and wrote down, never by its process: a stalled consumer looks alive.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min
from kombu.exceptions import KombuError

from accounts.models import AssignmentRun, PendingEvaluation, RunChunk
from frameworks.database_rules import tables_with_trigger
from governance.documents.pdf import NoPdfError, check_renderer
from governance.models import Heartbeat, Notification

OK, WARN, BAD = "ok", "warn", "bad"

TICK_LIMIT = timedelta(seconds=90)
"""Six ticks of beat: a worker in the middle of a long task still answers in time."""
PENDING_LIMIT = timedelta(minutes=5)
"""The promise: whatever changed is assigned within five minutes, even if every message is lost."""
MAIL_LIMIT = timedelta(minutes=15)
TRANSACTION_LIMIT = timedelta(minutes=10)
DISK_WARN, DISK_BAD = 0.10, 0.05


@dataclass(frozen=True)
class Check:
    """One finding. `state` is ok, warn or bad; `words` say what is so and, when it is wrong, what to do."""

    name: str
    state: str
    words: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def check_installation(at: datetime) -> list[Check]:
    """Every check, in the order in which one would mend things. Without a database most cannot be made."""
    first = check_database()
    if first.state == BAD:
        return [first, check_broker(), check_disk()]
    return [first, *(_guarded(check, at) for check in CHECKS), check_broker(), check_disk()]


def _guarded(check: Callable[[datetime], Check], at: datetime) -> Check:
    try:
        return check(at)
    except DatabaseError as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return Check(name, BAD, f"Could not be checked: {str(error).splitlines()[0]}")


def check_database() -> Check:
    start = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        return Check("database", BAD, f"PostgreSQL does not answer: {str(error).splitlines()[0]}")
    took = (time.perf_counter() - start) * 1000
    return Check("database", OK, f"PostgreSQL {version} answers in {took:.0f} ms.")


def check_migrations(at: datetime) -> Check:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        return Check("migrations", BAD, f"{missing} migrations are not applied. Run: manage.py migrate")
    return Check("migrations", OK, "The schema is this code's.")


def check_roles(at: datetime) -> Check:
    """The role that runs must not be able to rewrite history, hence own nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
            " bool_or(has_table_privilege(table_name, 'UPDATE') OR has_table_privilege(table_name, 'DELETE'))"
            " FROM unnest(%s::text[]) AS t (table_name)",
            [tables_with_trigger("default", "append_only")],
        )
        role, is_superuser, may_rewrite = cursor.fetchone()
    if is_superuser or may_rewrite:
        words = f"One role, {role}, owns and runs. Set DATABASE_OWNER_URL and let the application use another."
        return Check("roles", WARN, words)
    return Check("roles", OK, f"The application runs as {role} and cannot rewrite history.")


def is_silent(heartbeat: Heartbeat | None, at: datetime) -> bool:
    """No worker has taken a tick of that queue for so long that one cannot be counted on."""
    return heartbeat is None or at - heartbeat.consumed_at > TICK_LIMIT


def check_workers(at: datetime) -> Check:
    seen = {row.queue: row for row in Heartbeat.objects.all()}
    silent = [queue for queue in settings.QUEUES if is_silent(seen.get(queue), at)]
    if silent:
        since = ", ".join(f"{queue} ({_since(seen.get(queue), at)})" for queue in silent)
        command = f"celery -A segmentation_site worker -Q {','.join(silent)}"
        return Check("workers", BAD, f"No worker takes ticks from: {since}. Start one: {command}")
    late = max((row.consumed_at - row.sent_at for row in seen.values()), default=timedelta(0))
    if late > TICK_LIMIT / 2:
        return Check("workers", WARN, f"Every queue is worked on, but a tick waited {span(late)}.")
    return Check("workers", OK, f"A worker took a tick from each of: {', '.join(settings.QUEUES)}.")


def _since(heartbeat: Heartbeat | None, at: datetime) -> str:
    return f"last {span(at - heartbeat.consumed_at)} ago" if heartbeat else "never"


def check_beat(at: datetime) -> Check:
    newest = max((row.sent_at for row in Heartbeat.objects.all()), default=None)
    if newest is None or at - newest > TICK_LIMIT:
        ago = f"for {span(at - newest)}" if newest else "ever"
        return Check("beat", BAD, f"No tick was sent {ago}. Start it: celery -A segmentation_site beat")
    return Check("beat", OK, f"The last tick was sent {span(at - newest)} ago.")


def check_pending_work(at: datetime) -> Check:
    owed = PendingEvaluation.objects.aggregate(marks=Count("pk"), oldest=Min("marked_at"))
    if not owed["marks"]:
        return Check("pending work", OK, "No account waits to be evaluated.")
    age = at - owed["oldest"]
    words = f"{owed['marks']:,} marks wait, the oldest for {span(age)}."
    if age > PENDING_LIMIT:
        return Check("pending work", BAD, f"{words} They should be done in {span(PENDING_LIMIT)}.")
    return Check("pending work", OK, words)


def check_runs(at: datetime) -> Check:
    stuck = RunChunk.objects.filter(state=RunChunk.State.STUCK, run__state__in=AssignmentRun.LIVE)
    runs = sorted(set(stuck.values_list("run_id", flat=True)))
    if runs:
        named = ", ".join(f"run {pk}" for pk in runs)
        return Check("runs", BAD, f"{stuck.count()} parts of {named} failed three times and wait for a person.")
    held = list(AssignmentRun.objects.filter(state=AssignmentRun.State.HELD).values_list("pk", flat=True))
    if held:
        return Check("runs", WARN, f"Run {held[0]} is held by the guard until somebody releases or cancels it.")
    return Check("runs", OK, "No run is stuck or held.")


def check_reconciliation(at: datetime) -> Check:
    """Outcomes that only the nightly run found: something changes accounts without marking them."""
    nightly = AssignmentRun.objects.filter(kind=AssignmentRun.Kind.NIGHTLY, state=AssignmentRun.State.APPLIED)
    newest = nightly.order_by("framework_id", "-pk").distinct("framework_id")
    for run in newest:
        if found := outcomes_found(run):
            words = f"Run {run.pk} of the night found {found:,} outcomes that nothing had marked."
            return Check("reconciliation", BAD, words)
    return Check("reconciliation", OK, "The last nightly run found nothing.")


def outcomes_found(run: AssignmentRun) -> int:
    """How many outcomes a nightly run found that differ from what was stored; 0 for other runs."""
    if run.kind != AssignmentRun.Kind.NIGHTLY:
        return 0
    return sum(count for by_from in run.moves.values() for by_to in by_from.values() for count in by_to.values())


def check_transactions(at: datetime) -> Check:
    """A long transaction holds the sync feed back for every reader."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, now() - xact_start FROM pg_stat_activity"
            " WHERE xact_start IS NOT NULL AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1"
        )
        oldest = cursor.fetchone()
    if oldest and oldest[1] > TRANSACTION_LIMIT:
        words = f"The transaction of backend {oldest[0]} is open for {span(oldest[1])} and holds the sync feed back."
        return Check("transactions", WARN, words)
    return Check("transactions", OK, "No transaction is open for long.")


def check_mail(at: datetime) -> Check:
    """Mail that is owed is a row: how long the oldest waits, and what the mail server last said."""
    mails = Notification.objects.all()
    failed = mails.filter(mail_state=Notification.MailState.FAILED).count()
    last = mails.mail_failing().order_by("-mail_claimed_at").values_list("mail_error", flat=True).first()
    if failed:
        return Check("mail", BAD, f"{failed:,} mails were given up: {last} When it is mended: manage.py mail retry")
    oldest = mails.mail_owed().aggregate(oldest=Min("mail_after"))["oldest"]
    if oldest and at - oldest > MAIL_LIMIT:
        return Check("mail", BAD, f"A mail is owed for {span(at - oldest)}: no worker sends it.")
    if last:
        return Check("mail", WARN, f"{mails.mail_failing().count():,} mails are tried again: {last}")
    return Check("mail", OK, "Every mail that was due is sent.")


def check_broker() -> Check:
    """Losing the broker costs minutes, not work; but it should be there."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (OSError, KombuError) as error:
        return Check("broker", BAD, f"Redis does not answer: {error}. Changes wait for the sweeper until it does.")
    return Check("broker", OK, "Redis answers.")


def check_documents(at: datetime) -> Check:
    """Pages work without it; only the files cannot be made."""
    try:
        check_renderer()
    except NoPdfError as error:
        return Check("documents", WARN, str(error))
    return Check("documents", OK, "Documents can be made as PDF.")


def check_disk() -> Check:
    usage = shutil.disk_usage(_existing(Path(settings.AUDIT_ANCHOR_FILE)))
    share = usage.free / usage.total
    words = f"{usage.free / 2**30:,.1f} GiB free, {share:.0%} of the disk."
    state = BAD if share < DISK_BAD else WARN if share < DISK_WARN else OK
    return Check("disk", state, words)


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def span(duration: timedelta) -> str:
    """ "40 s", "12 min", "3 h", "5 days": one unit, for people."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


CHECKS: tuple[Callable[[datetime], Check], ...] = (
    check_migrations,
    check_roles,
    check_workers,
    check_beat,
    check_pending_work,
    check_runs,
    check_reconciliation,
    check_transactions,
    check_mail,
    check_documents,
)
