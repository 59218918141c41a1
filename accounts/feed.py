"""The sync feed: every change of a segment, in an order in which nothing can appear behind a reader.

The log is `Transition`; its order is (epoch, xid, id). Rows of the current epoch are shown only when their
transaction is older than every transaction still running (`xid < pg_snapshot_xmin`): a slow transaction's rows
then always come after what readers have seen. Order by time or by a counter alone loses such rows. After a
restore the transaction ids start elsewhere: `FeedEpoch` counts restores, and cursors of another epoch are void.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField

from accounts.models import FeedEpoch, Transition


def ensure_epoch(**kwargs: Any) -> None:
    """Make the one row of the epoch; after every migrate, so that a flush keeps it."""
    FeedEpoch.objects.bulk_create([FeedEpoch(id=1, epoch=1)], ignore_conflicts=True)


def current_epoch() -> int:
    return FeedEpoch.objects.get(pk=1).epoch


@dataclass(frozen=True)
class Position:
    """A place between two rows of the log. The first position is before every row."""

    epoch: int = 0
    xid: int = 0
    id: int = 0


@dataclass(frozen=True)
class Changes:
    """Rows after a position, the position after the last of them, and whether more are visible now."""

    rows: list[Transition]
    position: Position
    has_more: bool


def head() -> Position:
    """The position after which everything comes that is not visible yet: where a full reading begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT epoch, pg_snapshot_xmin(pg_current_snapshot())::text FROM accounts_feedepoch")
        epoch, xmin = cursor.fetchone()
    return Position(epoch, int(xmin), 0)


def read_changes(*, after: Position, limit: int, narrowed: QuerySet[Transition] | None = None) -> Changes:
    """At most `limit` rows after the position; `narrowed` may filter Transition further.

    The snapshot that decides what is visible is the statement's own, so rows and decision cannot disagree.
    """
    log = Transition.objects.all() if narrowed is None else narrowed
    visible = log.filter(_after(after), _is_settled()).order_by("epoch", "xid", "id")
    related = ("account", "account__merged_into", "dimension", "framework_version")
    rows = list(visible.select_related(*related)[: limit + 1])
    shown = rows[:limit]
    last = Position(shown[-1].epoch, shown[-1].xid, shown[-1].pk) if shown else after
    return Changes(shown, last, len(rows) > limit)


def _after(position: Position) -> RawSQL:
    sql = (
        '("accounts_transition"."epoch", "accounts_transition"."xid", "accounts_transition"."id") > (%s, %s::xid8, %s)'
    )
    # The ORM has neither row comparison nor xid8; what varies are parameters.
    return RawSQL(sql, (position.epoch, str(position.xid), position.id), output_field=BooleanField())  # noqa: S611


def _is_settled() -> RawSQL:
    sql = (
        '("accounts_transition"."epoch" < (SELECT epoch FROM accounts_feedepoch)'
        ' OR "accounts_transition"."xid" < pg_snapshot_xmin(pg_current_snapshot()))'
    )
    return RawSQL(sql, (), output_field=BooleanField())  # noqa: S611


_LAG = """
SELECT greatest(
    0,
    extract(epoch FROM clock_timestamp() - (
        SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())),
    extract(epoch FROM clock_timestamp() - (SELECT marked_at FROM accounts_pendingevaluation ORDER BY id LIMIT 1))
)
"""


def lag_seconds() -> float:
    """How old the youngest change is that readers are sure to see: held back by a running transaction, or owed.

    Transaction ids are the server's, so a long write in another database on it counts too.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        return round(float(cursor.fetchone()[0]), 3)
